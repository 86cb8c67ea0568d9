//! `check`: every finding that it knows, with what to do about it, on a host where it is so.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

mod common;

use common::watch::state;
use common::{Bench, Ran};
use lab::{Kind, Options};

/// `check` with more configuration; it changes nothing.
fn check(bench: &Bench, more: &str) -> Ran {
    let mut with = bench.command(&["check"]);
    std::fs::write(bench.dir.path().join("cutover.yml"), format!("{}{more}", bench.config)).unwrap();
    common::run(&mut with)
}

#[test]
fn a_good_host_has_no_findings_and_what_is_wrong_with_a_project_is_named() {
    let bench = Bench::reference(Kind::V2);
    let before = state(&bench.project);
    check(&bench, "")
        .expect(0)
        .says("✔ ready: backend-api: slots blue, green; upstream backend-api (nginx/default.conf:2) on blue:3001; health GET / → 200 in ")
        .says("evidence: requests to location / (nginx/default.conf:10) reach blue");

    for (status, says) in [
        ("301", "a redirect"),
        ("401", "it wants a login"),
        ("403", "it wants a login"),
        ("503", "the service says that it does not work"),
    ] {
        let ran = check(&bench, &format!("health: /status/{status}\n")).expect(0);
        ran.says(&format!("answers GET /status/{status} with {status}")).says(says).says("set `health: {path: …}`");
    }
    check(&bench, "nginx: {conf: nginx/absent.conf}\n")
        .expect(3)
        .says("nginx/absent.conf is not among the files mounted");
    check(&bench, "slots: [red, black]\n")
        .expect(3)
        .says("no service red; it has")
        .says("name the two compose services");
    check(&bench, "upstream: absent\n")
        .expect(3)
        .says("no upstream of that name")
        .says("correct `upstream` in cutover.yml");
    let elsewhere = bench.config.replace(&bench.project.options.directory, "/home/deploy/absent");
    let elsewhere = Bench { config: elsewhere, ..bench };
    check(&elsewhere, "")
        .expect(3)
        .says("/home/deploy/absent does not exist, or deploy can't enter it")
        .says("correct `directory`");
    let bench = elsewhere;
    assert_eq!(state(&bench.project), before);
}

#[test]
fn what_is_wrong_with_a_host_is_named_with_what_to_do() {
    let bench = Bench::with(Kind::V1, Options { stop_grace_period: Some("2s".to_owned()), ..Options::default() });
    let (host, project) = (&bench.instance, &bench.project);
    check(&bench, "").expect(0).says("it has 2 s to stop before SIGKILL").says("`stop_grace_period`");

    // the upstream names neither slot, or both
    let conf = project.conf().unwrap();
    let with_conf = |text: &str| host.write(&project.path("nginx/default.conf"), text).unwrap();
    with_conf(&conf.replace("server blue:3001", "server redis:3001"));
    check(&bench, "").expect(3).says("no upstream has a server blue or green");
    check(&bench, "upstream: backend-api\n").expect(3).says("its servers are redis, the slots are blue and green");
    with_conf(&conf.replace("server blue:3001;", "server blue:3001; server green:3001;"));
    check(&bench, "").expect(3).says("it names both slots");
    with_conf(&conf);

    // PID 1 that does not pass SIGTERM on
    let compose = host.read(&project.path("docker-compose.yml")).unwrap();
    host.write(&project.path("yarn"), "#!/bin/sh\nnode server.js\n").unwrap();
    let with_blue = |more: &str| {
        let text = compose.replacen("    container_name: blue\n", &format!("    container_name: blue\n{more}"), 1);
        host.write(&project.path("docker-compose.yml"), text).unwrap();
        project.ok("chmod +x yarn; docker-compose up -d --no-deps blue 2>&1; docker restart -t 0 nginx").unwrap();
        project.wait_until_serves("v1.0.0", std::time::Duration::from_secs(30)).unwrap();
    };
    with_blue(
        "    entrypoint: node server.js; true\n".replace("node", "sh -c 'node").replace("true", "true'").as_str(),
    );
    check(&bench, "").expect(0).says("PID 1 is a shell (ENTRYPOINT in shell form)").says("exec form");
    let mounted = "    entrypoint: [yarn, start:prod]\n    volumes: ['./yarn:/usr/bin/yarn']\n";
    let text = compose.replacen("    container_name: blue\n", &format!("    container_name: blue\n{mounted}"), 1);
    let text = text.replacen("    volumes:\n      - ./logs/nest/:/logs/\n", "", 1);
    host.write(&project.path("docker-compose.yml"), text).unwrap();
    project.ok("docker-compose up -d --no-deps blue 2>&1; docker restart -t 0 nginx").unwrap();
    project.wait_until_serves("v1.0.0", std::time::Duration::from_secs(30)).unwrap();
    check(&bench, "").expect(0).says("PID 1 is yarn, which does not pass SIGTERM on in time");

    // references that can't follow a release
    let pinned = compose.replacen(":latest", &format!("@sha256:{}", "0".repeat(64)), 1);
    host.write(&project.path("docker-compose.yml"), pinned).unwrap();
    check(&bench, "").expect(3).says("which can't follow a release").says("name the image by a tag");
    host.write(&project.path("docker-compose.yml"), "services: [").unwrap();
    check(&bench, "").expect(3).says("`docker-compose config` fails").says("correct the file");
    host.write(&project.path("docker-compose.yml"), &compose).unwrap();

    // the machine
    let df = "#!/bin/sh\necho 'Filesystem 1024-blocks Used Available Capacity Mounted on'\necho '/dev/x 10000000 9900000 100000 99% /'\n";
    host.root(&format!("printf '%s' \"{df}\" > /usr/local/bin/df && chmod +x /usr/local/bin/df")).unwrap();
    check(&bench, "").expect(3).says("97 MiB of 9765 MiB are free").says("docker image prune");
    host.root("rm /usr/local/bin/df; mv /usr/bin/docker-compose /usr/bin/docker-compose-away").unwrap();
    check(&bench, "")
        .expect(3)
        .says("there is neither `docker compose` nor `docker-compose`")
        .says("docker-compose-plugin");
    host.root("mv /usr/bin/docker-compose-away /usr/bin/docker-compose; mv /usr/bin/flock /usr/bin/flock-away")
        .unwrap();
    check(&bench, "").expect(3).says("the host lacks flock").says("util-linux");
    host.root("mv /usr/bin/flock-away /usr/bin/flock; gpasswd -d deploy docker").unwrap();
    check(&bench, "").expect(3).says("deploy may not use Docker").says("sudo usermod -aG docker deploy");
}

#[test]
fn a_conf_mounted_alone_and_an_nginx_that_cuts_idle_connections_are_advised_about() {
    let options = Options { single_file_mount: true, nginx: "1.30".to_owned(), ..Options::default() };
    let bench = Bench::with(Kind::V2, options);
    let ran = check(&bench, "").expect(0).says("is mounted alone").says("mount its directory instead");
    ran.says("`keepalive_min_timeout` is not set").says("set `keepalive_min_timeout 10s;` in the http block");
    bench.project.ok("sed -i 's/# .*//' nginx/default.conf").unwrap();
    check(&bench, "").expect(3).says("container sees another").says("restart nginx's container");
    bench.instance.root(&format!("chown root {0} && chmod 644 {0}", bench.project.path("nginx/default.conf"))).unwrap();
    check(&bench, "").expect(3).says("can't be written").says("sudo chown");
}
