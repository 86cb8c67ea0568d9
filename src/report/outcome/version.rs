//! Which version it is, and why.

use crate::release::Version;
use serde::Serialize;

/// Which version it is.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
pub enum VersionEnd {
    /// This one.
    Found {
        /// The version.
        version: Version,
        /// Where it was found.
        source: String,
        /// It has a pre-release part.
        prerelease: bool,
    },
    /// None: said already, and no error.
    Nothing {
        /// Always this.
        outcome: NothingToRelease,
        /// Why.
        why: String,
    },
    /// `version --explain`.
    Explained(Explained),
}

/// An outcome's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum NothingToRelease {
    /// There is no version.
    NothingToRelease,
}

/// What each text has, what became of it, and what it comes to.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Explained {
    /// Every text that was looked at.
    pub texts: Vec<ExplainedText>,
    /// The version that it comes to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<Version>,
    /// Where that was found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Why there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// Set where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<NothingToRelease>,
    /// What to do about that.
    #[serde(skip)]
    pub todo: Option<String>,
}

/// A text in which versions were looked for.
#[derive(Debug, Clone, Serialize)]
pub struct ExplainedText {
    /// Where it is from.
    pub source: String,
    /// What looks like a version in it.
    pub candidates: Vec<ExplainedCandidate>,
    /// Its first line.
    #[serde(skip)]
    pub first: String,
}

/// What looks like a version.
#[derive(Debug, Clone, Serialize)]
pub struct ExplainedCandidate {
    /// The words.
    pub text: String,
    /// The line, from 1.
    pub line: usize,
    /// What became of it, and why.
    pub verdict: String,
}
