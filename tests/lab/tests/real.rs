//! The bench on itself: the reference project on both kinds of instance, its own deploy script under load.

use std::time::{Duration, Instant};

use lab::{Instance, Kind, Lab, Load, Machine, Mix, Options, Project, Script, Start, build_app};

fn the_reference_project_serves_and_deploys_by_its_script(kind: Kind) {
    let repository = Lab::up().expect("lab").repository("backend-api");
    let first = build_app(&repository, "v1.0.0", &[]).expect("v1.0.0");
    let instance = Instance::start(kind).expect("instance");
    let options = Options { extras: vec!["worker".to_owned()], ..Options::default() };
    let project = Project::write(&instance, &repository, options).expect("project");
    project.bring_up(&[&first]).expect("up");

    let calm = Load::run_for(&project.url(), Mix::near(400.0), Duration::from_secs(5)).expect("load");
    assert_eq!(calm.failed, 0, "{calm:?}");
    assert!(calm.requests > 1900, "{}", calm.requests);

    build_app(&repository, "v1.1.0", &[("START_DELAY_MS", "500")]).expect("v1.1.0");
    let load = Load::start(&project.url(), Mix::standard()).expect("load");
    let begun = Instant::now();
    let output = project.deploy_by_script(Script::Anywhere).expect("ssh");
    let took = begun.elapsed();
    let report = load.stop_blocking().expect("report");
    assert!(output.success() && output.stdout.contains("BLUE => GREEN"), "{}", output.stdout);
    assert_eq!(project.served_version().as_deref(), Some("v1.1.0"));
    assert!(instance.is_running("green").expect("ps") && !instance.is_running("blue").expect("ps"));
    assert!(took < Duration::from_secs(20), "{took:?}");
    assert!(report.requests > 1000 && report.failed < report.requests / 4, "{report:?}");
}

lab::on_each_kind!(the_reference_project_serves_and_deploys_by_its_script);

#[test]
fn two_services_share_a_conf_and_tls() {
    let lab = Lab::up().expect("lab");
    let (backend, web) = (lab.repository("backend-api"), lab.auth_repository("web"));
    let images = [
        build_app(&backend, "v1.0.0", &[]).expect("backend"),
        build_app(&web, "v2.0.0", &[]).expect("web, with a login"),
    ];
    let instance = Instance::start(Kind::V2).expect("instance");
    let login =
        format!("docker login -u {} -p {} {}", lab.registry.user, lab.registry.password, lab.registry.auth_registry);
    instance.ok(&login).expect("login");
    let project =
        Project::write_two(&instance, &backend, &web, Options { nginx: "1.26".to_owned(), ..Options::default() });
    let project = project.expect("project");
    project.bring_up(&[&images[1], &images[0]]).expect("up");
    assert_eq!(project.served_version_at("/api").as_deref(), Some("v1.0.0"));
    let tls = instance.ok("curl -sk https://localhost/").expect("over TLS");
    assert!(tls.contains("v2.0.0"), "{tls}");
}

#[test]
fn every_option_gives_a_project_that_compose_accepts() {
    let instance = Instance::start(Kind::V1).expect("instance");
    let options = Options {
        nginx: "latest".to_owned(),
        single_file_mount: true,
        restart: "no".to_owned(),
        extras: vec!["evergreen-worker".to_owned()],
        stop_grace_period: Some("20s".to_owned()),
        ..Options::default()
    };
    for write in [
        |instance, options| Project::write(instance, "example/backend", options),
        |instance, options| Project::write_two(instance, "example/backend", "example/web", options),
    ] {
        let project = write(&instance, options.clone()).expect("project");
        let config = project.ok("docker-compose config").expect("config");
        assert!(config.contains("default.conf:/etc/nginx/conf.d/default.conf"), "{config}");
        assert!(config.contains("restart: \"no\"") && config.contains("stop_grace_period: 20s"), "{config}");
    }
}

#[test]
fn an_instance_survives_a_dockerd_restart_and_a_reboot() {
    let mut start = Start::new(Kind::V2);
    start.ssh_port = 2222;
    start.sshd.push("AllowTcpForwarding no".to_owned());
    let instance = start.start().expect("instance");
    instance.write("a dir/file", "text").expect("write");
    assert_eq!(instance.read("/home/deploy/a dir/file").expect("read"), "text");
    instance.ok("docker run -d --restart always --name up redis:6.2.5").expect("run");
    for restart in [Machine::restart_dockerd, Machine::reboot] {
        restart(&instance).expect("restart");
        assert!(instance.is_running("up").expect("ps"));
        assert_eq!(instance.ok("echo over ssh").expect("ssh"), "over ssh");
    }
    let sshd = instance.root("/usr/sbin/sshd -T -p 2222").expect("sshd -T");
    assert!(sshd.contains("allowtcpforwarding no"), "{sshd}");
}
