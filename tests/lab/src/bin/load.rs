//! `load --url http://198.18.0.10 --seconds 10 [--rate N | --standard] [--json]`: a load from the command line.

#![allow(clippy::print_stdout)]

use std::time::Duration;

use anyhow::{Context, Result, bail};
use lab::{Load, Mix};

const USAGE: &str = "usage: load --url http://ADDRESS[:PORT][/PATH] [--seconds 10] [--mix standard|near|quick] [--rate 400] \
     [--json]";

fn main() -> Result<()> {
    let (mut url, mut seconds, mut mix, mut rate, mut json) = (None, 10.0, "near".to_owned(), 400.0, false);
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut value = || words.next().with_context(|| format!("{word} wants a value\n{USAGE}"));
        match word.as_str() {
            "--url" => url = Some(value()?),
            "--seconds" => seconds = value()?.parse()?,
            "--mix" => mix = value()?,
            "--rate" => rate = value()?.parse()?,
            "--json" => json = true,
            _ => bail!("{USAGE}"),
        }
    }
    let mix = match mix.as_str() {
        "standard" => Mix::standard(),
        "near" => Mix::near(rate),
        "quick" => Mix::quick(rate),
        _ => bail!("{USAGE}"),
    };
    let report = Load::run_for(&url.context(USAGE)?, mix, Duration::from_secs_f64(seconds))?;
    if json {
        println!("{}", serde_json::to_string(&report)?)
    } else {
        println!("{report}")
    }
    Ok(())
}
