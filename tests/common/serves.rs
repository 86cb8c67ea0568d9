//! A project of any layout, released as a test of its kind does: again and again, under load.

use super::Bench;
use super::fault::{Moment, Running};
use super::watch::until;
use lab::load::Class;
use lab::{Load, Mix};

/// A bench with a project of these files, and nothing is up yet. `@IMAGE@` is the image.
pub fn prepared(bench: Bench, files: &[(&str, &str)]) -> Bench {
    bench.project.ok("rm -rf nginx docker-compose.yml .env deploy*").unwrap();
    for (path, text) in files {
        let text = text.replace("@IMAGE@", &bench.repository);
        bench.instance.write(&bench.project.path(path), text).unwrap();
    }
    let image = bench.image("v1.0.0", &[]);
    bench.image("v1.1.0", &[]);
    let latest = format!("docker pull -q {0} && docker tag {0} {1}:latest", image.by_digest(), bench.repository);
    bench.project.ok(&format!("chmod -R a+rX .; {latest}")).unwrap();
    bench
}

/// Releases under load, a broken release, a client that is killed after the switch, and the way back: nothing is lost, and
/// what nginx's files say is as it was after each that failed. `files` prints them.
pub fn serves_a_project(bench: &Bench, files: &str) {
    let said = || bench.project.ok(files).unwrap();
    let first = said();
    let load = Load::start(&bench.project.url(), Mix::of(vec![Class::new_connections(60.0)])).unwrap();
    until("requests were answered", || load.progress().requests > 20);
    bench.cutover(&["deploy", "--version", "v1.1.0"]).expect(0);
    let second = said();
    assert_ne!(second, first);
    // it is put back
    bench.image("v1.2.0", &[("CRASH", "1")]);
    bench.cutover(&["deploy", "--version", "v1.2.0"]).expect(3);
    assert_eq!(said(), second);
    // cut off while both run
    bench.image("v1.3.0", &[]);
    let command = bench.command(&["deploy", "--version", "v1.3.0", "--json"]);
    std::fs::write(bench.dir.path().join("cutover.yml"), format!("{}bake: 60s\n", bench.config)).unwrap();
    let mut run = Running::spawn(command);
    assert!(run.until("bake", Moment::Before));
    assert_eq!(said(), first);
    run.signal("-KILL");
    run.end().expect(-1);
    bench.cutover(&["recover", "--wait", "60s"]).expect(0).says("put back the release");
    assert_eq!(said(), second);
    bench.cutover(&["deploy", "--version", "v1.3.0"]).expect(0);
    bench.cutover(&["rollback"]).expect(0).says("v1.1.0 is live");
    assert_eq!(said(), second);
    let report = load.stop_blocking().unwrap();
    assert_eq!(report.failed, 0, "{report}");
    assert_eq!(bench.project.served_version().as_deref(), Some("v1.1.0"));
    let left = "find . -name '*cutover-next*' -o -name journal.jsonl -o -name 'conf.before*' -o -name 'conf.next*'";
    let left = format!("cd {} && {left}", bench.project.path("."));
    assert_eq!(bench.instance.root(&left).unwrap(), "");
}
