//! `cutover.yml` → `Config`: the only reader of YAML.
//!
//! Text → `yaml` (a tree that knows its places) → `raw` (every key optional, every value of its type) → `resolve`
//! (environment, defaults, contradictions) → `Config`. Parsed once into types; what is absent is discovered on the host.
mod checks;
pub mod duration;
mod error;
mod explain;
mod explain_parts;
#[cfg(test)]
mod explain_tests;
mod host;
mod image;
mod names;
mod origin;
mod raw;
mod raw_build;
mod raw_parts;
mod read;
mod resolve;
mod resolve_services;
#[cfg(test)]
mod schema_tests;
mod secret_names;
mod swarm;
#[cfg(test)]
mod tests;
mod types;
mod yaml;

pub(crate) use checks::tidy;
pub use error::ConfigError;
pub use explain::Setting;
pub use host::{Address, HostSettings, domain};
pub use image::{DOCKER_HUB, ImageName};
pub use names::{EnvName, Name};
pub use origin::Origin;
pub use types::*;

use error::{At, Wrong};
use std::path::Path;

/// A longer file is no cutover.yml.
const LONGEST: usize = 1 << 20;

const EXPECTED: &str = "a map with at least image, host and directory";

impl Config {
    /// Reads and checks the file, with the settings of one environment laid over the common ones.
    pub fn load(path: &Path, environment: Option<&str>) -> Result<Config, ConfigError> {
        let file = path.to_string_lossy();
        let bytes = read_file(path, &file)?;
        match std::str::from_utf8(&bytes) {
            Ok(text) => Config::parse(text, &file, environment),
            Err(error) => Err(not_utf8(&bytes, error.valid_up_to()).in_file(&file)),
        }
    }

    /// Checks a text; `file_name` is for messages, and its directory is where relative paths start.
    pub fn parse(text: &str, file_name: &str, environment: Option<&str>) -> Result<Config, ConfigError> {
        let root = Path::new(file_name).parent().unwrap_or(Path::new(""));
        parse(text, root, environment).map_err(|wrong| wrong.in_file(file_name))
    }
}

fn parse(text: &str, root: &Path, environment: Option<&str>) -> Result<Config, Wrong> {
    let start = resolve::START;
    let Some(tree) = yaml::read(text)? else {
        return Err(Wrong::new(start, format!("the file is empty; expected {EXPECTED}")));
    };
    if !matches!(tree.value, yaml::Value::Map(_)) {
        return Err(Wrong::new(tree.at, format!("found {}; expected {EXPECTED}", tree.describe())));
    }
    let key = yaml::Key { at: start, text: String::new() };
    let raw = raw::Raw::read(&read::Entry { key: &key, node: &tree })?;
    resolve::config(raw, root, environment)
}

fn read_file(path: &Path, file: &str) -> Result<Vec<u8>, ConfigError> {
    let whole = |message: String| ConfigError { file: file.to_owned(), line: 0, column: 0, message };
    let bytes = std::fs::read(path).map_err(|error| {
        whole(match error.kind() {
            std::io::ErrorKind::NotFound => {
                "there is no such file; `cutover init` writes it, or --config names another one".to_owned()
            }
            _ => format!("cannot be read: {error}"),
        })
    })?;
    if bytes.len() > LONGEST {
        return Err(whole(format!("{} bytes; expected at most {LONGEST}", bytes.len())));
    }
    Ok(bytes)
}

fn not_utf8(bytes: &[u8], good: usize) -> Wrong {
    let before = String::from_utf8_lossy(&bytes[..good]);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    Wrong::new(At { line, column }, format!("the byte 0x{:02x} is not UTF-8; expected a UTF-8 text", bytes[good]))
}
