//! A person freezes releases with `lock`, and lets them go on with `unlock`.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

mod common;

use common::watch::until;
use common::{Bench, run};
use lab::Kind;
use std::process::Stdio;

#[test]
fn nobody_changes_a_host_that_a_person_has_frozen_until_it_is_unlocked() {
    let bench = Bench::reference(Kind::V2);
    bench.deploy("v1.1.0", &[]).expect(0);
    bench.image("v1.2.0", &[]);
    let mut lock = bench.command(&["lock", "--reason", "the sale: 'it's on' $(id)\u{1b}[31m"]);
    lock.env("USER", "ann").env("HOSTNAME", "desk");
    run(&mut lock).expect(0).says("is frozen by ann on desk since 2").says("the sale: 'it's on' $(id)\\u{1b}[31m");
    let why = "frozen by ann on desk since 2";
    let before = common::watch::state_beside_cutover(&bench.project);
    for words in [
        ["deploy", "--version", "v1.2.0"].as_slice(),
        &["release", "--version", "v1.2.0"],
        &["rollback"],
        &["restart"],
        &["recover"],
    ] {
        let tree = bench.work_tree("v1.2.0", "v1.2.0");
        let ran = run(bench.command(words).current_dir(tree.path())).expect(5).says(why).says("the sale");
        ran.says("`cutover unlock` lets releases go on").never_says("another run");
    }
    assert_eq!(common::watch::state_beside_cutover(&bench.project), before);
    // to look is allowed, and shows it
    bench.cutover(&["status"]).expect(0).says(why);
    bench.cutover(&["check"]).expect(0).says(why);
    bench.cutover(&["plan", "--version", "v1.2.0"]).expect(0).says(why);
    let status = bench.cutover(&["status", "--json"]).expect(0).result();
    assert_eq!(status["hosts"][0]["frozen"]["by"], "ann on desk");
    // who was first stays
    run(bench.command(&["lock", "--reason", "mine"]).env("USER", "bob")).expect(5).says(why).never_says("mine");

    let waiting = bench.command(&["deploy", "--version", "v1.2.0", "--wait", "5m"]);
    let waiting = { waiting }.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    bench.cutover(&["deploy", "--version", "v1.2.0", "--wait", "1s"]).expect(5).says("waiting up to 1 s").says(why);
    bench.cutover(&["unlock"]).expect(0).says("releases go on; it was frozen by ann on desk");
    let waited = waiting.wait_with_output().unwrap();
    assert!(waited.status.success(), "{}", String::from_utf8_lossy(&waited.stderr));
    assert_eq!(bench.project.served_version().as_deref(), Some("v1.2.0"));
    bench.cutover(&["unlock"]).expect(0).says("was not frozen");
    bench.cutover(&["status"]).expect(0).never_says("frozen");
    common::fault::assert_clean(&bench, "unlocked");
}

#[test]
fn a_run_that_has_begun_goes_on_to_its_end_and_whoever_locks_is_told_so() {
    let bench = Bench::reference(Kind::V2);
    bench.image("v1.1.0", &[("START_DELAY_MS", "15000")]);
    let first = bench.command(&["deploy", "--version", "v1.1.0"]);
    let first = { first }.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    until("the run has started its slot", || bench.instance.is_running("green").unwrap());
    bench.cutover(&["lock"]).expect(0).says("a run that began before goes on to its end").says("v1.1.0, since 2");
    let first = first.wait_with_output().unwrap();
    assert!(first.status.success(), "{}", String::from_utf8_lossy(&first.stderr));
    // what a person writes there by hand counts as well
    bench.project.ok("echo 'ask Ann first' > .cutover/frozen").unwrap();
    bench.cutover(&["rollback"]).expect(5).says("frozen by somebody: ask Ann first");
    bench.cutover(&["unlock"]).expect(0).says("ask Ann first");
}
