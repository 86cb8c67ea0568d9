//! A deploy at a distance: cutover, the reference's deploy script over OpenSSH, and the least possible.

use std::path::Path;
use std::time::Duration;

use anyhow::{Result, ensure};
use lab::build_app;
use serde_json::json;

use crate::chart::{self, Group};
use crate::site::{START, Site, timed};
use crate::stats::{Figures, Spread};

/// Milliseconds there and back.
const DISTANCES: [u64; 4] = [0, 50, 100, 200];

/// What was measured at one distance.
#[derive(Default)]
struct At {
    live: Vec<f64>,
    done: Vec<f64>,
    script: Vec<f64>,
    bound: Vec<f64>,
    cpu: Vec<f64>,
    mib: Vec<f64>,
    trips: Vec<f64>,
    to_live: Vec<f64>,
}

/// Runs the rounds, prints a table, gives the figures.
pub(crate) fn run(program: &Path, rounds: usize) -> Result<Figures> {
    let mut site = Site::set_up(program)?;
    deploy(&mut site, &mut At::default())?;
    let (mut rows, mut groups) = (Vec::new(), Vec::new());
    println!("seconds: {:<14} {:>20} {:>20} {:>20} {:>20}", "round trip", "live", "done", "script", "bound");
    for distance in DISTANCES {
        site.delay(Duration::from_millis(distance) / 2)?;
        let mut at = At::default();
        for _ in 0..rounds {
            deploy(&mut site, &mut at)?;
            let version = image(&mut site)?;
            at.script.push(site.by_script()?);
            ensure!(site.project.served_version() == Some(version), "the script did not swap");
            at.bound.push(bound(&mut site)?);
        }
        let of = |values: &Vec<f64>| Spread::of(values.iter().copied());
        let (live, done, script, bound) = (of(&at.live), of(&at.done), of(&at.script), of(&at.bound));
        println!("{distance:>5} ms {live:>31} {done:>20} {script:>20} {bound:>20}");
        let (cpu, mib, trips, to_live) = (of(&at.cpu), of(&at.mib), of(&at.trips), of(&at.to_live));
        println!("         {to_live} round trips until live, {trips} until done, {cpu} s of processor, {mib} MiB");
        rows.push(json!({ "round_trip_ms": distance, "live_seconds": live, "done_seconds": done, "cpu_seconds": cpu,
                          "peak_mib": mib, "round_trips": trips, "round_trips_to_live": to_live, "script_seconds": script, "bound_seconds": bound }));
        let bars = [
            ("cutover, live", live),
            ("cutover, done", done),
            ("reference script, done", script),
            ("bound, live", bound),
        ];
        let bars = bars.into_iter().map(|(name, spread)| (name.to_owned(), spread)).collect();
        groups.push(Group { name: format!("{distance} ms there and back"), bars });
    }
    let charts = vec![("link".to_owned(), chart::bars("A deploy, the app takes 1.5 s to start", "seconds", &groups))];
    Ok(Figures { data: json!({ "rounds": rounds, "app_start_ms": 1500, "rows": rows }), charts })
}

/// A new version, pushed, and on the host already.
fn image(site: &mut Site) -> Result<String> {
    let version = site.next();
    build_app(&site.project.image, &version, &START)?;
    site.instance.ok(&format!("docker pull -q {}:{version}", site.project.image))?;
    Ok(version)
}

fn deploy(site: &mut Site, at: &mut At) -> Result<()> {
    let version = image(site)?;
    let ran = site.deploy(&version, "")?;
    at.live.push(ran.live()?);
    at.done.push(ran.usage.seconds);
    at.cpu.push(ran.usage.cpu);
    at.mib.push(ran.usage.mib);
    at.trips.extend(ran.host("round-trips"));
    at.to_live.extend(ran.host("round-trips-to-live"));
    Ok(())
}

/// Logging in with OpenSSH, and the least that a swap takes.
fn bound(site: &mut Site) -> Result<f64> {
    let version = image(site)?;
    let login = timed(&format!("{} true", site.ssh()?))?;
    Ok(login + crate::swap::bound(&site.instance, &site.project, &version)?)
}
