//! Whatever fails, the service stays up and the next run knows what to do.
//!
//! A row of the table is a step, a moment and a fault. `CUTOVER_FAULTS=all` runs every row, `CUTOVER_FAULTS="Cut Killed"`
//! every row of these faults, `Cut/health` those of one step; without it a short selection runs.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::print_stderr)]

mod common;

use common::fault::{CONFIGURED, EVERYTHING, Fault, Moment, Running, STALLS, STEPS};
use common::fault::{assert_clean, command_of, fragile, inject, place, repair, stall};
use common::watch::until;
use common::{Bench, Ran, run};
use lab::{Load, Mix};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

type Row = (&'static str, Moment, Fault);

/// Every row of a fault.
fn table(fault: Fault) -> Vec<Row> {
    let moments = [Moment::Before, Moment::After];
    let all = STEPS.iter().flat_map(|step| moments.iter().map(move |moment| (*step, *moment, fault)));
    all.filter(matters).collect()
}

/// Whether the fault can matter then; docs/faults.md says why it can't.
fn matters((step, moment, fault): &Row) -> bool {
    let (at, before) = (place(step), *moment == Moment::Before);
    match fault {
        Fault::NewSlotDies => {
            let runs = at > place("start") || (*step == "start" && !before);
            runs && (at < place("drain") || (*step == "drain" && before))
        }
        Fault::ConfBroken => at < place("route") || (*step == "route" && before),
        Fault::CommandFails => before && command_of(step).is_some(),
        Fault::DiskFull | Fault::SecondClient => before,
        _ => true,
    }
}

/// Deploys with what the row's step needs.
fn deploy(bench: &Bench, version: &str, more: &[&str]) -> std::process::Command {
    let mut command = bench.command(&[&["deploy", "--version", version], more].concat());
    command.env("RELEASED_ENV", format!("released-{version}"));
    command
}

/// One row: the fault comes, one version serves, the next run needs no help, nothing is left behind.
fn row(bench: &mut Bench, number: usize, (step, moment, fault): Row) {
    let name = format!("{} {moment:?} {step}", fault.name()).to_lowercase();
    let old = bench.project.served_version().expect("a version serves");
    let new = format!("v1.{}.0", number + 1);
    bench.image(&new, &[("START_DELAY_MS", "300")]);
    bench.config = bench.config.replace(EVERYTHING, "");
    if CONFIGURED.contains(&step) {
        bench.config += EVERYTHING;
    }
    if fault == Fault::SecondClient {
        bench.image("v9.0.0", &[]);
    }
    // who waits takes over if the lease ends before the fault does
    let (second, third) = (format!("v1.{}.1", number + 1), format!("v1.{}.2", number + 1));
    if fault.is_taken() {
        [&second, &third].iter().for_each(|version| drop(bench.image(version, &[("START_DELAY_MS", "300")])));
    }
    if step == "guard" {
        // the step is there only where the file is not
        bench.project.ok("rm -f nginx/cutover-keepalive.conf && docker exec nginx nginx -s reload 2>&1").unwrap();
        std::thread::sleep(Duration::from_secs(1));
    }
    let env = bench.project.ok("cat .env").unwrap();
    let load = Load::start(&bench.project.url(), Mix::quick(60.0)).unwrap();
    let mut running = Running::spawn(deploy(bench, &new, &["--json"]));
    assert!(running.until(step, moment), "{name}: no such step\n{}", running.end());
    let mut waiting = None;
    let wait = || {
        if fault.is_taken() {
            let mut other = deploy(bench, &second, &["--wait", "200s"]);
            waiting = Some(std::thread::spawn(move || run(&mut other)));
        }
    };
    if !stall(bench, &running, fault, wait) {
        inject(bench, &running, step, fault);
    }
    let ran = running.end();
    if let Some(waiting) = waiting {
        let other = waiting.join().unwrap();
        assert_eq!(other.code, 0, "{name}: the other run\n{other}\n--- beside\n{ran}");
    }
    repair(bench, fault);
    if fault == Fault::DockerRestarts {
        until("the engine has started everything again", || bench.project.served_version().is_some());
    }
    let report = load.stop_blocking().unwrap();
    let served = bench.project.served_version();
    // what nginx was pointed at when it died, and everything while every container restarts, is lost for anybody
    let is_routed = |event: &serde_json::Value| event["step"] == "route" && event["state"] == "done";
    let routed = || ran.events().iter().any(is_routed);
    let serves = if fault.is_taken() {
        served.as_deref() == Some(&*second)
    } else {
        served.as_deref() == Some(&*old) || served.as_deref() == Some(&*new)
    };
    assert!(serves, "{name}: {served:?} serves\n{ran}");
    if fault != Fault::DockerRestarts {
        let lost = report.failed - report.failures("reset-idle");
        let may_lose = fault == Fault::NewSlotDies && routed();
        let failures: Vec<_> = report.classes.iter().map(|class| (&class.name, &class.failures)).collect();
        assert!(lost == 0 || may_lose, "{name}: {failures:?}\n{ran}");
    }
    assert!(is_expected(fault, (step, moment), &ran), "{name}: exit code {}\n{ran}", ran.code);
    if matches!(ran.code, 3 | 143) && !fault.is_taken() {
        assert_eq!(bench.project.ok("cat .env").unwrap(), env, "{name}: the env file was not put back\n{ran}");
    }

    // the next run: recovers if need be, then releases
    let new = if fault.is_taken() { third } else { new };
    let next = run(&mut deploy(bench, &new, &["--wait", "60s"]));
    assert_eq!(next.code, 0, "{name}: the next run\n{next}\n--- after\n{ran}");
    assert_eq!(bench.project.served_version().as_deref(), Some(&*new), "{name}");
    if CONFIGURED.contains(&step) {
        let released = bench.project.ok("grep RELEASED .env").unwrap();
        assert_eq!(released, format!("RELEASED='released-{new}'"), "{name}: the env file");
    }
    assert_clean(bench, &name);
    let served = match served.as_deref() {
        Some(served) if served == old => "old",
        Some(served) if served == second => "the other's",
        _ => "new",
    };
    let code = if ran.code == -1 { "killed".to_owned() } else { ran.code.to_string() };
    let moment = format!("{moment:?}").to_lowercase();
    eprintln!(
        "\n| {step} | {moment} | {} | {code} | {served} | {} | {} |",
        fault.name(),
        report.requests,
        report.failed
    );
}

/// The exit codes that a fault may lead to.
fn is_expected(fault: Fault, at: (&str, Moment), ran: &Ran) -> bool {
    match fault {
        // after the last step it may have ended by itself
        Fault::Killed => ran.code == -1 || (at, ran.code) == (("record", Moment::After), 0),
        Fault::Terminated => matches!(ran.code, 0 | 143),
        Fault::Cut => matches!(ran.code, 0 | 3 | 4),
        // what is live is not put back; whose lock it is can't be seen any more
        Fault::Silence => matches!(ran.code, 0 | 4 | 6),
        Fault::SecondClient => ran.code == 0,
        // a stall that the lease outlives costs its time; one that the connection does not outlive is put back at most
        Fault::Stopped(_) => ran.code == 0,
        Fault::Dropped(seconds) if seconds < 30 => ran.code == 0,
        Fault::Dropped(_) => matches!(ran.code, 0 | 3),
        Fault::StoppedTaken(seconds) | Fault::DroppedTaken(seconds) if seconds < 30 => ran.code == 0,
        Fault::StoppedTaken(_) => ran.code == 5 || (at, ran.code) == (("record", Moment::After), 0),
        Fault::DroppedTaken(_) => matches!(ran.code, 0 | 3 | 5),
        // between nginx's test and its reload: nobody can put back through a configuration that somebody else has broken
        Fault::ConfBroken if ran.stdout.contains("nginx went on with its old workers") => ran.code == 4,
        Fault::NewSlotDies | Fault::ConfBroken | Fault::CommandFails | Fault::DiskFull | Fault::DockerRestarts => {
            matches!(ran.code, 0 | 3)
        }
    }
}

/// The rows of a fault that were asked for. One that fails is said, and the others go on with another instance.
fn rows(fault: Fault, moments: &[Moment]) {
    let few = |(step, moment, fault): &Row| {
        let few: &[(&str, Moment)] = match fault {
            Fault::NewSlotDies => &[("route", Moment::Before), ("drain", Moment::Before)],
            Fault::ConfBroken => &[("start", Moment::Before), ("route", Moment::Before)],
            Fault::CommandFails => &[("start", Moment::Before), ("route", Moment::Before), ("drain", Moment::Before)],
            Fault::DiskFull => &[("env-file", Moment::Before), ("route", Moment::Before), ("retire", Moment::Before)],
            Fault::DockerRestarts | Fault::SecondClient => &[("route", Moment::Before)],
            Fault::Silence => &[("health", Moment::Before), ("route", Moment::After)],
            Fault::Dropped(20) => &[("route", Moment::Before)],
            Fault::Dropped(60) | Fault::Stopped(60) => &[("health", Moment::Before)],
            Fault::DroppedTaken(60) => &[("route", Moment::After)],
            Fault::StoppedTaken(60) => &[("health", Moment::Before)],
            Fault::Dropped(_) | Fault::DroppedTaken(_) | Fault::Stopped(_) | Fault::StoppedTaken(_) => &[],
            _ => &[
                ("hook", Moment::After),
                ("health", Moment::Before),
                ("route", Moment::After),
                ("retire", Moment::Before),
            ],
        };
        few.contains(&(*step, *moment))
    };
    let asked = |row: &Row| match std::env::var("CUTOVER_FAULTS") {
        Ok(which) => {
            let names = [fault.name(), format!("{}/{}", fault.name(), row.0)];
            which == "all" || which.split_whitespace().any(|name| names.iter().any(|known| known == name))
        }
        Err(_) => few(row),
    };
    let rows: Vec<Row> = table(fault).into_iter().filter(|row| moments.contains(&row.1) && asked(row)).collect();
    let (mut bench, mut failed) = (None, Vec::new());
    for (number, each) in rows.into_iter().enumerate() {
        let on = bench.get_or_insert_with(fragile);
        if catch_unwind(AssertUnwindSafe(|| row(on, number, each))).is_err() {
            bench = None;
            failed.push(each);
        }
    }
    assert!(failed.is_empty(), "rows that failed: {failed:?}");
}

mod matrix {
    use super::{Fault, Moment, STALLS, rows};

    const BOTH: [Moment; 2] = [Moment::Before, Moment::After];

    #[test]
    fn a_killed_client_leaves_what_the_next_run_finishes_or_puts_back() {
        rows(Fault::Killed, &BOTH);
    }

    #[test]
    fn a_cancelled_job_is_put_back_or_finished_in_time() {
        rows(Fault::Terminated, &BOTH);
    }

    #[test]
    fn a_cut_connection_is_mended_by_the_same_run_or_the_next() {
        rows(Fault::Cut, &BOTH);
    }

    #[test]
    fn a_network_that_falls_silent_before_a_step_frees_the_lock_within_the_lease() {
        rows(Fault::Silence, &[Moment::Before]);
    }

    #[test]
    fn a_network_that_falls_silent_after_a_step_frees_the_lock_within_the_lease() {
        rows(Fault::Silence, &[Moment::After]);
    }

    #[test]
    fn a_new_slot_that_dies_is_put_back() {
        rows(Fault::NewSlotDies, &BOTH);
    }

    #[test]
    fn a_configuration_that_breaks_is_put_back() {
        rows(Fault::ConfBroken, &BOTH);
    }

    #[test]
    fn a_docker_command_that_fails_is_put_back_or_tried_again() {
        rows(Fault::CommandFails, &BOTH);
    }

    #[test]
    fn a_full_disk_is_put_back() {
        rows(Fault::DiskFull, &BOTH);
    }

    #[test]
    fn a_restart_of_dockerd_costs_only_its_own_time() {
        rows(Fault::DockerRestarts, &BOTH);
    }

    #[test]
    fn a_client_that_stood_still_goes_on_where_nobody_took_its_place() {
        STALLS.iter().for_each(|seconds| rows(Fault::Stopped(*seconds), &BOTH));
    }

    #[test]
    fn a_client_that_stood_still_touches_nothing_where_another_took_its_place() {
        STALLS.iter().for_each(|seconds| rows(Fault::StoppedTaken(*seconds), &BOTH));
    }

    #[test]
    fn a_network_that_comes_back_in_time_costs_time_and_else_the_release() {
        STALLS.iter().for_each(|seconds| rows(Fault::Dropped(*seconds), &BOTH));
    }

    #[test]
    fn a_network_that_comes_back_after_another_run_took_over_changes_nothing_of_that() {
        STALLS.iter().for_each(|seconds| rows(Fault::DroppedTaken(*seconds), &BOTH));
    }

    #[test]
    fn a_second_client_is_sent_away_and_the_first_goes_on() {
        rows(Fault::SecondClient, &BOTH);
    }
}

/// The table's row can come too late for the look that the route step takes; this can't.
#[test]
fn a_new_slot_that_died_before_the_switch_is_never_routed_to() {
    let mut bench = fragile();
    bench.config += "hooks: {before-switch: [docker, stop, green]}\n";
    let load = Load::start(&bench.project.url(), Mix::quick(60.0)).unwrap();
    bench.deploy("v1.1.0", &[]).expect(3).says("the new slot does not run any more");
    assert_eq!(load.stop_blocking().unwrap().failed, 0);
    assert_eq!(bench.project.served_version().as_deref(), Some("v1.0.0"));
}

#[test]
fn a_file_that_somebody_changes_before_the_start_stops_the_release() {
    let bench = fragile();
    bench.image("v1.1.0", &[]);
    let mut running = Running::start(&bench, &["deploy", "--version", "v1.1.0", "--json"]);
    assert!(running.until("pull", Moment::Before));
    running.signal("-STOP");
    bench.project.ok("echo '# by hand' >> nginx/default.conf").unwrap();
    running.signal("-CONT");
    running.end().expect(3).says("changed by somebody else");
    assert!(!bench.instance.is_running("green").unwrap(), "a slot was started that may have been the live one");
}

/// As docker does where it can't read its own configuration file.
#[test]
fn a_docker_that_warns_at_every_call_is_no_trouble() {
    let bench = Bench::reference(lab::Kind::V2);
    let warns = "#!/bin/sh\necho 'WARNING: no config' >&2\nexec /usr/bin/docker \"$@\"";
    let path = "/usr/local/bin/docker";
    bench.instance.root(&format!("cat > {path} <<'END'\n{warns}\nEND\nchmod 755 {path}")).unwrap();
    for (version, to) in [("v1.1.0", "blue → green"), ("v1.2.0", "green → blue")] {
        bench.deploy(version, &[]).expect(0).says(to).says("answers 200 through nginx").never_says("tidying up failed");
    }
    assert_eq!(bench.project.served_version().as_deref(), Some("v1.2.0"));
}

#[test]
fn a_second_client_that_waits_goes_on_afterwards() {
    let bench = fragile();
    bench.image("v1.1.0", &[("START_DELAY_MS", "9000")]);
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

#[test]
fn a_new_slot_that_comes_back_elsewhere_while_the_old_one_is_stopped_is_found_by_nginx() {
    let bench = fragile();
    bench.deploy("v1.1.0", &[("IGNORE_SIGTERM", "1")]).expect(0);
    bench.image("v1.2.0", &[]);
    let address = || {
        let format = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}";
        bench.instance.root(&format!("docker inspect -f '{format}' blue")).unwrap()
    };
    let mut run = Running::start(&bench, &["deploy", "--version", "v1.2.0", "--json"]);
    assert!(run.until("retire", Moment::Before));
    // the old slot takes its ten seconds; an address is free when the new one looks for one
    let before = address();
    let crash = "docker stop $(docker ps -qf label=com.docker.compose.service=redis) >/dev/null && kill -KILL $(docker inspect -f '{{.State.Pid}}' blue)";
    bench.instance.root(crash).unwrap();
    let ran = run.end().expect(0);
    assert_ne!(address(), before, "it came back with the same address\n{ran}");
    assert_eq!(bench.project.served_version().as_deref(), Some("v1.2.0"), "{ran}");
    assert_clean(&bench, "crashed");
}
