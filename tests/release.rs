//! From a commit message to a version that serves: built, pushed and swapped by one command.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

mod common;

use common::watch::state;
use common::{Bench, Ran, access, cutover, run};
use lab::{App, GitRepository, Instance, Kind, Lab, Options};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

/// Runs cutover in a work tree, with a stand-in `docker` before the real one that writes down its words and surroundings.
fn in_tree(bench: &Bench, tree: &GitRepository, words: &[&str], env: &[(&str, &str)]) -> Ran {
    let mut command = cutover();
    command.current_dir(tree.path()).args(words).envs(access(&bench.instance)).envs(env.iter().copied());
    let path = std::env::var("PATH").unwrap();
    command.env("PATH", format!("{}:{path}", bench.dir.path().display())).env("TMPDIR", bench.dir.path());
    run(&mut command)
}

fn stand_in(bench: &Bench) {
    stand_in_that(bench, "");
}

/// A docker that writes down how it is called, does this, and then what it shall.
fn stand_in_that(bench: &Bench, does: &str) {
    let real = Command::new("sh").args(["-c", "command -v docker"]).output().unwrap().stdout;
    let (real, log) = (String::from_utf8(real).unwrap(), bench.dir.path().join("docker.log"));
    let text = format!(
        "#!/bin/sh\n{{ printf '%s|' \"$@\"; echo; echo \"config=$DOCKER_CONFIG\"; env; }} >> '{}'\n{does}\nexec {} \"$@\"\n",
        log.display(),
        real.trim()
    );
    let file = bench.dir.path().join("docker");
    std::fs::write(&file, text).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
}

/// The digest that a tag has in the registry.
fn digest_of(repository: &str, tag: &str) -> Option<String> {
    let registry = &Lab::up().unwrap().registry;
    let (server, name) = repository.split_once('/').unwrap();
    let login = format!("{}:{}", registry.user, registry.password);
    let url = format!("http://{server}/v2/{name}/manifests/{tag}");
    let accept =
        "Accept: application/vnd.docker.distribution.manifest.v2+json, application/vnd.oci.image.manifest.v1+json";
    let head = Command::new("curl").args(["-sI", "-u", &login, "-H", accept, &url]).output().unwrap().stdout;
    let head = String::from_utf8(head).unwrap().to_lowercase();
    head.lines().find_map(|line| line.strip_prefix("docker-content-digest: ")).map(|digest| digest.trim().to_owned())
}

fn latest_is(bench: &Bench, version: &str) -> bool {
    digest_of(&bench.repository, "latest") == digest_of(&bench.repository, version)
}

#[test]
fn a_commit_message_goes_in_and_a_version_serves_with_a_login_that_leaves_no_trace() {
    let instance = Instance::start(Kind::V2).unwrap();
    let registry = &Lab::up().unwrap().registry;
    let repository = format!("{}/{}/backend-api", registry.auth_registry, instance.name);
    let bench = Bench::of(instance, repository, Options::default());
    stand_in(&bench);
    let tree = bench.work_tree("v1.0.0", "Release v1.0.0\n\nThe first one.");
    let login =
        [("CUTOVER_REGISTRY_USERNAME", registry.user.as_str()), ("CUTOVER_REGISTRY_PASSWORD", &registry.password)];

    let refused = [login[0], ("CUTOVER_REGISTRY_PASSWORD", "wrong-password")];
    in_tree(&bench, &tree, &["release"], &refused).expect(3).never_says("wrong-password").says("nothing was changed");

    // what every process of the host is called, as long as the release takes
    let look = "rm -f /tmp/enough; until [ -e /tmp/enough ]; do cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' ' | \
                grep -ao 'lab-passwor[d]' && exit 1; done; exit 0";
    let host = bench.instance.clone();
    let watcher = std::thread::spawn(move || host.root(look));
    let ran = in_tree(&bench, &tree, &["release", "-v"], &login).expect(0).never_says(&registry.password);
    bench.instance.root("touch /tmp/enough").unwrap();
    watcher.join().unwrap().expect("the password was an argument of a process of the host");
    ran.says("v1.0.0, from the message of the last commit").says("nothing → blue");
    assert_eq!(bench.project.served_version().as_deref(), Some("v1.0.0"));
    assert!(latest_is(&bench, "v1.0.0"));
    let digest = digest_of(&bench.repository, "v1.0.0").unwrap();
    assert_eq!(bench.status()["digest"], digest.as_str());

    // a pre-release goes live and `latest` stays
    tree.commit(&App::new(&bench.repository, "v1.1.0-rc.1"), "Release v1.1.0-rc.1, to try it").unwrap();
    in_tree(&bench, &tree, &["release"], &login).expect(0);
    assert_eq!(bench.project.served_version().as_deref(), Some("v1.1.0-rc.1"));
    assert!(latest_is(&bench, "v1.0.0") && digest_of(&bench.repository, "v1.1.0-rc.1").is_some());

    // a version that fails is pushed, and `latest` stays as well
    tree.commit(&App::new(&bench.repository, "v1.1.0").set("CRASH", "1"), "v1.1.0").unwrap();
    in_tree(&bench, &tree, &["release"], &login).expect(3).says("ECONNREFUSED");
    assert!(latest_is(&bench, "v1.0.0"));

    // nothing is left of the login, on neither side
    let log = std::fs::read_to_string(bench.dir.path().join("docker.log")).unwrap();
    let words: String = log.lines().filter(|line| line.contains('|')).collect();
    assert!(words.contains("login|--username|lab|--password-stdin|") && !words.contains(&registry.password), "{words}");
    let dirs: Vec<&str> =
        log.lines().filter_map(|line| line.strip_prefix("config=")).filter(|dir| !dir.is_empty()).collect();
    assert!(!dirs.is_empty() && dirs.iter().all(|dir| !Path::new(dir).exists()), "{dirs:?}");
    let encoded = "bGFiOmxhYi1wYXNzd29yZA"; // lab:lab-password
    let left = bench.instance.root(&format!(
        "grep -rlaE '{}|{encoded}' /home /root /tmp /etc /run/user /var/log 2>/dev/null; true",
        registry.password
    ));
    assert_eq!(left.unwrap(), "", "the password rests on the host");
}

#[test]
fn a_run_that_is_repeated_or_has_nothing_to_release_is_harmless_and_no_message_is_ever_a_command() {
    let bench = Bench::reference(Kind::V2);
    let evil = "\"; touch hacked; $(touch hacked) `touch hacked` ${{ github.token }} | touch hacked &\n\
                --upload-pack=touch\n::set-output name=x::y\nv1.1.0 \u{1b}[31m";
    let tree = bench.work_tree("v1.1.0", evil);
    stand_in(&bench);
    let release = |env: &[(&str, &str)]| in_tree(&bench, &tree, &["release"], env);
    release(&[]).expect(0).says("blue → green").says("v1.1.0 is live");
    assert_eq!(bench.project.served_version().as_deref(), Some("v1.1.0"));
    assert!(!tree.path().join("hacked").exists());
    assert_eq!(bench.instance.root("find / -xdev -name hacked 2>/dev/null; true").unwrap(), "");
    assert!(latest_is(&bench, "v1.1.0"));

    // a job that is run again
    let before = state(&bench.project);
    let commit = tree.git(&["rev-parse", "HEAD"]).unwrap();
    std::fs::remove_file(bench.dir.path().join("docker.log")).unwrap();
    release(&[]).expect(0).says("v1.1.0 is already live");
    assert_eq!(state(&bench.project), before);
    // the build began beside the look at the host
    let log = std::fs::read_to_string(bench.dir.path().join("docker.log")).unwrap_or_default();
    assert!(!log.contains("push|"), "something was pushed for a version that is live: {log}");

    // no version, two versions, half a version, an older one
    let app = App::new(&bench.repository, "v1.2.0");
    tree.commit(&app, "Tidy up").unwrap();
    release(&[]).expect(0).says("nothing to release");
    std::fs::write(tree.path().join("cutover.yml"), format!("{}when-missing: fail\n", bench.config)).unwrap();
    release(&[]).expect(2).says("when-missing: fail");
    tree.commit(&app, "v1.2.0 and v1.3.0").unwrap();
    release(&[]).expect(2).says("different versions: v1.2.0, v1.3.0");
    tree.commit(&app, "Release v1.2").unwrap();
    release(&[]).expect(2).says("`v1.2` is not a version");
    tree.commit(&app, "Release v1.0.9 again").unwrap();
    release(&[]).expect(2).says("v1.0.9 is older than what is live").says("--allow-downgrade");
    assert_eq!(state(&bench.project), before);

    // an event says more than the commit that is checked out
    let event = bench.dir.path().join("event.json");
    let place = event.to_str().unwrap();
    for (name, json, code, says) in [
        ("push", r#"{"ref":"refs/heads/main","head_commit":{"message":"Release v1.1.0"}}"#, 0, "already live"),
        ("push", r#"{"ref":"refs/heads/main","head_commit":{"message":"nothing"}}"#, 2, "when-missing: fail"),
        ("pull_request", r#"{"action":"closed","pull_request":{"merged":false,"title":"v9.0.0"}}"#, 2, "not merged"),
        (
            "workflow_run",
            r#"{"workflow_run":{"conclusion":"failure","head_commit":{"message":"v9.0.0"}}}"#,
            2,
            "failure",
        ),
        ("release", r#"{"action":"deleted","release":{"tag_name":"v9.0.0"}}"#, 2, "the GitHub release was deleted"),
        ("release", r#"{"release":{"tag_name":"v1.1.0"}}"#, 0, "already live"),
        ("workflow_dispatch", r#"{"inputs":{"version":"1.1.0"}}"#, 0, "already live"),
        ("push", "{", 2, "GITHUB_EVENT_PATH"),
    ] {
        std::fs::write(&event, json).unwrap();
        let of_event = [("GITHUB_EVENT_NAME", name), ("GITHUB_EVENT_PATH", place), ("GITHUB_SHA", commit.trim())];
        release(&of_event).expect(code).says(says);
    }
    let merged = r#"{"action":"closed","pull_request":{"merged":true,"title":"Release v1.2.0","body":null}}"#;
    std::fs::write(&event, merged).unwrap();
    let ran = release(&[("GITHUB_EVENT_NAME", "pull_request"), ("GITHUB_EVENT_PATH", place)]).expect(0);
    ran.says("v1.2.0, from the title of the pull request");
    assert_eq!(bench.project.served_version().as_deref(), Some("v1.2.0"));

    // hosts are checked before anything is pushed
    std::fs::remove_file(bench.dir.path().join("docker.log")).unwrap();
    bench.instance.write(&bench.project.path("nginx/broken.conf"), "nonsense;").unwrap();
    tree.commit(&App::new(&bench.repository, "v1.3.0"), "v1.3.0").unwrap();
    release(&[]).expect(3).says("nothing was changed");
    let log = std::fs::read_to_string(bench.dir.path().join("docker.log")).unwrap_or_default();
    assert!(!log.contains("push|"), "pushed although the host refuses: {log}");
}

/// The registry was asked to take something.
fn pushed(bench: &Bench) -> bool {
    let log = bench.dir.path().join("docker.log");
    let was = std::fs::read_to_string(&log).unwrap_or_default().contains("push|");
    std::fs::write(log, "").unwrap();
    was
}

#[test]
fn a_version_is_one_commits_and_neither_a_dependencys_nor_a_leap_nor_that_of_a_tree_with_changes() {
    let bench = Bench::reference(Kind::V2);
    let tree = bench.work_tree("v1.1.0", "v1.1.0: search");
    stand_in(&bench);
    let release = |words: &[&str], env: &[(&str, &str)]| in_tree(&bench, &tree, &[&["release"], words].concat(), env);
    let (before, app) = (state(&bench.project), App::new(&bench.repository, "v1.1.0"));

    // on a laptop, what is not committed is no version; in a job, earlier steps may have written it
    std::fs::write(tree.path().join("notes.txt"), "x").unwrap();
    release(&[], &[]).expect(2).says("not committed: notes.txt").says("--dirty");
    assert_eq!((state(&bench.project), pushed(&bench)), (before.clone(), false));
    tree.git(&["tag", "v1.1.0", "HEAD"]).unwrap();
    tree.git(&["commit", "-q", "--allow-empty", "-m", "v1.1.0: search"]).unwrap();
    let ran = release(&[], &[("CI", "true")])
        .expect(0)
        .says("warning: v1.1.0 is built with what is not committed: notes.txt");
    let at = |text: &str| ran.stderr.find(text).unwrap_or_else(|| panic!("not said: {text}\n{ran}"));
    assert!(at("the tag v1.1.0 was there already, at commit") < at("build: build"), "{ran}");
    let (live, commit) = (state(&bench.project), tree.git(&["rev-parse", "HEAD"]).unwrap());
    assert_eq!(bench.cutover(&["history", "--json"]).result()["hosts"][0]["releases"][0]["commit"], commit.trim());

    // the same version by another commit is not released, and not called so
    assert!(pushed(&bench));
    tree.commit(&app, "v1.1.0: search again").unwrap();
    let output = bench.dir.path().join("output");
    let job = [("GITHUB_ACTIONS", "true"), ("GITHUB_OUTPUT", output.to_str().unwrap())];
    let other =
        release(&[], &job).expect(0).never_says("already live").says("::warning title=cutover::v1.1.0 is live from");
    other.says(&commit[..7]).says("needs a version of its own");
    let outputs = std::fs::read_to_string(&output).unwrap();
    assert!(outputs.contains("\nlive-from-another-commit\n") && outputs.contains("\nfalse\n"), "{outputs}");
    tree.git(&["checkout", "-q", commit.trim()]).unwrap();
    release(&["--dirty"], &[]).expect(0).says("v1.1.0 is already live");
    tree.git(&["checkout", "-q", "main"]).unwrap();

    // what is another's version is left, and said; `latest` and the host stay
    for (message, says) in [
        ("Update dependency lodash to v4.17.21 (#123)", "something else that the app uses"),
        ("Revert \"v1.1.0: search\"", "takes back another commit"),
        ("Search is faster v1.1.1", "`version-from: anywhere` in cutover.yml"),
    ] {
        tree.git(&["commit", "-q", "--allow-empty", "-m", message]).unwrap();
        release(&[], &job).expect(0).says("::warning title=cutover::nothing to release: v").says(says);
        in_tree(&bench, &tree, &["version", "--explain"], &[]).expect(0).says("line 1: v").says("left: ");
    }
    std::fs::write(tree.path().join("anywhere.yml"), format!("{}version-from: anywhere\n", bench.config)).unwrap();
    in_tree(&bench, &tree, &["-c", "anywhere.yml", "version"], &[]).expect(0).says("v1.1.1");
    tree.commit(&app, "v20.11.1: a leap").unwrap();
    release(&[], &[]).expect(2).says("v20.11.1 leaves out a major version").says("--allow-jump");
    assert_eq!((state(&bench.project), pushed(&bench)), (live, false));
    release(&["--allow-jump"], &[]).expect(0).says("v20.11.1 is live");
    assert_eq!(bench.project.served_version().as_deref(), Some("v1.1.0"), "the app says what it was built with");
}

/// The slots that the release saw before its build are no longer the ones to go by.
#[test]
fn an_image_that_names_its_commit_is_of_that_commit() {
    let bench = Bench::reference(Kind::V2);
    let image = bench.image("v1.1.0", &[]);
    let commit = "0123456789abcdef0123456789abcdef01234567";
    let build = format!(
        "printf 'FROM {}\\nLABEL org.opencontainers.image.revision={commit}\\n' | docker build -q -t {1}:v1.2.0 - && docker push -q {1}:v1.2.0",
        image.by_digest(),
        bench.repository
    );
    Lab::up().unwrap().sh(&build).unwrap();
    bench.cutover(&["deploy", "--version", "v1.2.0"]).expect(0);
    let history = bench.cutover(&["history", "--json"]).expect(0).result();
    assert_eq!(history["hosts"][0]["releases"][0]["commit"], commit, "{history}");
}

#[test]
fn a_release_that_another_one_overtakes_looks_at_the_hosts_again() {
    let bench = Bench::reference(Kind::V2);
    let tree = bench.work_tree("v1.2.0", "v1.2.0");
    let (pushing, go) = (bench.dir.path().join("pushing"), bench.dir.path().join("go"));
    assert!(Command::new("mkfifo").args([&pushing, &go]).status().unwrap().success());
    let (at, until) = (pushing.display(), go.display());
    let once =
        format!("case \" $* \" in *' push '*) [ ! -p {at} ] || {{ echo > {at}; rm {at}; cat {until}; }} ;; esac");
    stand_in_that(&bench, &once);
    let release = std::thread::scope(|scope| {
        let release = scope.spawn(|| in_tree(&bench, &tree, &["release"], &[]));
        std::fs::read(&pushing).unwrap();
        bench.image("v1.1.0", &[]);
        bench.cutover(&["deploy", "--version", "v1.1.0"]).expect(0).says("blue → green");
        std::fs::write(&go, "").unwrap();
        release.join().unwrap()
    });
    release.expect(0).says("green → blue").says("v1.1.0 → v1.2.0");
    assert_eq!(bench.project.served_version().as_deref(), Some("v1.2.0"));
}
