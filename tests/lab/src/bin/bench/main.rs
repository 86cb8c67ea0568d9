//! Measures, in one run on one machine: prints tables, and writes figures and charts to docs/bench.
//!
//! `bench CUTOVER [--rounds N] [PART…]`; `scripts/bench` builds what it needs and calls it. Parts:
//! `swap`, one version after the other; `ship`, an image to a host; `release`, a commit to live; `link`, a deploy at some
//! distance; `tool`, the program itself; `fleet`, several hosts.

#![allow(clippy::print_stdout)]

mod chart;
mod fleet;
mod link;
mod release;
mod ship;
mod site;
mod stats;
mod swap;
mod tool;
mod usage;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde_json::json;

use stats::Figures;

const USAGE: &str = "usage: bench CUTOVER [--rounds N] [PART…]";
const PARTS: [&str; 6] = ["swap", "ship", "release", "link", "tool", "fleet"];

fn main() -> Result<()> {
    let mut words = std::env::args().skip(1);
    let cutover = PathBuf::from(words.next().context(USAGE)?);
    let (mut rounds, mut parts) = (5, Vec::new());
    while let Some(word) = words.next() {
        match word.as_str() {
            "--rounds" => rounds = words.next().context(USAGE)?.parse()?,
            part if PARTS.contains(&part) => parts.push(word),
            _ => bail!("{USAGE}, parts: {}", PARTS.join(", ")),
        }
    }
    if parts.is_empty() {
        parts = PARTS.map(str::to_owned).to_vec();
    }
    for part in parts {
        let figures = match part.as_str() {
            "swap" => swap::run(&cutover, rounds)?,
            "ship" => ship::run(&cutover, rounds)?,
            "release" => release::run(&cutover, rounds)?,
            "link" => link::run(&cutover, rounds)?,
            "tool" => tool::run(&cutover, rounds)?,
            "fleet" => fleet::run(&cutover, rounds)?,
            _ => bail!("{USAGE}"),
        };
        write(&part, figures)?;
    }
    Ok(())
}

fn write(part: &str, mut figures: Figures) -> Result<()> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/bench");
    std::fs::create_dir_all(&directory)?;
    figures.data["processors"] = json!(std::thread::available_parallelism().map_or(0, usize::from));
    std::fs::write(directory.join(format!("{part}.json")), serde_json::to_string_pretty(&figures.data)? + "\n")?;
    for (name, svg) in figures.charts {
        std::fs::write(directory.join(format!("{name}.svg")), svg)?;
    }
    println!("\nwritten to docs/bench/{part}.json");
    Ok(())
}
