//! A version, found in hostile text.
use super::source::VersionSource;
use crate::report::text::one_line;
use std::fmt;
use std::str::FromStr;

/// A release's version: `vMAJOR.MINOR.PATCH`, with semver's pre-release and build parts.
///
/// In JSON it is its text.
#[derive(Debug, Clone, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Version(semver::Version);

/// How a version stands to the one that is live.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compared {
    /// It comes after the live one.
    Newer,
    /// It is the live one.
    Same,
    /// It comes before the live one: a downgrade.
    Older,
}

/// What is wrong with the version in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VersionError {
    /// Something that was meant as a version and is none, as it stood there.
    Malformed(String),
    /// Different versions, in the order of the text.
    Several(Vec<Version>),
    /// One of the others, in this text.
    In(VersionSource, Box<VersionError>),
    /// The place to look could not be read; the text says what and why.
    Unreadable(String),
}

/// A docker tag has 128 characters at most (distribution's reference grammar).
const LONGEST: usize = 128;

impl Version {
    /// Reads a whole text as a version; the leading `v` may be absent.
    pub fn parse(text: &str) -> Result<Version, VersionError> {
        let text = text.trim();
        let shown = || text.chars().take(100).collect::<String>();
        let malformed = || VersionError::Malformed(one_line(&shown(), 80));
        if text.len() >= LONGEST {
            return Err(malformed());
        }
        let parsed = semver::Version::parse(text.strip_prefix('v').unwrap_or(text)).map_err(|_| malformed())?;
        if two_run_together(&parsed) { Err(malformed()) } else { Ok(Version(parsed)) }
    }

    /// The docker tag: as `Display` has it, with `_` for the `+` that a tag can't hold. No version has a `_` of its own,
    /// so two versions never share a tag and `from_tag` is exact.
    pub fn tag(&self) -> String {
        self.to_string().replace('+', "_")
    }

    /// The version of a docker tag that `tag` made; `None` for any other tag.
    pub fn from_tag(tag: &str) -> Option<Version> {
        let version = Version::parse(&tag.strip_prefix('v')?.replacen('_', "+", 1)).ok()?;
        (version.tag() == tag).then_some(version)
    }

    /// Whether this is a pre-release.
    pub fn is_prerelease(&self) -> bool {
        !self.0.pre.is_empty()
    }

    /// Whether the tag `latest` may move to it: never to a pre-release.
    pub fn moves_latest(&self) -> bool {
        !self.is_prerelease()
    }

    /// How it stands to the live version. By semver's precedence (semver.org, 11); where only the build parts differ,
    /// which semver gives no order, it counts as newer: something to release, and no downgrade.
    pub fn compared_to(&self, live: &Version) -> Compared {
        use std::cmp::Ordering;
        match self.0.cmp_precedence(&live.0) {
            Ordering::Less => Compared::Older,
            Ordering::Equal if self == live => Compared::Same,
            Ordering::Equal | Ordering::Greater => Compared::Newer,
        }
    }

    /// Whether it leaves a major version out: after v1.4.0 comes v1 or v2, not v20.
    pub fn jumps_from(&self, live: &Version) -> bool {
        self.0.major > live.0.major.saturating_add(1)
    }

    /// The parts.
    pub fn semver(&self) -> &semver::Version {
        &self.0
    }
}

impl FromStr for Version {
    type Err = VersionError;

    /// As `Version::parse`.
    fn from_str(text: &str) -> Result<Self, VersionError> {
        Version::parse(text)
    }
}

impl TryFrom<String> for Version {
    type Error = VersionError;

    fn try_from(text: String) -> Result<Self, VersionError> {
        Version::parse(&text)
    }
}

impl From<Version> for String {
    fn from(version: Version) -> String {
        version.to_string()
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "v{}", self.0)
    }
}

impl fmt::Display for VersionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            VersionError::Malformed(text) => {
                write!(f, "`{text}` is not a version; expected vMAJOR.MINOR.PATCH, such as v1.2.3 or v1.2.3-rc.1")
            }
            VersionError::Several(all) => {
                let all: Vec<String> = all.iter().map(Version::to_string).collect();
                write!(f, "different versions: {}; expected one, or the same one several times", all.join(", "))
            }
            VersionError::In(source, error) => write!(f, "in {source}: {error}"),
            VersionError::Unreadable(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for VersionError {}

/// `v1.2.3-v1.3.0` is a range, although semver would take `v1.3.0` for a pre-release.
fn two_run_together(version: &semver::Version) -> bool {
    let pre = version.pre.as_str().trim_start_matches(['v', 'V']);
    pre.len() < version.pre.len() && semver::Version::parse(pre).is_ok()
}

#[cfg(test)]
#[path = "version_tests.rs"]
mod tests;
