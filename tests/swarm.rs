//! A stack on three nodes: all of them on the new version, or all of them on the old one.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

mod common;

use common::fault::Moment;
use common::swarm::{Swarm, kill, served};
use common::watch::until;
use lab::Report;

fn lost(reports: &[Report]) -> u64 {
    reports.iter().map(|report| report.failed).sum()
}

#[test]
fn a_release_and_a_rollback_lose_nothing_on_any_node_under_load() {
    let swarm = Swarm::start();
    swarm.cutover(&["check"]).expect(0).says("ready");
    swarm.image("v1.1.0", &[("START_DELAY_MS", "500")]);
    swarm
        .cutover(&["plan", "--version", "v1.1.0"])
        .expect(0)
        .says("0 → 3 tasks")
        .says("+   set $slot tasks.shop_green;");
    let load = swarm.load(60.0);
    swarm.cutover(&["deploy", "--version", "v1.1.0"]).expect(0).says("v1.1.0 is live");
    swarm.assert_all("v1.1.0", "green", "deployed");
    swarm.cutover(&["deploy", "--version", "v1.1.0"]).expect(0).says("already live");
    swarm.cutover(&["rollback"]).expect(0).says("v1.0.0 is live");
    let reports: Vec<Report> = load.into_iter().map(|load| load.stop_blocking().unwrap()).collect();
    swarm.assert_all("v1.0.0", "blue", "rolled back");
    assert!(reports.iter().all(|report| report.requests > 300), "{reports:?}");
    assert_eq!(lost(&reports), 0, "{reports:?}");
    swarm.cutover(&["history"]).expect(0).says("v1.1.0  ✔ released").says("rolled back");
    let status = swarm.cutover(&["status", "--json"]).expect(0).result();
    let service = &status["hosts"][2]["services"][0];
    assert_eq!((&service["version"], &service["proved"]), (&"v1.0.0".into(), &true.into()), "{status}");
    assert_eq!(status["slots"][0]["running"].as_array().map(Vec::len), Some(3), "{status}");
    swarm.cutover(&["logs"]).expect(2).says("does not work with `engine: swarm` yet");
}

#[test]
fn what_fails_before_every_nginx_is_switched_is_put_back() {
    let mut swarm = Swarm::start();
    swarm.more = "health: {path: /, timeout: 20s}\n".to_owned();
    swarm.deploy("v1.1.0", &[("CRASH", "1"), ("LOG", "no database")]).expect(3).says("│ no database");
    swarm.assert_all("v1.0.0", "blue", "it crashes");
    swarm.deploy("v1.2.0", &[("UNHEALTHY_MS", "-1")]).expect(3).says("0 of 3 tasks of green are healthy").says("503");
    swarm.assert_all("v1.0.0", "blue", "it is not healthy");

    // nginx of one node is changed by somebody else meanwhile: the others go back
    let running = swarm.deploying("v1.3.0", &[("START_DELAY_MS", "3000")], "health", Moment::Before);
    let conf = "/home/deploy/app/nginx/default.conf";
    let text = swarm.nodes[2].read(conf).unwrap();
    swarm.nodes[2].write(conf, format!("{text}# mine\n")).unwrap();
    let ran = running.end();
    assert!(ran.code == 3 || ran.code == 4, "{ran}");
    assert_eq!(swarm.versions(), ["v1.0.0"; 3]);
    swarm.nodes[2].write(conf, text).unwrap();
    swarm.cutover(&["recover"]).expect(0);
    swarm.assert_all("v1.0.0", "blue", "somebody else's change");

    // no node has room
    swarm.nodes[0].ok("docker service update -q --detach --reserve-memory 999g shop_green").unwrap();
    swarm.deploy("v1.4.0", &[]).expect(3).says("insufficient resources");
    swarm.assert_all("v1.0.0", "blue", "no room");
    swarm.cutover(&["history"]).expect(0).says("failed, put back");
}

#[test]
fn what_a_killed_client_left_is_put_back_or_finished() {
    let swarm = Swarm::start();
    let versions = [
        ("v1.1.0", "health", Moment::Before),
        ("v1.2.0", "route", Moment::After),
        ("v1.3.0", "retire", Moment::Before),
    ];
    for (version, step, moment) in versions {
        let running = swarm.deploying(version, &[], step, moment);
        running.signal("-KILL");
        running.end().expect(-1);
        swarm.cutover(&["status"]).expect(0).says("is under way or was cut off");
        swarm.cutover(&["recover"]).expect(0).says("recovered");
        let (now, slot) = if step == "retire" { (version, "green") } else { ("v1.0.0", "blue") };
        swarm.assert_all(now, slot, step);
    }
    swarm.cutover(&["recover"]).expect(0).says("nothing is unfinished");
    // the next run does it as well
    let running = swarm.deploying("v1.4.0", &[], "route", Moment::Before);
    running.signal("-KILL");
    running.end().expect(-1);
    swarm.cutover(&["deploy", "--version", "v1.4.0"]).expect(0).says("v1.4.0 is live");
    swarm.assert_all("v1.4.0", "blue", "deployed again");
}

#[test]
fn the_death_of_the_leading_node_puts_a_release_back_and_the_others_serve() {
    let swarm = Swarm::start();
    let running = swarm.deploying("v1.1.0", &[("START_DELAY_MS", "3000")], "health", Moment::Before);
    kill(&swarm.nodes[0]);
    let ran = running.end();
    assert!(ran.code == 3 || ran.code == 4, "{ran}");
    for node in &swarm.nodes[1..] {
        assert_eq!(served(node), "v1.0.0", "{ran}");
    }
    swarm.nodes[0].reboot().unwrap();
    until("the node is back", || swarm.nodes[1].ok("docker node ls").is_ok_and(|nodes| !nodes.contains("Down")));
    until("all nodes serve", || swarm.versions() == ["v1.0.0"; 3]);
    swarm.cutover(&["recover"]).expect(0);
    swarm.cutover(&["deploy", "--version", "v1.1.0"]).expect(0);
    swarm.assert_all("v1.1.0", "green", "the node is back");
}

#[test]
fn a_stack_that_was_deployed_by_hand_is_named_and_given_back_its_tasks() {
    let swarm = Swarm::start();
    swarm.deploy("v1.1.0", &[]).expect(0);
    // with the file of what is live nothing changes
    swarm.deploy_by_hand(&["stack.yml", "cutover.stack.yml"]);
    swarm.cutover(&["status"]).expect(0).never_says("the last release left");
    swarm.assert_all("v1.1.0", "green", "both files");
    swarm.deploy_by_hand(&["stack.yml"]);
    swarm.cutover(&["status"]).expect(0).says("green has 0 tasks, and the last release left 3");
    swarm.cutover(&["recover"]).expect(0).says("was the stack deployed by hand?").says("recovered");
    swarm.assert_all("v1.1.0", "green", "repaired");
}
