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
