//! One release at a time on a host.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

mod common;
#[path = "common/github.rs"]
#[allow(dead_code, unreachable_pub)]
mod fake;

use common::fault::{Moment, Running};
use common::watch::until;
use common::wire::Wire;
use common::{Bench, run};
use lab::{Kind, Load, Mix};
use std::process::Stdio;
use std::time::Duration;

#[test]
fn a_second_run_is_told_who_holds_the_lock_or_waits_for_it() {
    let bench = Bench::reference(Kind::V2);
    bench.image("v1.1.0", &[("START_DELAY_MS", "20000")]);
    bench.image("v1.2.0", &[]);
    let mut first = bench.command(&["deploy", "--version", "v1.1.0"]);
    first.env("GITHUB_SERVER_URL", "https://github.example").env("GITHUB_REPOSITORY", "devrank/web");
    first.env("GITHUB_RUN_ID", "4711").env("GITHUB_ACTOR", "ddong").env("GITHUB_SHA", "0123abc");
    let first = first.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    until("the first run has started its slot", || bench.instance.is_running("green").unwrap());

    let second = bench.cutover(&["deploy", "--version", "v1.2.0"]).expect(5).says("locked by another run");
    let second = second.says("ddong in https://github.example/devrank/web/actions/runs/4711 at 0123abc");
    second.says("v1.1.0, since 2").says("--wait 10m");
    let third = bench.cutover(&["deploy", "--version", "v1.2.0", "--wait", "1s"]).expect(5);
    third.says("waiting up to 1 s");
    // to look is allowed
    bench.cutover(&["status"]).expect(0).says("in blue since").says("can be rolled back to: nothing");
    bench.cutover(&["plan", "--version", "v1.2.0"]).expect(0);

    let waiting = bench.command(&["deploy", "--version", "v1.2.0", "--wait", "2m"]);
    let waiting = std::thread::spawn(move || run(&mut { waiting }));
    let first = first.wait_with_output().unwrap();
    assert!(first.status.success(), "{}", String::from_utf8_lossy(&first.stderr));
    waiting.join().unwrap().expect(0).says("waiting up to 120 s").says("green → blue");
    assert_eq!(bench.project.served_version().as_deref(), Some("v1.2.0"));
}

#[test]
fn a_run_that_is_killed_holds_no_lock() {
    let bench = Bench::reference(Kind::V2);
    bench.image("v1.1.0", &[("START_DELAY_MS", "600000")]);
    bench.image("v1.2.0", &[]);
    let mut first = bench.command(&["deploy", "--version", "v1.1.0"]).stderr(Stdio::null()).spawn().unwrap();
    until("the first run has started its slot", || bench.instance.is_running("green").unwrap());
    first.kill().unwrap();
    first.wait().unwrap();
    bench.cutover(&["deploy", "--version", "v1.2.0", "--wait", "20s"]).expect(0);
    assert_eq!(bench.project.served_version().as_deref(), Some("v1.2.0"));
}

/// Runs this on the instance as the user who deploys, in a session of its own, until it is ended there.
fn in_background(bench: &Bench, script: &str) {
    let file = "/tmp/in-background.sh";
    bench.instance.write(file, script).unwrap();
    bench.project.ok(&format!("setsid -f sh {file} > /tmp/in-background.log 2>&1 < /dev/null")).unwrap();
}

/// A docker for the host that does something of its own before some command.
fn host_docker(bench: &Bench, on: &str, does: &str) {
    let text = format!("#!/bin/sh\ncase \" $* \" in *\" {on} \"*)\n{does}\n;; esac\nexec /usr/bin/docker \"$@\"\n");
    program(bench, "docker", &text);
}

/// Puts a program first on the host's PATH.
fn program(bench: &Bench, name: &str, text: &str) {
    let path = format!("/usr/local/bin/{name}");
    bench.instance.root(&format!("cat > {path} <<'END'\n{text}END\nchmod 755 {path}")).unwrap();
}

const STATE: &str = ".cutover/default";

#[test]
fn a_lock_that_is_given_back_in_this_moment_is_no_locked_one() {
    let bench = Bench::reference(Kind::V2);
    bench.image("v1.1.0", &[]);
    // lets go once somebody waits for it
    let holder = "mkdir -p .cutover; exec 9>>.cutover/lock; flock 9; touch /tmp/holds\n\
                  until pgrep -x flock >/dev/null; do sleep 0.05; done\n";
    in_background(&bench, &format!("cd {}\n{holder}", bench.project.options.directory));
    until("the lock is held", || bench.instance.root("test -e /tmp/holds").is_ok());
    bench.cutover(&["deploy", "--version", "v1.1.0"]).expect(0).never_says("locked by");
}

#[test]
fn a_step_of_a_dead_run_is_ended_when_its_time_is_over() {
    let bench = Bench::reference(Kind::V2);
    bench.image("v1.1.0", &[]);
    // what a step leaves that hangs, such as one whose dockerd does not answer: its time ends in three seconds
    let step = "mkdir -p .cutover/default; exec 8>>.cutover/busy; flock 8\n\
                born=$(cut -d ')' -f 2- /proc/$$/stat | cut -d ' ' -f 21)\n\
                echo $$ $born $(($(cut -d . -f 1 /proc/uptime) + 3)) > .cutover/busy; touch /tmp/holds\n\
                timeout 3000 sleep 2999; sleep 2999\n";
    in_background(&bench, &format!("trap '' HUP PIPE\ncd {}\n{step}", bench.project.options.directory));
    until("the step runs", || bench.instance.root("test -e /tmp/holds").is_ok());
    bench.cutover(&["deploy", "--version", "v1.1.0"]).expect(0).says("a step of the run before is still under way");
    assert_eq!(bench.instance.root("pgrep -f '[s]leep 2999' || true").unwrap(), "", "something of the step still runs");
}

#[test]
fn a_client_cut_off_in_the_middle_of_a_step_wedges_nobody_and_touches_nothing_once_it_is_back() {
    let mut bench = Bench::reference(Kind::V2);
    bench.image("v1.1.0", &[]);
    bench.image("v1.2.0", &[]);
    let direct = bench.config.clone();
    let wire = Wire::to(&bench.instance, Some(24 << 10));
    let known = wire.known_hosts(&bench.instance);
    let far = format!("deploy@127.0.0.1:{}", wire.port);
    bench.config =
        bench.config.replace(&bench.instance.destination(), &far) + "env-file: {path: .env, from-env: RELEASED_ENV}\n";
    let mut first = bench.command(&["deploy", "--version", "v1.1.0", "--json"]);
    first.env("CUTOVER_KNOWN_HOSTS", &known).env("RELEASED_ENV", format!("A={}\n", "x".repeat(100 << 10)));
    let mut first = Running::spawn(first);
    assert!(first.until("env-file", Moment::Before));
    // the command is there, and not all of the step's input
    wire.hold_after(40 << 10);
    until("the input is on its way", || wire.is_held());
    bench.config = direct;
    let second = bench.command(&["deploy", "--version", "v1.2.0", "--wait", "90s"]);
    let second = std::thread::spawn(move || run(&mut { second }));
    until("the lease has ended and the other run has the lock", || {
        bench.project.ok("cat .cutover/lock").unwrap().contains("v1.2.0")
    });
    until("the other run is in its own steps", || {
        let journal = bench.project.ok(&format!("head -n 1 {STATE}/journal.jsonl 2>/dev/null || true"));
        journal.unwrap().contains(r#""version":"v1.2.0""#)
    });
    wire.let_go();
    first.end().expect(5).says("was taken over by").says("v1.2.0").never_says("A person must look");
    second.join().unwrap().expect(0).says("v1.2.0 is live");
    assert_eq!(bench.project.served_version().as_deref(), Some("v1.2.0"));
    common::fault::assert_clean(&bench, "overtaken");
}

#[test]
fn what_was_confirmed_stays_and_what_was_not_goes_back() {
    let mut bench = Bench::reference(Kind::V2);
    let plain = bench.config.clone();
    bench.image("v1.1.0", &[]);
    // the command runs when the new version is confirmed everywhere, and nothing was drained yet
    bench.config = format!("{plain}hooks: {{after-switch: [sleep, '600']}}\n");
    let mut run = Running::start(&bench, &["deploy", "--version", "v1.1.0", "--json"]);
    assert!(run.until("after-switch", Moment::Before));
    until("it is written down", || {
        bench.project.ok(&format!("cat {STATE}/journal.jsonl")).unwrap().contains("after-switch")
    });
    run.signal("-KILL");
    run.end().expect(-1);
    let confirmed = bench.project.ok(&format!("grep -n '' {STATE}/journal.jsonl | cut -c 1-60")).unwrap();
    assert!(confirmed.contains(r#"{"step":"confirm","state":"end"}"#), "{confirmed}");
    bench.instance.root("pkill -f 'sleep 60[0]' || true").unwrap();
    bench.cutover(&["recover", "--wait", "60s"]).expect(0).says("finish the release");
    assert_eq!(bench.project.served_version().as_deref(), Some("v1.1.0"));

    // watched, it is not confirmed for good
    bench.image("v1.2.0", &[]);
    bench.config = format!("{plain}bake: 60s\n");
    let mut run = Running::start(&bench, &["deploy", "--version", "v1.2.0", "--json"]);
    assert!(run.until("bake", Moment::Before));
    run.signal("-KILL");
    run.end().expect(-1);
    bench.cutover(&["recover", "--wait", "60s"]).expect(0).says("put back the release");
    assert_eq!(bench.project.served_version().as_deref(), Some("v1.1.0"));
}

#[test]
fn a_run_for_the_version_that_is_live_first_finishes_what_was_left() {
    let bench = Bench::reference(Kind::V2);
    bench.image("v1.1.0", &[]);
    common::fault::let_docker_fail(&bench.instance);
    bench.instance.root("echo stop > /run/docker-fails").unwrap();
    bench.cutover(&["deploy", "--version", "v1.1.0"]).expect(0).says("tidying up failed");
    assert!(bench.instance.is_running("blue").unwrap() && bench.instance.is_running("green").unwrap());
    bench.instance.root("rm /run/docker-fails").unwrap();
    let tree = bench.work_tree("v1.1.0", "v1.1.0");
    let ran = run(bench.command(&["release"]).current_dir(tree.path()));
    ran.expect(0).says("finish the release").says("v1.1.0 is already live");
    assert!(!bench.instance.is_running("blue").unwrap() && bench.instance.is_running("green").unwrap());
    common::fault::assert_clean(&bench, "live already");
}

#[test]
fn a_run_that_was_overtaken_at_its_end_moves_no_tag_and_reports_no_success() {
    let bench = Bench::reference(Kind::V2);
    let tree = bench.work_tree("v1.0.1", "v1.0.1");
    run(bench.command(&["release"]).current_dir(tree.path())).expect(0);
    let latest = latest(&bench);
    // another run takes the lock while this one writes its history: the last thing that it does on the host
    let lock = bench.project.path(".cutover/lock");
    let sync = format!(
        "#!/bin/sh\ncase $1 in *history.jsonl) printf 'another\\nsomebody else, v9.0.0\\n' > {lock} ;; esac\nexec /bin/sync \"$@\"\n"
    );
    program(&bench, "sync", &sync);
    let github = fake::FakeGitHub::start();
    let told = |bench: &Bench, tree: &lab::GitRepository, words: &[&str]| {
        let mut command = bench.command(words);
        command.current_dir(tree.path()).env("GITHUB_REPOSITORY", fake::REPOSITORY).env("GITHUB_SHA", fake::COMMIT);
        run(command.env("GITHUB_TOKEN", "a-token").env("GITHUB_API_URL", &github.url))
    };
    tree.commit(&lab::App::new(&bench.repository, "v1.1.0"), "v1.1.0").unwrap();
    told(&bench, &tree, &["release"]).expect(5).says("was taken over by somebody else, v9.0.0");
    assert_eq!(self::latest(&bench), latest, "latest was moved");
    bench.image("v1.2.0", &[]);
    told(&bench, &tree, &["deploy", "--version", "v1.2.0"]).expect(5);
    let state = github.state.lock().unwrap();
    let states: Vec<_> = state.statuses.iter().map(|(_, status)| status["state"].to_string()).collect();
    assert!(!states.is_empty() && !states.iter().any(|state| state.contains("success")), "{states:?}");
    assert!(state.releases.is_empty(), "{:?}", state.releases);
}

#[test]
fn a_run_that_was_overtaken_runs_no_command_of_the_hosts() {
    let mut bench = Bench::reference(Kind::V2);
    let plain = bench.config.clone();
    // with this the step that would write the guard is left out
    let conf = format!("keepalive_min_timeout 1s;\n{}", bench.project.conf().unwrap());
    bench.instance.write(&bench.project.path("nginx/default.conf"), conf).unwrap();
    bench.project.ok("chmod a+r nginx/*; docker exec nginx nginx -s reload").unwrap();
    bench.image("v1.1.0", &[]);
    let lock = bench.project.path(".cutover/lock");
    // the lock goes in the step before: the command is the next thing that needs it
    for (hook, taken_at) in [("before-switch", "up"), ("after-switch", "nginx -s reload")] {
        host_docker(&bench, taken_at, &format!("printf 'another\\nsomebody else, v9.0.0\\n' > {lock}"));
        bench.config = format!("{plain}hooks: {{{hook}: [sh, -c, 'echo ran >> hooks.log']}}\n");
        let ran = bench.cutover(&["deploy", "--version", "v1.1.0"]).expect(5);
        ran.says("was taken over by somebody else, v9.0.0").never_says("v1.1.0 is live");
        assert!(bench.project.ok("test ! -e hooks.log").is_ok(), "{hook} ran");
        bench.instance.root("rm /usr/local/bin/docker").unwrap();
        bench.cutover(&["recover"]).expect(0).says("put back the release");
        assert_eq!(bench.project.served_version().as_deref(), Some("v1.0.0"));
    }
}

/// The digest of `latest` in the registry.
fn latest(bench: &Bench) -> String {
    let (server, name) = bench.repository.split_once('/').unwrap();
    let accept =
        "Accept: application/vnd.docker.distribution.manifest.v2+json, application/vnd.oci.image.manifest.v1+json";
    let url = format!("http://{server}/v2/{name}/manifests/latest");
    let head = std::process::Command::new("curl").args(["-sI", "-H", accept, &url]).output().unwrap().stdout;
    let head = String::from_utf8(head).unwrap().to_lowercase();
    let digest = head.lines().find_map(|line| line.strip_prefix("docker-content-digest: "));
    digest.unwrap_or_else(|| panic!("{head}")).to_owned()
}

#[test]
fn files_that_a_crash_has_torn_are_set_aside_and_swallow_nothing() {
    let bench = Bench::reference(Kind::V2);
    bench.deploy("v1.1.0", &[]).expect(0);
    let journals =
        ["\\n{\"step\":\"drain\",\"state\":\"begin\"}\\n", "\\0\\0\\0\\0", "{\"id\":\"4711\",\"version\":\"v1"];
    for (number, journal) in journals.iter().enumerate() {
        let torn =
            format!("printf '{journal}' > {STATE}/journal.jsonl; printf '{{\"at\":\"2026' >> {STATE}/history.jsonl");
        bench.project.ok(&torn).unwrap();
        let version = format!("v1.{}.0", number + 2);
        bench
            .deploy(&version, &[])
            .expect(0)
            .says("can't be read, so nothing was undone by it")
            .says("journal.damaged-2")
            .says(&format!("line 2 of {}/history.jsonl can't be read", bench.project.path(STATE)));
        assert_eq!(bench.project.served_version().as_deref(), Some(&*version));
        bench.cutover(&["history"]).expect(0).says(&version).says("line 2 of");
        assert_eq!(bench.status()["version"], version);
    }
    bench.cutover(&["check"]).expect(0).says("line 2 of").says("nor can 2 further lines");
    bench.cutover(&["status"]).expect(0).says("line 2 of").says("v1.3.0 (the kept container), v1.2.0");
    let torn = bench.project.ok(&format!("grep -c '^{{\"at\":\"2026$' {STATE}/history.jsonl")).unwrap();
    assert_eq!(torn.trim(), "3", "what can't be read is gone");
    let kept = bench.project.ok(&format!("ls {STATE} | grep -c '^journal.damaged-'")).unwrap();
    assert_eq!(kept.trim(), "3");
    common::fault::assert_clean(&bench, "torn files");
}

#[test]
fn a_journal_of_another_run_is_never_gone_on_with() {
    let mut bench = Bench::reference(Kind::V2);
    bench.config +=
        "env-file: {path: .env, values: {RELEASED: RELEASED_ENV}}\nhooks: {release: {command: [node, -e, '0']}}\n";
    bench.image("v1.1.0", &[]);
    let journal = bench.project.path(&format!("{STATE}/journal.jsonl"));
    host_docker(&bench, "run", &format!("sed -i '1s/^{{\"id\":\"[^\"]*\"/{{\"id\":\"another\"/' {journal}"));
    let ran = run(bench.command(&["deploy", "--version", "v1.1.0"]).env("RELEASED_ENV", "x"));
    ran.expect(3).says("is there, of another run");
    assert_eq!(bench.project.served_version().as_deref(), Some("v1.0.0"));
}

#[test]
fn nginx_that_somebody_recreates_meanwhile_is_the_one_that_is_put_back() {
    let mut bench = Bench::reference(Kind::V2);
    bench.config += "bake: {for: 60s, max-failures: 2}\n";
    bench.image("v1.1.0", &[("FAIL_AFTER_MS", "15000")]);
    let mut run = Running::start(&bench, &["deploy", "--version", "v1.1.0", "--json"]);
    assert!(run.until("bake", Moment::Before));
    run.signal("-STOP");
    bench.project.ok("docker compose up -d --no-deps --force-recreate nginx 2>&1").unwrap();
    run.signal("-CONT");
    run.end().expect(3);
    assert_eq!(bench.project.served_version().as_deref(), Some("v1.0.0"));
    common::fault::assert_clean(&bench, "nginx recreated");
}

#[test]
fn a_pause_of_the_client_is_no_failed_answer_of_the_new_version() {
    let mut bench = Bench::reference(Kind::V2);
    bench.config += "bake: {for: 5s, max-failures: 0}\n";
    bench.image("v1.1.0", &[]);
    let mut run = Running::start(&bench, &["deploy", "--version", "v1.1.0", "--json"]);
    assert!(run.until("bake", Moment::Before));
    for _ in 0..3 {
        run.signal("-STOP");
        std::thread::sleep(Duration::from_secs(7));
        run.signal("-CONT");
        std::thread::sleep(Duration::from_millis(300));
    }
    run.end().expect(0).says("bake: 0 of").never_says("answers through nginx failed");
}

#[test]
fn a_clock_of_the_host_that_goes_back_keeps_nobody_waiting() {
    let mut bench = Bench::reference(Kind::V2);
    bench.config += "drain-timeout: 1s\n";
    bench.image("v1.1.0", &[]);
    // each look at the time of day is an hour before the last one
    let date = "#!/bin/sh\nn=$(cat /tmp/looks 2>/dev/null || echo 0); echo $((n + 1)) > /tmp/looks; chmod 666 /tmp/looks\n\
                [ \"$1\" = +%s ] && exec echo $((2000000000 - n * 3600))\nexec /bin/date \"$@\"\n";
    program(&bench, "date", date);
    let load = Load::start(&bench.project.url(), Mix::of(vec![lab::load::Class::slow(4.0, 15)])).unwrap();
    let ran = bench.cutover(&["deploy", "--version", "v1.1.0"]).expect(0);
    ran.says("of nginx's old workers still had requests after 1 s").never_says("tidying up failed");
    load.stop_blocking().unwrap();
}
