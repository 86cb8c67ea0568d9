//! One release at a time on a host.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

mod common;

use common::watch::until;
use common::{Bench, run};
use lab::Kind;
use std::process::Stdio;

#[test]
fn a_second_run_is_told_who_holds_the_lock_or_waits_for_it() {
    let bench = Bench::reference(Kind::V2);
    bench.image("v1.1.0", &[("START_DELAY_MS", "20000")]);
    bench.image("v1.2.0", &[]);
    let mut first = bench.command(&["deploy", "--version", "v1.1.0"]);
    first.env("GITHUB_SERVER_URL", "https://github.example").env("GITHUB_REPOSITORY", "devrank/web");
    first.env("GITHUB_RUN_ID", "4711").env("GITHUB_ACTOR", "ddong").env("GITHUB_SHA", "0123abc");
    let first = first.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    until("the first run has started its slot", || bench.instance.is_running("green").unwrap());

    let second = bench.cutover(&["deploy", "--version", "v1.2.0"]).expect(5).says("locked by another run");
    let second = second.says("ddong in https://github.example/devrank/web/actions/runs/4711 at 0123abc");
    second.says("v1.1.0, since 2").says("--wait 10m");
    let third = bench.cutover(&["deploy", "--version", "v1.2.0", "--wait", "1s"]).expect(5);
    third.says("waiting up to 1 s");
    // to look is allowed
    bench.cutover(&["status"]).expect(0).says("in blue since").says("can be rolled back to: nothing");
    bench.cutover(&["plan", "--version", "v1.2.0"]).expect(0);

    let waiting = bench.command(&["deploy", "--version", "v1.2.0", "--wait", "2m"]);
    let waiting = std::thread::spawn(move || run(&mut { waiting }));
    let first = first.wait_with_output().unwrap();
    assert!(first.status.success(), "{}", String::from_utf8_lossy(&first.stderr));
    waiting.join().unwrap().expect(0).says("waiting up to 120 s").says("green → blue");
    assert_eq!(bench.project.served_version().as_deref(), Some("v1.2.0"));
}

#[test]
fn a_run_that_is_killed_holds_no_lock() {
    let bench = Bench::reference(Kind::V2);
    bench.image("v1.1.0", &[("START_DELAY_MS", "600000")]);
    bench.image("v1.2.0", &[]);
    let mut first = bench.command(&["deploy", "--version", "v1.1.0"]).stderr(Stdio::null()).spawn().unwrap();
    until("the first run has started its slot", || bench.instance.is_running("green").unwrap());
    first.kill().unwrap();
    first.wait().unwrap();
    bench.cutover(&["deploy", "--version", "v1.2.0", "--wait", "20s"]).expect(0);
    assert_eq!(bench.project.served_version().as_deref(), Some("v1.2.0"));
}
