//! No false success: what serves users is proved, nothing that serves is touched, and `check` refuses what a release would
//! fail at.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

mod common;

use common::fault::{Moment, Running};
use common::watch::{state_beside_cutover, until};
use common::{Bench, Ran, run};
use lab::load::Class;
use lab::{Kind, Load, Mix, Options};

/// Runs something under load: nothing may fail, and only these versions may answer.
fn under_load(bench: &Bench, what: impl FnOnce(), versions: &[&str]) {
    let load = Load::start(&bench.project.url(), Mix::of(vec![Class::new_connections(100.0)])).unwrap();
    until("requests were answered", || load.progress().requests > 20);
    what();
    let report = load.stop_blocking().unwrap();
    assert_eq!(report.failed, 0, "{report}");
    let seen: Vec<&str> = report.classes.iter().flat_map(|class| class.versions.keys()).map(String::as_str).collect();
    assert_eq!(seen, versions);
}

/// `check` and `deploy` refuse with this, and nothing is changed.
fn refused(bench: &Bench, says: &[&str]) {
    let before = state_beside_cutover(&bench.project);
    for words in [["check", "-v", "-v"].as_slice(), &["deploy", "--version", "v1.1.0"]] {
        let words = if words[0] == "check" { &words[..1] } else { words };
        let ran = bench.cutover(words).expect(3);
        says.iter().fold(ran, |ran, text| ran.says(text));
    }
    assert_eq!(state_beside_cutover(&bench.project), before);
}

fn with_config(bench: &Bench, more: &str, words: &[&str]) -> Ran {
    let mut command = bench.command(words);
    std::fs::write(bench.dir.path().join("cutover.yml"), format!("{}{more}", bench.config)).unwrap();
    run(&mut command)
}

#[test]
fn a_slot_that_has_connections_from_nginx_is_never_started_anew_or_stopped() {
    let bench = Bench::reference(Kind::V2);
    let conf = bench.project.conf().unwrap();
    bench.image("v1.1.0", &[]);
    let write = |text: &str| bench.instance.write(&bench.project.path("nginx/default.conf"), text).unwrap();
    let reload = || bench.project.ok("chmod a+r nginx/*; docker exec nginx nginx -s reload").unwrap();

    // nginx was loaded with both slots; the file has been mended since, and nobody loaded it
    bench.project.ok("docker-compose up -d --no-deps green 2>&1").unwrap();
    write(&conf.replace("server blue:3001;", "server blue:3001; server green:3001;"));
    reload();
    write(&conf);
    under_load(&bench, || refused(&bench, &["nginx sends requests to blue and to green"]), &["v1.0.0"]);
    reload();
    bench.project.ok("docker rm -f green").unwrap();

    // a location leads to the old slot by its address: no word names it
    let address = "docker inspect -f '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}' blue";
    let address = bench.project.ok(address).unwrap();
    let by_address = format!("location /by-address/ {{ proxy_pass http://{address}:3001; }}\n  location / {{");
    write(&conf.replacen("location / {", &by_address, 1));
    reload();
    let users = Load::start(&bench.project.url(), Mix::of(vec![Class::new_connections(50.0)])).unwrap();
    let others = Class::new_connections(50.0).with_path("/by-address/x");
    let others = Load::start(&bench.project.url(), Mix::of(vec![others])).unwrap();
    until("both are answered", || users.progress().requests > 20 && others.progress().requests > 20);
    // seen at once, it is put back
    let ran = bench.cutover(&["deploy", "--version", "v1.1.0"]).expect(3);
    ran.says("requests through nginx reach blue as well as green").never_says("is live");
    assert!(bench.instance.is_running("blue").unwrap() && bench.instance.container("green").unwrap().is_none());
    assert_eq!(bench.project.served_version().as_deref(), Some("v1.0.0"));
    // seen later, the old slot is left running
    let others_end = others.stop_blocking().unwrap();
    assert_eq!(others_end.failed, 0, "{others_end}");
    let hook = "hooks: {after-switch: [sh, -c, 'until [ -e /tmp/go ]; do sleep 0.1; done']}\n";
    let command = bench.command(&["deploy", "--version", "v1.1.0", "--json"]);
    std::fs::write(bench.dir.path().join("cutover.yml"), format!("{}{hook}", bench.config)).unwrap();
    let mut deploy = Running::spawn(command);
    assert!(deploy.until("after-switch", Moment::Before));
    let others = Class::new_connections(50.0).with_path("/by-address/x");
    let others = Load::start(&bench.project.url(), Mix::of(vec![others])).unwrap();
    until("they are answered", || others.progress().requests > 20);
    bench.instance.root("touch /tmp/go").unwrap();
    let ran = deploy.end().expect(4);
    ran.says("nginx still sends requests to blue: it was left running").says("v1.1.0 serves, and the old version too");
    assert!(bench.instance.is_running("blue").unwrap());
    let (users, others) = (users.stop_blocking().unwrap(), others.stop_blocking().unwrap());
    assert_eq!((users.failed, others.failed), (0, 0), "{users}\n{others}");
    // mended, the next run finishes it
    write(&bench.project.conf().unwrap().replacen(&by_address, "location / {", 1));
    reload();
    bench.cutover(&["recover"]).expect(0);
    assert!(!bench.instance.is_running("blue").unwrap());
    assert_eq!(bench.project.served_version().as_deref(), Some("v1.1.0"));
}

#[test]
fn a_slot_that_nginx_began_to_use_meanwhile_is_not_started_anew() {
    let bench = Bench::reference(Kind::V2);
    bench.image("v1.1.0", &[]);
    bench.project.ok("docker-compose up -d --no-deps green 2>&1").unwrap();
    let green = bench.instance.container("green").unwrap().unwrap().id;
    // while the image is pulled somebody loads a file that names green, and puts the file back
    let docker = format!(
        "#!/bin/sh\ncase \" $* \" in *\" pull \"*)\n  cd {}/nginx && cp default.conf /tmp/before && sed -i s/blue:/green:/ default.conf\n  \
         /usr/bin/docker exec nginx nginx -s reload 2>/dev/null; sleep 1; cat /tmp/before > default.conf ;;\nesac\nexec /usr/bin/docker \"$@\"\n",
        bench.project.options.directory
    );
    bench
        .instance
        .root(&format!("cat > /usr/local/bin/docker <<'END'\n{docker}END\nchmod 755 /usr/local/bin/docker"))
        .unwrap();
    under_load(
        &bench,
        || {
            let ran = bench.cutover(&["deploy", "--version", "v1.1.0"]).expect(3);
            ran.says("green has connections from nginx, so it serves somebody: it is not started anew");
        },
        &["v1.0.0"],
    );
    assert_eq!(bench.instance.container("green").unwrap().unwrap().id, green);
    assert!(bench.instance.is_running("blue").unwrap() && bench.instance.is_running("green").unwrap());
}

#[test]
fn a_switch_after_which_some_requests_still_reach_the_old_slot_is_put_back() {
    let bench = Bench::reference(Kind::V2);
    bench.image("v1.1.0", &[]);
    // beside its name the upstream has the old slot's address, which no release changes
    let address = "docker inspect -f '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}' blue";
    let both = format!("server blue:3001; server {}:3001;", bench.project.ok(address).unwrap());
    let conf = bench.project.conf().unwrap().replace("server blue:3001;", &both);
    bench.instance.write(&bench.project.path("nginx/default.conf"), &conf).unwrap();
    bench.project.ok("chmod a+r nginx/*; docker exec nginx nginx -s reload").unwrap();
    under_load(
        &bench,
        || {
            let ran = bench.cutover(&["deploy", "--version", "v1.1.0"]).expect(3);
            ran.says("requests through nginx reach blue as well as green").never_says("is live");
        },
        &["v1.0.0", "v1.1.0"],
    );
    bench.assert_untouched(&conf);
}

#[test]
fn where_something_answers_in_a_slots_name_it_is_not_said_that_nothing_runs() {
    let bench = Bench::reference(Kind::V2);
    let image = bench.image("v0.9.0", &[]);
    bench.image("v1.1.0", &[]);
    // somebody runs the service without compose
    let other =
        format!("docker run -d --network backend_default --network-alias blue --name other {}", image.by_digest());
    bench.project.ok(&format!("docker rm -f blue && {other} && docker exec nginx nginx -s reload")).unwrap();
    bench.project.wait_until_serves("v0.9.0", std::time::Duration::from_secs(30)).unwrap();
    under_load(
        &bench,
        || refused(&bench, &["no slot of this project runs, but blue means ", "in nginx's container"]),
        &["v0.9.0"],
    );
    bench.cutover(&["status"]).never_says("seen to receive");
}

#[test]
fn a_name_that_means_two_containers_to_nginx_is_refused_before_anybody_is_sent_there() {
    let bench = Bench::reference(Kind::V2);
    let image = bench.image("v0.9.0", &[]);
    bench.image("v1.1.0", &[]);
    let other = format!(
        "docker run -d --network backend_default --network-alias green --name other-1 LABELS {} && sleep 0",
        image.by_digest()
    );
    let labels = "--label com.docker.compose.project=other --label com.docker.compose.service=api";
    bench.project.ok(&other.replace("LABELS", labels)).unwrap();
    under_load(
        &bench,
        || refused(&bench, &["green means other-1 of the project other too on a network of nginx"]),
        &["v1.0.0"],
    );

    // one of no project, which only nginx itself knows
    bench.project.ok("docker rm -f other-1").unwrap();
    bench.project.ok(&other.replace("LABELS", "")).unwrap();
    let conf = bench.project.conf().unwrap();
    under_load(
        &bench,
        || {
            let ran = bench.cutover(&["deploy", "--version", "v1.1.0"]).expect(3);
            ran.says("in the nginx container green means ")
                .says("The old version serves:")
                .says("blue answers 200 through nginx");
        },
        &["v1.0.0"],
    );
    bench.assert_untouched(&conf);
}

#[test]
fn a_name_is_looked_up_with_getent_where_nginxs_image_has_it() {
    let bench = Bench::reference(Kind::V2);
    let image = bench.image("v0.9.0", &[]);
    bench.image("v1.1.0", &[]);
    let getent = "docker cp -L /usr/bin/getent nginx:/usr/bin/getent && docker exec -u 0 nginx sh -c \
                  'rm -f $(command -v curl); ! command -v curl && getent ahostsv4 blue'";
    bench.project.ok(getent).unwrap();
    // no request gets through, so that the name has to prove it
    let conf = bench.project.conf().unwrap().replacen("location / {", "allow 192.0.2.1; deny all;\n  location / {", 1);
    bench.instance.write(&bench.project.path("nginx/default.conf"), &conf).unwrap();
    bench.project.ok("chmod a+r nginx/*; docker exec nginx nginx -s reload").unwrap();
    let other =
        format!("docker run -d --network backend_default --network-alias green --name other {}", image.by_digest());
    bench.project.ok(&other).unwrap();
    bench.cutover(&["deploy", "--version", "v1.1.0"]).expect(3).says("in the nginx container green means ");
    bench.project.ok("docker rm -f other").unwrap();
    let ran = bench.cutover(&["deploy", "--version", "v1.1.0"]).expect(0);
    ran.says("nginx's workers are new, and green means ").says(" to them, which is green");
}

#[test]
fn a_project_that_runs_under_another_name_or_beside_its_nginx_is_not_taken_for_one_that_does_not_run() {
    let bench = Bench::idle(Kind::V2, Options::default());
    let image = bench.image("v1.0.0", &[]);
    bench.image("v1.1.0", &[]);
    let latest = format!("docker pull -q {0} && docker tag {0} {1}:latest", image.by_digest(), bench.repository);
    let up = "docker compose -p shop up -d redis blue 2>&1 && docker compose -p shop up -d --no-deps nginx 2>&1";
    bench.project.ok(&format!("{latest} && {up}")).unwrap();
    bench.project.wait_until_serves("v1.0.0", std::time::Duration::from_secs(30)).unwrap();
    let nginx = bench.instance.container("nginx").unwrap().unwrap().id;
    bench.cutover(&["check"]).expect(0).says("released as shop; say so with `project: shop`").says("reach blue");
    under_load(
        &bench,
        || drop(bench.cutover(&["deploy", "--version", "v1.1.0"]).expect(0).says("blue → green")),
        &["v1.0.0", "v1.1.0"],
    );
    assert_eq!(bench.instance.container("nginx").unwrap().unwrap().id, nginx);
    // the wrong name, stated: nothing of that name runs, and somebody has nginx's port
    let ran = with_config(&bench, "project: other\n", &["deploy", "--version", "v1.2.0"]).expect(3);
    ran.says("nginx of the project shop has its port 80").says("`project: shop`");

    // nginx in a project of its own on a network of both, joined by `compose-file`: the name of the project is then nginx's
    bench
        .project
        .ok("docker compose -p shop down 2>&1; rm -rf .cutover; mkdir -p ../edge; cp -r nginx ../edge/; sed -i s/green:/blue:/ ../edge/nginx/default.conf")
        .unwrap();
    let slot = |name: &str| format!("  {name}:\n    image: {}:latest\n    restart: always\n", bench.repository);
    let network = "networks:\n  default: {name: edge, external: true}\n";
    let app = format!("services:\n{}{}{network}", slot("blue"), slot("green"));
    let edge = format!(
        "name: edge\nservices:\n  nginx:\n    image: nginx:1.30\n    container_name: edge-nginx\n    ports: ['80:80']\n    \
         volumes: ['./nginx:/etc/nginx/conf.d']\n{network}"
    );
    bench.instance.write(&bench.project.path("docker-compose.yml"), app).unwrap();
    bench.instance.write(&bench.project.path("../edge/docker-compose.yml"), edge).unwrap();
    let up = "docker network create edge && docker compose up -d blue 2>&1 && cd ../edge && docker compose up -d 2>&1";
    bench.project.ok(&format!("{latest} && {up}")).unwrap();
    bench.project.wait_until_serves("v1.0.0", std::time::Duration::from_secs(30)).unwrap();
    let both = "compose-file: [docker-compose.yml, ../edge/docker-compose.yml]\nnginx: {conf: /home/deploy/app/edge/nginx/default.conf}\n";
    for project in ["", "project: edge\n", "project: backend\n"] {
        under_load(
            &bench,
            || {
                let ran = with_config(&bench, &format!("{both}{project}"), &["deploy", "--version", "v1.1.0"]);
                ran.expect(3).says("refused, and nothing was changed");
            },
            &["v1.0.0"],
        );
    }
}

#[test]
fn slots_that_a_release_could_not_start_or_reach_are_refused_with_the_line_to_change() {
    let bench = Bench::reference(Kind::V2);
    let compose = bench.instance.read(&bench.project.path("docker-compose.yml")).unwrap();
    let image = format!("    image: {}:latest\n", bench.repository);
    let with = |text: &str, says: &[&str]| {
        bench.instance.write(&bench.project.path("docker-compose.yml"), text).unwrap();
        refused(&bench, says);
    };
    let each = |more: &str| compose.replace("    expose:\n      - 3001\n", more);
    with(&each("    ports: ['8080:3001']\n"), &["both publish port 8080 of the host", "`expose: [3001]`"]);
    let one_name = compose.replace("container_name: green\n", "container_name: blue\n");
    with(&one_name, &["both have `container_name: blue`", "remove `container_name` from both"]);
    let green =
        |more: &str| compose.replacen("    container_name: green\n", &format!("    container_name: green\n{more}"), 1);
    let blue = |text: &str, more: &str| {
        text.replacen("    container_name: blue\n", &format!("    container_name: blue\n{more}"), 1)
    };
    let ports = blue(&green("    environment: {PORT: '3002'}\n"), "    environment: {PORT: '3001'}\n");
    with(&ports, &["by `PORT: 3002` green listens on another port than 3001", "let both say the same"]);
    bench.instance.write(&bench.project.path("docker-compose.yml"), &compose).unwrap();
    with_config(&bench, "port: 3002\n", &["check"])
        .expect(3)
        .says("`port: 3002` in cutover.yml, but nginx sends requests to port 3001");

    // built on the host, under compose's own names
    let built = compose.replace(&image, "    build: ./app\n");
    bench.project.ok("mkdir -p app && echo FROM scratch > app/Dockerfile").unwrap();
    bench.instance.write(&bench.project.path("docker-compose.yml"), &built).unwrap();
    let ran = with_config(&bench, "slots: [blue, green]\n", &["check"]).expect(0);
    ran.says("blue runs backend-blue, green runs backend-green");
    bench.instance.write(&bench.project.path("docker-compose.yml"), &compose).unwrap();

    // another project of the host that would get the new version
    let neighbour =
        format!("docker run -d --label com.docker.compose.project=other --name other-1 {}:latest", bench.repository);
    bench.project.ok(&neighbour).unwrap();
    bench.cutover(&["check"]).expect(3).says("is also that of other-1 (other)");
}

#[test]
fn an_outage_is_no_ready_host() {
    let bench = Bench::reference(Kind::V2);
    bench.deploy("v1.1.0", &[]).expect(0);
    // somebody starts blue and lets the file name it, forgets to have nginx load it, and stops green
    bench
        .project
        .ok("docker start blue && sed -i 's/server green:/server blue:/' nginx/default.conf && docker stop -t 1 green")
        .unwrap();
    until("users get 502", || bench.project.served_version().is_none());
    bench.image("v1.2.0", &[]);
    refused(
        &bench,
        &[
            "users get ",
            "although blue, which nginx/default.conf:2 names, is healthy",
            "docker exec nginx nginx -s reload",
        ],
    );
    bench.project.ok("docker exec nginx nginx -s reload").unwrap();
    until("nginx serves", || bench.project.served_version().is_some());
    bench.cutover(&["deploy", "--version", "v1.2.0"]).expect(0).says("blue → green");
}
