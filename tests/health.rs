//! A new version that is slow, ill or dead: the old one serves until the new one answers, and stays when it never does.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

mod common;

use common::watch::{Client, connections, state_beside_cutover, until};
use common::{Bench, Ran};
use lab::Kind;

fn health_seconds(ran: &Ran) -> f64 {
    ran.result()["hosts"][0]["seconds"]["health"].as_f64().unwrap()
}

#[test]
fn a_slow_start_and_a_503_of_six_seconds_are_waited_for_and_no_client_sees_them() {
    let bench = Bench::reference(Kind::V2);
    let client = Client::start(&bench.project.url());
    bench.image("v1.1.0", &[("START_DELAY_MS", "5000")]);
    bench.image("v1.2.0", &[("UNHEALTHY_MS", "6000")]);
    let late = bench.cutover(&["deploy", "--version", "v1.1.0", "--json"]).expect(0);
    assert!((4.0..7.5).contains(&health_seconds(&late)), "{late}");
    let ill = bench.cutover(&["deploy", "--version", "v1.2.0", "--json"]).expect(0);
    assert!((5.0..8.5).contains(&health_seconds(&ill)), "{ill}");
    assert_eq!(client.stop(), ["v1.0.0", "v1.1.0", "v1.2.0"]);
}

#[test]
fn a_version_that_never_answers_crashes_or_dies_behind_nginx_is_put_back() {
    let mut bench = Bench::reference(Kind::V2);
    bench.config += "health: {timeout: 3s}\n";
    let conf = bench.project.conf().unwrap();
    let client = Client::start(&bench.project.url());

    bench.deploy("v1.1.0", &[("UNHEALTHY_MS", "-1")]).expect(3).says("not healthy after 3 s").says("it answered 503");
    bench.assert_untouched(&conf);
    bench.deploy("v1.1.1", &[("START_DELAY_MS", "600000")]).expect(3).says("not healthy after 3 s");
    bench.assert_untouched(&conf);
    bench
        .deploy("v1.1.2", &[("CRASH", "1")])
        .expect(3)
        .says("Error: connect ECONNREFUSED db:27017")
        .says("ended with 1");
    bench.assert_untouched(&conf);
    assert_eq!(client.stop(), ["v1.0.0"]);

    // healthy twice, then dead: nginx answers 502 for it
    bench.deploy("v1.1.3", &[("EXIT_AFTER_REQUESTS", "2")]).expect(3).says("nginx answers 502");
    bench.assert_untouched(&conf);
    bench.deploy("v1.1.4", &[]).expect(0);
    assert_eq!(bench.project.served_version().as_deref(), Some("v1.1.4"));
}

#[test]
fn requests_of_15_seconds_are_finished_and_a_server_that_ignores_sigterm_is_reported_as_killed() {
    let mut bench = Bench::reference(Kind::V2);
    bench.config += "stop-timeout: 2s\n";
    bench.deploy("v1.1.0", &[("IGNORE_SIGTERM", "1")]).expect(0).says("blue ended with 0").never_says("was killed");
    bench.image("v1.2.0", &[]);

    let url = format!("{}/slow?ms=15000", bench.project.url());
    let slow = std::thread::spawn(move || {
        std::process::Command::new("curl").args(["-s", "-m", "60", "-w", "%{http_code}", &url]).output().unwrap()
    });
    until("the slow request is with green", || connections(&bench.instance, "green") > 0);
    let ran = bench.cutover(&["deploy", "--version", "v1.2.0"]).expect(0).says("green was killed");
    let answer = slow.join().unwrap();
    let answer = String::from_utf8_lossy(&answer.stdout).into_owned();
    assert!(answer.contains("\"v1.1.0\"") && answer.ends_with("200"), "{answer}\n{ran}");
    assert_eq!(bench.project.served_version().as_deref(), Some("v1.2.0"));
}

#[test]
fn a_conf_that_is_broken_already_is_refused_before_anything_changes() {
    let bench = Bench::reference(Kind::V2);
    bench.image("v1.1.0", &[]);
    let good = bench.project.conf().unwrap();
    let broken: [(&str, &str, &str); 3] = [
        ("nginx/other.conf", "nonsense;\n", "unknown directive \"nonsense\""),
        (
            "nginx/other.conf",
            "server { listen 81; location / { proxy_pass http://nowhere; } }\n",
            "host not found in upstream",
        ),
        ("nginx/default.conf", &good.replace("listen 80;", "listen 80"), "nginx -t"),
    ];
    for (file, text, why) in broken {
        bench.instance.write(&bench.project.path(file), text).unwrap();
        bench.cutover(&["check"]).expect(3);
        let before = state_beside_cutover(&bench.project);
        bench.cutover(&["deploy", "--version", "v1.1.0"]).expect(3).says("nothing was changed").says(why);
        assert_eq!(state_beside_cutover(&bench.project), before);
        bench.project.ok("rm -f nginx/other.conf").unwrap();
        bench.instance.write(&bench.project.path("nginx/default.conf"), &good).unwrap();
    }
    bench.cutover(&["deploy", "--version", "v1.1.0"]).expect(0);
}
