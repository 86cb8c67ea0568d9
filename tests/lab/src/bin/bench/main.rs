//! Measures, in one run on one machine: prints tables, and writes the figures to docs/bench/NAME.json.
//!
//! `bench CUTOVER [--rounds N] [PART…]`; parts: `swap`, `ship`. `scripts/bench` builds what it needs and calls it.

#![allow(clippy::print_stdout)]

mod ship;
mod stats;
mod swap;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde_json::Value;

const USAGE: &str = "usage: bench CUTOVER [--rounds N] [PART…]";
const PARTS: [&str; 2] = ["swap", "ship"];

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
            _ => bail!("{USAGE}"),
        };
        write(&part, &figures)?;
    }
    Ok(())
}

fn write(part: &str, figures: &Value) -> Result<()> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/bench");
    std::fs::create_dir_all(&directory)?;
    std::fs::write(directory.join(format!("{part}.json")), serde_json::to_string_pretty(figures)? + "\n")?;
    println!("\nwritten to docs/bench/{part}.json");
    Ok(())
}
