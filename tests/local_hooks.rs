//! Commands of the user's own on the side where cutover runs, around a release.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

mod common;

use common::{Bench, Ran, run};
use lab::Kind;
use std::path::Path;

/// A hook that writes down what it is told.
const TELL: &str =
    "env | grep -E '^(CUTOVER_|SLACK_URL|OTHER_SECRET)' | sort > told-$CUTOVER_HOOK; pwd >> told-$CUTOVER_HOOK";

fn with_hooks(kind: Kind) -> Bench {
    let mut bench = Bench::reference(kind);
    bench.config += &format!(
        "hooks:\n  before-build: [sh, -c, \"{TELL}\"]\n  before-release: [sh, -c, \"{TELL}; echo about to release\"]\n  \
         after-release: {{command: [sh, -c, \"{TELL}; echo to $SLACK_URL\"], secrets: SLACK_URL}}\n  \
         on-failure: {{command: [sh, -c, \"{TELL}; exit 9\"], secrets: [SLACK_URL]}}\n\
         env-file: {{path: .env, values: {{PASSWORD: OTHER_SECRET}}}}\n"
    );
    bench
}

fn in_job(bench: &Bench, tree: &Path, words: &[&str]) -> Ran {
    let mut command = bench.command(words);
    command.current_dir(tree).env("SLACK_URL", "https://hooks.example/T0/abc").env("OTHER_SECRET", "correct-horse");
    command.env("GITHUB_SERVER_URL", "https://github.example").env("GITHUB_REPOSITORY", "devrank/web");
    run(command.env("GITHUB_RUN_ID", "4711"))
}

/// What a hook was told, if it ran; it is forgotten then.
fn told(tree: &Path, hook: &str) -> Option<String> {
    let file = tree.join(format!("told-{hook}"));
    let text = std::fs::read_to_string(&file).ok()?;
    std::fs::remove_file(file).unwrap();
    Some(text)
}

fn says(text: &str, lines: &[&str]) {
    for line in lines {
        assert!(text.lines().any(|one| one == *line), "{line} is not in\n{text}");
    }
}

#[test]
fn hooks_run_around_a_release_and_are_told_of_it_and_no_secret_that_they_do_not_name() {
    let bench = with_hooks(Kind::V2);
    let tree = bench.work_tree("v1.1.0", "v1.1.0");
    // what the hooks write is no change of the release
    std::fs::write(tree.path().join(".gitignore"), "told-*\n").unwrap();
    tree.commit(&lab::App::new(&bench.repository, "v1.1.0"), "v1.1.0: faster").unwrap();
    let ran = in_job(&bench, tree.path(), &["release"]).expect(0).says("before-release │ about to release");
    ran.says("to ***").never_says("hooks.example").never_says("correct-horse");
    let here = std::fs::canonicalize(tree.path()).unwrap();
    let build = told(tree.path(), "before-build").unwrap();
    says(&build, &["CUTOVER_VERSION=v1.1.0", "CUTOVER_OUTCOME=", here.to_str().unwrap()]);
    assert!(!build.contains("SLACK_URL") && !build.contains("CUTOVER_SSH_KEY") && !build.contains("OTHER"), "{build}");
    let host = bench.instance.address.clone();
    let before = told(tree.path(), "before-release").unwrap();
    says(
        &before,
        &[&format!("CUTOVER_HOSTS={host}"), "CUTOVER_RUN_URL=https://github.example/devrank/web/actions/runs/4711"],
    );
    assert!(before.contains(&format!("CUTOVER_IMAGE={}@sha256:", bench.repository)) && !before.contains("SLACK"));
    let after = told(tree.path(), "after-release").unwrap();
    says(&after, &["CUTOVER_OUTCOME=released", "SLACK_URL=https://hooks.example/T0/abc"]);
    assert!(after.contains("CUTOVER_DIGEST=sha256:") && !after.contains("OTHER_SECRET"), "{after}");
    assert_eq!(told(tree.path(), "on-failure"), None);

    // what is live already is no release
    in_job(&bench, tree.path(), &["release"]).expect(0).says("already live");
    assert_eq!((told(tree.path(), "after-release"), told(tree.path(), "before-release")), (None, None));

    bench.image("v1.2.0", &[("CRASH", "1")]);
    let failed = in_job(&bench, tree.path(), &["deploy", "--version", "v1.2.0"]).expect(3);
    failed.says("hooks.on-failure: `sh -c").says("it ended with exit status: 9");
    let after = told(tree.path(), "on-failure").unwrap();
    says(&after, &["CUTOVER_OUTCOME=put-back", "CUTOVER_VERSION=v1.2.0", "CUTOVER_PREVIOUS_VERSION=v1.1.0"]);
    assert!(after.contains("CUTOVER_REASON=v1.2.0 failed, and what was changed was put back"), "{after}");
    assert_eq!(told(tree.path(), "after-release"), None);
}

#[test]
fn a_hook_before_a_release_that_fails_ends_it_and_one_that_does_not_end_is_ended() {
    let mut bench = Bench::reference(Kind::V2);
    let plain = bench.config.clone();
    bench.image("v1.1.0", &[]);
    let before = common::watch::state_beside_cutover(&bench.project);
    let failing = "hooks:\n  before-release: [sh, -c, 'echo the tests are red; exit 1']\n";
    bench.config = format!("{plain}{failing}");
    let ran = bench.cutover(&["deploy", "--version", "v1.1.0"]).expect(3).says("before-release │ the tests are red");
    ran.says("hooks.before-release: `sh -c").says("nothing was changed on any host");
    bench.config = format!("{plain}hooks: {{before-release: [no-such-program]}}\n");
    bench.cutover(&["deploy", "--version", "v1.1.0"]).expect(3).says("`no-such-program`: it can't be started");
    // with all that it has started
    let slow = "hooks: {before-release: {command: [sh, -c, 'sleep 3141 & sleep 3141'], timeout: 2s}}\n";
    bench.config = format!("{plain}{slow}");
    bench.cutover(&["deploy", "--version", "v1.1.0"]).expect(3).says("no end after 2 s");
    let left = std::process::Command::new("pgrep").args(["-fx", "sleep 3141"]).output().unwrap();
    assert!(left.stdout.is_empty(), "it goes on");
    assert_eq!(common::watch::state_beside_cutover(&bench.project), before);
    // afterwards nothing depends on it
    bench.config = format!("{plain}hooks: {{after-release: [sh, -c, 'exit 1']}}\n");
    bench.cutover(&["deploy", "--version", "v1.1.0"]).expect(0).says("hooks.after-release: `sh -c exit 1`: it ended");
    assert_eq!(bench.project.served_version().as_deref(), Some("v1.1.0"));
}
