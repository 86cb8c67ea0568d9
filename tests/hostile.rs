//! Text that others choose is data: a branch, an actor, a commit, a version, names on the host. (Commit messages:
//! release.rs and action.rs; container logs: output.rs; hooks: hooks.rs.)
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

mod common;

use common::fault::{Moment, Running};
use common::watch::state_beside_cutover;
use common::{Bench, Ran, run};
use lab::{Kind, Options};

const EVIL: &str = "x$(touch hacked)`touch hacked`;touch hacked|touch hacked&'\"\\\n::set-output name=a::b\n##[error]red\n\
                    \u{1b}]0;title\u{7}\u{1b}[31m\r::error::gone\u{202e}%0A::error::no";

/// No terminal escape, no line that GitHub's runner takes for a command, and nothing was run on either side.
fn assert_inert(bench: &Bench, ran: &Ran) {
    for line in ran.stdout.lines().chain(ran.stderr.lines()) {
        assert!(!line.trim_start().starts_with("::") && !line.contains("##["), "a command: {line}\n{ran}");
        assert!(!line.contains(|c: char| c.is_control() && c != '\t') && !line.contains('\u{202e}'), "{line:?}\n{ran}");
    }
    assert_eq!(bench.instance.root("find / -xdev -name hacked 2>/dev/null; true").unwrap(), "", "{ran}");
    assert!(!bench.dir.path().join("hacked").exists(), "{ran}");
}

/// The environment of a job whose every text was chosen by somebody else.
const JOB: [&str; 8] = [
    "GITHUB_ACTOR",
    "GITHUB_REF",
    "GITHUB_HEAD_REF",
    "GITHUB_REF_NAME",
    "GITHUB_SHA",
    "GITHUB_REPOSITORY",
    "GITHUB_SERVER_URL",
    "GITHUB_RUN_ID",
];

#[test]
fn whatever_a_branch_an_actor_or_a_commit_is_called_it_is_only_text() {
    let bench = Bench::reference(Kind::V2);
    bench.image("v1.1.0", &[("START_DELAY_MS", "9000")]);
    let hostile = |words: &[&str]| {
        let mut command = bench.command(words);
        command.envs(JOB.map(|name| (name, EVIL))).env("GITHUB_API_URL", "http://127.0.0.1:9");
        command
    };
    let mut first = Running::spawn(hostile(&["deploy", "--version", "v1.1.0", "--json"]));
    assert!(first.until("health", Moment::Before));
    // who holds the lock
    let second = run(&mut hostile(&["deploy", "--version", "v1.1.0"])).expect(5).says("touch hacked");
    assert_inert(&bench, &second);
    first.end().expect(0);
    for words in [&["history"][..], &["status"], &["check"], &["rollback"], &["plan", "--version", "v1.2.0", "-v"]] {
        assert_inert(&bench, &run(&mut hostile(words)));
    }
    let history = bench.cutover(&["history", "--json"]).expect(0);
    let by = &history.result()["hosts"][0]["releases"][0]["by"];
    assert!(by.as_str().unwrap().contains("$(touch hacked)`touch hacked`;"), "{by}");
}

#[test]
fn a_version_is_a_version_or_nothing() {
    let bench = Bench::reference(Kind::V2);
    let before = state_beside_cutover(&bench.project);
    let event = bench.dir.path().join("event.json");
    for version in [
        EVIL,
        "v1.1.0;touch hacked",
        "v1.1.0 $(touch hacked)",
        "v1.1.0\n::error::x",
        "--help",
        "v1.1.0+$(id)",
        "../v1.1.0",
    ] {
        let asked = bench.cutover(&["deploy", &format!("--version={version}")]).expect(2);
        assert_inert(&bench, &asked);
        std::fs::write(&event, serde_json::json!({ "inputs": { "version": version } }).to_string()).unwrap();
        let mut typed = bench.command(&["deploy"]);
        typed.env("GITHUB_EVENT_NAME", "workflow_dispatch").env("GITHUB_EVENT_PATH", &event);
        assert_inert(&bench, &run(&mut typed).expect(2));
        assert_inert(&bench, &bench.cutover(&["rollback", "--to", version]).expect(2));
    }
    assert_eq!(state_beside_cutover(&bench.project), before);
}

#[test]
fn names_in_the_compose_file_and_the_conf_are_only_text() {
    let bench = Bench::reference(Kind::V2);
    let compose = bench.instance.read(&bench.project.path("docker-compose.yml")).unwrap();
    let conf = bench.project.conf().unwrap();
    let before = state_beside_cutover(&bench.project);
    bench.image("v1.1.0", &[]);
    let yaml = serde_json::to_string(EVIL).unwrap();
    let named = |from: &str, to: &str| compose.replacen(from, to, 1);
    for text in [
        named("  green:\n", &format!("  {yaml}:\n")),
        named("container_name: green", &format!("container_name: {yaml}")),
        named("depends_on:\n", &format!("depends_on:\n      - {yaml}\n")),
        format!("{compose}  {yaml}: {{image: nginx}}\n"),
    ] {
        assert_ne!(text, compose);
        bench.instance.write(&bench.project.path("docker-compose.yml"), &text).unwrap();
        assert_inert(&bench, &bench.cutover(&["deploy", "--version", "v1.1.0", "-v"]).expect(3));
        assert_inert(&bench, &bench.cutover(&["check"]));
    }
    bench.instance.write(&bench.project.path("docker-compose.yml"), &compose).unwrap();
    for text in [
        conf.replace("upstream backend-api", "upstream 'x$(touch hacked)\u{1b}[31m\n::error::x'"),
        conf.replace("server blue:3001", "server \"$(touch hacked)\n::error::x\":3001"),
    ] {
        bench.instance.write(&bench.project.path("nginx/default.conf"), &text).unwrap();
        assert_inert(&bench, &bench.cutover(&["deploy", "--version", "v1.1.0", "-v"]).expect(3));
        assert_inert(&bench, &bench.cutover(&["check"]));
    }
    bench.instance.write(&bench.project.path("nginx/default.conf"), &conf).unwrap();
    let serving =
        |state: &str| state.lines().filter(|line| line.contains(" running ")).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(serving(&state_beside_cutover(&bench.project)), serving(&before));
}

#[test]
fn a_directory_may_be_called_anything() {
    let directory = "/home/deploy/a b; $(touch hacked) `touch hacked` & \"x\" \\ *".to_owned();
    let mut bench = Bench::with(Kind::V2, Options { directory: directory.clone(), ..Options::default() });
    bench.config = bench.config.replace(&format!("directory: {directory}"), &format!("directory: '{directory}'"));
    let ran = bench.deploy("v1.1.0", &[]).expect(0);
    assert_inert(&bench, &ran);
    bench.deploy("v1.2.0", &[]).expect(0);
    assert_inert(&bench, &bench.cutover(&["rollback"]).expect(0).says("v1.1.0 is live"));
    assert_eq!(bench.project.served_version().as_deref(), Some("v1.1.0"));
}
