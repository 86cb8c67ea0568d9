//! One line that every login shell reads alike, and where what the command itself says begins.
//!
//! sshd hands a command to the account's login shell (sshd(8), "LOGIN PROCESS"), which reads its start-up files first: what
//! they print comes before the command's own words, on the same streams. And not every login shell is POSIX's: csh ends a
//! quoted text at a newline and reads `!` in it. So the line holds neither, and the command says where it begins.
use std::fmt::Write as _;

use crate::report::text::one_line;
use crate::text::{Byte, bytes_of};

/// What the command prints first, on both streams.
const BEGIN: &[u8] = b"--cutover-begins-here--\n";
/// Read by the login shell, so: no newline, no `!`, no backslash, and a single-quoted word is the same in all of them.
/// The word behind it is the command, as `printf %b` of POSIX reads it.
const SHELL: &str =
    r#"sh -c 'echo --cutover-begins-here--; echo --cutover-begins-here-- >&2; eval "$(printf %b "$0")"' "#;
/// What is kept of what comes before the command.
const KEPT: usize = 2 << 10;
/// More than this before the command begins, and it is given up.
const TOO_MUCH: usize = 1 << 20;

/// A line for the login shell that runs `command`, a line of POSIX shell.
pub(super) fn wrap(command: &str) -> String {
    let mut line = String::with_capacity(command.len() * 2 + SHELL.len());
    line.push_str(SHELL);
    line.push('\'');
    for byte in bytes_of(command) {
        match byte {
            Byte::Char(c) if c.is_ascii() && !matches!(c, '\n' | '\r' | '!' | '\'' | '\\') => line.push(c),
            Byte::Char(c) => c.encode_utf8(&mut [0; 4]).bytes().for_each(|byte| octal(&mut line, byte)),
            Byte::Raw(byte) => octal(&mut line, byte),
        }
    }
    line.push('\'');
    line
}

fn octal(line: &mut String, byte: u8) {
    let _ = write!(line, "\\0{byte:03o}");
}

/// Looks for the begin of what a command says itself, on both of its streams.
#[derive(Debug, Default)]
pub(super) struct Begin {
    stdout: Before,
    stderr: Before,
}

/// What came before the begin, on one stream.
#[derive(Debug, Default)]
struct Before {
    begun: bool,
    /// The last bytes that came, for the begin may come in parts.
    tail: Vec<u8>,
    kept: Vec<u8>,
    total: usize,
}

impl Begin {
    /// What of these bytes is the command's own.
    pub(super) fn own<'a>(&mut self, data: &'a [u8], is_stderr: bool) -> &'a [u8] {
        if is_stderr { self.stderr.own(data) } else { self.stdout.own(data) }
    }

    /// So much was said that the command can be given up.
    pub(super) fn is_drowned(&self) -> bool {
        [&self.stdout, &self.stderr].iter().any(|before| !before.begun && before.total > TOO_MUCH)
    }

    /// What was said instead, where the command did not begin.
    pub(super) fn instead(&self) -> Option<String> {
        if self.stdout.begun {
            return None;
        }
        let said = [&self.stderr, &self.stdout].map(|before| one_line(&String::from_utf8_lossy(&before.kept), 300));
        Some(said.into_iter().filter(|said| !said.is_empty()).collect::<Vec<_>>().join("; "))
    }
}

impl Before {
    fn own<'a>(&mut self, data: &'a [u8]) -> &'a [u8] {
        if self.begun {
            return data;
        }
        self.total += data.len();
        let known = self.tail.len();
        self.tail.extend_from_slice(data);
        if let Some(at) = self.tail.windows(BEGIN.len()).position(|window| window == BEGIN) {
            self.begun = true;
            let own = (at + BEGIN.len()).saturating_sub(known);
            self.tail = Vec::new();
            return data.get(own..).unwrap_or_default();
        }
        let room = KEPT.saturating_sub(self.kept.len()).min(data.len());
        self.kept.extend_from_slice(&data[..room]);
        let unneeded = self.tail.len().saturating_sub(BEGIN.len() - 1);
        self.tail.drain(..unneeded);
        &[]
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn said_by(shell: &str, command: &str) -> Vec<u8> {
        std::process::Command::new(shell).arg("-c").arg(wrap(command)).output().unwrap().stdout
    }

    #[test]
    fn a_line_has_nothing_that_shells_read_differently() {
        let line = wrap("printf 'a!b\\n\nc\u{7f}ä' \"$x\" \r");
        assert!(line.is_ascii() && !line.contains(['\n', '!', '\r']), "{line}");
        let quoted = line.strip_prefix(SHELL).unwrap();
        assert_eq!(quoted.matches('\'').count(), 2, "{quoted}");
    }

    #[test]
    fn every_byte_comes_back_from_a_real_shell() {
        let text = "it's \\ \\n \\0101 %s %d !x\n$HOME `id` \"q\" ä→🦀\r\n";
        let word = super::super::quote(text).unwrap();
        for shell in ["sh", "bash"] {
            let said = said_by(shell, &format!("printf %s {word}"));
            assert_eq!(said, [BEGIN, text.as_bytes()].concat());
        }
        let raw = crate::text::from_bytes(b"\xb0\xa1 \xff");
        assert_eq!(said_by("sh", &format!("printf %s '{raw}'")), [BEGIN, b"\xb0\xa1 \xff"].concat());
    }

    #[test]
    fn what_comes_before_the_begin_is_left_out_however_it_is_cut() {
        let all = [b"Welcome!\n--cutover".as_slice(), BEGIN, b"own\n--cutover-begins-here--\n"].concat();
        for size in 1..all.len() {
            let mut begin = Begin::default();
            let own: Vec<u8> = all.chunks(size).flat_map(|data| begin.own(data, false).to_vec()).collect();
            assert_eq!(own, b"own\n--cutover-begins-here--\n", "in parts of {size}");
            assert_eq!(begin.instead(), None);
        }
    }

    #[test]
    fn what_was_said_instead_is_named_and_endless_words_are_given_up() {
        let mut begin = Begin::default();
        assert!(begin.own(b"This account is not available.\n", false).is_empty());
        assert!(begin.own(b"no\x1b[31m", true).is_empty());
        assert_eq!(begin.instead().unwrap(), "no\\u{1b}[31m; This account is not available.");
        assert!(!begin.is_drowned());
        for _ in 0..100 {
            assert!(begin.own(&[b'x'; 20_000], false).is_empty());
        }
        assert!(begin.is_drowned() && begin.stdout.kept.len() <= KEPT && begin.stdout.tail.len() < BEGIN.len());
    }
}
