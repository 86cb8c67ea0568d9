//! The main job against real instances: a version goes in, it serves, and nobody notices.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

mod common;

use common::Bench;
use common::watch::{connections, until};
use lab::load::Class;
use lab::{Kind, Load, Mix, Options};

fn the_reference_project_swaps_there_and_back(kind: Kind) {
    let bench = Bench::reference(kind);
    let conf = bench.project.conf().unwrap();

    bench.deploy("v1.1.0", &[]).expect(0).says("v1.1.0 is live");
    assert_eq!(bench.project.served_version().as_deref(), Some("v1.1.0"));
    assert_eq!(bench.project.conf().unwrap(), conf.replace("server blue:", "server green:"));
    assert!(bench.instance.is_running("green").unwrap() && !bench.instance.is_running("blue").unwrap());

    let status = bench.status();
    assert_eq!(
        (&status["slot"], &status["version"], &status["proved"]),
        (&"green".into(), &"v1.1.0".into(), &true.into())
    );

    bench.deploy("v1.2.0", &[]).expect(0);
    assert_eq!(bench.status()["rollback"], serde_json::json!(["v1.1.0"]));
    assert_eq!(bench.project.served_version().as_deref(), Some("v1.2.0"));
    assert_eq!(bench.project.conf().unwrap(), conf);
    bench.cutover(&["deploy", "--version", "v1.2.0"]).expect(0).says("already live");
    bench.cutover(&["deploy", "--version", "v1.1.0"]).expect(2).says("older than what is live");
}

lab::on_each_kind!(the_reference_project_swaps_there_and_back);

#[test]
fn requests_that_take_longer_than_a_stop_are_finished_before_the_old_slot_is_stopped() {
    let options = Options { stop_grace_period: Some("1s".to_owned()), ..Options::default() };
    let bench = Bench::with(Kind::V2, options);
    bench.deploy("v1.1.0", &[]).expect(0);
    bench.image("v1.2.0", &[]);
    let load = Load::start(&bench.project.url(), Mix::of(vec![Class::slow(4.0, 5)])).unwrap();
    // until requests are under way
    until("five are open", || connections(&bench.instance, "green") >= 5);
    bench.cutover(&["deploy", "--version", "v1.2.0"]).expect(0);
    let report = load.stop_blocking().unwrap();
    assert_eq!(report.failed, 0, "{report}");
}
