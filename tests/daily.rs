//! What is done between releases: `logs`, `exec` and `restart`.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

mod common;

use common::watch::until;
use common::{Bench, run};
use lab::load::Class;
use lab::{Kind, Load, Mix};
use std::io::{BufRead, BufReader, Read as _, Write as _};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

/// A run that goes on, and the lines that it has printed so far.
struct Following {
    child: Child,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Following {
    fn start(bench: &Bench, words: &[&str]) -> Following {
        let mut child = bench.command(words).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let (lines, out) = (Arc::new(Mutex::new(Vec::new())), BufReader::new(child.stdout.take().unwrap()));
        let kept = Arc::clone(&lines);
        std::thread::spawn(move || out.lines().map_while(Result::ok).for_each(|line| kept.lock().unwrap().push(line)));
        Following { child, lines }
    }

    fn until_it_says(&self, text: &str) {
        until(text, || self.lines.lock().unwrap().iter().any(|line| line.contains(text)));
    }
}

/// How many commands print a log on the host.
fn readers(bench: &Bench) -> String {
    bench.instance.root("pgrep -fc '^docker logs' || true").unwrap()
}

#[test]
fn logs_are_those_of_the_slot_that_serves_and_follow_it_over_a_release() {
    let bench = Bench::reference(Kind::V2);
    bench.image("v1.1.0", &[("LOG", "v1.1.0 says hello")]);
    bench.image("v1.2.0", &[("LOG", "v1.2.0 says hello")]);
    bench.cutover(&["deploy", "--version", "v1.1.0"]).expect(0);
    // what a container prints reaches no terminal and no runner as it is
    let print = |text: &str| bench.project.ok(&format!("docker exec green sh -c \"printf '{text}\\n' >/proc/1/fd/1\""));
    print("::error::x \\\\033[31mred").unwrap();
    let logs = bench.cutover(&["logs"]).expect(0).says("v1.1.0 says hello").says("│ ::error::x \\u{1b}[31mred");
    assert!(!logs.stdout.contains('\u{1b}') && !logs.stdout.lines().any(|line| line.starts_with("::")), "{logs}");
    let last = bench.cutover(&["logs", "--tail", "1", "backend-api"]).expect(0);
    assert_eq!(last.stdout.lines().count(), 1, "{last}");
    bench.cutover(&["logs", "--idle"]).expect(0).never_says("v1.1.0 says hello");
    let json = bench.cutover(&["logs", "-n1", "--json"]).expect(0);
    assert_eq!((&json.events()[0]["event"], &json.events()[0]["source"]), (&"line".into(), &"green".into()));
    bench.cutover(&["logs", "nobody"]).expect(2).says("cutover.yml has no service nobody; it has backend-api");
    bench.cutover(&["logs", "--since", "yesterday"]).expect(2).says("--since yesterday: expected");
    bench.cutover(&["logs", "--host", "elsewhere"]).expect(2).says("cutover.yml has no such host");

    let mut following = Following::start(&bench, &["logs", "--follow"]);
    following.until_it_says("v1.1.0 says hello");
    assert_eq!(readers(&bench), "1");
    bench.cutover(&["deploy", "--version", "v1.2.0"]).expect(0);
    following.until_it_says("v1.2.0 says hello");
    let kill = Command::new("kill").args(["-INT", &following.child.id().to_string()]).status().unwrap();
    assert!(kill.success());
    assert_eq!(following.child.wait().unwrap().code(), Some(130));
    until("nothing on the host reads the log any more", || readers(&bench) == "0");
}

#[test]
fn a_command_runs_in_the_container_that_serves_and_its_end_is_the_end_of_the_run() {
    let bench = Bench::reference(Kind::V1);
    bench.deploy("v1.1.0", &[]).expect(0);
    let ran =
        bench.cutover(&["exec", "--", "sh", "-c", "echo in $(uname -n) \"$@\"; echo oops >&2; exit 7", "sh", "a  b;"]);
    let ran = ran.expect(7).says("oops");
    let name = bench.project.ok("docker inspect -f '{{.Config.Hostname}}' green").unwrap();
    assert!(ran.stdout.contains(&format!("in {name} a  b;\n")), "{ran}");
    bench.cutover(&["exec", "--idle", "--", "true"]).expect(1).says("is not running");
    bench.cutover(&["exec"]).expect(2);
    // bad words are said before anybody logs in
    let config = bench.config.replace(&bench.instance.destination(), "deploy@203.0.113.1:1");
    std::fs::write(bench.dir.path().join("elsewhere.yml"), config).unwrap();
    for words in [
        ["exec", "--service", "nobody", "--", "true"].as_slice(),
        &["exec", "-t", "--", "sh"],
        &["logs", "nobody"],
        &["restart", "--wait", "soon"],
    ] {
        bench.cutover(&[&["-c", "elsewhere.yml"], words].concat()).expect(2);
    }

    let mut command = bench.command(&["exec", "--interactive", "--", "sh", "-c", "tr a-z A-Z"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"one\ntwo\n").unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), String::from_utf8_lossy(&output.stdout).as_ref()), (Some(0), "ONE\nTWO\n"));
    // a command that ends before its input does ends the run
    let mut command = bench.command(&["exec", "--interactive", "--", "true"]);
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_shell_in_the_container_has_the_terminal_and_gives_it_back() {
    let bench = Bench::reference(Kind::V2);
    bench.cutover(&["exec", "-t", "--", "sh"]).expect(2).says("--terminal wants a terminal here");
    // script(1) is a terminal of 40 lines
    let mut inner =
        bench.command(&["exec", "-it", "--", "sh", "-c", "stty size; read word; echo \"got:$word:$TERM\"; exit 3"]);
    let words: Vec<String> = std::iter::once(inner.get_program())
        .chain(inner.get_args())
        .map(|word| word.to_str().unwrap().to_owned())
        .collect();
    let quoted: Vec<String> = words.iter().map(|word| format!("'{}'", word.replace('\'', "'\\''"))).collect();
    let line = format!("stty rows 40 cols 90; {}; echo \"status $?\"; stty -a", quoted.join(" "));
    let mut command = Command::new("script");
    command.args(["-qec", &line, "/dev/null"]).current_dir(bench.dir.path()).env("TERM", "xterm-mine");
    command.envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.env_remove("CI");
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut keys = child.stdin.take().unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut seen = String::new();
    while !seen.contains("40 90") {
        assert!(out.read_line(&mut seen).unwrap() > 0, "{seen}");
    }
    keys.write_all(b"hello\r").unwrap();
    out.read_to_string(&mut seen).unwrap();
    drop(keys);
    child.wait().unwrap();
    assert!(seen.contains("got:hello:xterm-mine") && seen.contains("status 3"), "{seen}");
    let after = seen.rsplit("status 3").next().unwrap();
    assert!(after.contains(" icanon") && after.contains(" echo "), "the terminal was not given back: {seen}");
    assert!(inner.stdin(Stdio::null()).output().unwrap().status.code() == Some(2));
}

#[test]
fn a_restart_takes_the_live_version_through_a_swap_with_the_secret_of_today() {
    let mut bench = Bench::reference(Kind::V2);
    bench.config += "env-file: {path: .env, values: {PASSWORD: MY_PASSWORD}}\n";
    // what somebody put there by hand has no version that could be asked for
    let unknown = run(bench.command(&["restart"]).env("MY_PASSWORD", "x")).expect(3);
    unknown.says("backend-api runs an unknown version").says("`cutover deploy --version vX.Y.Z --again`");
    bench.image("v1.1.0", &[]);
    let with = |password: &str, words: &[&str]| run(bench.command(words).env("MY_PASSWORD", password));
    with("of yesterday", &["deploy", "--version", "v1.1.0"]).expect(0);
    let load = Load::start(&bench.project.url(), Mix::of(vec![Class::new_connections(50.0)])).unwrap();
    with("of today", &["restart"]).expect(0).says("green → blue").says("v1.1.0 is live");
    let report = load.stop_blocking().unwrap();
    assert_eq!(report.failed, 0, "{report}");
    assert_eq!(bench.project.ok("docker exec blue printenv PASSWORD").unwrap(), "of today");
}

/// How a run on a terminal ends, and what it prints there, where somebody has typed these keys.
fn typed(bench: &Bench, words: &[&str], more: &[(&str, &str)], keys: &str) -> (Option<i32>, String) {
    let mut inner = bench.command(words);
    inner.env_remove("CI").env("TERM", "xterm").envs(more.iter().copied());
    let words: Vec<String> = std::iter::once(inner.get_program())
        .chain(inner.get_args())
        .map(|word| format!("'{}'", word.to_str().unwrap().replace('\'', "'\\''")))
        .collect();
    let mut command = Command::new("script");
    command.args(["-qec", &words.join(" "), "/dev/null"]).current_dir(bench.dir.path()).env_remove("CI");
    command.envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    // the pipe stays open, as a keyboard does
    let mut keyboard = child.stdin.take().unwrap();
    keyboard.write_all(keys.as_bytes()).unwrap();
    let mut shown = String::new();
    child.stdout.take().unwrap().read_to_string(&mut shown).unwrap();
    (child.wait().unwrap().code(), shown)
}

fn on_terminal(bench: &Bench, words: &[&str], more: &[(&str, &str)]) -> String {
    typed(bench, words, more, "").1
}

#[test]
fn a_person_is_asked_before_a_rollback() {
    let bench = Bench::reference(Kind::V2);
    bench.deploy("v1.1.0", &[]).expect(0);
    bench.deploy("v1.2.0", &[]).expect(0);
    let (code, shown) = typed(&bench, &["rollback"], &[], "n\r");
    assert!(shown.contains("Go back to v1.1.0 on ") && shown.contains("(now v1.2.0)? [y/N]"), "{shown}");
    assert_eq!((code, bench.project.served_version().as_deref()), (Some(130), Some("v1.2.0")), "{shown}");
    let (code, shown) = typed(&bench, &["rollback"], &[], "y\r");
    assert_eq!((code, bench.project.served_version().as_deref()), (Some(0), Some("v1.1.0")), "{shown}");
    let (code, shown) = typed(&bench, &["rollback", "v1.2.0", "--yes"], &[], "");
    assert_eq!((code, bench.project.served_version().as_deref()), (Some(0), Some("v1.2.0")), "{shown}");
}

#[test]
fn marks_are_coloured_where_a_terminal_takes_it_and_nobody_said_no() {
    let bench = Bench::reference(Kind::V2);
    bench.deploy("v1.1.0", &[]).expect(0);
    let shown = on_terminal(&bench, &["status"], &[]);
    assert!(shown.contains("\u{1b}[32m✔\u{1b}[0m ") && shown.contains("v1.1.0 in green since"), "{shown}");
    let history = on_terminal(&bench, &["history"], &[]);
    assert!(history.contains("by ") && history.contains("✔ released"), "{history}");
    for (name, value) in [("NO_COLOR", "1"), ("TERM", "dumb")] {
        let shown = on_terminal(&bench, &["status"], &[(name, value)]);
        assert!(!shown.contains("\u{1b}[3") && shown.contains("✔ "), "{name}: {shown}");
    }
    assert!(!bench.cutover(&["status"]).expect(0).stdout.contains('\u{1b}'));

    let mut watching = Following::start(&bench, &["status", "--watch", "1s"]);
    watching.until_it_says("v1.1.0 in green");
    bench.deploy("v1.2.0", &[]).expect(0);
    watching.until_it_says("v1.2.0 in blue");
    let kill = Command::new("kill").args(["-INT", &watching.child.id().to_string()]).status().unwrap();
    assert!(kill.success());
    assert_eq!(watching.child.wait().unwrap().code(), Some(130));
}

#[test]
fn the_configuration_is_shown_with_where_it_comes_from_and_no_secret_of_it() {
    let mut bench = Bench::reference(Kind::V2);
    bench.config += "health: {timeout: 5s}\nenv-file: {path: .env, values: {PASSWORD: MY_PASSWORD}}\n";
    let config = |words: &[&str]| {
        let mut command = bench.command(words);
        run(command.env("MY_PASSWORD", "correct-horse").env("CUTOVER_VERSION", "v9.0.0")).expect(0)
    };
    let said = config(&["config"]).never_says("correct-horse").never_says("PRIVATE KEY");
    let said = said.says("MY_PASSWORD (is set)").says("CUTOVER_REGISTRY_PASSWORD (not set)").says("found on the host");
    for (key, words) in [
        ("health.timeout", "5s cutover.yml:4"),
        ("health.path", "/ default"),
        ("(file)", "cutover.yml default"),
        ("(version)", "v9.0.0 variable CUTOVER_VERSION"),
        ("slots", "– found on the host"),
    ] {
        let line = said.stdout.lines().find(|line| line.split_whitespace().next() == Some(key)).unwrap();
        let line = line.split_whitespace().skip(1).collect::<Vec<_>>().join(" ");
        assert_eq!(line, words, "{key}: {said}");
    }
    let found = config(&["config", "--find", "--json"]).result();
    let slots = found["settings"].as_array().unwrap().iter().find(|one| one["key"] == "slots").unwrap();
    assert_eq!((&slots["value"], &slots["from"]), (&serde_json::json!(["blue", "green"]), &"found".into()), "{slots}");
}
