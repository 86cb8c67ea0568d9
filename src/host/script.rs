//! Shell scripts for the host: constant text, words as arguments, a reason to show when they fail.

use super::compose::Scope;
use crate::secret::Secret;
use anyhow::{Result, bail};
use std::time::Duration;

/// A POSIX shell script to run on the host. Foreign words only ever enter as positional arguments or by stdin.
#[derive(Debug, Clone)]
pub struct Script {
    /// Why it runs, as a sentence part: "to see what runs on the host".
    pub why: &'static str,
    /// Functions of others that it uses.
    pub parts: Vec<&'static str>,
    /// The text, after them; `$1`, `$2`, … are `words`.
    pub text: &'static str,
    /// Environment variables, as `NAME=value`.
    pub environment: Vec<String>,
    /// Values by name, as `NAME=VALUE`.
    pub named: Vec<String>,
    /// Under whose lock it runs, where it changes something.
    pub fence: Option<Fence>,
    /// Positional arguments.
    pub words: Vec<String>,
    /// What the script reads on stdin, by [`crate::text::to_bytes`]. Never shown.
    pub stdin: Option<Secret>,
    /// How long it may take.
    pub limit: Duration,
}

/// The lock under which a step runs: `fence.sh`, which comes before the step's own text, lets it go on only while that is
/// held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fence {
    /// cutover's state directory on the host; the lock lies in the one above it.
    pub state: String,
    /// The id of the run.
    pub holder: String,
}

/// What comes before a fenced step.
const FENCED: &str = concat!(include_str!("alone.sh"), include_str!("fence.sh"));

/// What comes before a script that has values by name.
const NAMED: &str = include_str!("named.sh");

/// What every step of a swap starts with: the fence, the journal, and files that are written whole.
pub(crate) const CORE: &str = include_str!("core.sh");

/// A part for scripts that print [`sections`] or go through a [`Script::list`].
pub const SAY: &str = include_str!("say.sh");

impl Script {
    /// A script with no arguments yet, allowed 60 s.
    pub fn new(why: &'static str, text: &'static str) -> Self {
        let (parts, environment, named, words) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Script { why, parts, text, environment, named, fence: None, words, stdin: None, limit: Duration::from_secs(60) }
    }

    /// Adds one positional argument.
    pub fn arg(mut self, word: impl Into<String>) -> Self {
        self.words.push(word.into());
        self
    }

    /// Adds positional arguments.
    pub fn args<T: Into<String>>(mut self, words: impl IntoIterator<Item = T>) -> Self {
        self.words.extend(words.into_iter().map(Into::into));
        self
    }

    /// Puts parts before its text.
    pub fn with(mut self, parts: &[&'static str]) -> Self {
        self.parts.extend(parts);
        self
    }

    /// Gives it a value: `$name` in its text.
    pub fn set(mut self, name: &'static str, value: impl AsRef<str>) -> Self {
        self.named.push(format!("{name}={}", value.as_ref()));
        self
    }

    /// Gives it a list for `each` of [`SAY`]: the fields of an entry have `|` between them.
    pub fn list<T: AsRef<str>>(self, name: &'static str, entries: impl IntoIterator<Item = T>) -> Self {
        let lines: String = entries.into_iter().map(|entry| format!("{}\n", entry.as_ref())).collect();
        self.set(name, lines.trim_end_matches('\n'))
    }

    /// Has compose called so in it.
    pub fn scope(mut self, scope: &Scope) -> Self {
        self.environment.extend(scope.variables());
        self
    }

    /// Has it run under this lock: its text is to call `fence` before it changes anything.
    pub fn fenced(mut self, fence: &Fence) -> Self {
        self.fence = Some(fence.clone());
        self
    }

    /// Everything after `sh`: the text, and the words as the shell gets them.
    pub(super) fn shell_words(&self) -> Vec<String> {
        let fenced = self.fence.as_ref().map_or("", |_| FENCED);
        let named = if self.named.is_empty() { "" } else { NAMED };
        let text = format!("{fenced}{named}{}{}", self.parts.concat(), self.text);
        let mut words = vec!["-c".to_owned(), text, "cutover".to_owned()];
        if let Some(Fence { state, holder }) = &self.fence {
            let (allowed, size) = (self.limit.as_secs().to_string(), self.input().len().to_string());
            words.extend([state.clone(), holder.clone(), allowed, size]);
        }
        let end = (!self.named.is_empty()).then(|| "--".to_owned());
        words.extend(self.named.iter().cloned().chain(end).chain(self.words.iter().cloned()));
        words
    }

    /// Gives it text on stdin.
    pub fn stdin(mut self, text: impl Into<String>) -> Self {
        self.stdin = Some(Secret::new(text));
        self
    }

    /// The bytes of its stdin.
    pub fn input(&self) -> Vec<u8> {
        self.stdin.as_ref().map(|text| crate::text::to_bytes(text.expose())).unwrap_or_default()
    }

    /// Lets it take up to `limit`.
    pub fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }
}

/// One framed part of a script's output: `@NAME STATUS LENGTH\n`, LENGTH bytes, `\n`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// What it is, as the script calls it.
    pub name: String,
    /// Exit status of the command that printed it.
    pub status: i32,
    /// What it printed, by [`crate::text::from_bytes`]: no byte is lost.
    pub text: String,
}

/// Splits framed output into its sections. Framing by length: no text inside a section can pose as another one.
pub fn sections(mut bytes: &[u8]) -> Result<Vec<Section>> {
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let Some(end) = bytes.iter().position(|&b| b == b'\n') else { bail!("a section header without an end") };
        let header = String::from_utf8_lossy(&bytes[..end]).into_owned();
        let mut parts = header.strip_prefix('@').unwrap_or_default().splitn(3, ' ');
        let (name, status, length) = (parts.next(), parts.next(), parts.next());
        let (Some(name), Some(Ok(status)), Some(Ok(length))) =
            (name, status.map(str::parse), length.map(str::trim).map(str::parse::<usize>))
        else {
            bail!("no section header: {}", crate::report::text::one_line(&header, 80));
        };
        let Some(text) = (end + 1).checked_add(length).and_then(|to| bytes.get(end + 1..to)) else {
            bail!("section {name} ends early")
        };
        let text = crate::text::from_bytes(text);
        found.push(Section { name: name.to_owned(), status, text });
        bytes = bytes.get(end + 2 + length..).unwrap_or_default();
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_are_framed_by_length() {
        let found = sections(b"@a 0 12\n@b 0 3\nxyz\n\n\n@c 1 0\n\n").expect("reads");
        assert_eq!(found[0], Section { name: "a".into(), status: 0, text: "@b 0 3\nxyz\n\n".into() });
        assert_eq!(found[1], Section { name: "c".into(), status: 1, text: String::new() });
    }

    #[test]
    fn a_broken_frame_is_an_error() {
        for bytes in [
            b"@a 0 5\nxy".as_slice(),
            b"a 0 1\nx\n",
            b"@a 0",
            b"@a x 1\ny\n",
            b"@a 0 99999999999999999999\n",
            b"@a 0 18446744073709551615\n",
        ] {
            assert!(sections(bytes).is_err());
        }
    }
}
