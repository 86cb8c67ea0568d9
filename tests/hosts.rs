//! Hosts as they are: few sessions, login shells that talk, Docker in odd places, directories of somebody else, and nginx
//! configured in ways of its own.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

mod common;

use common::watch::{pid, state_beside_cutover};
use common::{Bench, access, cutover, run};
use lab::{Kind, Load, Mix, Options, Start};
use std::time::Duration;

fn serves(bench: &Bench, version: &str) {
    assert_eq!(bench.project.served_version().as_deref(), Some(version));
}

/// The same bench with other words in its configuration.
fn with(bench: Bench, from: &str, to: &str) -> Bench {
    assert!(bench.config.contains(from), "{}", bench.config);
    Bench { config: bench.config.replace(from, to), ..bench }
}

#[tokio::test(flavor = "multi_thread")]
async fn with_few_sessions_a_release_works_and_a_broken_one_is_put_back() {
    let mut start = Start::new(Kind::V2);
    start.sshd = vec!["MaxSessions 2".to_owned()];
    let bench = Bench::on(start.start().unwrap(), Options::default());
    let first = bench.image("v1.0.0", &[]);
    bench.project.bring_up(&[&first]).unwrap();
    bench.cutover(&["check"]).expect(0).says("sshd opens 2 sessions on one connection").says("MaxSessions 10");
    let load = Load::start(&bench.project.url(), Mix::standard()).unwrap();
    bench.deploy("v1.1.0", &[]).expect(0);
    serves(&bench, "v1.1.0");
    for broken in [("CRASH", "1"), ("UNHEALTHY_MS", "-1")] {
        bench.image("v1.2.0", &[broken]);
        let config = format!("{}health: {{timeout: 5s}}\n", bench.config);
        let mut deploy = bench.command(&["deploy", "--version", "v1.2.0"]);
        std::fs::write(bench.dir.path().join("cutover.yml"), config).unwrap();
        run(&mut deploy).expect(3);
        serves(&bench, "v1.1.0");
    }
    let report = load.stop().await.unwrap();
    // the reload that loads the guard can still reset idle connections
    assert!(report.requests > 1000 && report.failed == report.failures("reset-idle"), "{} failed", report.failed);
    // it fails after the switch, when everything has been in use
    let config = format!("{}bake: {{for: 20s, max-failures: 0}}\n", bench.config);
    bench.image("v1.3.0", &[("FAIL_AFTER_MS", "6000")]);
    let mut deploy = bench.command(&["deploy", "--version", "v1.3.0"]);
    std::fs::write(bench.dir.path().join("cutover.yml"), config).unwrap();
    run(&mut deploy).expect(3);
    serves(&bench, "v1.1.0");
}

#[test]
fn what_a_login_shell_prints_is_no_part_of_an_answer_and_docker_is_found_where_only_a_login_finds_it() {
    let bench = Bench::reference(Kind::V2);
    let host = &bench.instance;
    let noise = "echo 'Welcome to the host'; echo 'and mind the step' >&2; stty sane; printf '@engine 1 3\\nno\\n'";
    host.ok(&format!("printf '%s\\n' {} > ~/.bashrc", quoted(noise))).unwrap();
    host.root("chsh -s /bin/bash deploy").unwrap();
    assert!(host.ok("true").unwrap().contains("Welcome"), "the login shell is quiet");
    bench.deploy("v1.1.0", &[]).expect(0);
    serves(&bench, "v1.1.0");

    // it runs something else
    host.ok("printf 'echo maintenance today; exit 0\\n' > ~/.bashrc").unwrap();
    let ran = bench.cutover(&["check"]);
    assert_ne!(ran.code, 0, "{ran}");
    ran.says("the account's login shell did not run the command").says("maintenance today").says("ForceCommand");
    host.root("rm ~deploy/.bashrc").unwrap();

    // on the PATH of a login only
    host.root("mkdir -p /opt/tools/bin && mv /usr/bin/docker /opt/tools/bin/docker && mv /usr/bin/docker-compose /opt/tools/ 2>/dev/null; true").unwrap();
    bench.cutover(&["check"]).expect(3).says("Docker");
    host.ok("echo 'PATH=$PATH:/opt/tools/bin; echo hello' >> ~/.profile").unwrap();
    bench.cutover(&["check"]).expect(0);
    bench.deploy("v1.2.0", &[]).expect(0);
    serves(&bench, "v1.2.0");
    bench.deploy("v1.3.0", &[("CRASH", "1")]).expect(3);
    serves(&bench, "v1.2.0");
    host.root("rm ~deploy/.profile").unwrap();

    // an engine that only a login is told of, and one of a user's own
    host.root("mv /opt/tools/bin/docker /usr/bin/docker; ln -sf /run/docker.sock /run/other.sock; mv /run/docker.sock /run/the.sock; \
               ln -sfn /run/the.sock /run/other.sock").unwrap();
    bench.cutover(&["check"]).expect(3).says("Docker does not answer");
    host.ok("echo 'export DOCKER_HOST=unix:///run/other.sock' > ~/.profile").unwrap();
    bench.deploy("v1.4.0", &[]).expect(0);
    serves(&bench, "v1.4.0");
    host.ok("echo 'export DOCKER_HOST=unix:///run/user/1000/docker.sock' > ~/.profile").unwrap();
    bench.cutover(&["check"]).expect(3).says("Docker is rootless").says("the system's Docker Engine");
    host.root("mv /run/the.sock /run/docker.sock; rm ~deploy/.profile").unwrap();
    bench.cutover(&["check"]).expect(0);

    // other people's docker
    let before = state_beside_cutover(&bench.project);
    host.root("mv /usr/bin/docker /usr/bin/docker.real; printf '#!/bin/sh\\nexec /usr/bin/podman \"$@\"\\n' > /usr/bin/docker; chmod 755 /usr/bin/docker").unwrap();
    bench.cutover(&["check"]).expect(3).says("`docker` is podman's");
    host.root("printf '#!/bin/sh\\nexec /usr/bin/docker.real \"$@\"\\n' > /usr/bin/snap; chmod 755 /usr/bin/snap; rm /usr/bin/docker; \
               mkdir -p /snap/bin; ln -s /usr/bin/snap /snap/bin/docker").unwrap();
    bench.cutover(&["check"]).expect(0);
    host.root("cp -r /home/deploy/app /srv/app; chown -R deploy /srv/app").unwrap();
    let elsewhere = with(bench, "/home/deploy/app/", "/srv/app/");
    elsewhere.cutover(&["check"]).expect(3).says("Docker is snap's").says("nothing outside /home");
    elsewhere.instance.root("mv /usr/bin/docker.real /usr/bin/docker").unwrap();
    assert_eq!(state_beside_cutover(&elsewhere.project), before);
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

#[test]
fn state_that_belongs_to_somebody_else_is_said_first_and_a_group_can_share_it() {
    let bench = Bench::reference(Kind::V2);
    let (host, directory) = (&bench.instance, bench.project.options.directory.clone());
    // the directory is root's, the files in it are not
    host.root(&format!("chown root {directory} && chmod 755 {directory}")).unwrap();
    bench.image("v1.1.0", &[]);
    for words in [&["check"][..], &["deploy", "--version", "v1.1.0"], &["status"], &["history"]] {
        bench
            .cutover(words)
            .expect(3)
            .says("deploy can't read and write cutover's state")
            .says("belongs to root")
            .says("sudo install -d -o deploy");
    }
    host.root(&format!("install -d -o deploy -m 700 {directory}/.cutover")).unwrap();
    bench.cutover(&["deploy", "--version", "v1.1.0"]).expect(0);

    // a second person
    host.root(
        "groupadd releasers && useradd -m -s /bin/sh -p '*' -G docker,releasers ann && usermod -aG releasers deploy && \
         chmod 755 /home/deploy && chgrp -R releasers /home/deploy/app/backend/nginx && chmod -R g+w /home/deploy/app/backend/nginx",
    )
    .unwrap();
    let ann = |words: &[&str]| {
        let config = bench.config.replace("deploy@", "ann@");
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("cutover.yml"), config).unwrap();
        let mut command = cutover();
        run(command.current_dir(dir.path()).args(words).envs(access(host)))
    };
    for words in [&["check"][..], &["history"], &["rollback"]] {
        let ran = ann(words);
        assert_ne!(ran.code, 0, "{ran}");
        ran.says(".cutover");
    }
    ann(&["history"]).expect(3).says("ann can't read and write cutover's state").says("belongs to deploy");
    host.root(&format!("cd {directory} && chgrp -R releasers .cutover && chmod -R g+rwX .cutover && find .cutover -type d -exec chmod g+s {{}} +")).unwrap();
    ann(&["history"]).expect(0).says("v1.1.0");
    bench.image("v1.2.0", &[]);
    ann(&["deploy", "--version", "v1.2.0"]).expect(0);
    serves(&bench, "v1.2.0");
    bench.deploy("v1.3.0", &[]).expect(0);
    ann(&["rollback"]).expect(0).says("v1.2.0 is live");
    serves(&bench, "v1.2.0");
    bench.cutover(&["history"]).expect(0).says("v1.3.0");

    // the first release of all in a directory that a group shares from the start
    host.root(&format!("cd {directory} && rm -rf .cutover && install -d -g releasers -m 2770 .cutover")).unwrap();
    bench.image("v1.4.0", &[]);
    ann(&["deploy", "--version", "v1.4.0"]).expect(0);
    bench.cutover(&["history"]).expect(0).says("v1.4.0");
    bench.deploy("v1.5.0", &[]).expect(0);
    ann(&["history"]).expect(0).says("v1.5.0");
}

/// nginx's part of the compose file, rewritten; its container is made anew.
fn remount(bench: &Bench, volumes: &str, more: &str) {
    let text = bench.instance.read(&bench.project.path("docker-compose.yml")).unwrap();
    let start = text.find("    volumes:\n").unwrap();
    let end = start + text[start..].find("  blue:").unwrap();
    let text = format!("{}    volumes:\n{volumes}{}{more}", &text[..start], &text[end..]);
    bench.instance.write(&bench.project.path("docker-compose.yml"), text).unwrap();
    bench.project.ok("docker rm -f nginx && docker-compose up -d --no-deps nginx 2>&1").unwrap();
}

#[test]
fn nginx_is_configured_in_ways_of_its_own() {
    let bench = Bench::reference(Kind::V2);
    let conf = bench.project.conf().unwrap();

    // bytes that are no UTF-8: EUC-KR and Latin-1
    let own = [b"# \xb5\xbf\xc0\xcf caf\xe9 \xff\xfe\n".as_slice(), conf.as_bytes()].concat();
    bench.instance.write(&bench.project.path("nginx/default.conf"), &own).unwrap();
    bench.project.ok("docker exec nginx nginx -s reload").unwrap();
    let sum = || bench.project.ok("sha256sum < nginx/default.conf").unwrap();
    let blue = sum();
    bench.deploy("v1.1.0", &[]).expect(0);
    serves(&bench, "v1.1.0");
    let green = bench.project.ok("sed s/blue:3001/green:3001/ nginx/default.conf | sha256sum").unwrap();
    assert_eq!(sum(), green);
    assert_ne!(sum(), blue);
    bench.deploy("v1.2.0", &[("CRASH", "1")]).expect(3);
    assert_eq!(sum(), green);
    bench.deploy("v1.2.1", &[]).expect(0);
    assert_eq!(sum(), blue);

    // all of /etc/nginx, with sites that are links, and copies that nginx does not read
    bench.project.ok("docker cp nginx:/etc/nginx etc && chmod -R u+w etc && mkdir -p etc/sites-available etc/sites-enabled && rm -f etc/conf.d/* etc/sites-enabled/* && \
                      cp nginx/default.conf etc/sites-available/app && cp nginx/default.conf etc/conf.d/app.conf.bak && \
                      cp nginx/default.conf etc/sites-available/old && \
                      sed -i 's|include /etc/nginx/conf.d/\\*.conf;|include /etc/nginx/conf.d/*.conf; include /etc/nginx/sites-enabled/*;|' etc/nginx.conf && \
                      grep -q sites-enabled etc/nginx.conf").unwrap();
    for (target, version) in [("/etc/nginx/sites-available/app", "v1.3.0"), ("../sites-available/app", "v1.4.0")] {
        bench.project.ok(&format!("rm -f etc/sites-enabled/*; ln -s {target} etc/sites-enabled/app")).unwrap();
        remount(&bench, "      - ./etc/:/etc/nginx/\n", "");
        bench.cutover(&["check"]).expect(0);
        bench.deploy(version, &[]).expect(0);
        serves(&bench, version);
        let links = bench
            .project
            .ok("test -L etc/sites-enabled/app && grep -c 'server [a-z]*:3001' etc/sites-available/app")
            .unwrap();
        assert_eq!(links, "1");
    }
    let stated = format!("{}nginx: {{conf: etc/sites-enabled/app}}\n", bench.config);
    let bench = Bench { config: stated, ..bench };
    bench.deploy("v1.5.0", &[]).expect(0);
    serves(&bench, "v1.5.0");
    let config = bench.config.replace("nginx: {conf: etc/sites-enabled/app}\n", "");
    let bench = Bench { config, ..bench };

    // what can't be changed from the host is named
    bench.project.ok("mkdir -p templates && cp etc/sites-available/app templates/default.conf.template").unwrap();
    remount(&bench, "      - ./templates/:/etc/nginx/templates/\n", "");
    bench.project.ok("docker cp templates/default.conf.template nginx:/etc/nginx/conf.d/default.conf && docker exec nginx nginx -s reload").unwrap();
    bench
        .cutover(&["check"])
        .expect(3)
        .says("is a template")
        .says("/etc/nginx/conf.d/default.conf")
        .says("leave the template out");
    remount(&bench, "      - conf:/etc/nginx/conf.d/\n", "volumes: {conf: {}}\n");
    bench.project.ok("docker cp etc/sites-available/app nginx:/etc/nginx/conf.d/default.conf && docker exec nginx nginx -s reload").unwrap();
    bench
        .cutover(&["check"])
        .expect(3)
        .says("named volume")
        .says("at /etc/nginx/conf.d")
        .says("mount a directory of the host");
}

#[test]
fn compose_1_calls_a_project_as_it_calls_its_containers() {
    let bench = Bench::reference(Kind::V1);
    // whatever stands in .env, the label has it in lower case
    for (place, name) in [("COMPOSE_PROJECT_NAME=Shop", "shop"), ("COMPOSE_PROJECT_NAME=\"My Shop\"", "myshop")] {
        bench.project.ok("docker-compose down 2>&1; rm -rf .cutover; sed -i /COMPOSE_PROJECT_NAME/d .env; sed -i s/green:/blue:/ nginx/default.conf").unwrap();
        bench.project.ok(&format!("printf '%s\\n' '{place}' >> .env")).unwrap();
        let first = bench.image("v1.0.0", &[]);
        bench.project.bring_up(&[&first]).unwrap();
        let label = "docker inspect -f '{{index .Config.Labels \"com.docker.compose.project\"}}' blue";
        assert_eq!(bench.project.ok(label).unwrap(), name);
        let live = pid(&bench.instance, "blue");
        bench.image("v1.1.0", &[("CRASH", "1")]);
        bench.cutover(&["deploy", "--version", "v1.1.0"]).expect(3);
        assert_eq!(pid(&bench.instance, "blue"), live, "the live slot was touched");
        bench.deploy("v1.2.0", &[]).expect(0).says("blue → green");
        serves(&bench, "v1.2.0");
        bench.project.wait_until_serves("v1.2.0", Duration::from_secs(10)).unwrap();
    }
}
