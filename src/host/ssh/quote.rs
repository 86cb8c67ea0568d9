//! Words to one line of POSIX shell: the only maker of shell text.
//!
//! sshd hands the line to the user's login shell (RFC 4254, section 6.5), so every word is quoted by the rules of the
//! POSIX shell (Shell Command Language, 2.2.2 single-quotes).
use std::fmt;

/// A word that no shell line can carry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum QuoteError {
    /// The word holds a NUL byte, which would end the line early.
    Nul,
    /// Not the name of an environment variable (`[A-Za-z_][A-Za-z0-9_]*`).
    EnvName(String),
}

impl fmt::Display for QuoteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nul => f.write_str("a word of a remote command holds a NUL byte"),
            Self::EnvName(name) => write!(f, "{name:?} is not a name for an environment variable"),
        }
    }
}

impl std::error::Error for QuoteError {}

/// One word, so that a POSIX shell reads exactly these bytes back.
///
/// # Errors
/// [`QuoteError::Nul`].
pub fn quote(word: &str) -> Result<String, QuoteError> {
    if word.contains('\0') {
        return Err(QuoteError::Nul);
    }
    if is_plain(word) {
        return Ok(word.to_owned());
    }
    Ok(format!("'{}'", word.replace('\'', r"'\''")))
}

fn is_plain(word: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"_-./:,@%+".contains(&b);
    let option = word.starts_with('-');
    !word.is_empty() && word.bytes().all(|b| plain(b) || (option && b == b'='))
}

/// A remote command, built of words.
///
/// ```
/// use cutover::host::ssh::Command;
/// let line = Command::new("docker").args(["compose", "up", "-d"]).arg("it's").env("A", "b c").line();
/// assert_eq!(line.as_deref(), Ok(r"env 'A=b c' docker compose up -d 'it'\''s'"));
/// ```
#[derive(Clone, Debug)]
pub struct Command {
    env: Vec<(String, String)>,
    words: Vec<String>,
}

impl Command {
    /// A command that runs `program`.
    pub fn new(program: impl Into<String>) -> Self {
        Self { env: Vec::new(), words: vec![program.into()] }
    }

    /// Adds one word.
    pub fn arg(mut self, word: impl Into<String>) -> Self {
        self.words.push(word.into());
        self
    }

    /// Adds words.
    pub fn args<W: Into<String>>(mut self, words: impl IntoIterator<Item = W>) -> Self {
        self.words.extend(words.into_iter().map(Into::into));
        self
    }

    /// Sets an environment variable for this command only. Never for a secret: it is seen in the host's process list.
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    /// The shell line.
    ///
    /// # Errors
    /// A NUL byte in a word, or a name that no environment variable can have.
    pub fn line(&self) -> Result<String, QuoteError> {
        let mut words = Vec::with_capacity(self.words.len() + self.env.len() + 1);
        if !self.env.is_empty() {
            words.push("env".to_owned());
        }
        for (name, value) in &self.env {
            if !is_env_name(name) {
                return Err(QuoteError::EnvName(name.clone()));
            }
            words.push(quote(&format!("{name}={value}"))?);
        }
        for word in &self.words {
            words.push(quote(word)?);
        }
        Ok(words.join(" "))
    }
}

fn is_env_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
        && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const NASTY: &[&str] = &[
        "",
        " ",
        "plain",
        "it's",
        "''",
        "'",
        "\"",
        "$HOME",
        "`id`",
        "$(id)",
        "a\nb",
        "a\\nb",
        "\\",
        "\\'",
        "*",
        "~",
        "~root",
        "#x",
        "!x",
        "a;b",
        "a&b",
        "a|b",
        ">x",
        "-n",
        "--",
        "{a,b}",
        "[a]",
        "a=b",
        "--a=b",
        "=",
        "\t",
        "\u{1b}[31m",
        "ä→🦀",
        "pa$1wor$D",
        "x\r\ny",
    ];

    #[test]
    fn every_word_comes_back_from_a_real_shell_byte_for_byte() {
        let command = Command::new("printf").arg("%s\\0").args(NASTY.iter().copied());
        let out = std::process::Command::new("sh").arg("-c").arg(command.line().unwrap()).output().unwrap();
        let words: Vec<&str> = std::str::from_utf8(&out.stdout).unwrap().split_terminator('\0').collect();
        assert_eq!(words, NASTY);
    }

    #[test]
    fn environment_reaches_the_command_byte_for_byte() {
        for value in NASTY {
            let line = Command::new("printenv").arg("VALUE").env("VALUE", *value).line().unwrap();
            let out = std::process::Command::new("sh").arg("-c").arg(line).output().unwrap();
            assert_eq!(out.stdout, format!("{value}\n").as_bytes());
        }
    }

    #[test]
    fn what_a_shell_line_cannot_carry_is_refused() {
        assert_eq!(quote("a\0b"), Err(QuoteError::Nul));
        assert_eq!(Command::new("x").env("A B", "").line(), Err(QuoteError::EnvName("A B".into())));
        assert_eq!(Command::new("x").env("", "").line(), Err(QuoteError::EnvName(String::new())));
        assert_eq!(Command::new("x").env("A", "\0").line(), Err(QuoteError::Nul));
    }

    #[test]
    fn an_assignment_is_never_read_as_one() {
        assert_eq!(Command::new("A=b").line().unwrap(), "'A=b'");
    }
}
