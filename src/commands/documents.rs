//! `cutover schema`, `completions` and `man`: what other programs want to know of this one.

use super::{Exit, Stop};
use crate::cli::Cli;
use clap::CommandFactory as _;
use std::io::Write as _;
use std::path::Path;

/// The JSON schema of cutover.yml, as it is in the repository.
const SCHEMA: &str = include_str!("../../cutover.schema.json");

/// Prints it.
pub(super) fn schema() -> Result<Exit, Stop> {
    print(SCHEMA.as_bytes())
}

/// Prints completions.
pub(super) fn completions(shell: clap_complete::Shell) -> Result<Exit, Stop> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "cutover", &mut text);
    print(&text)
}

/// Prints the manual page, or writes one for each verb.
pub(super) fn man(directory: Option<&Path>) -> Result<Exit, Stop> {
    match directory {
        Some(directory) => {
            std::fs::create_dir_all(directory).map_err(anyhow::Error::from)?;
            clap_mangen::generate_to(Cli::command(), directory).map_err(anyhow::Error::from)?;
            Ok(Exit::Done)
        }
        None => {
            let mut text = Vec::new();
            clap_mangen::Man::new(Cli::command()).render(&mut text).map_err(anyhow::Error::from)?;
            print(&text)
        }
    }
}

/// As it is: a shell or an editor reads it.
fn print(text: &[u8]) -> Result<Exit, Stop> {
    std::io::stdout().lock().write_all(text).map_err(anyhow::Error::from)?;
    Ok(Exit::Done)
}
