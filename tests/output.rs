//! What is printed: for people, for GitHub's log, for programs; and that no container can speak for cutover.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

mod common;

use common::{Bench, cutover, run};
use lab::Kind;

#[test]
fn a_variable_that_is_set_to_nothing_counts_as_not_set() {
    let dir = tempfile::tempdir().unwrap();
    let config = "image: devrank/api\nhost: deploy@h\ndirectory: /srv/app\n";
    std::fs::write(dir.path().join("cutover.yml"), config).unwrap();
    let mut version = cutover();
    version.current_dir(dir.path()).args(["version", "--message", "v1.2.3: faster search"]);
    for name in ["CUTOVER_VERSION", "CUTOVER_CONFIG", "CUTOVER_ENVIRONMENT"] {
        version.env(name, "");
    }
    run(&mut version).expect(0).says("v1.2.3");
    run(version.env("CUTOVER_VERSION", "v2.0.0")).expect(0).says("v2.0.0");
    // what is given as a word is taken by its word
    run(version.args(["--config", ""])).expect(2);
}

const HOSTILE: &str = "::set-output name=x::evil\n  ::add-mask::a\n##[error]red\n\u{1b}[31mred\u{1b}[2J\u{7}\r::error::gone\n::endgroup::";

#[test]
fn events_are_one_json_object_a_line_groups_are_closed_and_container_logs_are_inert() {
    let mut bench = Bench::reference(Kind::V2);
    bench.config += "health: {timeout: 3s}\n";
    let hostile = [("LOG", HOSTILE), ("CRASH", "1")];
    bench.image("v1.1.0", &hostile);
    bench.image("v1.2.0", &[]);
    let github = |words: &[&str]| run(bench.command(words).env("GITHUB_ACTIONS", "true").env("CI", "true"));

    let failed = github(&["deploy", "--version", "v1.1.0"]).expect(3).says("set-output name=x::evil");
    let text = format!("{}{}", failed.stdout, failed.stderr);
    let commands: Vec<&str> = text.lines().filter(|line| is_command(line)).collect();
    let ours = [
        "::group::",
        "::endgroup::",
        "::add-mask::",
        "::stop-commands::",
        "::error title=cutover::",
        "::warning title=cutover::",
    ];
    let token =
        commands.iter().find_map(|line| line.strip_prefix("::stop-commands::")).map(|token| format!("::{token}::"));
    let is_ours = |line: &str| ours.iter().any(|start| line.starts_with(start)) || token.as_deref() == Some(line);
    assert!(commands.iter().all(|line| is_ours(line)) && token.is_some(), "{failed}");
    assert!(!text.contains(['\u{1b}', '\u{7}', '\r']), "{failed}");
    assert_eq!(commands.iter().filter(|line| line.starts_with("::error")).count(), 1, "{failed}");
    assert_balanced(&commands);

    let json = run(bench.command(&["deploy", "--version", "v1.1.0", "--json"]).env("GITHUB_ACTIONS", "true")).expect(3);
    assert!(!json.stdout.lines().any(is_command) && json.stdout.contains("error]red"), "{json}");
    let events = json.events();
    assert!(events.iter().all(|event| event["event"].is_string() && event.is_object()));
    assert!(events.iter().any(|event| event["event"] == "note" && event["level"] == "error"), "{events:?}");

    let done = github(&["deploy", "--version", "v1.2.0"]).expect(0).says("blue → green");
    let commands: Vec<&str> = done.stderr.lines().filter(|line| is_command(line)).collect();
    let groups = commands.iter().filter(|line| line.starts_with("::group::")).count();
    assert!(groups >= 4, "{done}");
    assert_balanced(&commands);
    assert!(done.stdout.contains("v1.2.0 is live") && !done.stdout.contains("::"), "{done}");

    // the same in plain lines, with every remote command and its reason
    bench.image("v1.3.0", &[]);
    let verbose = bench.cutover(&["deploy", "--version", "v1.3.0", "-v"]).expect(0);
    let verbose = verbose.says("# to see what is on the host").says("# to point nginx at the new slot");
    // what is shown can be pasted into a shell there
    let shown = bench.cutover(&["status", "-v", "--json"]).expect(0).events();
    let survey = shown.iter().find(|event| event["why"] == "to see what is on the host").unwrap();
    assert!(bench.project.ok(survey["command"].as_str().unwrap()).unwrap().contains("@user 0"), "{survey}");
    assert!(!verbose.stderr.contains("::group::") && !verbose.stderr.contains("PRIVATE KEY"), "{verbose}");
}

/// What GitHub's runner takes for a command (actions/runner, ActionCommand): `::` after white space, or `##[` anywhere.
fn is_command(line: &str) -> bool {
    line.trim_start().starts_with("::") || line.contains("##[")
}

fn assert_balanced(commands: &[&str]) {
    let mut open = false;
    for line in commands {
        if line.starts_with("::group::") {
            assert!(!open, "a group within a group: {commands:?}");
            open = true;
        } else if line.starts_with("::endgroup::") {
            assert!(open, "an end without a group: {commands:?}");
            open = false;
        }
    }
    assert!(!open, "a group is left open: {commands:?}");
}
