//! Whatever fails, the service stays up and the next run knows what to do.
//!
//! A row of the table is a step, a moment and a fault. `CUTOVER_FAULTS=all` runs every row; otherwise a short selection.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

mod common;

use common::{Bench, Ran};
use lab::{Kind, Load, Mix};
use serde_json::Value;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Stdio};

/// When the fault comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Moment {
    Before,
    After,
}

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// The client is killed and can do nothing any more.
    Killed,
    /// The job is cancelled.
    Terminated,
    /// The connection's sshd process is killed.
    Cut,
    /// Packets are dropped for longer than the lease.
    Silence,
    /// The new container dies.
    NewSlotDies,
    /// nginx's configuration becomes invalid.
    ConfBroken,
    /// dockerd restarts (live-restore off: every container restarts with it).
    DockerRestarts,
}

const STEPS: [&str; 9] = ["pull", "start", "guard", "health", "route", "confirm", "drain", "retire", "record"];

/// Every row. A fault that can't matter at a moment is left out: nothing is broken by a configuration that nobody tests
/// any more.
fn table() -> Vec<(&'static str, Moment, Fault)> {
    let faults =
        [Fault::Killed, Fault::Terminated, Fault::Cut, Fault::NewSlotDies, Fault::ConfBroken, Fault::DockerRestarts];
    let moments = [Moment::Before, Moment::After];
    let all = STEPS.iter().flat_map(|step| moments.iter().map(move |moment| (*step, *moment)));
    let all = all.flat_map(|(step, moment)| faults.iter().map(move |fault| (step, moment, *fault)));
    let mut rows: Vec<_> = all.filter(|(step, moment, fault)| matters(step, *moment, *fault)).collect();
    rows.push(("health", Moment::Before, Fault::Silence));
    rows.push(("route", Moment::After, Fault::Silence));
    rows
}

fn matters(step: &str, moment: Moment, fault: Fault) -> bool {
    let at = STEPS.iter().position(|known| *known == step).unwrap();
    let runs = at > 1 || (at == 1 && moment == Moment::After);
    match fault {
        // once it is confirmed, a container that dies is restarted by the engine like any other day
        Fault::NewSlotDies => runs && at < 5,
        Fault::ConfBroken => at < 4 || (at == 4 && moment == Moment::Before),
        _ => true,
    }
}

/// A run under way, its events read one by one.
struct Running {
    child: Child,
    events: BufReader<std::process::ChildStdout>,
    seen: Vec<Value>,
}

impl Running {
    fn start(bench: &Bench, words: &[&str]) -> Running {
        let mut command = bench.command(words);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let events = BufReader::new(child.stdout.take().unwrap());
        Running { child, events, seen: Vec::new() }
    }

    /// Reads events until this step begins or ends; false if the run is over before.
    fn until(&mut self, step: &str, moment: Moment) -> bool {
        let event = if moment == Moment::Before { "step-begin" } else { "step-end" };
        let mut line = String::new();
        while self.events.read_line(&mut line).unwrap() > 0 {
            let value: Value = serde_json::from_str(&line).unwrap();
            let here = value["event"] == event && value["step"] == step;
            self.seen.push(value);
            if here {
                return true;
            }
            line.clear();
        }
        false
    }

    fn signal(&self, signal: &str) {
        let sent = std::process::Command::new("kill").args([signal, &self.child.id().to_string()]).status();
        assert!(sent.unwrap().success());
    }

    fn end(mut self) -> Ran {
        let mut stdout = String::new();
        self.events.read_to_string(&mut stdout).unwrap();
        let before: String = self.seen.iter().map(|event| format!("{event}\n")).collect();
        let output = self.child.wait_with_output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        Ran { code: output.status.code().unwrap_or(-1), stdout: before + &stdout, stderr }
    }
}

fn inject(bench: &Bench, run: &Running, fault: Fault) {
    let instance = &bench.instance;
    match fault {
        Fault::Killed => run.signal("-KILL"),
        Fault::Terminated => run.signal("-TERM"),
        // the process of the session itself: commands that it started go on, as after a real cut
        Fault::Cut => drop(instance.root("pkill -KILL -f '^sshd.*: deploy' || true")),
        Fault::Silence => drop(instance.root("iptables -I INPUT -p tcp --dport 22 -j DROP")),
        Fault::NewSlotDies => drop(instance.root(&format!("docker kill {}", idle_slot(bench)))),
        Fault::ConfBroken => {
            bench.project.instance.write(&bench.project.path("nginx/broken.conf"), "this is no directive\n").unwrap();
        }
        Fault::DockerRestarts => instance.restart_dockerd().unwrap(),
    }
}

/// The slot that the swap starts: the one that nginx's file did not name at first.
fn idle_slot(bench: &Bench) -> &'static str {
    let history = bench.project.sh("grep -c released .cutover/default/history.jsonl").unwrap().stdout;
    if history.trim().parse::<u32>().unwrap_or(0) % 2 == 0 { "green" } else { "blue" }
}

fn repair(bench: &Bench, fault: Fault) {
    match fault {
        Fault::ConfBroken => drop(bench.project.ok("rm -f nginx/broken.conf")),
        Fault::Silence => drop(bench.instance.root("iptables -D INPUT -p tcp --dport 22 -j DROP")),
        _ => {}
    }
}

/// One row: the fault comes, one version serves, the next run needs no help, nothing is left behind.
fn row(bench: &Bench, number: usize, (step, moment, fault): (&str, Moment, Fault)) -> String {
    let name = format!("{fault:?} {moment:?} {step}").to_lowercase();
    let old = bench.project.served_version().expect("a version serves");
    let new = format!("v1.{}.0", number + 1);
    bench.image(&new, &[("START_DELAY_MS", "300")]);
    let load = Load::start(&bench.project.url(), Mix::quick(60.0)).unwrap();
    let mut run = Running::start(bench, &["deploy", "--version", &new, "--json"]);
    let reached = run.until(step, moment);
    if reached {
        inject(bench, &run, fault);
    }
    let silent = fault == Fault::Silence;
    let ran = run.end();
    repair(bench, fault);
    let report = load.stop_blocking().unwrap();
    if fault != Fault::DockerRestarts {
        let lost = report.failed - report.failures("reset-idle");
        assert_eq!(lost, 0, "{name}: {:#?}\n{ran}", report.classes);
        let served = bench.project.served_version();
        let serves = served.as_deref() == Some(&*old) || served.as_deref() == Some(&*new);
        assert!(serves, "{name}: {served:?} serves\n{ran}");
    }
    let code = ran.code;
    assert!(!matches!(code, 1 | 2), "{name}: {ran}");
    assert!(fault != Fault::Terminated || !reached || matches!(code, 0 | 143), "{name}: {ran}");
    assert!(!silent || code != 0 || moment == Moment::After, "{name}: {ran}");

    // the next run: recovers if need be, then releases
    let next = bench.cutover(&["deploy", "--version", &new, "--wait", "60s"]);
    assert_eq!(next.code, 0, "{name}: the next run\n{next}\n--- after\n{ran}");
    assert_eq!(bench.project.served_version().as_deref(), Some(&*new), "{name}");
    assert_clean(bench, &name);
    format!("| {step} | {} | {fault:?} | {code} | {} |", format!("{moment:?}").to_lowercase(), report.failed)
}

fn assert_clean(bench: &Bench, name: &str) {
    let running = [bench.instance.is_running("blue").unwrap(), bench.instance.is_running("green").unwrap()];
    assert_eq!(running.iter().filter(|running| **running).count(), 1, "{name}: {running:?}");
    let left = "find . -name '*cutover-next' -o -name journal.jsonl -o -name 'conf.next' -o -name 'conf.before'";
    assert_eq!(bench.project.ok(left).unwrap(), "", "{name}: files are left");
    let policies =
        bench.project.ok("docker inspect -f '{{.State.Running}} {{.HostConfig.RestartPolicy.Name}}' blue green");
    for line in policies.unwrap_or_default().lines() {
        assert!(matches!(line, "true always" | "false no"), "{name}: {line}");
    }
}

fn rows(rows: &[(&'static str, Moment, Fault)]) {
    let bench = Bench::reference(Kind::V2);
    let all = std::env::var("CUTOVER_FAULTS").is_ok_and(|which| which == "all");
    let few = |(step, moment, _): &&(&'static str, Moment, Fault)| {
        all || matches!(
            (*step, *moment),
            ("health", Moment::Before) | ("route", Moment::After) | ("retire", Moment::Before)
        )
    };
    for (number, each) in rows.iter().filter(few).enumerate() {
        eprintln!("{}", row(&bench, number, *each));
    }
}

#[test]
fn a_killed_client_leaves_what_the_next_run_finishes_or_puts_back() {
    let killed: Vec<_> = table().into_iter().filter(|row| row.2 == Fault::Killed).collect();
    rows(&killed);
}

#[test]
fn a_cancelled_job_is_put_back_or_finished_in_time() {
    rows(&table().into_iter().filter(|row| row.2 == Fault::Terminated).collect::<Vec<_>>());
}

#[test]
fn a_cut_connection_is_mended_by_the_same_run_or_the_next() {
    rows(&table().into_iter().filter(|row| row.2 == Fault::Cut).collect::<Vec<_>>());
}

#[test]
fn a_silent_network_frees_the_lock_within_the_lease() {
    rows(&table().into_iter().filter(|row| row.2 == Fault::Silence).collect::<Vec<_>>());
}

#[test]
fn a_new_slot_that_dies_is_put_back() {
    rows(&table().into_iter().filter(|row| row.2 == Fault::NewSlotDies).collect::<Vec<_>>());
}

#[test]
fn a_configuration_that_breaks_is_put_back() {
    rows(&table().into_iter().filter(|row| row.2 == Fault::ConfBroken).collect::<Vec<_>>());
}

#[test]
fn a_restart_of_dockerd_costs_only_its_own_time() {
    rows(&table().into_iter().filter(|row| row.2 == Fault::DockerRestarts).collect::<Vec<_>>());
}
