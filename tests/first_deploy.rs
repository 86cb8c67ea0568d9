//! Hosts where nothing serves yet, or nothing any more: a deploy brings the service up.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

mod common;

use common::Bench;
use common::watch::until;
use lab::{Kind, Options};

fn what_does_not_serve_is_brought_up(kind: Kind) {
    let bench = Bench::idle(kind, Options::default());
    let conf = bench.project.conf().unwrap();

    // nothing runs: redis, which the slots depend on, and nginx come up as well
    let first = bench.deploy("v1.0.0", &[]).expect(0).says("nothing → blue   v1.0.0").never_says("unknown version");
    first.never_says("nginx does not run").never_says("old version").says("Finish: record the release");
    assert_eq!(bench.project.served_version().as_deref(), Some("v1.0.0"));
    assert_eq!(bench.project.conf().unwrap(), conf);
    let redis = bench.project.ok("docker ps --format '{{.Names}}' | grep -c redis").unwrap();
    assert_eq!((redis.as_str(), bench.instance.container("green").unwrap()), ("1", None));
    assert_eq!(bench.status()["proved"], true);

    // nginx runs, both slots are stopped
    let nginx = bench.instance.container("nginx").unwrap().unwrap().id;
    bench.project.ok("docker stop -t 0 blue").unwrap();
    bench.cutover(&["status"]).expect(0).says("not running");
    bench.cutover(&["check"]).expect(0).says("its file names blue, which does not run");
    bench.deploy("v1.1.0", &[]).expect(0).says("nothing → blue");
    assert_eq!(bench.project.served_version().as_deref(), Some("v1.1.0"));
    assert_eq!(bench.instance.container("nginx").unwrap().unwrap().id, nginx, "nginx was recreated");

    // nginx can't start without a slot: the engine tries again and again, longer apart each time
    bench.project.ok("docker rm -f blue && docker restart -t 0 nginx").unwrap();
    until("nginx is in a restart loop", || restarts(&bench) > 6);
    bench.image("v1.2.0", &[]);
    let seconds = bench.cutover(&["deploy", "--version", "v1.2.0", "--json"]).expect(0).result();
    let seconds = seconds["hosts"][0]["seconds"]["nginx-up"].as_f64().unwrap();
    assert!(seconds < 4.0, "nginx was waited for: {seconds} s");
    assert_eq!(bench.project.served_version().as_deref(), Some("v1.2.0"));
    assert_eq!(bench.instance.container("nginx").unwrap().unwrap().id, nginx, "nginx was recreated");

    // and from here on as always
    bench.deploy("v1.3.0", &[]).expect(0).says("blue → green");
    assert_eq!(bench.project.served_version().as_deref(), Some("v1.3.0"));
}

fn restarts(bench: &Bench) -> u32 {
    bench.project.ok("docker inspect -f '{{.RestartCount}}' nginx").unwrap().parse().unwrap()
}

lab::on_each_kind!(what_does_not_serve_is_brought_up);

fn assert_nothing_runs(bench: &Bench) {
    let running: Vec<_> = bench.instance.docker_ps().unwrap().into_iter().filter(|c| c.state == "running").collect();
    assert_eq!(running, [], "containers are left running");
}

#[test]
fn a_first_deploy_that_fails_leaves_nothing_running() {
    let mut bench = Bench::idle(Kind::V2, Options::default());
    bench.config += "health: {timeout: 2s}\n";
    let conf = bench.project.conf().unwrap();
    bench.deploy("v1.0.0", &[("UNHEALTHY_MS", "-1")]).expect(3).says("it answered 503");
    assert_nothing_runs(&bench);
    assert!(bench.instance.container("blue").unwrap().is_none(), "blue is left");
    assert_eq!(bench.project.conf().unwrap(), conf);
    bench.deploy("v1.0.1", &[]).expect(0);
    assert_eq!(bench.project.served_version().as_deref(), Some("v1.0.1"));
}

#[test]
fn a_first_deploy_that_fails_behind_nginx_stops_nginx_again() {
    let bench = Bench::idle(Kind::V2, Options::default());
    let conf = bench.project.conf().unwrap();
    // healthy twice, which is what the health check asks; then nginx is started and gets another answer
    let sick = [("FAIL_AFTER_REQUESTS", "2"), ("FAIL_STATUS", "503")];
    bench.deploy("v1.0.0", &sick).expect(3).says("nginx answers 503");
    assert_nothing_runs(&bench);
    assert_eq!(bench.project.conf().unwrap(), conf);
    bench.deploy("v1.0.1", &[]).expect(0);
    assert_eq!(bench.project.served_version().as_deref(), Some("v1.0.1"));
}
