//! What compose files have: each thing works, or is refused by `check` before a deploy would fail at it.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

mod common;

use common::watch::{state_beside_cutover, until};
use common::{Bench, Ran};
use lab::{Kind, Options};

/// A project whose slots have these lines besides what every slot has, with further services and top-level parts.
fn compose(bench: &Bench, slot: &str, more: &str) -> String {
    let repository = &bench.repository;
    let indented: String = slot.lines().map(|line| format!("    {line}\n")).collect();
    let slots: String = ["blue", "green"]
        .map(|name| format!("  {name}:\n    image: {repository}:latest\n    expose: [3001]\n{indented}"))
        .concat();
    // nginx is on one of two networks only
    let networks = if slot.contains("outside") { "    networks: [outside]\n" } else { "" };
    format!(
        "version: '3.8'\nservices:\n  nginx:\n    image: nginx:1.30\n    restart: always\n    ports: ['80:80']\n    volumes: \
         ['./nginx/:/etc/nginx/conf.d/']\n{networks}{slots}{more}"
    )
}

fn write(bench: &Bench, slot: &str, more: &str) {
    let text = compose(bench, slot, more);
    bench
        .instance
        .write(&bench.project.path("docker-compose.yml"), text.replace("REPOSITORY", &bench.repository))
        .unwrap();
}

/// Brings v1.0.0 of such a project up in blue; what was there before goes.
fn bring_up(bench: &Bench, slot: &str, more: &str) {
    let first = bench.image("v1.0.0", &[]);
    bench.project.sh("docker-compose down -v --remove-orphans; rm -rf .cutover").unwrap();
    bench.project.ok("sed -i 's/server green:/server blue:/' nginx/default.conf").unwrap();
    write(bench, slot, more);
    let latest = format!("{}:latest", bench.repository);
    bench.project.ok(&format!("docker pull -q {0} && docker tag {0} {latest}", first.by_digest())).unwrap();
    bench.project.ok("docker-compose up -d blue 2>&1 && docker-compose up -d nginx 2>&1").unwrap();
    bench.project.wait_until_serves("v1.0.0", std::time::Duration::from_secs(60)).unwrap();
}

fn serves(bench: &Bench, version: &str) {
    assert_eq!(bench.project.served_version().as_deref(), Some(version));
}

/// What compose calls the container of a service.
fn id(bench: &Bench, service: &str) -> String {
    bench.project.ok(&format!("docker-compose ps -q {service}")).unwrap()
}

const MIGRATE: &str = "  migrate:
    image: REPOSITORY:latest
    restart: 'no'
    volumes: ['./data/:/data/']
    entrypoint:
      - node
      - -e
      - |
        const settings = require('/app/settings.json');
        require('fs').appendFileSync('/data/migrated', settings.VERSION + ' ');
        console.log('the table is', settings.MIGRATE_EXIT ? 'locked' : 'there');
        process.exit(+(settings.MIGRATE_EXIT || 0));
    depends_on:
      redis: {condition: service_healthy}
  redis:
    image: redis:6.2.5
    volumes: ['./data/:/data/']
    healthcheck: {test: ['CMD', 'test', '-e', '/data/ready'], interval: 1s, retries: 2}
";

fn what_a_slot_depends_on_comes_before_it(kind: Kind) {
    let bench = Bench::idle(kind, Options::default());
    let slot = "depends_on:\n  migrate: {condition: service_completed_successfully}";
    bench.project.ok("mkdir -p data && touch data/ready").unwrap();
    bring_up(&bench, slot, MIGRATE);
    let migrated = || bench.project.ok("cat data/migrated").unwrap();
    assert_eq!(migrated(), "v1.0.0");

    // the one-shot runs on the new image, to its end
    bench.deploy("v1.1.0", &[]).expect(0);
    serves(&bench, "v1.1.0");
    assert_eq!(migrated(), "v1.0.0 v1.1.0");

    // it fails: nothing else is started, and its words are shown
    bench.image("v1.2.0", &[("MIGRATE_EXIT", "3")]);
    let plan = bench.cutover(&["plan", "--version", "v1.2.0"]).expect(0);
    plan.says("run migrate to its end, then start blue");
    bench
        .cutover(&["deploy", "--version", "v1.2.0"])
        .expect(3)
        .says("migrate")
        .says("ended with 3")
        .says("the table is locked");
    serves(&bench, "v1.1.0");
    assert_eq!(migrated(), "v1.0.0 v1.1.0 v1.2.0");

    // what must be healthy and is not
    let redis = id(&bench, "redis");
    bench.project.ok("rm data/ready").unwrap();
    let health = format!("docker inspect -f '{{{{.State.Health.Status}}}}' {redis}");
    until("redis is unhealthy", || bench.project.ok(&health).unwrap() == "unhealthy");
    bench.deploy("v1.3.0", &[]).expect(3).says("redis, which the slot waits for to be healthy, is running unhealthy");
    serves(&bench, "v1.1.0");
    assert_eq!(migrated(), "v1.0.0 v1.1.0 v1.2.0");

    // one that is stopped is started, and waited for
    bench.project.ok(&format!("touch data/ready && docker stop {redis}")).unwrap();
    bench.cutover(&["deploy", "--version", "v1.3.0"]).expect(0);
    serves(&bench, "v1.3.0");
    assert_eq!(migrated(), "v1.0.0 v1.1.0 v1.2.0 v1.3.0");

    // going back runs nothing
    bench.cutover(&["rollback"]).expect(0).says("v1.1.0 is live");
    serves(&bench, "v1.1.0");
    assert_eq!(migrated(), "v1.0.0 v1.1.0 v1.2.0 v1.3.0");
    assert_eq!(id(&bench, "redis"), redis);
}

#[test]
fn what_a_slot_depends_on_comes_before_it_with_compose_v2() {
    what_a_slot_depends_on_comes_before_it(Kind::V2);
}

#[test]
fn what_a_slot_depends_on_comes_before_it_with_compose_1() {
    what_a_slot_depends_on_comes_before_it(Kind::V1);
}

/// Much of what the Compose Specification has, none of it in the way.
const EVERYTHING: &str = "extends: {file: base.yml, service: app}
deploy: {restart_policy: {condition: any}}
networks: [inside, outside]
secrets: [token]
configs: [{source: settings, target: /run/settings}]
env_file: [.env, more.env]
pull_policy: missing
init: true
tmpfs: ['/tmp']
ulimits: {nofile: {soft: 1000, hard: 2000}}
cap_drop: [ALL]
read_only: true
healthcheck:
  test: ['CMD', 'node', '-e', \"process.exit(require('/app/settings.json').SICK ? 1 : 0)\"]
  interval: 1h";

const AROUND: &str = "  worker:
    image: REPOSITORY:latest
    profiles: [jobs]
networks:
  inside: {driver: bridge, internal: true}
  outside: {enable_ipv6: true, ipam: {config: [{subnet: 'fd00:cafe::/64'}]}}
secrets: {token: {file: ./token}}
configs: {settings: {file: ./settings}}
include: [included.yml]
";

#[test]
fn a_project_that_has_nearly_everything_is_released_and_the_policy_of_a_container_comes_back_with_it() {
    let bench = Bench::idle(Kind::V2, Options::default());
    let files = "printf 'services:\\n  app:\\n    environment: {FROM: base}\\n    logging: {driver: json-file}\\n' > base.yml
         printf 'services:\\n  cache:\\n    image: redis:6.2.5\\n' > included.yml; echo MORE=1 > more.env; echo t > token; echo s > settings";
    bench.project.ok(files).unwrap();
    bring_up(&bench, EVERYTHING, AROUND);
    bench.cutover(&["check"]).expect(0).never_says("SIGTERM").never_says("other values");
    bench.deploy("v1.1.0", &[]).expect(0);
    serves(&bench, "v1.1.0");

    // the container's own healthcheck counts: it answers, and is ill
    let bench = Bench { config: format!("{}health: {{timeout: 10s}}\n", bench.config), ..bench };
    bench.deploy("v1.2.0", &[("SICK", "1")]).expect(3).says("blue answers, but its own healthcheck does not pass");
    serves(&bench, "v1.1.0");

    // what a rollback starts has the restart policy that `deploy` gave it
    bench.deploy("v1.3.0", &[]).expect(0);
    bench.cutover(&["rollback"]).expect(0).says("v1.1.0 is live");
    let policy = format!("docker inspect -f '{{{{.HostConfig.RestartPolicy.Name}}}}' {}", id(&bench, "green"));
    assert_eq!(bench.project.ok(&policy).unwrap(), "always");

    // and one that the compose file has no more is the container's own
    bench.deploy("v1.4.0", &[]).expect(0);
    bench.project.ok("sed -i /restart_policy/d docker-compose.yml").unwrap();
    bench.cutover(&["rollback"]).expect(0).says("v1.1.0 is live");
    assert_eq!(bench.project.ok(&policy).unwrap(), "always");
    bench.instance.restart_dockerd().unwrap();
    bench.project.wait_until_serves("v1.1.0", std::time::Duration::from_secs(60)).unwrap();
}

/// `check` and `deploy` side by side: both refuse, with these words, and nothing is changed.
fn both_refuse(bench: &Bench, words: &[&str]) {
    let before = state_beside_cutover(&bench.project);
    let says = |ran: Ran| words.iter().fold(ran.expect(3), |ran, words| ran.says(words));
    says(bench.cutover(&["check"]));
    says(bench.cutover(&["deploy", "--version", "v1.1.0"])).says("refused, and nothing was changed");
    assert_eq!(state_beside_cutover(&bench.project), before);
}

fn what_check_refuses_a_deploy_refuses(kind: Kind) {
    let bench = Bench::idle(kind, Options::default());
    bring_up(&bench, "environment: {KIND: plain}", "");
    bench.image("v1.1.0", &[]);
    let refused = |slot: &str, more: &str, words: &[&str]| {
        write(&bench, slot, more);
        both_refuse(&bench, words);
    };

    // variables that nobody sets any more
    let unset = ["DB_PASSWORD is not set on the host", "blue, green", "/.env, or write ${DB_PASSWORD:-}"];
    refused("environment: {DB_PASSWORD: '${DB_PASSWORD}'}", "", &unset);
    refused("labels: ['x=$DB_PASSWORD']", "", &unset[..1]);
    let need = "  db:\n    image: redis:6.2.5\n    command: 'redis-server --requirepass ${DB_PASSWORD}'\n";
    refused("depends_on: [db]", need, &["DB_PASSWORD is not set on the host", "start db with an empty value"]);
    let project = compose(&bench, "", "").replace(":latest", ":${TAG}");
    bench.instance.write(&bench.project.path("docker-compose.yml"), project).unwrap();
    both_refuse(&bench, &["TAG is not set on the host"]);
    // what only others use, and what is meant to be empty, is no trouble
    let other = "  other:\n    image: redis:6.2.5\n    environment: {A: '${NOBODY_SETS_THIS}', B: '$$ESCAPED'}\n";
    write(&bench, "environment: {KIND: '${KIND:-plain}'}", other);
    bench.cutover(&["check"]).expect(0).says("$NOBODY_SETS_THIS stands in other").never_says("ESCAPED");

    // how many containers, and where they are
    refused("deploy: {replicas: 2}", "", &["it has 2 replicas", "a slot is one container"]);
    refused("scale: 3", "", &["it has 3 replicas"]);
    refused("deploy: {replicas: 0}", "", &["`deploy.replicas: 0`", "no container"]);
    refused("network_mode: host", "", &["`network_mode: host`", "one port of the host"]);
    let redis = "  redis:\n    image: redis:6.2.5\n";
    refused("network_mode: 'service:redis'", redis, &["`network_mode: service:redis` gives it no address"]);
    refused("network_mode: none", "", &["`network_mode: none` gives it no address"]);
    let secret = "secrets: {token: {file: ./token}}\n";
    refused("secrets: [token]", secret, &["/token, of which a secret or config of it is made, does not exist"]);
    refused("pull_policy: always", "", &["`pull_policy: always`"]);

    // an upstream with a backup is refused for what it is
    write(&bench, "", "");
    let conf = bench.project.path("nginx/default.conf");
    bench
        .instance
        .write(&conf, bench.project.conf().unwrap().replace("blue:3001;", "blue:3001; server green:3001 backup;"))
        .unwrap();
    both_refuse(&bench, &["green as `backup` or `down`", "names a slot that is stopped"]);
}

#[test]
fn what_check_refuses_a_deploy_refuses_with_compose_v2() {
    what_check_refuses_a_deploy_refuses(Kind::V2);
}

#[test]
fn what_check_refuses_a_deploy_refuses_with_compose_1() {
    what_check_refuses_a_deploy_refuses(Kind::V1);
}

#[test]
fn values_that_only_the_old_deploy_script_exported_are_named_and_never_shown() {
    let bench = Bench::idle(Kind::V2, Options::default());
    let slot = "environment:\n  DB_PASSWORD: ${DB_PASSWORD:-}\n  MODE: ${MODE:-quiet}\n  SAME: $$x";
    bring_up(&bench, slot, "");
    // as the script started it
    bench.project.ok("DB_PASSWORD='s3cret-one' MODE=loud docker-compose up -d blue 2>&1").unwrap();
    bench.project.wait_until_serves("v1.0.0", std::time::Duration::from_secs(30)).unwrap();
    let ran = bench.cutover(&["check", "-v", "--json"]).expect(0);
    ran.says("other values than the running one for DB_PASSWORD, MODE").never_says("s3cret-one").never_says("SAME");

    // passed on by name alone, which compose warns of nowhere
    write(&bench, "environment: [DB_PASSWORD]", "");
    bench.image("v1.1.0", &[]);
    both_refuse(&bench, &["has DB_PASSWORD, which the compose file passes on from the host"]);
    bench.project.ok("echo DB_PASSWORD=s3cret-one >> .env").unwrap();
    bench.cutover(&["deploy", "--version", "v1.1.0"]).expect(0).never_says("s3cret-one");
    let value = format!("docker exec {} printenv DB_PASSWORD", id(&bench, "green"));
    assert_eq!(bench.project.ok(&value).unwrap(), "s3cret-one");

    // a variable that the release itself brings need not be there yet
    write(&bench, "environment: {TOKEN: '${TOKEN}', DB_PASSWORD: '${DB_PASSWORD}'}", "");
    bench.image("v1.2.0", &[]);
    both_refuse(&bench, &["TOKEN is not set on the host"]);
    let bench = Bench { config: format!("{}env-file: {{path: .env, values: [TOKEN]}}\n", bench.config), ..bench };
    let mut deploy = bench.command(&["deploy", "--version", "v1.2.0"]);
    common::run(deploy.env("TOKEN", "s3cret-two")).expect(0).never_says("s3cret-two");
    let value = format!("docker exec {} printenv TOKEN", id(&bench, "blue"));
    assert_eq!(bench.project.ok(&value).unwrap(), "s3cret-two");
}
