//! Whatever fails, the service stays up and the next run knows what to do.
//!
//! A row of the table is a step, a moment and a fault. `CUTOVER_FAULTS=all` runs every row; otherwise a short selection.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::print_stderr)]

mod common;

use common::Bench;
use common::fault::{Fault, Moment, Running, STEPS, assert_clean, command_of, fragile, inject, repair};
use lab::{Load, Mix};
use std::time::Duration;

type Row = (&'static str, Moment, Fault);

/// Every row of a fault.
fn table(fault: Fault) -> Vec<Row> {
    if fault == Fault::Silence {
        return vec![("health", Moment::Before, fault), ("route", Moment::After, fault)];
    }
    let moments = [Moment::Before, Moment::After];
    let all = STEPS.iter().flat_map(|step| moments.iter().map(move |moment| (*step, *moment, fault)));
    all.filter(matters).collect()
}

/// A fault that can't matter at a moment is left out: nothing is broken by a configuration that nobody tests any more.
fn matters((step, moment, fault): &Row) -> bool {
    let at = STEPS.iter().position(|known| known == step).unwrap();
    let runs = at > 1 || (at == 1 && *moment == Moment::After);
    match fault {
        // once the old slot is stopped, a container that dies is restarted by the engine like any other day
        Fault::NewSlotDies => runs && (at < 6 || (at == 6 && *moment == Moment::Before)),
        Fault::ConfBroken => at < 4 || (at == 4 && *moment == Moment::Before),
        Fault::CommandFails => *moment == Moment::Before && command_of(step).is_some(),
        Fault::DiskFull => *moment == Moment::Before,
        Fault::SecondClient => *moment == Moment::Before && matches!(*step, "pull" | "route" | "retire"),
        _ => true,
    }
}

/// One row: the fault comes, one version serves, the next run needs no help, nothing is left behind.
fn row(bench: &Bench, number: usize, (step, moment, fault): Row) {
    let name = format!("{fault:?} {moment:?} {step}").to_lowercase();
    let old = bench.project.served_version().expect("a version serves");
    let new = format!("v1.{}.0", number + 1);
    bench.image(&new, &[("START_DELAY_MS", "300")]);
    if fault == Fault::SecondClient {
        bench.image("v9.0.0", &[]);
    }
    if step == "guard" {
        // the step is there only where the file is not
        bench.project.ok("rm -f nginx/cutover-keepalive.conf && docker exec nginx nginx -s reload 2>&1").unwrap();
        std::thread::sleep(Duration::from_secs(1));
    }
    let load = Load::start(&bench.project.url(), Mix::quick(60.0)).unwrap();
    let mut run = Running::start(bench, &["deploy", "--version", &new, "--json"]);
    assert!(run.until(step, moment), "{name}: no such step\n{}", run.end());
    inject(bench, &run, step, fault);
    let ran = run.end();
    repair(bench, fault);
    let report = load.stop_blocking().unwrap();
    let served = bench.project.served_version();
    // what nginx was pointed at when it died, and everything while every container restarts, is lost for anybody
    let dies = fault == Fault::NewSlotDies && STEPS[5..].contains(&step) || (step, moment) == ("route", Moment::After);
    if fault != Fault::DockerRestarts {
        let lost = report.failed - report.failures("reset-idle");
        let may_lose = fault == Fault::NewSlotDies && dies;
        let failures: Vec<_> = report.classes.iter().map(|class| (&class.name, &class.failures)).collect();
        assert!(lost == 0 || may_lose, "{name}: {failures:?}\n{ran}");
        let serves = served.as_deref() == Some(&*old) || served.as_deref() == Some(&*new);
        assert!(serves, "{name}: {served:?} serves\n{ran}");
    }
    let code = ran.code;
    let expected = match fault {
        Fault::Killed => code == -1,
        Fault::Terminated => matches!(code, 0 | 143),
        Fault::Cut => matches!(code, 0 | 3 | 4),
        Fault::Silence => code != 0 || moment == Moment::After,
        Fault::SecondClient => code == 0,
        Fault::NewSlotDies | Fault::ConfBroken | Fault::CommandFails | Fault::DiskFull | Fault::DockerRestarts => {
            matches!(code, 0 | 3)
        }
    };
    assert!(expected, "{name}: exit code {code}\n{ran}");

    // the next run: recovers if need be, then releases
    let next = bench.cutover(&["deploy", "--version", &new, "--wait", "60s"]);
    assert_eq!(next.code, 0, "{name}: the next run\n{next}\n--- after\n{ran}");
    assert_eq!(bench.project.served_version().as_deref(), Some(&*new), "{name}");
    assert_clean(bench, &name);
    let served = if served.as_deref() == Some(&*old) { "old" } else { "new" };
    let code = if code == -1 { "killed".to_owned() } else { code.to_string() };
    let moment = format!("{moment:?}").to_lowercase();
    eprintln!("\n| {step} | {moment} | {fault:?} | {code} | {served} | {} | {} |", report.requests, report.failed);
}

fn rows(fault: Fault) {
    let bench = fragile();
    let all = std::env::var("CUTOVER_FAULTS").is_ok_and(|which| which == "all");
    let few = |(step, moment, fault): &&Row| {
        let few: &[(&str, Moment)] = match fault {
            Fault::NewSlotDies => &[("route", Moment::Before), ("drain", Moment::Before)],
            Fault::ConfBroken => &[("start", Moment::Before), ("route", Moment::Before)],
            Fault::CommandFails => &[("start", Moment::Before), ("route", Moment::Before), ("drain", Moment::Before)],
            Fault::DiskFull => &[("start", Moment::Before), ("route", Moment::Before), ("retire", Moment::Before)],
            Fault::DockerRestarts => &[("route", Moment::Before)],
            Fault::SecondClient => &[("route", Moment::Before)],
            _ => &[("health", Moment::Before), ("route", Moment::After), ("retire", Moment::Before)],
        };
        all || few.contains(&(*step, *moment))
    };
    for (number, each) in table(fault).iter().filter(few).enumerate() {
        row(&bench, number, *each);
    }
}

#[test]
fn a_killed_client_leaves_what_the_next_run_finishes_or_puts_back() {
    rows(Fault::Killed);
}

#[test]
fn a_cancelled_job_is_put_back_or_finished_in_time() {
    rows(Fault::Terminated);
}

#[test]
fn a_cut_connection_is_mended_by_the_same_run_or_the_next() {
    rows(Fault::Cut);
}

#[test]
fn a_silent_network_frees_the_lock_within_the_lease() {
    rows(Fault::Silence);
}

#[test]
fn a_new_slot_that_dies_is_put_back() {
    rows(Fault::NewSlotDies);
}

#[test]
fn a_configuration_that_breaks_is_put_back() {
    rows(Fault::ConfBroken);
}

#[test]
fn a_docker_command_that_fails_is_put_back_or_tried_again() {
    rows(Fault::CommandFails);
}

#[test]
fn a_full_disk_is_put_back() {
    rows(Fault::DiskFull);
}

#[test]
fn a_restart_of_dockerd_costs_only_its_own_time() {
    rows(Fault::DockerRestarts);
}

#[test]
fn a_second_client_is_sent_away_and_the_first_goes_on() {
    rows(Fault::SecondClient);
}

#[test]
fn a_second_client_that_waits_goes_on_afterwards() {
    let bench = fragile();
    bench.image("v1.1.0", &[("START_DELAY_MS", "1500")]);
    bench.image("v1.2.0", &[]);
    let mut first = Running::start(&bench, &["deploy", "--version", "v1.1.0", "--json"]);
    assert!(first.until("health", Moment::Before));
    let second = bench.cutover(&["deploy", "--version", "v1.2.0", "--wait", "60s"]);
    first.end().expect(0);
    second.expect(0).says("waiting up to 60 s").says("v1.2.0 is live");
    assert_eq!(bench.project.served_version().as_deref(), Some("v1.2.0"));
    assert_clean(&bench, "waiting");
}

#[test]
fn a_client_killed_while_it_puts_back_is_put_back_by_the_next() {
    let mut bench = fragile();
    bench.config += "bake: {for: 40s, max-failures: 2}\n";
    bench.image("v1.1.0", &[("FAIL_AFTER_MS", "6000")]);
    // long enough that old workers are waited for
    let slow = lab::load::Class::slow(4.0, 5);
    let load = Load::start(&bench.project.url(), Mix::of(vec![slow])).unwrap();
    let mut run = Running::start(&bench, &["deploy", "--version", "v1.1.0", "--json"]);
    assert!(run.until("bake", Moment::After) && run.until("route", Moment::Before));
    std::thread::sleep(Duration::from_secs(2));
    run.signal("-KILL");
    run.end().expect(-1);
    load.stop_blocking().unwrap();
    bench.cutover(&["recover", "--wait", "60s"]).expect(0).says("recovered").says("put back the release");
    assert_eq!(bench.project.served_version().as_deref(), Some("v1.0.0"));
    assert_clean(&bench, "killed while putting back");
}
