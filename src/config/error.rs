//! What is wrong with cutover.yml, and where.
use std::fmt;

/// One thing that is wrong with cutover.yml.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// The file, as it was named.
    pub file: String,
    /// The line, from 1; 0 when it is about the file as a whole.
    pub line: usize,
    /// The column in characters, from 1; 0 when it is about the file as a whole.
    pub column: usize,
    /// What was wrong; what was expected.
    pub message: String,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.file, self.message),
            line => write!(f, "{}:{line}:{}: {}", self.file, self.column, self.message),
        }
    }
}

impl std::error::Error for ConfigError {}

/// A place in the file: line and column, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct At {
    pub(super) line: usize,
    pub(super) column: usize,
}

/// A `ConfigError` that does not know its file yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wrong {
    pub(super) at: At,
    pub(super) message: String,
}

impl Wrong {
    pub(super) fn new(at: At, message: impl Into<String>) -> Self {
        Wrong { at, message: message.into() }
    }

    pub(super) fn in_file(self, file: &str) -> ConfigError {
        ConfigError { file: file.to_owned(), line: self.at.line, column: self.at.column, message: self.message }
    }
}
