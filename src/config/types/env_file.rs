//! `env-file`: the values that come with a release.

use crate::config::names::EnvName;

/// A secret env file: what travels from variables of this side to a file on the host, byte for byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnvFile {
    /// The file on the host, relative to `directory` or absolute.
    pub path: String,
    /// What it gets.
    pub content: EnvContent,
}

/// What an env file gets from here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EnvContent {
    /// The whole file is the value of this variable.
    Whole(EnvName),
    /// Keys of the file, each with the variable that holds its value. Everything else in the file stays.
    Values(Vec<(EnvName, EnvName)>),
}
