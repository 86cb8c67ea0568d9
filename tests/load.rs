//! Requests lost: clients that record every outcome and never retry, while versions are swapped under them.
//!
//! Each test makes one deploy before it counts. The first one ever writes the keep-alive guard and reloads nginx for it,
//! and the workers that this reload ends do not have the guard yet: they may still cut idle keep-alive connections.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

mod common;

use common::Bench;
use lab::load::Class;
use lab::{Kind, Load, Mix, Options, Report};
use std::time::Duration;

/// Serves v1.2.0, deployed by cutover; v1.1.0 and v1.2.0 are in the registry.
fn warmed_up(nginx: &str) -> Bench {
    let bench = Bench::with(Kind::V2, Options { nginx: nginx.to_owned(), ..Options::default() });
    bench.image("v1.1.0", &[]);
    bench.deploy("v1.2.0", &[]).expect(0);
    bench
}

/// 400 requests a second: new and kept connections, near and far, kept ones that are idle for 3 s, 5-second requests.
fn mix() -> Mix {
    let mut mix = Mix::standard();
    mix.classes.retain(|class| class.name != "slow-15s");
    mix.classes.push(Class::keep_alive(8.0, 24).with_rtt(50).named("idle-50ms"));
    mix
}

/// The same, with 15-second requests.
fn slow_mix() -> Mix {
    let mut mix = mix();
    mix.classes.push(Class::slow(1.0, 15));
    mix
}

/// Swaps so many times under load, to v1.1.0 and back to v1.2.0, and prints what the clients saw.
fn swaps(bench: &Bench, mix: Mix, count: usize) -> Report {
    let load = Load::start(&bench.project.url(), mix).unwrap();
    // so long that a slow request of each second is in flight
    std::thread::sleep(Duration::from_secs(4));
    for version in ["v1.1.0", "v1.2.0"].iter().cycle().take(count) {
        let ran = bench.cutover(&["deploy", "--version", version, "--allow-downgrade"]).expect(0);
        println!("{}", ran.stdout.trim());
    }
    let report = load.stop_blocking().unwrap();
    println!("\n{count} swaps on nginx {}\n{report}\n", bench.project.options.nginx);
    assert!(report.requests as f64 / report.seconds > 300.0, "too few requests to mean anything");
    for class in &report.classes {
        assert_eq!(class.versions.len(), 2, "{} did not see both versions", class.name);
    }
    report
}

#[test]
fn no_request_is_lost_in_ten_swaps() {
    let bench = warmed_up("1.30");
    assert_eq!(swaps(&bench, mix(), 8).failed, 0);
    assert_eq!(swaps(&bench, slow_mix(), 2).failed, 0);
}

#[test]
fn older_nginx_only_resets_idle_keep_alive_connections() {
    let bench = warmed_up("1.26");
    let report = swaps(&bench, slow_mix(), 4);
    let resets = report.failures("reset-idle");
    println!("{resets} of {} requests met an idle connection that nginx had closed at a reload", report.requests);
    assert_eq!(report.failed, resets);
    for class in report.classes.iter().filter(|class| !class.name.contains("alive") && !class.name.starts_with("idle"))
    {
        assert_eq!(class.failed, 0, "{}", class.name);
    }
}
