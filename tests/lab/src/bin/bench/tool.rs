//! The program itself: its size, how fast it starts, and how fast its SSH is.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::json;

use crate::chart::{self, Group};
use crate::site::{Site, sh, timed};
use crate::stats::{Figures, Spread};
use crate::usage::measured;

/// What is sent to compare throughput.
const MIB: u32 = 1024;

/// Runs the rounds, prints a table, gives the figures.
pub(crate) fn run(program: &Path, rounds: usize) -> Result<Figures> {
    let program = program.canonicalize()?;
    let size = std::fs::metadata(&program)?.len() as f64 / f64::from(1 << 20);
    let starts = (0..20).map(|_| Ok(measured(Command::new(&program).arg("--version"))?.seconds));
    let start = Spread::of(starts.collect::<Result<Vec<_>>>()?);
    let action = sh(&format!("{}/../../scripts/action-start {} 10", env!("CARGO_MANIFEST_DIR"), program.display()))?;
    let (cached, cold) = (seconds_after(&action, "median ")?, seconds_after(&action, "empty cache ")?);
    println!(
        "{size:.1} MiB; `--version` takes {start} s; the action's step starts in {cached:.3} s, {cold:.3} s with an empty cache"
    );

    let site = Site::set_up(&program)?;
    let ours = program.with_file_name("examples/throughput");
    let known_hosts = site.instance.known_hosts.display();
    let to = format!("deploy@{}:{}", site.instance.address, site.instance.port);
    let ours = format!("{} {to} {} {known_hosts} {MIB}", ours.display(), site.instance.key.display());
    let theirs = format!("head -c {MIB}M /dev/zero | {} 'cat >/dev/null'", site.ssh()?);
    let mut rates = [Vec::new(), Vec::new()];
    for _ in 0..rounds {
        for (script, rates) in [&ours, &theirs].into_iter().zip(&mut rates) {
            rates.push(f64::from(MIB) / timed(script)?);
        }
    }
    let [ours, theirs] = rates.map(Spread::of);
    let ratio = ours.median / theirs.median;
    println!("SSH to one host: {ours} MiB/s, OpenSSH {theirs} MiB/s: {ratio:.2}");
    let bars = vec![("cutover".to_owned(), ours.clone()), ("OpenSSH".to_owned(), theirs.clone())];
    let group = Group { name: format!("{MIB} MiB to one host"), bars };
    Ok(Figures {
        data: json!({ "rounds": rounds, "binary_mib": size, "start_seconds": start, "action_start_cached_seconds": cached,
                      "action_start_cold_seconds": cold, "ssh_mib_per_second": ours, "openssh_mib_per_second": theirs,
                      "ssh_to_openssh": ratio }),
        charts: vec![("tool".to_owned(), chart::bars("SSH throughput", "MiB/s", &[group]))],
    })
}

/// `WORDS 123 ms` as seconds.
fn seconds_after(text: &str, words: &str) -> Result<f64> {
    let rest = text.split(words).nth(1).and_then(|rest| rest.split_whitespace().next());
    let milliseconds: f64 = rest.with_context(|| format!("no `{words}` in {text}"))?.parse()?;
    Ok(milliseconds / 1000.0)
}
