//! A stack on three nodes: all of them on the new version, or all of them on the old one.
//!
//! One swarm is brought up for all parts; each of them says at its end what is live.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::print_stderr)]

mod common;

use common::fault::Moment;
use common::swarm::{Swarm, kill, served};
use common::watch::until;
use lab::Report;
use std::time::Instant;

fn lost(reports: &[Report]) -> u64 {
    reports.iter().map(|report| report.failed).sum()
}

type Part = fn(&mut Swarm);

#[test]
fn releases_to_a_stack_on_three_nodes() {
    let began = Instant::now();
    let mut swarm = Swarm::start();
    eprintln!("{:6.1} s: three nodes are up", began.elapsed().as_secs_f64());
    let parts: [(&str, Part); 6] = [
        ("a release and a rollback lose nothing on any node under load", nothing_is_lost),
        ("hooks, values of the env file and bake", everything_around_a_release),
        ("what fails before every nginx is switched is put back", what_fails_is_put_back),
        ("what a killed client left is put back or finished", a_killed_client),
        ("a stack that was deployed by hand is given back its tasks", deployed_by_hand),
        ("the death of the leading node puts a release back, and the others serve", a_dead_node),
    ];
    for (name, part) in parts {
        eprintln!("{:6.1} s: {name}", began.elapsed().as_secs_f64());
        part(&mut swarm);
    }
    eprintln!("{:6.1} s: done", began.elapsed().as_secs_f64());
}

/// blue v1.0.0 → green v1.1.0 → blue v1.0.0.
fn nothing_is_lost(swarm: &mut Swarm) {
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

/// blue v1.0.0 → green v1.2.0, which stays.
fn everything_around_a_release(swarm: &mut Swarm) {
    const PASSWORD: &str = "pa$1wor$D \\ \"x\"";
    swarm.more = r#"env-file: {values: {PASSWORD: GIVEN}}
bake: 1s
hooks:
  release: {command: [node, -e, "console.log('in', require('./settings.json').VERSION, process.env.PASSWORD.length)"]}
  before-switch: [sh, -c, "echo before $CUTOVER_VERSION >> hooks.log"]
  after-switch: [sh, -c, "echo after >> hooks.log; echo kept up to the end; exit 3"]
  after-release: [sh, -c, "echo $CUTOVER_PREVIOUS_VERSION $CUTOVER_VERSION $CUTOVER_OUTCOME > told"]
"#
    .to_owned();
    swarm.image("v1.2.0", &[]);
    let mut command = swarm.command(&["deploy", "--version", "v1.2.0"]);
    let ran = common::run(command.env("GIVEN", PASSWORD))
        .expect(0)
        .says("it ended with 3")
        .says("│ kept up to the end")
        .never_says("wor$D");
    let ran = ran.says(&format!("in v1.2.0 {}", PASSWORD.len())).says("0 of ");
    swarm.assert_all("v1.2.0", "green", "with everything");
    for node in &swarm.nodes {
        assert_eq!(node.ok("cat /home/deploy/app/hooks.log").unwrap(), "before v1.2.0\nafter", "{ran}");
        assert_eq!(node.ok("stat -c %a /home/deploy/app/cutover.stack.yml").unwrap(), "600");
    }
    let env = swarm.nodes[0]
        .ok("docker service inspect -f '{{json .Spec.TaskTemplate.ContainerSpec.Env}}' shop_green")
        .unwrap();
    assert_eq!(serde_json::from_str::<Vec<String>>(&env).unwrap(), [format!("PASSWORD={PASSWORD}")]);
    assert_eq!(std::fs::read_to_string(swarm.dir.path().join("told")).unwrap(), "v1.0.0 v1.2.0 released\n");
    assert_eq!(swarm.nodes[0].ok("docker service ls -q --filter name=hook").unwrap(), "", "the job is left");

    // it fails only once it is live
    swarm.more = "bake: 20s\n".to_owned();
    swarm.deploy("v1.2.1", &[("FAIL_AFTER_MS", "7000")]).expect(3).says("answers through nginx failed");
    swarm.assert_all("v1.2.0", "green", "bake");
    swarm.more = "hooks: {release: {command: [sh, -c, 'echo no database; exit 7']}}\n".to_owned();
    swarm.deploy("v1.2.2", &[]).expect(3).says("│ no database");
    swarm.assert_all("v1.2.0", "green", "hook");
    swarm.more.clear();
}

fn what_fails_is_put_back(swarm: &mut Swarm) {
    swarm.more = "health: {path: /, timeout: 6s}\n".to_owned();
    swarm.deploy("v1.3.0", &[("CRASH", "1"), ("LOG", "no database")]).expect(3).says("│ no database");
    swarm.deploy("v1.3.1", &[("UNHEALTHY_MS", "-1")]).expect(3).says("0 of 3 tasks of blue are healthy").says("503");
    swarm.assert_all("v1.2.0", "green", "it is not healthy");
    swarm.more.clear();

    // nginx of one node is changed by somebody else meanwhile: the others go back
    let running = swarm.deploying("v1.3.2", &[("START_DELAY_MS", "3000")], "health", Moment::Before);
    let conf = "/home/deploy/app/nginx/default.conf";
    let text = swarm.nodes[2].read(conf).unwrap();
    swarm.nodes[2].write(conf, format!("{text}# mine\n")).unwrap();
    let ran = running.end();
    assert!(ran.code == 3 || ran.code == 4, "{ran}");
    assert_eq!(swarm.versions(), ["v1.2.0"; 3]);
    swarm.nodes[2].write(conf, text).unwrap();
    swarm.cutover(&["recover"]).expect(0);
    swarm.assert_all("v1.2.0", "green", "somebody else's change");

    // no node has room
    swarm.nodes[0].ok("docker service update -q --detach --reserve-memory 999g shop_blue").unwrap();
    swarm.deploy("v1.3.3", &[]).expect(3).says("insufficient resources");
    swarm.assert_all("v1.2.0", "green", "no room");
    swarm.nodes[0].ok("docker service update -q --detach --reserve-memory 0 shop_blue").unwrap();
    swarm.cutover(&["history"]).expect(0).says("failed, put back");
}

/// green v1.2.0 → blue v1.4.1 → green v1.4.2.
fn a_killed_client(swarm: &mut Swarm) {
    let running = swarm.deploying("v1.4.0", &[], "route", Moment::After);
    running.signal("-KILL");
    running.end().expect(-1);
    swarm.cutover(&["status"]).expect(0).says("is under way or was cut off");
    // the next run puts it back first
    swarm.deploy("v1.4.1", &[]).expect(0).says("point nginx at tasks.shop_green again").says("v1.4.1 is live");
    swarm.assert_all("v1.4.1", "blue", "deployed after a killed client");
    for (version, step, live, slot) in [("v1.4.3", "health", "v1.4.1", "blue"), ("v1.4.2", "retire", "v1.4.2", "green")]
    {
        let running = swarm.deploying(version, &[], step, Moment::Before);
        running.signal("-KILL");
        running.end().expect(-1);
        swarm.cutover(&["recover"]).expect(0).says("recovered");
        swarm.assert_all(live, slot, step);
    }
    swarm.cutover(&["recover"]).expect(0).says("nothing is unfinished");
}

fn deployed_by_hand(swarm: &mut Swarm) {
    // with the file of what is live nothing changes
    swarm.deploy_by_hand(&["stack.yml", "cutover.stack.yml"]);
    swarm.cutover(&["status"]).expect(0).never_says("the last release left");
    swarm.assert_all("v1.4.2", "green", "both files");
    swarm.deploy_by_hand(&["stack.yml"]);
    swarm.cutover(&["status"]).expect(0).says("green has 0 tasks, and the last release left 3");
    swarm.cutover(&["recover"]).expect(0).says("was the stack deployed by hand?").says("recovered");
    swarm.assert_all("v1.4.2", "green", "repaired");
}

fn a_dead_node(swarm: &mut Swarm) {
    let leader = swarm.leader();
    let running = swarm.deploying("v1.5.0", &[("START_DELAY_MS", "3000")], "health", Moment::Before);
    kill(&swarm.nodes[leader]);
    let ran = running.end();
    assert!(ran.code == 3 || ran.code == 4, "{ran}");
    let others: Vec<_> = swarm.nodes.iter().enumerate().filter(|(at, _)| *at != leader).map(|(_, node)| node).collect();
    for node in &others {
        assert_eq!(served(node), "v1.4.2", "{ran}");
    }
    swarm.nodes[leader].reboot().unwrap();
    until("the node is back", || others[0].ok("docker node ls").is_ok_and(|nodes| !nodes.contains("Down")));
    until("all nodes serve", || swarm.versions() == ["v1.4.2"; 3]);
    swarm.cutover(&["recover"]).expect(0);
    swarm.deploy("v1.6.0", &[]).expect(0);
    swarm.assert_all("v1.6.0", "blue", "the node is back");
}
