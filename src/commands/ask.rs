//! Questions to a person, where one is there to answer.

use crate::host::ssh::{AskHostKey, UnknownHostKey};
use std::io::{self, BufRead as _, IsTerminal as _, Write as _};
use std::sync::Arc;

/// Asks whether to trust a host key that nothing speaks for; `None` without a terminal.
pub(super) fn host_key() -> Option<AskHostKey> {
    is_person_there().then(|| Arc::new(trust) as AskHostKey)
}

fn trust(key: &UnknownHostKey) -> bool {
    yes(&format!(
        "{} has the {} host key {}, and known_hosts does not have it.\nIs that its key?",
        key.place, key.algorithm, key.fingerprint
    ))
}

/// Whether a person is there to ask.
pub(super) fn is_person_there() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal() && std::env::var_os("CI").is_none()
}

/// The answer to a question, or `usual` for an empty one.
pub(super) fn text(question: &str, usual: &str) -> String {
    let hint = if usual.is_empty() { String::new() } else { format!(" [{usual}]") };
    let mut answer = String::new();
    let asked = write!(io::stderr(), "{question}{hint}: ").and_then(|()| io::stderr().flush());
    let read = asked.is_ok() && io::stdin().lock().read_line(&mut answer).is_ok();
    let answer = answer.trim();
    if read && !answer.is_empty() { answer.to_owned() } else { usual.to_owned() }
}

/// Whether the answer is yes. No answer is no.
pub(super) fn yes(question: &str) -> bool {
    let mut answer = String::new();
    let asked = write!(io::stderr(), "{question} [y/N] ").and_then(|()| io::stderr().flush());
    asked.is_ok() && io::stdin().lock().read_line(&mut answer).is_ok() && matches!(answer.trim(), "y" | "Y" | "yes")
}
