//! Ends of a verb that could not do what it was asked for: what happened stands apart from what is said of it, and exit codes
//! follow from what happened.

use crate::cancel::Signal;
use crate::host::freeze::Held;
use crate::host::lock::Overtaken;
use std::fmt;

/// How a run ended; each has one documented exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Released, already live, or nothing to release.
    Done,
    /// Something nobody thought of.
    Unexpected,
    /// Bad usage or configuration.
    Usage,
    /// Refused before anything was changed on a host.
    Refused,
    /// Failed, and what was changed was put back.
    PutBack,
    /// Failed and not put back.
    Stuck,
    /// Another run holds the lock, or a person has frozen the host.
    Locked,
    /// Another run took the lock that this one had.
    Overtaken,
    /// No connection, wrong host key or refused login.
    Connection,
    /// A signal, and put back.
    Interrupted(u8),
    /// `exec`: what the command ended with.
    Command(u8),
}

impl Exit {
    /// The exit code.
    pub fn code(self) -> u8 {
        match self {
            Exit::Done => 0,
            Exit::Unexpected => 1,
            Exit::Usage => 2,
            Exit::Refused | Exit::PutBack => 3,
            Exit::Stuck => 4,
            Exit::Locked | Exit::Overtaken => 5,
            Exit::Connection => 6,
            Exit::Interrupted(code) | Exit::Command(code) => code,
        }
    }

    /// Its name in a job's outputs; `done` where the result says more.
    pub fn name(self) -> &'static str {
        match self {
            Exit::Done | Exit::Command(_) => "done",
            Exit::Unexpected => "unexpected",
            Exit::Usage => "bad-configuration",
            Exit::Refused => "refused",
            Exit::PutBack => "put-back",
            Exit::Stuck => "stuck",
            Exit::Locked => "locked",
            Exit::Overtaken => "overtaken",
            Exit::Connection => "no-connection",
            Exit::Interrupted(_) => "interrupted",
        }
    }
}

/// What there is to say of a host: why something was not done there, or what was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    /// The host.
    pub host: String,
    /// In one line or several, without the host's name.
    pub why: String,
}

impl Reason {
    /// Of a host.
    pub fn new(host: &str, why: impl Into<String>) -> Reason {
        Reason { host: host.to_owned(), why: why.into() }
    }
}

/// Why a verb stopped early.
#[derive(Debug)]
pub enum Stop {
    /// The release failed, and what was changed was put back.
    PutBack {
        /// What should have gone live.
        version: String,
        /// Why it did not.
        causes: Vec<Reason>,
        /// What answered through nginx on each host afterwards; empty where that was not seen everywhere.
        serves: Vec<Reason>,
    },
    /// A signal ended it, and what was changed was put back.
    Interrupted(Signal),
    /// The release failed, and something of it is left.
    Stuck {
        /// What should have gone live.
        version: String,
        /// Why it did not.
        causes: Vec<Reason>,
        /// What could not be put back.
        left: Vec<Reason>,
    },
    /// The version is live, and nginx goes on sending requests to the old slot.
    BothServe {
        /// What is live.
        version: String,
        /// How the old slot was seen to be in use.
        used: Vec<Reason>,
    },
    /// What an earlier run left could neither be finished nor put back.
    Unsettled(Vec<Reason>),
    /// Another run took the lock that this one had.
    Overtaken(Overtaken),
    /// Another run holds the lock, or a person has frozen the host.
    Locked {
        /// The host.
        host: String,
        /// Who does.
        by: Held,
    },
    /// Something was not as it must be.
    Wrong(Wrong),
}

/// Something that was not as it must be.
#[derive(Debug)]
pub struct Wrong {
    /// How the run ends by it.
    pub exit: Exit,
    /// For people: what, and where.
    pub what: String,
    /// What to do about it, where that stands apart.
    pub todo: Option<String>,
    /// Where it stands in a file.
    pub place: Option<FilePlace>,
}

/// A place in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilePlace {
    /// Path as the user gave it.
    pub file: String,
    /// 1-based.
    pub line: usize,
    /// 1-based.
    pub column: usize,
}

impl Stop {
    /// Something is not as it must be.
    pub fn new(exit: Exit, what: impl Into<String>) -> Stop {
        Stop::Wrong(Wrong { exit, what: what.into(), todo: None, place: None })
    }

    /// The same, with what to do about it.
    pub fn advised(exit: Exit, what: impl Into<String>, todo: impl Into<String>) -> Stop {
        Stop::Wrong(Wrong { exit, what: what.into(), todo: Some(todo.into()), place: None })
    }

    /// How the run ends by it.
    pub fn exit(&self) -> Exit {
        match self {
            Stop::PutBack { .. } => Exit::PutBack,
            Stop::Interrupted(signal) => Exit::Interrupted(signal.exit_code()),
            Stop::Stuck { .. } | Stop::BothServe { .. } | Stop::Unsettled(_) => Exit::Stuck,
            Stop::Overtaken(_) => Exit::Overtaken,
            Stop::Locked { .. } => Exit::Locked,
            Stop::Wrong(wrong) => wrong.exit,
        }
    }

    /// Where it stands in a file, if it does.
    pub fn place(&self) -> Option<&FilePlace> {
        match self {
            Stop::Wrong(wrong) => wrong.place.as_ref(),
            _ => None,
        }
    }
}

impl From<Overtaken> for Stop {
    fn from(overtaken: Overtaken) -> Stop {
        Stop::Overtaken(overtaken)
    }
}

/// In words, for people.
impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Stop::PutBack { version, causes, serves } => {
                write!(f, "{version} failed, and what was changed was put back.{}", Indented(causes))?;
                if serves.is_empty() { Ok(()) } else { write!(f, "\nThe old version serves:{}", Indented(serves)) }
            }
            Stop::Interrupted(signal) => write!(f, "stopped by {}; what was changed was put back", signal.name()),
            Stop::Stuck { version, causes, left } => {
                write!(f, "{version} failed and could not be put back.{}", Indented(causes))?;
                write!(f, "\nA person must look at:{}", Indented(left))
            }
            Stop::BothServe { version, used } => {
                writeln!(f, "{version} serves, and the old version too: not every request reaches the new one.")?;
                writeln!(f, "A person must look at:{}", Indented(used))?;
                f.write_str(
                    "Find the word in nginx's configuration that names the old slot, then run `cutover recover`.",
                )
            }
            Stop::Unsettled(left) => f.write_str(&by_host(left).join("\n")),
            Stop::Overtaken(overtaken) => {
                writeln!(f, "{overtaken}")?;
                f.write_str(
                    "This run stood still or was cut off for so long that its lock could be taken. What it had begun there \
                     is for the other run to finish or to put back; nothing more was changed, on any host, in the registry \
                     or at GitHub.",
                )
            }
            Stop::Locked { host, by } => {
                write!(f, "{host} is {by}\n{}", by.todo())
            }
            Stop::Wrong(wrong) => {
                f.write_str(&wrong.what)?;
                wrong.todo.iter().try_for_each(|todo| write!(f, "\n{todo}"))
            }
        }
    }
}

/// Reasons, each line on one of its own.
struct Indented<'a>(&'a [Reason]);

impl fmt::Display for Indented<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        by_host(self.0).iter().try_for_each(|line| write!(f, "\n  {line}"))
    }
}

/// Each line of each reason with its host; hosts that say the same together.
pub fn by_host(reasons: &[Reason]) -> Vec<String> {
    let mut said: Vec<(String, &str)> = Vec::new();
    for Reason { host, why } in reasons {
        match said.iter_mut().find(|(_, known)| known == why) {
            Some((hosts, _)) => *hosts += &format!(", {host}"),
            None => said.push((host.clone(), why)),
        }
    }
    said.iter().flat_map(|(hosts, why)| why.lines().map(move |line| format!("{hosts}: {line}"))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_that_say_the_same_say_it_together_and_each_line_has_its_host() {
        let reasons = [Reason::new("a", "no\nwhy"), Reason::new("b", "no\nwhy"), Reason::new("c", "yes")];
        assert_eq!(by_host(&reasons), ["a, b: no", "a, b: why", "c: yes"]);
        let stop = Stop::PutBack { version: "v1.0.0".to_owned(), causes: reasons.to_vec(), serves: Vec::new() };
        assert_eq!(
            stop.to_string(),
            "v1.0.0 failed, and what was changed was put back.\n  a, b: no\n  a, b: why\n  c: yes"
        );
    }

    #[test]
    fn the_exit_follows_from_what_happened() {
        let overtaken = Overtaken { host: "a".to_owned(), by: String::new() };
        let locked = Stop::Locked { host: "a".to_owned(), by: Held::Run("me".to_owned()) };
        let codes = [Stop::from(overtaken), locked, Stop::Interrupted(Signal::Terminate), Stop::Unsettled(Vec::new())];
        assert_eq!(codes.map(|stop| stop.exit().code()), [5, 5, 143, 4]);
        let wrong = Stop::advised(Exit::Usage, "no version", "name one");
        assert_eq!((wrong.exit().code(), wrong.to_string().as_str()), (2, "no version\nname one"));
    }
}
