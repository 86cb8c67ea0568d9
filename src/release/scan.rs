//! What in a text is meant as a version, whatever stands around it.
use super::version::{Version, VersionError};
use crate::report::text::one_line;
use regex::Regex;
use std::sync::LazyLock;

/// Something in a line that was meant as a version, well-formed or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Attempt<'t> {
    /// As it stands there.
    pub(super) text: &'t str,
    /// Where it begins, in bytes.
    pub(super) start: usize,
    /// Where it ends.
    pub(super) end: usize,
    /// Without a `v`: a version only where a tool writes one.
    pub(super) bare: bool,
}

/// More attempts than this are not looked at.
const MOST: usize = 2_000;

/// A terminal's colour and cursor sequences (ECMA-48, 5.4): they end a word.
static ESCAPE: LazyLock<Regex> = LazyLock::new(|| pattern(r"\x1b\[[0-?]*[ -/]*[@-~]"));

/// How every attempt begins; full-width letters are an attempt too, though none that succeeds.
static BEGIN: LazyLock<Regex> = LazyLock::new(|| pattern("[vVｖＶ]?[0-9０-９]+[.．][0-9０-９]"));

pub(super) fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("a constant pattern")
}

/// The text without what only terminals read, and with brackets, colons and spaces of one width.
pub(super) fn plain(text: &str) -> String {
    let shown = ESCAPE.replace_all(text, " ");
    shown
        .chars()
        .map(|c| match c {
            '（' => '(',
            '）' => ')',
            '［' | '【' | '〔' => '[',
            '］' | '】' | '〕' => ']',
            '：' => ':',
            '、' | '，' => ',',
            '\u{3000}' | '\u{a0}' | '\u{202f}' => ' ',
            c => c,
        })
        .collect()
}

impl Attempt<'_> {
    /// What it is. In a text a version has its `v`, a small one; `bare` ones have none.
    pub(super) fn version(&self) -> Result<Version, VersionError> {
        if self.bare || self.text.starts_with('v') {
            return Version::parse(self.text);
        }
        let shown: String = self.text.chars().take(100).collect();
        Err(VersionError::Malformed(one_line(&shown, 80)))
    }

    /// `v1.2.3` has three numbers; `v1.3`, as in TLS v1.3, was hardly meant as a release.
    pub(super) fn is_whole(&self) -> bool {
        let numbers = self.text.split(['.', '．']);
        numbers.take_while(|part| part.trim_start_matches(is_v).starts_with(is_digit)).count() >= 3
    }
}

/// Every attempt in a line, from left to right. None is inside another word, an address or `package@version`.
pub(super) fn attempts(line: &str) -> Vec<Attempt<'_>> {
    let mut found = Vec::new();
    for word in line.split(char::is_whitespace) {
        // from the scheme of an address on, its word is the address
        let word = word.split("://").next().unwrap_or(word);
        in_word(line, word, &mut found);
        if found.len() >= MOST {
            break;
        }
    }
    found
}

fn in_word<'t>(line: &'t str, word: &str, found: &mut Vec<Attempt<'t>>) {
    let offset = word.as_ptr().addr() - line.as_ptr().addr();
    let mut from = 0;
    while let Some(begin) = BEGIN.find_at(word, from).filter(|_| found.len() < MOST) {
        let end = begin.start() + length(&word[begin.start()..]);
        from = end.max(begin.end());
        let bare = !begin.as_str().starts_with(is_v);
        if is_free(word, begin.start(), bare) {
            let end = begin.start() + without_emphasis(word, begin.start(), end).len();
            let (start, end) = (offset + begin.start(), offset + end);
            found.push(Attempt { text: &line[start..end], start, end, bare });
        }
    }
}

/// How far an attempt goes: over all that a version could go on with, and all that could pass for it. What is no version
/// then, as `v1.2.3-β1` or `v1.2.3-`, must not be taken for `v1.2.3`.
fn length(text: &str) -> usize {
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        let next = chars.peek().map(|(_, next)| *next);
        let rest = &text[at + c.len_utf8()..];
        let goes_on = match c {
            '-' | '_' | '+' | '\u{2010}' | '\u{2011}' | '\u{2212}' | '\u{ff0d}' => true,
            '–' | '—' | '―' => is_pre_release(rest),
            '~' => next.is_some_and(|next| next.is_ascii_alphabetic()) && !begins_version(rest),
            '.' | '．' => next.is_some_and(is_part),
            c => is_part(c) || is_invisible(c),
        };
        if !goes_on {
            return at;
        }
    }
    text.len()
}

fn is_v(c: char) -> bool {
    "vVｖＶ".contains(c)
}

fn is_digit(c: char) -> bool {
    c.is_ascii_digit() || ('０'..='９').contains(&c)
}

/// Letters that have a case, and digits. Letters without one are particles, as in `v1.2.3을`.
fn is_part(c: char) -> bool {
    c.is_lowercase() || c.is_uppercase() || (c.is_numeric() && !is_counter(c)) || ('\u{300}'..='\u{36f}').contains(&c)
}

/// Unicode calls 一 and 〇 numbers too.
fn is_counter(c: char) -> bool {
    c.is_alphabetic()
}

/// What nobody sees and what would still split a word.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{180e}' | '\u{200b}'..='\u{200d}' | '\u{2060}' | '\u{feff}')
}

fn begins_version(text: &str) -> bool {
    text.trim_start_matches(is_v).starts_with(is_digit)
}

/// What a typographer's dash must not cut off: `v1.2.3–rc.1`.
fn is_pre_release(text: &str) -> bool {
    let text = text.chars().take(8).collect::<String>().to_lowercase();
    ["rc", "alpha", "beta", "pre", "dev", "snapshot", "preview", "canary"].iter().any(|word| text.starts_with(word))
}

/// Nothing before it makes it a part of something else.
fn is_free(word: &str, start: usize, bare: bool) -> bool {
    let bound = |c: char| is_part(c) || is_invisible(c) || ".@+．".contains(c) || (bare && "_#=$".contains(c));
    !word[..start].chars().next_back().is_some_and(bound)
}

/// Markdown's `__v1.2.3__` and `_v1.2.3_`.
fn without_emphasis(line: &str, start: usize, end: usize) -> &str {
    let text = &line[start..end];
    let before = line[..start].len() - line[..start].trim_end_matches('_').len();
    let after = text.len() - text.trim_end_matches('_').len();
    if before > 0 && before == after { text.trim_end_matches('_') } else { text }
}

/// Finds a version anywhere in a text, whatever stands around it, as the pattern `v[0-9]+\.[0-9]+\.[0-9]+` would.
///
/// The same one several times is one; different ones, and what goes on after three numbers but is no version, are errors
/// that show them. What belongs to something else is passed over: `dev1.2.3`, `checkout@v4.1.0`, the path of an address.
///
/// # Errors
/// [`VersionError::Malformed`] and [`VersionError::Several`].
pub fn anywhere(text: &str) -> Result<Option<Version>, VersionError> {
    let text = plain(text);
    let mut found: Vec<Version> = Vec::new();
    for attempt in text.lines().flat_map(attempts).filter(|attempt| !attempt.bare && attempt.is_whole()) {
        let version = attempt.version()?;
        if !found.contains(&version) {
            found.push(version);
        }
        if found.len() >= MOST_SHOWN {
            break;
        }
    }
    only(found)
}

/// The version that a pattern of the user's own finds: what its group `version` matched, with or without the `v`.
///
/// # Errors
/// As [`anywhere`].
pub fn by_pattern(pattern: &Regex, text: &str) -> Result<Option<Version>, VersionError> {
    let mut found: Vec<Version> = Vec::new();
    for group in pattern.captures_iter(text).filter_map(|captures| captures.name("version")).take(MOST) {
        let version = Version::parse(group.as_str())?;
        if !found.contains(&version) && found.len() < MOST_SHOWN {
            found.push(version);
        }
    }
    only(found)
}

/// Two are an error already; more than these are not shown.
const MOST_SHOWN: usize = 5;

/// One, none, or an error that shows them all.
pub(super) fn only(mut found: Vec<Version>) -> Result<Option<Version>, VersionError> {
    match found.len() {
        0 | 1 => Ok(found.pop()),
        _ => Err(VersionError::Several(found)),
    }
}

#[cfg(test)]
#[path = "scan_tests.rs"]
mod tests;
