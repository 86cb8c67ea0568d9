//! What a version is, where it comes from, and which tags name it.

/// What the tag of a version looks like: `{version}` stands for it, without its `v`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TagForm(String);

/// What stands for the version.
const VERSION: &str = "{version}";

impl TagForm {
    /// The tag of a version, which has no `v` here.
    pub fn made_of(&self, version: &str) -> String {
        self.0.replace(VERSION, version)
    }

    /// What stands in a tag where the version does; `None`: it is none of these tags.
    pub fn within<'a>(&self, tag: &'a str) -> Option<&'a str> {
        let (before, after) = self.0.split_once(VERSION)?;
        tag.strip_prefix(before)?.strip_suffix(after)
    }
}

impl Default for TagForm {
    fn default() -> Self {
        TagForm(format!("v{VERSION}"))
    }
}

impl std::fmt::Display for TagForm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::str::FromStr for TagForm {
    type Err = String;

    /// The error says what was expected.
    fn from_str(text: &str) -> Result<Self, String> {
        let plain = text.replacen(VERSION, "0", 1);
        let good = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-');
        let is_tag = !plain.starts_with(['.', '-']) && plain.bytes().all(good) && plain.len() <= 64;
        if plain != text && is_tag && !plain.starts_with("cutover-") {
            return Ok(TagForm(text.to_owned()));
        }
        Err(format!("a tag in which `{VERSION}` stands once, such as \"{VERSION}\" or \"release-{VERSION}\""))
    }
}

/// When the tag `latest` moves to the new image; never for a pre-release.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Latest {
    /// When the swap is confirmed.
    Confirmed,
    /// With the push, before the swap.
    Pushed,
    /// Never.
    Never,
}

/// What a commit message without a version means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhenMissing {
    /// Nothing to release; exit 0.
    Skip,
    /// An error; exit 2.
    Fail,
}

/// Which version in a commit message, or another text, is that of the release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VersionFrom {
    /// One that stands where releases are named.
    UsualPlaces,
    /// Any.
    Anywhere,
    /// What a pattern of the user's own finds.
    Pattern(VersionPattern),
}

/// A regular expression with a group called `version`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionPattern(String);

impl VersionPattern {
    /// The expression.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::str::FromStr for VersionPattern {
    type Err = String;

    /// The error says what was expected.
    fn from_str(text: &str) -> Result<Self, String> {
        let expected = r"a regular expression with a group named version, such as ^deploy (?P<version>[0-9.]+)";
        let why = |error: regex::Error| {
            let said = error.to_string();
            let last = said.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
            format!("{expected} ({last})")
        };
        let regex = regex::RegexBuilder::new(text).size_limit(1 << 20).build().map_err(why)?;
        if text.is_empty() || !regex.capture_names().flatten().any(|name| name == "version") {
            return Err(expected.to_owned());
        }
        Ok(VersionPattern(text.to_owned()))
    }
}
