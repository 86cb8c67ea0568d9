//! Shapes of projects: several services in one reload, TLS alone, a conf that is mounted alone, neighbours with
//! names like the slots'.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

mod common;

use common::fault::{Moment, Running, assert_clean};
use common::watch::{pid, state_beside_cutover, until};
use common::{Bench, access, cutover, run};
use lab::{Instance, Kind, Lab, Options, Project, build_app};

const RELOADED: &str = "reconfiguring";

/// How often nginx's master process took its configuration anew; its error log says so at level notice.
fn reloads(project: &Project) -> usize {
    let log = project.instance.root(&format!("cat {}", project.path("logs/nginx/error.log"))).unwrap();
    log.lines().filter(|line| line.contains(RELOADED) && line.contains("SIGHUP")).count()
}

fn over_tls(project: &Project, path: &str) -> String {
    project.ok(&format!("curl -sk --resolve lab.example:443:127.0.0.1 https://lab.example{path}")).unwrap()
}

#[test]
fn two_services_behind_http_and_tls_move_in_one_reload_and_behind_tls_alone_too() {
    let instance = Instance::start(Kind::V2).unwrap();
    let lab = Lab::up().unwrap();
    let [backend, web] = ["backend-api", "web"].map(|name| lab.repository(&format!("{}/{name}", instance.name)));
    let push = |version: &str| [&backend, &web].map(|name| build_app(name, version, &[]).unwrap());
    let project = Project::write_two(&instance, &backend, &web, Options::default()).unwrap();
    let first = push("v1.0.0");
    project.bring_up(&[&first[0], &first[1]]).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let config = format!(
        "services:\n  backend: {{image: '{backend}'}}\n  frontend: {{image: '{web}'}}\nhost: {}\ndirectory: {}\n",
        instance.destination(),
        project.options.directory
    );
    std::fs::write(dir.path().join("cutover.yml"), config).unwrap();
    let cutover = |words: &[&str]| run(cutover().current_dir(dir.path()).args(words).envs(access(&instance)));
    let conf = project.conf().unwrap();
    let green = conf.replace("server blue:", "server green:").replace("server web-blue:", "server web-green:");

    // the first release adds the keep-alive guard, with a reload of its own
    push("v1.1.0");
    cutover(&["deploy", "--version", "v1.1.0"]).expect(0).says("backend").says("frontend");
    assert_eq!(project.conf().unwrap(), green);
    assert_eq!(reloads(&project), 2);
    push("v1.2.0");
    cutover(&["deploy", "--version", "v1.2.0"]).expect(0).says("green → blue").says("web-green → web-blue");
    assert_eq!(reloads(&project), 3);
    assert_eq!(project.conf().unwrap(), conf);
    for path in ["/", "/api"] {
        assert_eq!(project.served_version_at(path).as_deref(), Some("v1.2.0"));
        assert!(over_tls(&project, path).contains("v1.2.0"));
    }

    // one of the two never gets healthy: neither moves
    let before = state_beside_cutover(&project);
    build_app(&backend, "v1.3.0", &[]).unwrap();
    build_app(&web, "v1.3.0", &[("CRASH", "1")]).unwrap();
    cutover(&["deploy", "--version", "v1.3.0"]).expect(3).says("web-green");
    assert_eq!(reloads(&project), 3);
    assert_eq!(serving(&state_beside_cutover(&project)), serving(&before));

    // the server block for HTTP goes away: there is only TLS to ask through
    let tls_only = conf.replacen("listen 80;", "listen 443 ssl;", 1).replacen("listen [::]:80;", "server_name other.example;\n  ssl_certificate /etc/nginx/certs/cert.pem;\n  ssl_certificate_key /etc/nginx/certs/key.pem;", 1);
    instance.write(&project.path("nginx/default.conf"), &tls_only).unwrap();
    project.ok("docker exec nginx nginx -s reload").unwrap();
    until("nginx has stopped to serve HTTP", || project.served_version().is_none());
    push("v1.4.0");
    cutover(&["deploy", "--version", "v1.4.0"]).expect(0).says("web-green answers 200 through nginx");
    let status = cutover(&["status", "--json"]).expect(0).result();
    for service in status["hosts"][0]["services"].as_array().unwrap() {
        assert_eq!((&service["version"], &service["proved"]), (&"v1.4.0".into(), &true.into()), "{status}");
    }
    assert!(["/", "/api"].iter().all(|path| over_tls(&project, path).contains("v1.4.0")));
}

/// The lines of running containers.
fn serving(state: &str) -> Vec<&str> {
    state.lines().filter(|line| line.contains(" running ")).collect()
}

#[test]
fn a_conf_that_is_mounted_alone_is_rewritten_in_place_and_one_that_the_container_does_not_see_is_refused() {
    let bench = Bench::with(Kind::V2, Options { single_file_mount: true, ..Options::default() });
    let inode = || bench.project.ok("stat -c %i nginx/default.conf").unwrap();
    let before = inode();
    bench.deploy("v1.1.0", &[]).expect(0);
    assert_eq!(inode(), before, "the file was replaced, and the container keeps the old one");
    let inside = bench.project.ok("docker exec nginx cat /etc/nginx/conf.d/default.conf").unwrap();
    assert_eq!(inside.trim_end(), bench.project.conf().unwrap().trim_end());
    assert!(inside.contains("server green:3001"));
    assert_eq!(bench.project.served_version().as_deref(), Some("v1.1.0"));

    bench.image("v1.2.0", &[]);
    bench.project.ok("sed -i 's/# .*//' nginx/default.conf").unwrap();
    let before = state_beside_cutover(&bench.project);
    let refused = bench.cutover(&["deploy", "--version", "v1.2.0"]).expect(3);
    refused.says("sees another /etc/nginx/conf.d/default.conf").says("restart nginx's container");
    assert_eq!(state_beside_cutover(&bench.project), before);
    bench.project.ok("docker restart nginx").unwrap();
    bench.cutover(&["deploy", "--version", "v1.2.0"]).expect(0);
    assert_eq!(bench.project.served_version().as_deref(), Some("v1.2.0"));
}

#[test]
fn neighbours_with_names_like_the_slots_are_left_alone() {
    let extras = ["evergreen-worker", "bluebird", "green2"].map(str::to_owned);
    let bench = Bench::with(Kind::V2, Options { extras: extras.to_vec(), ..Options::default() });
    let other = "docker run -d --label com.docker.compose.project=other --label com.docker.compose.service=green \
                 --label com.docker.compose.oneoff=False --name other-green-1 redis:6.2.5";
    bench.project.ok(other).unwrap();
    let neighbours = ["evergreen-worker", "bluebird", "green2", "other-green-1", "nginx"];
    let pids = || neighbours.map(|name| pid(&bench.instance, name));
    let before = pids();
    bench.deploy("v1.1.0", &[]).expect(0).says("blue → green");
    bench.deploy("v1.2.0", &[]).expect(0).says("green → blue");
    assert_eq!(pids(), before);
    assert_eq!(bench.project.served_version().as_deref(), Some("v1.2.0"));
    bench.deploy("v1.3.0", &[("CRASH", "1")]).expect(3);
    assert_eq!(pids(), before);
}

#[test]
fn after_a_restart_of_dockerd_or_of_the_machine_the_live_slot_serves_and_the_old_one_stays_down() {
    let bench = Bench::reference(Kind::V2);
    bench.deploy("v1.1.0", &[]).expect(0);
    for restart in [lab::Machine::restart_dockerd, lab::Machine::reboot] {
        restart(&bench.instance).unwrap();
        bench.project.wait_until_serves("v1.1.0", std::time::Duration::from_secs(60)).unwrap();
        assert!(bench.instance.is_running("green").unwrap() && !bench.instance.is_running("blue").unwrap());
    }
    // the policy comes back with the next release
    bench.deploy("v1.2.0", &[]).expect(0);
    let policies = bench.project.ok("docker inspect -f '{{.HostConfig.RestartPolicy.Name}}' blue green").unwrap();
    assert_eq!(policies, "always\nno");
    bench.instance.restart_dockerd().unwrap();
    bench.project.wait_until_serves("v1.2.0", std::time::Duration::from_secs(60)).unwrap();
    assert!(bench.instance.is_running("blue").unwrap() && !bench.instance.is_running("green").unwrap());
}

#[test]
fn two_projects_on_one_host_release_at_the_same_time_and_leave_each_other_alone() {
    let mut api = Bench::reference(Kind::V2);
    let options = Options { directory: "/home/deploy/shop".to_owned(), ..Options::default() };
    let repository = Lab::up().unwrap().repository(&format!("{}/shop", api.instance.name));
    let mut shop = Bench::of(api.instance.clone(), repository, options);
    // the same services beside each other: other names and ports outside
    let apart = "sed -i -e /container_name/d -e s/80:80/8080:80/ -e s/6379:6379/6380:6379/ docker-compose.yml";
    shop.project.ok(apart).unwrap();
    let first = shop.image("v5.0.0", &[]);
    let up = "docker pull -q IMAGE && docker tag IMAGE NAME:latest && docker-compose up -d redis blue 2>&1 && \
              docker-compose up -d nginx 2>&1";
    shop.project.ok(&up.replace("IMAGE", &first.by_digest()).replace("NAME", &shop.repository)).unwrap();
    [&mut api, &mut shop].into_iter().for_each(|bench| bench.config += "keep: 1\n");
    // containers, images and state of one of the two, by the name of its project and its directory
    let state = |bench: &Bench| {
        let name = bench.project.options.directory.rsplit('/').next().unwrap().to_owned();
        let script = format!(
            "docker ps -aq --filter label=com.docker.compose.project={name} | xargs docker inspect \
               -f '{{{{.Name}}}} {{{{.Id}}}} {{{{.Image}}}} {{{{.State.StartedAt}}}} {{{{.HostConfig.RestartPolicy.Name}}}}' | sort
             docker images --no-trunc --format '{{{{.ID}}}} {{{{.Tag}}}}' {} | sort
             cd {} && find nginx .cutover -type f | sort | xargs sha256sum",
            bench.repository, bench.project.options.directory
        );
        bench.instance.root(&script).unwrap()
    };

    // the lock of one is held, and the other releases all the same
    api.image("v1.1.0", &[("START_DELAY_MS", "15000")]);
    shop.image("v5.1.0", &[]);
    let mut running = Running::start(&api, &["deploy", "--version", "v1.1.0", "--json"]);
    assert!(running.until("health", Moment::Before));
    shop.cutover(&["deploy", "--version", "v5.1.0"]).expect(0);
    assert!(!running.is_over(), "they were not at the same time");
    api.cutover(&["deploy", "--version", "v1.1.0"]).expect(5);
    running.end().expect(0);
    assert_eq!(api.project.served_version().as_deref(), Some("v1.1.0"));
    assert_clean(&api, "two projects");

    // a release, pruning, a failure and a rollback of one change nothing of the other
    let before = state(&api);
    assert!(before.contains("cutover-backend-v1.1.0") && before.contains("history.jsonl"), "{before}");
    shop.deploy("v5.2.0", &[]).expect(0);
    shop.deploy("v5.3.0", &[]).expect(0).says("old images removed");
    shop.deploy("v5.4.0", &[("CRASH", "1")]).expect(3);
    shop.cutover(&["rollback"]).expect(0).says("v5.2.0 is live");
    assert_eq!(state(&api), before);
    let before = state(&shop);
    api.deploy("v1.2.0", &[]).expect(0);
    api.deploy("v1.3.0", &[]).expect(0);
    assert_eq!(state(&shop), before);
    let versions = |bench: &Bench| {
        let history = bench.cutover(&["history", "--json"]).expect(0).result();
        let all = history["hosts"][0]["releases"].as_array().unwrap().clone();
        all.iter().map(|each| each["version"].as_str().unwrap()[..2].to_owned()).collect::<Vec<_>>()
    };
    assert!(
        versions(&api).iter().all(|version| version == "v1") && versions(&shop).iter().all(|version| version == "v5")
    );
}

/// Two configurations of one directory, and then one for both.
#[test]
fn a_history_belongs_to_a_service_whatever_else_is_released_in_its_directory() {
    let instance = Instance::start(Kind::V2).unwrap();
    let lab = Lab::up().unwrap();
    let [backend, web] = ["backend-api", "web"].map(|name| lab.repository(&format!("{}/{name}", instance.name)));
    let project = Project::write_two(&instance, &backend, &web, Options::default()).unwrap();
    let first = [&backend, &web].map(|name| build_app(name, "v1.0.0", &[]).unwrap());
    project.bring_up(&[&first[0], &first[1]]).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let host = format!("host: {}\ndirectory: {}\n", instance.destination(), project.options.directory);
    let env = |file: &str| format!("env-file: {{path: {file}, from-env: CONTENT}}\nkeep: 2\n");
    let files = [
        ("api.yml", format!("image: '{backend}'\n{}", env(".env"))),
        ("web.yml", format!("image: '{web}'\n{}", env("web.env"))),
        ("renamed.yml", format!("services: {{api: {{image: '{backend}'}}}}\n{}", env(".env"))),
        ("both.yml", format!("services:\n  backend: {{image: '{backend}'}}\n  frontend: {{image: '{web}'}}\n")),
    ];
    for (name, text) in &files {
        std::fs::write(dir.path().join(name), format!("{text}{host}")).unwrap();
    }
    let cutover = |file: &str, words: &[&str]| {
        let mut command = cutover();
        command.current_dir(dir.path()).args(["-c", file]).args(words).envs(access(&instance));
        run(command.env("CONTENT", format!("OF={file}-{}", words.last().unwrap())))
    };
    let deploy = |file: &str, names: &[&str], version: &str| {
        names.iter().for_each(|name| drop(build_app(name, version, &[]).unwrap()));
        cutover(file, &["deploy", "--allow-downgrade", "--allow-jump", "--version", version]).expect(0)
    };
    let rollbacks = |file: &str| {
        let services = cutover(file, &["status", "--json"]).expect(0).result()["hosts"][0]["services"].clone();
        services.as_array().unwrap().iter().map(|each| each["rollback"].clone()).collect::<Vec<_>>()
    };
    let served = |path: &str| project.served_version_at(path).unwrap();

    deploy("api.yml", &[&backend], "v1.1.0");
    deploy("api.yml", &[&backend], "v1.2.0");
    deploy("web.yml", &[&web], "v3.0.0");
    deploy("web.yml", &[&web], "v1.1.0");
    // `keep: 2` counts its own releases: the other one's took nothing away
    assert_eq!(rollbacks("api.yml"), [serde_json::json!(["v1.1.0"])]);
    assert_eq!(rollbacks("web.yml"), [serde_json::json!(["v3.0.0"])]);
    let never = cutover("api.yml", &["rollback", "v3.0.0", "--json"]).expect(2);
    never.says("v3.0.0 is not in the history; possible: v1.1.0").never_says("step-begin");
    cutover("renamed.yml", &["rollback"]).expect(0).says("v1.1.0 is live");
    assert_eq!((served("/api"), served("/")), ("v1.1.0".to_owned(), "v1.1.0".to_owned()));
    // each has its own file back, of versions of its own
    assert_eq!(project.ok("cat .env web.env").unwrap(), "OF=api.yml-v1.1.0OF=web.yml-v1.1.0");
    cutover("web.yml", &["rollback"]).expect(0).says("v3.0.0 is live");
    assert_eq!(project.ok("cat .env web.env").unwrap(), "OF=api.yml-v1.1.0OF=web.yml-v3.0.0");

    // both together, then one of them taken back by hand: one step back is one step
    deploy("both.yml", &[&backend, &web], "v4.0.0");
    deploy("both.yml", &[&backend, &web], "v4.1.0");
    let live = project.ok("docker ps --format '{{.Names}}' | grep web-").unwrap();
    let by_hand = format!(
        "docker tag {web}:cutover-backend-v4.0.0 {web}:latest && docker-compose up -d --no-deps --force-recreate {live} 2>&1 \
         && docker restart -t 0 nginx"
    );
    project.ok(&by_hand).unwrap();
    until("the page is the old one", || project.served_version_at("/").as_deref() == Some("v4.0.0"));
    cutover("both.yml", &["rollback"]).expect(0).says("going back to v4.0.0");
    assert_eq!((served("/api"), served("/")), ("v4.0.0".to_owned(), "v4.0.0".to_owned()));
}
