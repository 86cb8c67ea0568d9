//! People touch the host between two releases: `docker compose up` by hand, containers made anew, tags, neighbours.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

mod common;

use common::Bench;
use lab::load::Class;
use lab::{Kind, Load, Mix, Options};

/// A container's id and start, so that two equal texts mean that nobody touched it.
fn seen(bench: &Bench, names: &str) -> String {
    let format = "{{.Name}} {{.Id}} {{.State.StartedAt}} {{.State.Status}}";
    bench.project.ok(&format!("docker inspect -f '{format}' {names}")).unwrap()
}

/// Name of redis's container.
fn redis(bench: &Bench) -> String {
    bench.project.ok("docker ps -a --format '{{.Names}}' | grep redis").unwrap()
}

fn an_up_by_hand_after_a_release_touches_nothing_that_serves(kind: Kind) {
    let bench = Bench::reference(kind);
    let mut classes = Mix::quick(80.0).classes;
    classes.push(Class::slow(2.0, 3));
    // the first release writes the keep-alive guard
    bench.deploy("v1.1.0", &[]).expect(0);
    let up_to_date = |slot: &str, said: &str| {
        let word =
            if kind == Kind::V1 { format!("{slot} is up-to-date") } else { format!("Container {slot}  Running") };
        assert!(said.contains(&word), "{said}");
    };
    let load = Load::start(&bench.project.url(), Mix::of(classes)).unwrap();
    let beside = format!("nginx {}", redis(&bench));
    let (others, live) = (seen(&bench, &beside), seen(&bench, "green"));

    let said = bench.project.ok("docker-compose up -d 2>&1").unwrap();
    up_to_date("green", &said);
    assert_eq!((seen(&bench, &beside), seen(&bench, "green")), (others.clone(), live));
    // it starts the stopped slot as well: that is said, and the next release copes
    assert!(bench.instance.is_running("blue").unwrap());
    bench.cutover(&["check"]).expect(0).says("both slots run: green serves").says("docker compose stop blue");
    bench.cutover(&["status"]).expect(0).says("both slots run: blue does too").says("v1.1.0 in green");
    bench.deploy("v1.2.0", &[]).expect(0).says("green → blue");
    assert!(!bench.instance.is_running("green").unwrap());

    let live = seen(&bench, "blue");
    up_to_date("blue", &bench.project.ok("docker-compose up -d 2>&1").unwrap());
    assert_eq!((seen(&bench, &beside), seen(&bench, "blue")), (others.clone(), live));
    // the stopped slot was made anew, and so was the way back; what is live goes by its image
    bench.cutover(&["rollback"]).expect(0).says("v1.1.0 is live");
    assert_eq!(bench.project.served_version().as_deref(), Some("v1.1.0"));
    let live = seen(&bench, "green");
    up_to_date("green", &bench.project.ok("docker-compose up -d 2>&1").unwrap());
    assert_eq!((seen(&bench, &beside), seen(&bench, "green")), (others, live));
    let report = load.stop_blocking().unwrap();
    assert_eq!(report.failed, 0, "{report}");
    assert_eq!(bench.project.served_version().as_deref(), Some("v1.1.0"));
}

lab::on_each_kind!(an_up_by_hand_after_a_release_touches_nothing_that_serves);

/// Services beside the reference's; the slots depend on `worker`, which has two containers, and nginx on both slots.
const MORE: &str = "  worker:\n    image: redis:6.2.5\n    depends_on: [never]\n  never:\n    image: redis:6.2.5\n";

#[test]
fn what_the_slots_depend_on_is_neither_started_nor_made_anew_nor_scaled() {
    let bench = Bench::idle(Kind::V2, Options::default());
    let file = bench.project.path("docker-compose.yml");
    let text = bench.instance.read(&file).unwrap();
    let text = text.replace("      - redis\n", "      - redis\n      - worker\n");
    let text = text.replacen("    restart: always\n", "    restart: always\n    depends_on: [blue, green]\n", 1) + MORE;
    bench.instance.write(&file, &text).unwrap();
    // what an `up` by hand would do
    let up_to_date = |names: &[&str]| {
        bench.instance.write(&file, &text).unwrap();
        let said = bench.project.ok("docker compose up -d --dry-run --scale worker=2 2>&1").unwrap();
        for name in names {
            assert!(said.contains(&format!("Container {name}  Running")), "{name} would be made anew: {said}");
        }
    };
    bench.project.ok("docker compose up -d --scale worker=2 worker 2>&1 && docker rm -f backend-never-1").unwrap();

    // nothing else runs: nginx is made beside a slot that has no container, and that slot gets none
    bench.deploy("v1.0.0", &[]).expect(0).says("nothing → blue");
    assert_eq!(bench.instance.container("green").unwrap(), None);
    up_to_date(&["blue", "nginx"]);

    // redis and worker are not what the file says any more, and stay as they are
    let other = text.replace("command: redis-server", "command: redis-server --loglevel notice");
    let other = other.replace("  worker:\n", "  worker:\n    stop_grace_period: 1s\n");
    bench.instance.write(&file, &other).unwrap();
    let beside = format!("{} nginx backend-worker-1 backend-worker-2", redis(&bench));
    let before = seen(&bench, &beside);
    bench.deploy("v1.1.0", &[]).expect(0);
    assert_eq!(seen(&bench, &beside), before);
    assert_eq!(bench.project.ok("docker ps -aq --filter label=com.docker.compose.service=never").unwrap(), "");
    up_to_date(&["green", "nginx"]);

    // compose would start one that is paused: the slot is made without it, and that is said
    bench.project.ok("docker pause backend-worker-2").unwrap();
    let before = seen(&bench, &beside);
    bench.deploy("v1.2.0", &[]).expect(0).says("by hand would recreate a container that was started now");
    assert_eq!(seen(&bench, &beside), before);
    assert_eq!(bench.project.served_version().as_deref(), Some("v1.2.0"));
}

#[test]
fn a_tag_that_names_a_version_never_names_another_one() {
    let bench = Bench::reference(Kind::V2);
    let file = bench.project.path("docker-compose.yml");
    let text = bench.instance.read(&file).unwrap();
    let old = format!("{}:v1.0.0", bench.repository);
    let id = || bench.project.ok(&format!("docker image inspect -f '{{{{.Id}}}}' {old}")).unwrap();
    bench.project.ok(&format!("docker pull -q {old} && echo TAG=v1.0.0 >> .env")).unwrap();
    let before = id();
    bench.instance.write(&file, text.replace(":latest", ":${TAG}")).unwrap();
    for words in [&["check"][..], &["plan", "--version", "v1.0.2"], &["deploy", "--version", "v1.0.2"]] {
        let ran = bench.cutover(words).expect(3).says("v1.0.0, which is the name of one image");
        ran.says(&format!("write `image: {}:latest`", bench.repository));
    }
    assert_eq!((id(), bench.project.served_version().as_deref()), (before.clone(), Some("v1.0.0")));
    bench.instance.write(&file, text).unwrap();
    bench.deploy("v1.0.2", &[]).expect(0);
    assert_eq!((id(), bench.project.served_version().as_deref()), (before, Some("v1.0.2")));
}

#[test]
fn another_project_with_the_same_reference_is_named_and_keeps_its_version() {
    let bench = Bench::reference(Kind::V2);
    let shop = "docker create --name shop-web --label com.docker.compose.project=shop --label \
                com.docker.compose.service=web --label com.docker.compose.project.working_dir=/srv/shop";
    bench.project.ok(&format!("{shop} {}", bench.repository)).unwrap();
    for words in [&["check"][..], &["deploy", "--version", "v1.1.0"]] {
        let ran = bench.cutover(words).expect(3).says("is also that of shop-web (shop in /srv/shop)");
        ran.says(&format!("docker tag {0}:latest {0}:backend", bench.repository));
    }
    // as advised, and the other one's image stays what it was
    let id =
        || bench.project.ok(&format!("docker image inspect -f '{{{{.Id}}}}' {}:latest", bench.repository)).unwrap();
    let before = id();
    let advice = "docker tag IMAGE:latest IMAGE:backend && sed -i s/:latest/:backend/ docker-compose.yml";
    bench.project.ok(&advice.replace("IMAGE", &bench.repository)).unwrap();
    bench.deploy("v1.1.0", &[]).expect(0);
    assert_eq!((id(), bench.project.served_version().as_deref()), (before, Some("v1.1.0")));
}

#[test]
fn a_container_that_was_made_anew_is_known_by_its_image_and_a_foreign_one_is_left_for_the_newest_release() {
    let bench = Bench::reference(Kind::V2);
    bench.deploy("v1.1.0", &[]).expect(0);
    let second = bench.image("v1.2.0", &[]);
    let said = bench.cutover(&["deploy", "--version", "v1.2.0"]).expect(0);
    // deployed by its tag, and called by the digest that the registry has it by, as status does
    said.says(&second.digest[..19]);
    assert_eq!(bench.status()["digest"], second.digest.as_str());
    let anew = "docker-compose up -d --no-deps --force-recreate blue 2>&1 && docker restart -t 0 nginx";
    let live = |version: &str| bench.project.wait_until_serves(version, std::time::Duration::from_secs(30)).unwrap();

    bench.project.ok(&format!("{anew} && docker rmi {}:cutover-backend-v1.2.0", bench.repository)).unwrap();
    live("v1.2.0");
    let status = bench.status();
    assert_eq!((&status["version"], &status["digest"]), (&"v1.2.0".into(), &second.digest.as_str().into()), "{status}");
    bench.cutover(&["deploy", "--version", "v1.1.5"]).expect(2).says("older than what is live");
    bench.cutover(&["rollback", "v9.9.9"]).expect(2).says("v9.9.9 is not in the history; possible: v1.1.0");

    // an image that no release brought; the version before it is the newest one that was released
    let foreign = bench.image("v7.7.7", &[]);
    let tag = format!("docker pull -q {0} && docker tag {0} {1}:latest", foreign.by_digest(), bench.repository);
    bench.project.ok(&format!("{tag} && {anew}")).unwrap();
    live("v7.7.7");
    assert_eq!(bench.status()["version"], serde_json::Value::Null);
    let back = bench.cutover(&["rollback"]).expect(0).says("an image that is in no record");
    back.says("v1.2.0 is the newest one").says("v1.2.0 is live");
    live("v1.2.0");

    // the history is lost: the tags that keep images still say what they are
    bench.project.ok("rm .cutover/default/history.jsonl").unwrap();
    assert_eq!(bench.status()["version"], "v1.2.0");
}
