//! A person's word that no run may change a host: a file beside the lock, which stays there until somebody takes it away.

use super::Host;
use super::script::Script;
use crate::report::text::{inert, one_line};
use anyhow::Result;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Who has frozen a host, since when, and why.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Frozen {
    /// Who, from where.
    pub by: String,
    /// Since when, RFC 3339, UTC.
    #[serde(default)]
    pub since: String,
    /// Why; empty where nobody said.
    #[serde(default)]
    pub reason: String,
}

/// What came of freezing a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Freezing {
    /// It is frozen now. A run that had the lock before goes on to its end: its own description.
    Done(Option<String>),
    /// It was already, by somebody else or for another reason; that stays.
    Already(Frozen),
}

/// Who is in the way of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Held {
    /// Another run; its own description.
    Run(String),
    /// A person.
    Person(Frozen),
}

impl Frozen {
    /// Reads what is in the file. What somebody wrote there by hand is the reason.
    pub fn read(text: &str) -> Frozen {
        let line = text.lines().next().unwrap_or_default();
        serde_json::from_str(line).unwrap_or_else(|_| Frozen {
            by: "somebody".to_owned(),
            reason: one_line(line, 300),
            ..Frozen::default()
        })
    }

    /// Freezes a host: `root` is the directory of cutover's state there.
    ///
    /// # Errors
    /// Where the file can't be written.
    pub async fn freeze(&self, host: &Host, root: &str) -> Result<Freezing> {
        let line = serde_json::to_string(self)?;
        let script = Script::new("to freeze releases", include_str!("freeze.sh")).args([root, &line]);
        let said = String::from_utf8_lossy(&host.run(&script).await?).into_owned();
        Ok(match said.split_once('\n') {
            Some(("already", rest)) => Freezing::Already(Frozen::read(rest)),
            Some((_, run)) => Freezing::Done(Some(inert(run.trim())).filter(|run| !run.is_empty())),
            None => Freezing::Done(None),
        })
    }
}

/// Lets releases of a host go on; gives what stood in their way.
///
/// # Errors
/// Where the file can't be removed.
pub async fn thaw(host: &Host, root: &str) -> Result<Option<Frozen>> {
    let script = Script::new("to let releases go on", include_str!("thaw.sh")).arg(root);
    let said = host.run(&script).await?;
    let said = String::from_utf8_lossy(&said);
    Ok((!said.is_empty()).then(|| Frozen::read(&said)))
}

impl fmt::Display for Frozen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "frozen by {}", one_line(&self.by, 200))?;
        if !self.since.is_empty() {
            write!(f, " since {}", one_line(&self.since, 40))?;
        }
        if self.reason.is_empty() { Ok(()) } else { write!(f, ": {}", one_line(&self.reason, 300)) }
    }
}

impl fmt::Display for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Held::Run(about) => write!(f, "locked by another run: {about}"),
            Held::Person(frozen) => frozen.fmt(f),
        }
    }
}

impl Held {
    /// What to do about it.
    pub fn todo(&self) -> &'static str {
        match self {
            Held::Run(_) => "wait for it with --wait 10m",
            Held::Person(_) => "`cutover unlock` lets releases go on; --wait 10m waits for somebody to do so",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_the_file_is_read_also_where_a_person_wrote_it() {
        let frozen = Frozen { by: "ann on desk".into(), since: "2026-01-01T00:00:00Z".into(), reason: "a sale".into() };
        let line = serde_json::to_string(&frozen).expect("writes");
        assert_eq!(Frozen::read(&format!("{line}\n")), frozen);
        assert_eq!(frozen.to_string(), "frozen by ann on desk since 2026-01-01T00:00:00Z: a sale");
        assert_eq!(Frozen::read("do not touch\n").to_string(), "frozen by somebody: do not touch");
        assert_eq!(Frozen::read("").to_string(), "frozen by somebody");
    }
}
