//! Random faults at random moments, one swap after the other, repeatable by a seed.
//!
//! `CUTOVER_CHAOS_SWAPS` and `CUTOVER_CHAOS_SEED` make it longer and different, `CUTOVER_CHAOS_FROM` begins later; see
//! scripts/chaos.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::print_stderr)]

mod common;

use common::fault::{EVERYTHING, Fault, Running, STEPS, assert_clean, command_of, fragile, idle_slot, inject, repair};
use common::run;
use lab::{Load, Mix};
use std::time::Duration;

const FAULTS: [Option<Fault>; 8] = [
    None,
    Some(Fault::Killed),
    Some(Fault::Terminated),
    Some(Fault::Cut),
    Some(Fault::NewSlotDies),
    Some(Fault::ConfBroken),
    Some(Fault::CommandFails),
    Some(Fault::DiskFull),
];

/// splitmix64: small, and the same everywhere.
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % n
    }
}

#[test]
fn whatever_comes_one_version_serves_and_the_next_run_needs_no_help() {
    let number = |name: &str, otherwise| std::env::var(name).map_or(otherwise, |text| text.parse::<u64>().unwrap());
    let (swaps, seed) = (number("CUTOVER_CHAOS_SWAPS", 4), number("CUTOVER_CHAOS_SEED", 1));
    let from = number("CUTOVER_CHAOS_FROM", 1);
    let mut bench = fragile();
    let plain = bench.config.clone();
    let mut random = Random(seed);
    for swap in 1..=swaps {
        let fault = FAULTS[random.below(FAULTS.len() as u64) as usize];
        let after = Duration::from_millis(300 + random.below(6000));
        let commands: Vec<&str> = STEPS.into_iter().filter(|step| command_of(step).is_some()).collect();
        let step = commands[random.below(commands.len() as u64) as usize];
        let everything = random.below(2) == 0;
        if swap < from {
            continue;
        }
        bench.config = if everything { format!("{plain}{EVERYTHING}") } else { plain.clone() };
        let name = format!("swap {swap} of seed {seed}: {fault:?} ({step}) after {after:?}");
        one(&bench, &format!("v1.{swap}.0"), fault, after, step, &name);
    }
}

fn one(bench: &common::Bench, new: &str, fault: Option<Fault>, after: Duration, step: &str, name: &str) {
    let old = bench.project.served_version().expect("a version serves");
    let (idle, project) = (idle_slot(bench), &bench.project);
    bench.image(new, &[("START_DELAY_MS", "300")]);
    let load = Load::start(&project.url(), Mix::quick(60.0)).unwrap();
    let deploy = |more: &[&str]| {
        let mut command = bench.command(&[&["deploy", "--version", new], more].concat());
        command.env("RELEASED_ENV", format!("released-{new}"));
        command
    };
    let mut running = Running::spawn(deploy(&["--json"]));
    std::thread::sleep(after);
    match fault {
        _ if running.is_over() => {}
        None => {}
        // as a crash does it: the engine starts it again
        Some(Fault::NewSlotDies) => {
            let kill =
                format!("kill -KILL $(docker inspect -f '{{{{.State.Pid}}}}' {idle} | grep -v '^0$') 2>&1 || true");
            bench.instance.root(&kill).unwrap();
        }
        Some(fault) => inject(bench, &running, step, fault),
    }
    let ran = running.end();
    fault.iter().for_each(|fault| repair(bench, *fault));
    let report = load.stop_blocking().unwrap();
    let dies = fault == Some(Fault::NewSlotDies);
    let failures: Vec<_> = report.classes.iter().map(|class| (&class.name, &class.failures)).collect();
    assert!(dies || report.failed == report.failures("reset-idle"), "{name}: {failures:?}\n{ran}");
    if dies {
        std::thread::sleep(Duration::from_secs(2));
    }
    let served = project.served_version();
    // one that crashes after the release may come back with another address, as on any other day
    let crashed = dies && ran.code == 0 && served.is_none();
    assert!(crashed || [Some(&*old), Some(new)].contains(&served.as_deref()), "{name}: {served:?} serves\n{ran}");
    // 6: cut before anything was begun
    let cut = fault == Some(Fault::Cut) && ran.code == 6;
    assert!(cut || matches!(ran.code, -1 | 0 | 3 | 4 | 143), "{name}: {ran}");
    let next = run(&mut deploy(&["--wait", "60s"]));
    assert_eq!(next.code, 0, "{name}: the next run\n{next}\n--- after\n{ran}");
    assert_eq!(project.served_version().as_deref(), Some(new), "{name}");
    assert_clean(bench, name);
    eprintln!("{name}: exit {}, {} requests, {} lost", ran.code, report.requests, report.failed);
}
