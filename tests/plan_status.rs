//! `plan` says what would be done and changes nothing; `status` says what is live, whatever the conf file claims.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

mod common;

use common::Bench;
use common::watch::{Client, state, until};
use lab::{Kind, Options};
use serde_json::{Value, json};

#[test]
fn a_plan_names_the_steps_and_changes_nothing() {
    let bench = Bench::idle(Kind::V2, Options::default());
    bench.image("v1.0.0", &[]);
    let steps = |version: &str| -> Vec<String> {
        let plan = bench.cutover(&["plan", "--version", version, "--json"]).expect(0).result();
        let steps = plan["hosts"][0]["steps"].as_array().unwrap();
        steps.iter().map(|step| step["step"].as_str().unwrap().to_owned()).collect()
    };
    let before = state(&bench.project);
    assert_eq!(steps("v1.0.0"), ["pull", "start", "health", "nginx-up", "confirm", "record"]);
    bench
        .cutover(&["plan", "--version", "v1.0.0"])
        .expect(0)
        .says("start redis, then start blue on v1.0.0")
        .says("start nginx");
    assert_eq!(state(&bench.project), before);

    bench.cutover(&["deploy", "--version", "v1.0.0"]).expect(0);
    let before = state(&bench.project);
    let all = ["pull", "start", "health", "route", "confirm", "drain", "retire", "record"];
    assert_eq!(steps("v1.1.0"), all);
    let plan = bench.cutover(&["plan", "--version", "v1.1.0"]).expect(0);
    let plan =
        plan.says("point upstream backend-api at green").says("-   server blue:3001;").says("+   server green:3001;");
    plan.says("stop blue (v1.0.0)").says("build and push");
    bench.cutover(&["release", "--dry-run", "--version", "v1.1.0"]).expect(0).says("would be released so");
    bench.cutover(&["plan", "--version", "v1.0.0"]).expect(0).says("already live");
    bench.cutover(&["plan", "--version", "v0.9.0"]).expect(0).says("older than what is live");
    assert_eq!(state(&bench.project), before);

    // what is planned is what is done
    bench.image("v1.1.0", &[]);
    let done = bench.cutover(&["deploy", "--version", "v1.1.0", "--json"]).expect(0);
    let events = done.events();
    let begun =
        events.iter().filter(|event| event["event"] == "step-begin").map(|event| event["step"].as_str().unwrap());
    assert_eq!(begun.collect::<Vec<_>>(), all);
}

#[test]
fn the_slot_that_really_serves_is_named_and_kept_when_the_conf_file_lies() {
    let mut bench = Bench::reference(Kind::V2);
    bench.config += "health: {timeout: 3s}\n";
    let conf = bench.project.conf().unwrap();
    let lie = |from: &str, to: &str| {
        bench.project.ok(&format!("sed -i 's/server {from}:/server {to}:/' nginx/default.conf")).unwrap();
    };
    let live = |slot: &str, version: Value| {
        let status = bench.status();
        let seen = (&status["slot"], &status["version"], &status["proved"]);
        assert_eq!(seen, (&json!(slot), &version, &json!(true)), "{status}");
    };
    let client = Client::start(&bench.project.url());

    // the file names green, which does not even exist; what runs was started by hand, so nobody knows its version
    lie("blue", "green");
    live("blue", Value::Null);
    bench.deploy("v1.1.0", &[("CRASH", "1")]).expect(3);
    live("blue", Value::Null);
    // whichever is heard first: its end, or what nginx says of it
    let ran = bench.deploy("v1.1.1", &[("EXIT_AFTER_REQUESTS", "2")]).expect(3);
    assert!(ran.stderr.contains("nginx answers 502") || ran.stderr.contains("green ended with 1"), "{ran}");
    live("blue", Value::Null);
    assert_eq!(bench.project.conf().unwrap(), conf, "put back, the file names the slot that serves");
    let seen = client.stop();
    assert!(!seen.contains(&"v1.1.0".to_owned()), "{seen:?}");
    assert_eq!(bench.project.served_version().as_deref(), Some("v1.0.0"));

    let client = Client::start(&bench.project.url());
    lie("blue", "green");
    bench.deploy("v1.2.0", &[]).expect(0).says("blue → green");
    live("green", json!("v1.2.0"));

    // the file names blue, which somebody started again: it runs and serves nothing
    bench.project.ok("docker start blue").unwrap();
    lie("green", "blue");
    live("green", json!("v1.2.0"));
    bench.deploy("v1.3.0", &[]).expect(0).says("green → blue");
    live("blue", json!("v1.3.0"));
    assert_eq!(client.stop(), ["v1.0.0", "v1.2.0", "v1.3.0"]);
    assert_eq!(bench.project.conf().unwrap(), conf);
}

#[test]
fn status_tells_what_runs_since_when_and_what_can_be_rolled_back_to() {
    let bench = Bench::with(Kind::V1, Options { nginx: "1.26".to_owned(), ..Options::default() });
    bench.deploy("v1.0.1", &[]).expect(0);
    let second = bench.image("v1.1.0", &[]);
    // this nginx opens a connection for each request: the slots are told apart by what they accept
    // what a deploy prints is the registry's digest, as status does: people see its start
    let short = &second.digest[..19];
    bench.cutover(&["deploy", "--version", "v1.1.0"]).expect(0).says(&format!("v1.0.1 → v1.1.0   {short}\n"));
    let status = bench.status();
    assert_eq!(status["digest"], json!(second.digest));
    assert_eq!((&status["proved"], &status["rollback"]), (&json!(true), &json!(["v1.0.1"])));
    let started = bench.project.ok("docker inspect -f '{{.State.StartedAt}}' blue").unwrap();
    assert_eq!(status["since"], json!(started));
    let text = bench.cutover(&["status"]).expect(0).says("v1.1.0 in blue since").says("healthy, 200 in");
    text.says("can be rolled back to: v1.0.1").says(&format!("{short}\n")).never_says("not seen to receive");

    bench.project.ok("docker stop -t 0 nginx").unwrap();
    until("nginx has stopped", || !bench.instance.is_running("nginx").unwrap());
    let status = bench.status();
    assert_eq!((&status["slot"], &status["proved"]), (&json!("blue"), &json!(false)));
    bench.cutover(&["status"]).expect(0).says("not seen to receive requests");
}
