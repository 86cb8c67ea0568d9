//! Where people have their slots: in profiles, built on the server, with images of their own, in files and projects of their
//! own. Each layout goes through its whole life under load.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

mod common;

use common::Bench;
use common::fault::{Moment, Running};
use common::watch::pid;
use lab::{Kind, Load, Mix, Options};
use std::time::Duration;

/// nginx, and what reads its file.
const NGINX: &str = "  nginx:
    image: nginx:1.30
    container_name: nginx
    restart: always
    ports: ['80:80']
    volumes: ['./nginx/:/etc/nginx/conf.d/']
";

/// What nginx reads, with this slot in its upstream.
fn conf(slot: &str) -> String {
    format!(
        "upstream api {{ server {slot}:3001; }}\nserver {{ listen 80; location / {{ proxy_pass http://api; proxy_http_version 1.1; \
         proxy_set_header Connection ''; }} }}\n"
    )
}

/// A project of these files, with v1.0.0 as `latest` on the host, brought up as its owner does. `IMAGE` stands for the
/// repository.
fn project(kind: Kind, files: &[(&str, &str)], slot: &str, up: &str) -> Bench {
    let bench = Bench::idle(kind, Options::default());
    let first = bench.image("v1.0.0", &[]);
    bench.project.ok("rm docker-compose.yml").unwrap();
    let text = |text: &str| text.replace("IMAGE", &bench.repository);
    let mut all: Vec<(String, String)> =
        files.iter().map(|(name, content)| (bench.project.path(name), text(content))).collect();
    all.push((bench.project.path("nginx/default.conf"), conf(slot)));
    bench.instance.write_all(&all).unwrap();
    let tag = format!("docker pull -q {0} && docker tag {0} {1}:latest", first.by_digest(), bench.repository);
    bench.project.ok(&tag).unwrap();
    bench.project.ok(&text(up)).unwrap();
    bench.project.wait_until_serves("v1.0.0", Duration::from_secs(60)).unwrap();
    bench
}

fn serves(bench: &Bench, version: &str) {
    assert_eq!(bench.project.served_version().as_deref(), Some(version));
}

/// Every container with its compose project and service.
fn containers(bench: &Bench) -> Vec<String> {
    let format = "{{.Label \"com.docker.compose.project\"}}/{{.Label \"com.docker.compose.service\"}}";
    bench.project.ok(&format!("docker ps -a --format '{format}' | sort")).unwrap().lines().map(str::to_owned).collect()
}

/// Releases, a broken one, a rollback, and a run that is killed: no request is lost, and the others stay as they are. `all` is
/// every container that there may be.
fn lives(bench: &mut Bench, others: &[&str], all: &[&str]) {
    let pids = |bench: &Bench| others.iter().map(|other| pid(&bench.instance, other)).collect::<Vec<_>>();
    let before = pids(bench);
    bench.deploy("v1.1.0", &[]).expect(0);
    serves(bench, "v1.1.0");
    assert_eq!(containers(bench), all);
    let load = Load::start(&bench.project.url(), Mix::near(60.0)).unwrap();
    bench.deploy("v1.2.0", &[]).expect(0);
    serves(bench, "v1.2.0");
    bench.deploy("v1.3.0", &[("CRASH", "1")]).expect(3);
    serves(bench, "v1.2.0");
    bench.cutover(&["rollback"]).expect(0).says("v1.1.0 is live");
    serves(bench, "v1.1.0");

    bench.image("v1.4.0", &[]);
    bench.config += "bake: 60s\n";
    let mut run = Running::start(bench, &["deploy", "--version", "v1.4.0", "--json"]);
    assert!(run.until("bake", Moment::Before));
    run.signal("-KILL");
    run.end().expect(-1);
    bench.cutover(&["recover"]).expect(0);
    serves(bench, "v1.1.0");
    let report = load.stop_blocking().unwrap();
    assert_eq!(report.failed, 0, "{report}");
    assert!(report.requests > 100, "{report}");
    assert_eq!(pids(bench), before, "somebody else was started anew");
    let left = containers(bench);
    assert!(left.iter().all(|each| all.contains(&each.as_str())), "{left:?}");
}

fn a_slot_in_a_profile(kind: Kind) {
    let slot = |name: &str, more: &str| {
        format!("  {name}:\n    image: IMAGE:latest\n    restart: unless-stopped\n    expose: [3001]\n{more}")
    };
    let of_profile = "    profiles: [green]\n";
    let compose = format!(
        "version: '3.8'\nservices:\n{NGINX}{}{}  other:\n    image: redis:6.2.5\n{of_profile}",
        slot("app-blue", ""),
        slot("app-green", of_profile)
    );
    let up = "docker-compose up -d app-blue 2>&1 && docker-compose up -d nginx 2>&1";
    let mut bench = project(kind, &[("docker-compose.yml", &compose)], "app-blue", up);
    bench.cutover(&["check"]).expect(0).says("slots app-blue, app-green (app-green in the profile green)");
    bench.image("v1.1.0", &[]);
    bench.cutover(&["plan", "--version", "v1.1.0"]).expect(0).says("start app-green on v1.1.0");
    lives(&mut bench, &["nginx"], &["backend/app-blue", "backend/app-green", "backend/nginx"]);
    // compose by hand knows the container again
    let before = bench.project.ok("docker-compose --profile green ps -q app-green").unwrap();
    bench.project.ok("docker-compose --profile green up -d --no-deps app-green 2>&1").unwrap();
    assert_eq!(bench.project.ok("docker-compose --profile green ps -q app-green").unwrap(), before);
}

#[test]
fn a_slot_in_a_profile_is_released_and_nobody_else_of_that_profile_with_compose_v2() {
    a_slot_in_a_profile(Kind::V2);
}

#[test]
fn a_slot_in_a_profile_is_released_and_nobody_else_of_that_profile_with_compose_1() {
    a_slot_in_a_profile(Kind::V1);
}

/// Both are built on the server and have no `image`: the image has compose's own name.
fn built_slots(kind: Kind, own: &str) {
    let slot = "    build: ./app\n    restart: unless-stopped\n    expose: [3001]\n";
    let compose = format!("version: '3.8'\nservices:\n{NGINX}  blue:\n{slot}  green:\n{slot}");
    let files = [("docker-compose.yml", compose.as_str()), ("app/Dockerfile", "FROM IMAGE:latest\n")];
    let up = "docker-compose build blue 2>&1 && docker-compose up -d blue 2>&1 && docker-compose up -d nginx 2>&1";
    let mut bench = project(kind, &files, "blue", up);
    bench.cutover(&["check"]).expect(0).says(&format!("green runs backend{own}green"));
    lives(&mut bench, &["nginx"], &["backend/blue", "backend/green", "backend/nginx"]);
    let image = bench.project.ok(&format!("docker image inspect -f '{{{{.Id}}}}' backend{own}green")).unwrap();
    let live = bench.project.ok("docker inspect -f '{{.Image}}' $(docker-compose ps -q green)").unwrap();
    assert_eq!(image, live, "compose by hand would start another image");
}

#[test]
fn slots_that_are_built_on_the_server_take_the_releases_image_under_composes_own_name() {
    built_slots(Kind::V2, "-");
}

#[test]
fn the_same_with_compose_1_which_has_another_name_for_it() {
    built_slots(Kind::V1, "_");
}

#[test]
fn slots_with_images_of_their_own_are_released() {
    let slot = |colour: &str, port: u16| {
        format!("  app-{colour}:\n    image: app-{colour}-image\n    build: ./app\n    ports: ['{port}:3001']\n")
    };
    let compose = format!("services:\n{NGINX}{}{}", slot("blue", 8081), slot("green", 8082));
    let files = [("docker-compose.yml", compose.as_str()), ("app/Dockerfile", "FROM IMAGE:latest\n")];
    let up =
        "docker-compose build app-blue 2>&1 && docker-compose up -d app-blue 2>&1 && docker-compose up -d nginx 2>&1";
    let mut bench = project(Kind::V2, &files, "app-blue", up);
    bench.cutover(&["check"]).expect(0).says("app-blue runs app-blue-image, app-green runs app-green-image");
    lives(&mut bench, &["nginx"], &["backend/app-blue", "backend/app-green", "backend/nginx"]);
}

/// A compose file of one slot, on nginx's network.
fn file_of(slot: &str, name: &str, network: &str) -> String {
    format!(
        "version: '3.8'\nservices:\n  {slot}:\n    image: IMAGE:latest\n    container_name: {name}\n    restart: unless-stopped\n    \
         networks: [{network}]\nnetworks:\n  {network}: {{external: true}}\n"
    )
}

const CACHE: &str = "  cache:\n    image: redis:6.2.5\n    container_name: cache\n";

#[test]
fn slots_of_one_file_in_a_project_of_its_colour_each_are_released_there() {
    let slot = |name: &str| {
        format!("  {name}:\n    image: IMAGE:latest\n    container_name: shop-{name}\n    restart: unless-stopped\n")
    };
    let network = "networks:\n  default: {name: shared, external: true}\n";
    let compose = format!("services:\n{NGINX}{CACHE}{}{}{network}", slot("app-blue"), slot("app-green"));
    let up = "docker network create shared && docker-compose -p shop-blue up -d cache app-blue 2>&1 && \
              docker-compose -p shop-blue up -d nginx 2>&1";
    let mut bench = project(Kind::V2, &[("docker-compose.yml", &compose)], "shop-app-blue", up);
    bench.cutover(&["check"]).expect(0).says("app-green in the project shop-green");
    let all = ["shop-blue/app-blue", "shop-blue/cache", "shop-blue/nginx", "shop-green/app-green"];
    lives(&mut bench, &["nginx", "cache"], &all);
    // where both are started in one project, that is theirs
    bench
        .project
        .ok("docker rm -f shop-app-blue && docker-compose -p shop-green up --no-start --no-deps app-blue 2>&1")
        .unwrap();
    bench.cutover(&["check"]).expect(0).says("app-blue in the project shop-green");
}

fn slots_in_files_of_their_own(kind: Kind) {
    let compose = format!("version: '3.8'\nservices:\n{NGINX}{CACHE}");
    let [blue, green] = ["blue", "green"]
        .map(|colour| file_of(&format!("backend-{colour}"), &format!("shop-backend-{colour}"), "shop_default"));
    let files = [
        ("docker-compose.yml", compose.as_str()),
        ("docker-compose.blue.yml", &blue),
        ("docker-compose.green.yml", &green),
        (".env", "COMPOSE_PROJECT_NAME=shop\n"),
    ];
    let up = "docker-compose up -d cache 2>&1 && docker-compose -f docker-compose.blue.yml up -d 2>&1 && \
              docker-compose up -d nginx 2>&1";
    let mut bench = project(kind, &files, "shop-backend-blue", up);
    bench.cutover(&["check"]).expect(0).says("backend-green in the project shop, docker-compose.green.yml");
    lives(&mut bench, &["nginx", "cache"], &["shop/backend-blue", "shop/backend-green", "shop/cache", "shop/nginx"]);
}

#[test]
fn slots_in_files_of_their_own_are_found_and_released_with_compose_v2() {
    slots_in_files_of_their_own(Kind::V2);
}

#[test]
fn slots_in_files_of_their_own_are_found_and_released_with_compose_1() {
    slots_in_files_of_their_own(Kind::V1);
}

#[test]
fn one_service_in_two_files_and_projects_is_two_slots() {
    let compose = format!("services:\n{NGINX}{CACHE}");
    let [blue, green] = ["blue", "green"].map(|colour| file_of("app", &format!("app-{colour}"), "backend_default"));
    let files = [
        ("docker-compose.yml", compose.as_str()),
        ("docker-compose.blue.yml", &blue),
        ("docker-compose.green.yml", &green),
    ];
    let up = "docker-compose up -d cache 2>&1 && docker-compose -p shop-blue -f docker-compose.blue.yml up -d 2>&1 && \
              docker-compose up -d nginx 2>&1";
    let mut bench = project(Kind::V2, &files, "app-blue", up);
    let found = "slots shop-blue/app, shop-green/app";
    bench.cutover(&["check"]).expect(0).says(found);
    // stated, it is the same
    let short = bench.config.clone();
    bench.config += "slots: [{files: docker-compose.blue.yml, project: shop-blue}, {files: docker-compose.green.yml, project: shop-green}]\n";
    bench.cutover(&["check"]).expect(0).says(found);
    // one that is not there is named
    bench.config = format!("{short}slots: [{{files: docker-compose.red.yml}}, {{files: docker-compose.green.yml}}]\n");
    bench.cutover(&["check"]).expect(3).says("docker-compose.red.yml");
    bench.config = short;
    lives(&mut bench, &["nginx", "cache"], &["backend/cache", "backend/nginx", "shop-blue/app", "shop-green/app"]);
}

/// Two services that run the image and get no requests; each writes down when it starts and stops, and of which version it is.
const WORKERS: &str = "  worker: &worker
    image: IMAGE:latest
    restart: always
    stop_grace_period: 5s
    depends_on: [cache]
    volumes: ['./data/:/data/']
    environment: {NAME: worker}
    entrypoint:
      - node
      - -e
      - |
        const settings = require('/app/settings.json');
        const log = word => require('fs').appendFileSync('/data/' + process.env.NAME, word + ' ' + settings.VERSION + '; ');
        if (settings.NO_WORKER) process.exit(1);
        log('start');
        process.on('SIGTERM', () => setTimeout(() => { log('stop'); process.exit(0); }, 300));
        setInterval(() => {}, 1000);
  scheduler:
    <<: *worker
    depends_on: []
    environment: {NAME: scheduler}
";

fn workers_are_moved(kind: Kind) {
    let slot = "    image: IMAGE:latest\n    expose: [3001]\n    restart: always\n";
    let compose = format!("version: '3.8'\nservices:\n{NGINX}{CACHE}  blue:\n{slot}  green:\n{slot}{WORKERS}");
    let up = "mkdir data && docker-compose up -d cache blue worker scheduler 2>&1 && docker-compose up -d nginx 2>&1";
    let mut bench = project(kind, &[("docker-compose.yml", &compose)], "blue", up);
    let log = |bench: &Bench, name: &str| bench.project.ok(&format!("cat data/{name}")).unwrap().trim().to_owned();
    let id = |bench: &Bench| bench.project.ok("docker-compose ps -q worker").unwrap();

    // what is not stated stays, and is named
    let before = id(&bench);
    let stays = "worker runs the image of backend-api too, and a release leaves it on the version that it has";
    bench.cutover(&["check"]).expect(0).says(stays).says("`workers: [scheduler]`");
    bench.deploy("v1.1.0", &[]).expect(0);
    assert_eq!((id(&bench), log(&bench, "worker").as_str()), (before, "start v1.0.0;"));
    let unstated = bench.config.clone();
    for (words, why) in [("[cache]", "its image is redis:6.2.5"), ("[jobs]", "has no such service")] {
        bench.config = format!("{unstated}workers: {words}\n");
        bench.cutover(&["check"]).expect(3).says(why);
    }

    // what is stated is stopped, then started on the new image
    bench.config = format!("{unstated}workers: [worker, scheduler]\n");
    bench.image("v1.2.0", &[]);
    bench.cutover(&["check"]).expect(0).says("workers worker and scheduler").never_says("leaves it");
    let plan = bench.cutover(&["plan", "--version", "v1.2.0"]).expect(0);
    plan.says("stop worker, scheduler and start them on v1.2.0");
    let load = Load::start(&bench.project.url(), Mix::near(60.0)).unwrap();
    bench.cutover(&["deploy", "--version", "v1.2.0"]).expect(0);
    for name in ["worker", "scheduler"] {
        assert_eq!(log(&bench, name), "start v1.0.0; stop v1.0.0; start v1.2.0;");
    }
    let moved = id(&bench);
    bench.project.ok("docker-compose up -d worker scheduler 2>&1").unwrap();
    assert_eq!(id(&bench), moved, "compose by hand does not know it again");

    // one that does not stay up puts everything back
    bench.deploy("v1.3.0", &[("NO_WORKER", "1")]).expect(3).says("does not stay up on the new version");
    serves(&bench, "v1.2.0");
    assert!(log(&bench, "worker").ends_with("stop v1.2.0; start v1.2.0;"), "{}", log(&bench, "worker"));
    // so does recovery
    let stated = bench.config.clone();
    bench.config += "bake: 60s\n";
    bench.image("v1.4.0", &[]);
    let mut run = Running::start(&bench, &["deploy", "--version", "v1.4.0", "--json"]);
    assert!(run.until("bake", Moment::Before));
    run.signal("-KILL");
    run.end().expect(-1);
    bench.cutover(&["recover"]).expect(0);
    bench.config = stated;
    serves(&bench, "v1.2.0");
    for name in ["worker", "scheduler"] {
        assert!(log(&bench, name).ends_with("start v1.4.0; stop v1.4.0; start v1.2.0;"), "{}", log(&bench, name));
    }

    // one that is stopped is left so, and a rollback takes them along
    bench.project.ok("docker-compose stop scheduler 2>&1").unwrap();
    bench.cutover(&["check"]).expect(0).says("scheduler (not running)");
    bench.cutover(&["rollback"]).expect(0).says("v1.1.0 is live");
    assert!(log(&bench, "worker").ends_with("stop v1.2.0; start v1.1.0;"), "{}", log(&bench, "worker"));
    assert!(log(&bench, "scheduler").ends_with("stop v1.2.0;"), "{}", log(&bench, "scheduler"));
    let report = load.stop_blocking().unwrap();
    assert_eq!(report.failed, 0, "{report}");
}

#[test]
fn workers_move_with_a_release_and_back_with_it_with_compose_v2() {
    workers_are_moved(Kind::V2);
}

#[test]
fn workers_move_with_a_release_and_back_with_it_with_compose_1() {
    workers_are_moved(Kind::V1);
}
