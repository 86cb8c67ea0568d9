//! The three ways to use cutover with GitHub, each as its documented workflow, run by act against a real instance.
#![allow(missing_docs, dead_code, unreachable_pub, clippy::unwrap_used, clippy::expect_used)]

#[path = "action/mod.rs"]
mod act;
mod common;
#[path = "common/github.rs"]
mod fake;
#[path = "install/mod.rs"]
mod installer;

use act::{Repository, mermaid, push};
use common::Bench;
use lab::{App, Kind};
use serde_json::json;
use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Command, Output};

fn reference(workflow: &str) -> Repository {
    let mut bench = Bench::reference(Kind::V2);
    bench.config += "health: {timeout: 5s}\n";
    Repository::new(bench, workflow, "start")
}

/// v1.0.0 serves as before, as far as a client and the project's files can tell.
fn old_version_serves(repository: &Repository) {
    assert_eq!(repository.bench.project.served_version().as_deref(), Some("v1.0.0"));
    assert!(repository.bench.instance.is_running("blue").unwrap());
    assert!(repository.bench.project.conf().unwrap().contains("server blue:"));
}

#[test]
fn a_push_releases_and_running_it_again_or_pushing_no_version_does_nothing() {
    let repository = reference("release.yml");
    let app = App::new(&repository.bench.repository, "v1.1.0");
    let event = repository.commit(&app, "v1.1.0: search is faster");
    let job = repository.run("push", &event).expect(true).says("::group::Check the hosts and build");
    assert_eq!(repository.bench.project.served_version().as_deref(), Some("v1.1.0"));
    let image = format!("{}:v1.1.0", repository.bench.repository);
    for (name, value) in [
        ("version", "v1.1.0"),
        ("image", &*image),
        ("slot", "green"),
        ("previous-version", ""),
        ("released", "true"),
        ("outcome", "released"),
        ("release-url", "https://github.com/devrank/api/releases/tag/v1.1.0"),
        ("deployment-id", "101"),
    ] {
        assert_eq!(job.output(name), value, "{name}: {}", job.log);
    }
    assert!(job.output("digest").starts_with("sha256:") && job.output("seconds").parse::<f64>().unwrap() > 1.0);
    assert!(job.summary.starts_with("### ✅ v1.1.0 is live\n"), "{}", job.summary);
    assert!(job.summary.contains("| backend-api | blue (–) | green |\n"), "{}", job.summary);
    assert_eq!(repository.github.states(101), ["in_progress", "success"]);
    let directory = tempfile::tempdir().unwrap();
    let drawn = mermaid::draw(mermaid::diagram(&job.summary), directory.path());
    assert!(drawn.contains("<title>drawn</title>") && drawn.contains("confirm "), "{drawn}");

    let again = repository.run("push", &event).expect(true).says("v1.1.0 is already live");
    assert_eq!((again.output("released"), again.output("outcome")), ("false", "already-live"));
    assert_eq!(again.output("release-url"), "https://github.com/devrank/api/releases/tag/v1.1.0");
    let event = repository.commit(&app, "tidy up");
    let nothing = repository.run("push", &event).expect(true).says("nothing to release");
    assert_eq!((nothing.output("version"), nothing.output("outcome")), ("", "nothing-to-release"));
    assert!(nothing.summary.starts_with("### Nothing to release\n"), "{}", nothing.summary);
    let writes = repository.github.requests().into_iter().filter(|request| !request.starts_with("GET"));
    assert_eq!(writes.filter(|request| !request.contains("statuses")).count(), 2, "one deployment, one release");
}

#[test]
fn a_run_by_hand_takes_the_version_that_is_typed_in() {
    let repository = reference("release.yml");
    let event = json!({ "ref": "refs/heads/main", "inputs": { "version": "1.1.0-rc.1" } });
    repository.commit(&App::new(&repository.bench.repository, "v1.1.0-rc.1"), "no version here");
    let job = repository.run("workflow_dispatch", &event).expect(true);
    assert_eq!((job.output("version"), job.output("outcome")), ("v1.1.0-rc.1", "released"), "{}", job.log);
    assert_eq!(repository.github.state.lock().unwrap().releases[0]["prerelease"], true);
}

#[test]
fn a_version_that_is_never_healthy_makes_the_job_red_and_the_old_one_serves() {
    let repository = reference("release.yml");
    let sick = App::new(&repository.bench.repository, "v1.1.0").set("UNHEALTHY_MS", "-1");
    let event = repository.commit(&sick, "v1.1.0: broken");
    let job = repository.run("push", &event).expect(false);
    old_version_serves(&repository);
    assert_eq!((job.output("outcome"), job.output("released")), ("put-back", "false"), "{}", job.log);
    assert_eq!(repository.github.states(101), ["in_progress", "failure"]);
    assert!(repository.github.state.lock().unwrap().releases.is_empty());
    assert!(job.summary.contains("**What to do.**") && job.summary.contains("health failed"), "{}", job.summary);
    let directory = tempfile::tempdir().unwrap();
    let drawn = mermaid::draw(mermaid::diagram(&job.summary), directory.path());
    assert!(drawn.contains("<title>drawn</title>") && drawn.contains("put back"), "{drawn}");
}

#[test]
fn a_cancelled_job_is_put_back_by_the_signal_that_reaches_cutover() {
    let repository = reference("release.yml");
    let slow = App::new(&repository.bench.repository, "v1.1.0").set("START_DELAY_MS", "30000");
    let event = repository.commit(&slow, "v1.1.0: slow");
    let mut act = repository.start("push", &event);
    let mut log = String::new();
    let mut lines = BufReader::new(act.stdout.take().unwrap()).lines().map_while(Result::ok);
    for line in lines.by_ref() {
        log += &format!("{line}\n");
        if line.contains("health: until") {
            break;
        }
    }
    // the runner signals the process that the step began: with `exec`, that is cutover
    let entry = child_of(act.id());
    let name = std::fs::read_to_string(format!("/proc/{entry}/comm")).unwrap();
    assert_eq!(name.trim(), "cutover", "{log}");
    assert!(Command::new("kill").args(["-INT", &entry.to_string()]).status().unwrap().success());
    log += &lines.map(|line| format!("{line}\n")).collect::<String>();
    let mut said = String::new();
    act.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    let output = Output { status: act.wait().unwrap(), stdout: log.into_bytes(), stderr: said.into_bytes() };
    let job = repository.job(&output).expect(false).says("stopped by SIGINT");
    old_version_serves(&repository);
    assert_eq!(job.output("outcome"), "interrupted", "{}", job.log);
    assert_eq!(repository.github.states(101), ["in_progress", "failure"]);
}

fn child_of(parent: u32) -> u32 {
    let path = format!("/proc/{parent}/task");
    let tasks = std::fs::read_dir(path).unwrap().flatten();
    let children = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok());
    let all: Vec<u32> =
        children.flat_map(|text| text.split_whitespace().map(|w| w.parse().unwrap()).collect::<Vec<_>>()).collect();
    assert_eq!(all.len(), 1, "{all:?}");
    all[0]
}

#[test]
fn the_verbs_go_one_by_one_inside_somebodys_own_action() {
    let repository = reference("steps.yml");
    let app = App::new(&repository.bench.repository, "v1.1.0");
    let event = repository.commit(&app, "v1.1.0: in steps");
    let job = repository.run("push", &event).expect(true);
    assert_eq!(repository.bench.project.served_version().as_deref(), Some("v1.1.0"));
    let image = format!("{}:v1.1.0 could be tested", repository.bench.repository);
    let job = job.says("v1.1.0 serves from green").says(&image);
    let digest = job.outputs.iter().find(|(name, value)| name == "digest" && !value.is_empty()).unwrap();
    // as people see it: its first twelve digits
    let short = &digest.1[.."sha256:".len() + 12];
    assert!(job.log.contains(&format!("pull: bring {}@{short} to", repository.bench.repository)), "{}", job.log);
    let event = repository.commit(&app, "nothing new");
    repository.run("push", &event).expect(true).says("nothing to release");
}

#[test]
fn a_hostile_commit_message_releases_its_version_and_does_nothing_else() {
    let repository = reference("release.yml");
    let marker = repository.tree.path().join("touched");
    let touch = format!("touch {}", marker.display());
    let hostile = format!(
        "v1.2.3 $({touch}) `{touch}` \"; {touch}; rm -rf / #\n%0A::set-output name=slot::evil\n::set-output name=slot::evil\
         \n::add-mask::v1.2.3\n::stop-commands::x\n##[error]evil\n\u{1b}[31m\u{1b}]0;evil\u{7}\u{202e}\r::error::evil\
         \nEOF\nslot=evil\n${{{{ github.token }}}}\n{}",
        "A".repeat(1 << 20)
    );
    let app = App::new(&repository.bench.repository, "v1.2.3");
    let commit = repository.tree.commit(&app, "plain").unwrap();
    let job = repository.run("push", &push(&commit, &hostile)).expect(true);
    assert_eq!((job.output("version"), job.output("slot")), ("v1.2.3", "green"), "{}", job.log);
    assert!(
        !marker.exists() && !job.log.contains("evil") && job.outputs.iter().all(|(_, value)| !value.contains("evil"))
    );
    assert_eq!(repository.bench.project.served_version().as_deref(), Some("v1.2.3"));

    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), hostile.replace("v1.2.3", "v1.2.4")).unwrap();
    App::new(&repository.bench.repository, "v1.2.4").write_context(repository.tree.path()).unwrap();
    repository.tree.git(&["add", "-A"]).unwrap();
    repository.tree.git(&["commit", "-q", "-F", &file.path().display().to_string()]).unwrap();
    let job = repository.run("workflow_dispatch", &json!({ "inputs": {} })).expect(true);
    assert_eq!((job.output("version"), job.output("slot")), ("v1.2.4", "blue"), "{}", job.log);
    assert!(!marker.exists() && job.outputs.iter().all(|(_, value)| !value.contains("evil")));
}

#[test]
fn what_github_refuses_is_a_warning_and_the_release_stands() {
    let repository = reference("release.yml");
    let denied = fake::reply(403, json!({ "message": "Resource not accessible by integration" }));
    repository.github.fail("POST", "/releases", denied.clone(), 9);
    repository.github.fail("POST", "/deployments", denied, 9);
    let event = repository.commit(&App::new(&repository.bench.repository, "v1.1.0"), "v1.1.0");
    let job = repository.run("push", &event).expect(true);
    assert_eq!((job.output("outcome"), job.output("release-url")), ("released", ""));
    let job = job.says("`permissions: {contents: write}`").says("`permissions: {deployments: write}`");
    assert!(job.summary.contains("**Warnings.**"), "{}", job.summary);
}

/// On a terminal, with these words typed: the agent's key, ~/.ssh/config and ~/.ssh/known_hosts of `home`.
fn by_hand(bench: &Bench, tree: &lab::GitRepository, home: &std::path::Path, words: &str, typed: &str) -> common::Ran {
    let input = home.join("typed");
    std::fs::write(&input, typed).unwrap();
    let mut script = Command::new("script");
    script.args(["-qec", &format!("{} {words}", env!("CARGO_BIN_EXE_cutover")), "/dev/null"]);
    script.current_dir(tree.path()).stdin(std::fs::File::open(input).unwrap());
    for name in std::env::vars_os().map(|(name, _)| name.to_string_lossy().into_owned()) {
        if name == "CI" || name.starts_with("GITHUB_") || name.starts_with("CUTOVER_") && name != "CUTOVER_LAB" {
            script.env_remove(name);
        }
    }
    for (name, value) in lab::Lab::up().unwrap().docker().get_envs() {
        script.env(name, value.unwrap_or_default());
    }
    script.env("HOME", home).env("SSH_AUTH_SOCK", home.join("agent")).env("TERM", "xterm");
    let ran = common::run(&mut script);
    assert!(!bench.instance.docker_ps().unwrap().is_empty());
    ran
}

#[test]
fn a_release_by_hand_uses_agent_and_ssh_config_and_asks_first() {
    let bench = Bench::reference(Kind::V2);
    let home = tempfile::tempdir().unwrap();
    let ssh = home.path().join(".ssh");
    std::fs::create_dir(&ssh).unwrap();
    let machine = &bench.instance;
    let config =
        format!("Host web\n  HostName {}\n  User {}\n  Port {}\n", machine.address, machine.user, machine.port);
    std::fs::write(ssh.join("config"), config).unwrap();
    std::fs::copy(&machine.known_hosts, ssh.join("known_hosts")).unwrap();
    let socket = home.path().join("agent");
    let mut agent = Command::new("ssh-agent").arg("-D").arg("-a").arg(&socket).spawn().unwrap();
    while !socket.exists() {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let added = Command::new("ssh-add").arg("-q").arg(&machine.key).env("SSH_AUTH_SOCK", &socket).status().unwrap();
    assert!(added.success());

    let config = bench.config.replace(&machine.destination(), "web");
    let app = App::new(&bench.repository, "v1.1.0");
    let tree = app.git_repository(&config, "v1.1.0: by hand").unwrap();
    by_hand(&bench, &tree, home.path(), "release", "n\n")
        .expect(130)
        .says("Release v1.1.0 to web?")
        .says("not released");
    assert_eq!(bench.project.served_version().as_deref(), Some("v1.0.0"));
    by_hand(&bench, &tree, home.path(), "release", "y\n").expect(0).says("v1.1.0 is live");
    assert_eq!(bench.project.served_version().as_deref(), Some("v1.1.0"));
    tree.commit(&App::new(&bench.repository, "v1.2.0"), "v1.2.0: not asked").unwrap();
    by_hand(&bench, &tree, home.path(), "release --yes", "").expect(0).says("v1.2.0 is live");
    // a version that only its author can place, and a tree that is not the commit
    tree.commit(&App::new(&bench.repository, "v1.3.0"), "search is faster v1.3.0").unwrap();
    std::fs::write(tree.path().join("notes.txt"), "x").unwrap();
    let ask = "Is v1.3.0 the version to release?";
    by_hand(&bench, &tree, home.path(), "release", "n\n").expect(0).says(ask).says("nothing to release");
    by_hand(&bench, &tree, home.path(), "release", "y\nn\n")
        .expect(130)
        .says("not committed: notes.txt")
        .says("not released");
    by_hand(&bench, &tree, home.path(), "release", "y\ny\ny\n").expect(0).says("v1.3.0 is live");
    agent.kill().unwrap();
    agent.wait().unwrap();
}

#[test]
fn deploys_and_rollbacks_outside_a_workflow_are_deployments_too() {
    let bench = Bench::reference(Kind::V2);
    let github = fake::FakeGitHub::start();
    let told = |words: &[&str]| {
        let mut command = bench.command(words);
        command
            .env("GITHUB_REPOSITORY", fake::REPOSITORY)
            .env("GITHUB_SHA", fake::COMMIT)
            .env("GITHUB_TOKEN", "a-token");
        common::run(command.env("GITHUB_API_URL", &github.url)).expect(0)
    };
    for version in ["v1.1.0", "v1.2.0"] {
        bench.image(version, &[]);
        told(&["deploy", "--version", version]).says("GitHub deployment");
    }
    told(&["rollback"]);
    assert_eq!(bench.project.served_version().as_deref(), Some("v1.1.0"));
    let state = github.state.lock().unwrap();
    let seen: Vec<_> = state.deployments.iter().map(|one| (&one["ref"], &one["description"])).collect();
    let (commit, first, second) = (json!(fake::COMMIT), json!("v1.1.0"), json!("v1.2.0"));
    assert_eq!(seen, [(&commit, &first), (&commit, &second), (&first, &first)]);
    assert!(state.releases.is_empty(), "outside a job only `release` makes releases");
}

#[test]
fn a_forgejo_job_installs_it_and_releases() {
    let mut repository = reference("../other-ci/forgejo.yml");
    let published = installer::Release::new();
    let bin = tempfile::tempdir().unwrap();
    // stands in for github.com, from where the job fetches the installer; the server is a plain one
    let curl = installer::which("curl");
    let curl = format!(
        "#!/bin/sh\nfor word; do\n  shift\n  case $word in https://github.com/*) word={}${{word#https://github.com}} ;; esac\n  \
         set -- \"$@\" \"$word\"\ndone\nexec {} \"$@\"\n",
        published.url,
        curl.display()
    );
    installer::program(&bin.path().join("curl"), &curl);
    let path = format!("{}:{}", bin.path().display(), std::env::var("PATH").unwrap());
    repository.env = vec![
        ("PATH".to_owned(), path),
        ("CUTOVER_RELEASES".to_owned(), format!("{}/{}/releases", published.url, installer::repository())),
    ];
    let app = App::new(&repository.bench.repository, "v1.1.0");
    let event = repository.commit(&app, "v1.1.0: search is faster");
    let job = repository.run("push", &event).expect(true).says(".local/bin/cutover. Its SHA-256 is right");
    assert_eq!((job.output("version"), job.output("outcome")), ("v1.1.0", "released"), "{}", job.log);
    assert_eq!(repository.bench.project.served_version().as_deref(), Some("v1.1.0"));
}
