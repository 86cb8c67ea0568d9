//! What can go wrong with a connection, said so that the reader knows what to do. No key material is ever in it.
use std::fmt;
use std::time::Duration;

use super::quote::QuoteError;

/// A key that the server was expected to have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExpectedKey {
    /// Where it is stated: `known_hosts line 3`, or `stated fingerprint`.
    pub source: String,
    /// `SHA256:…`.
    pub fingerprint: String,
    /// `ssh-ed25519` and so on; `None` when only the fingerprint was stated.
    pub algorithm: Option<String>,
}

/// A host key that nothing speaks for, as shown to a person who may accept it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownHostKey {
    /// `host:port`.
    pub place: String,
    /// `ssh-ed25519` and so on.
    pub algorithm: String,
    /// `SHA256:…`.
    pub fingerprint: String,
    /// The line that makes the key known, for `known_hosts` (sshd(8), SSH_KNOWN_HOSTS FILE FORMAT).
    pub line: String,
    /// Other hosts, of which fingerprints are stated.
    pub stated_for: Vec<String>,
}

/// Why there is no connection. Its text is one message for the user: what was wrong, where, and what to do.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum ConnectError {
    /// A setting cannot be used: a malformed fingerprint, an unreadable `known_hosts` or ssh_config file.
    Setting {
        /// What is wrong with it.
        problem: String,
    },
    /// The name has no address.
    Resolve {
        /// `host:port`.
        place: String,
        /// The resolver's words.
        problem: String,
    },
    /// No TCP connection, or none that spoke SSH in time; tried `attempts` times.
    Unreachable {
        /// `host:port`.
        place: String,
        /// Refused, timed out, no route.
        problem: String,
        /// How often it was tried.
        attempts: u32,
    },
    /// Nothing says what key this host has.
    HostKeyUnknown(Box<UnknownHostKey>),
    /// The host has another key than the ones that are known for it.
    HostKeyMismatch {
        /// `host:port`.
        place: String,
        /// The algorithm of the key that was presented.
        algorithm: String,
        /// Its `SHA256:…` fingerprint.
        fingerprint: String,
        /// The keys that would have been right.
        expected: Vec<ExpectedKey>,
    },
    /// The key, or the authority that signed it, is marked `@revoked`.
    HostKeyRevoked {
        /// `host:port`.
        place: String,
        /// `SHA256:…`.
        fingerprint: String,
        /// File and line of the mark.
        source: String,
    },
    /// The host has a certificate of a trusted authority that does not hold.
    HostCertificate {
        /// `host:port`.
        place: String,
        /// Why it does not hold.
        problem: String,
    },
    /// A private key or certificate cannot be read.
    KeyFormat {
        /// File name, or where the text came from.
        source: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A private key is encrypted.
    Passphrase {
        /// File name, or where the text came from.
        source: String,
        /// A passphrase was stated and does not open the key; otherwise none was stated.
        wrong: bool,
    },
    /// There is nothing to log in with.
    NoKey {
        /// Where a key was looked for, each with what came of it.
        tried: Vec<String>,
    },
    /// The server did not let us in. It was asked once per key.
    AuthRefused {
        /// `host:port`.
        place: String,
        /// The login name.
        user: String,
        /// The keys that were offered: fingerprint, algorithm, where from.
        offered: Vec<String>,
        /// The methods that the server accepts, as it named them.
        methods: Vec<String>,
        /// What the server said when it hung up, made inert; or another note.
        note: Option<String>,
    },
    /// The other side does not speak SSH as it should, or shares no algorithm with us.
    Protocol {
        /// `host:port`.
        place: String,
        /// What happened.
        problem: String,
    },
    /// A jump host could not be used.
    Jump {
        /// `host:port` of the jump host.
        place: String,
        /// Why.
        cause: Box<ConnectError>,
    },
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Setting { problem } => f.write_str(problem),
            Self::Resolve { place, problem } => {
                write!(f, "{place}: the host name has no address ({problem}); check its spelling and the DNS")
            }
            Self::Unreachable { place, problem, attempts } => write!(
                f,
                "{place}: {problem} ({attempts} attempts); check host and port, that sshd runs there, and the firewall"
            ),
            Self::HostKeyUnknown(key) => write_unknown(f, key),
            Self::HostKeyMismatch { place, algorithm, fingerprint, expected } => {
                write_mismatch(f, place, algorithm, fingerprint, expected)
            }
            Self::HostKeyRevoked { place, fingerprint, source } => {
                write!(f, "{place}: the host key {fingerprint} is marked @revoked ({source}); not connecting")
            }
            Self::HostCertificate { place, problem } => {
                write!(f, "{place}: the host certificate does not hold: {problem}; have the host's key signed anew")
            }
            Self::KeyFormat { source, problem } => write!(f, "{source}: {problem}"),
            Self::Passphrase { source, wrong: true } => {
                write!(f, "{source}: the passphrase does not open this private key")
            }
            Self::Passphrase { source, wrong: false } => {
                write!(f, "{source}: this private key is encrypted; state its passphrase or load it into an ssh-agent")
            }
            Self::NoKey { tried } => {
                f.write_str("there is no private key to log in with")?;
                let mut tried = tried.iter();
                tried.try_for_each(|tried| write!(f, "\n  tried {tried}"))
            }
            Self::AuthRefused { place, user, offered, methods, note } => {
                write_refused(f, place, user, offered, methods, note.as_deref())
            }
            Self::Protocol { place, problem } => write!(f, "{place}: {problem}"),
            Self::Jump { place, cause } => write!(f, "jump host {place}: {cause}"),
        }
    }
}

fn write_unknown(f: &mut fmt::Formatter<'_>, key: &UnknownHostKey) -> fmt::Result {
    let UnknownHostKey { place, algorithm, fingerprint, line, stated_for } = key;
    write!(f, "{place}: the host key is not known: {algorithm} {fingerprint}")?;
    if !stated_for.is_empty() {
        write!(f, "\nno fingerprint is stated for this host, only for {}", stated_for.join(", "))?;
    }
    write!(
        f,
        "\n\
         Compare the fingerprint with the host's own (there: ssh-keygen -lf /etc/ssh/ssh_host_…_key.pub).\n\
         If it is the same, add this line to known_hosts:\n{line}"
    )
}

fn write_mismatch(
    f: &mut fmt::Formatter<'_>,
    place: &str,
    algorithm: &str,
    fingerprint: &str,
    expected: &[ExpectedKey],
) -> fmt::Result {
    write!(f, "{place}: WRONG HOST KEY. The host has {algorithm} {fingerprint}")?;
    for key in expected {
        let algorithm = key.algorithm.as_deref().map(|a| format!("{a} ")).unwrap_or_default();
        write!(f, "\nexpected {algorithm}{} ({})", key.fingerprint, key.source)?;
    }
    write!(
        f,
        "\nEither somebody is in between, or the host was set up anew. Not connecting; find out which, on the host."
    )
}

fn write_refused(
    f: &mut fmt::Formatter<'_>,
    place: &str,
    user: &str,
    offered: &[String],
    methods: &[String],
    note: Option<&str>,
) -> fmt::Result {
    write!(f, "{place}: login as `{user}` was refused")?;
    if offered.is_empty() {
        write!(f, "; there was no key to offer")?;
    }
    for key in offered {
        write!(f, "\noffered {key}")?;
    }
    if !methods.is_empty() {
        write!(f, "\nthe server accepts: {}", methods.join(", "))?;
    }
    if let Some(note) = note {
        write!(f, "\n{note}")?;
    }
    write!(f, "\nCheck the user name, and that the key's public half is in that user's ~/.ssh/authorized_keys.")
}

impl std::error::Error for ConnectError {}

/// Why a remote command has no result. The command may have run, in part or in full, in all cases but
/// [`ExecError::Refused`] and [`ExecError::Quote`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ExecError {
    /// The command cannot be said in a shell line.
    Quote(QuoteError),
    /// The server opened no session or did not start the command.
    Refused(String),
    /// The account's login shell, or what sshd runs in its place (ForceCommand), ended without running the command.
    NotBegun {
        /// What it said, made inert and cut.
        said: String,
        /// Its exit status, if it had one.
        status: Option<u32>,
    },
    /// Not finished within `limits.timeout`.
    Timeout(Duration),
    /// More than `limits.max_bytes` on stdout and stderr together.
    TooMuchOutput(usize),
    /// The command was ended by this signal (name without `SIG`).
    Signal(String),
    /// The channel was closed in order, without an exit status or signal (RFC 4254, section 6.10, makes it optional).
    NoStatus,
    /// Nobody read the command's output for so long that the connection was held up; its channel was closed.
    Unread,
    /// The connection ended before the command's result was there.
    Disconnected,
}

impl fmt::Display for ExecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Quote(cause) => cause.fmt(f),
            Self::Refused(why) => write!(f, "the SSH server did not start the command: {why}"),
            Self::NotBegun { said, status } => {
                f.write_str("the account's login shell did not run the command")?;
                if let Some(status) = status {
                    write!(f, " (exit status {status})")?;
                }
                match said.as_str() {
                    "" => f.write_str("; it said nothing")?,
                    said => write!(f, "; it said: {said}")?,
                }
                f.write_str(
                    ". Look for `exec`, `exit` or `read` in its start-up files (.bashrc, .cshrc, .zshenv), for a \
                     ForceCommand in sshd_config or `command=` in authorized_keys, and at the account's shell",
                )
            }
            Self::Timeout(after) => write!(f, "the command did not finish within {} s", after.as_secs_f32()),
            Self::TooMuchOutput(limit) => write!(f, "the command wrote more than {limit} bytes"),
            Self::Signal(name) => write!(f, "the command was ended by signal {name}"),
            Self::NoStatus => f.write_str("the SSH server closed the channel without saying how the command ended"),
            Self::Unread => f.write_str("the command's output was not read in time"),
            Self::Disconnected => f.write_str("the SSH connection was lost while the command ran"),
        }
    }
}

impl std::error::Error for ExecError {}

impl From<QuoteError> for ExecError {
    fn from(cause: QuoteError) -> Self {
        Self::Quote(cause)
    }
}

/// Why a port could not be forwarded.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ForwardError {
    /// The server does not allow it (AllowTcpForwarding, PermitOpen, PermitListen in sshd_config(5)), or, for a remote
    /// forward, the port is taken: SSH does not tell these apart there.
    Prohibited,
    /// Forwarding is allowed, but nothing answered at that address, as seen from the host.
    ConnectFailed,
    /// Another refusal.
    Refused(String),
    /// No answer within the connect timeout.
    Timeout,
    /// The connection is gone.
    Disconnected,
}

impl fmt::Display for ForwardError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Prohibited => f.write_str("the SSH server does not allow this port forwarding"),
            Self::ConnectFailed => f.write_str("the host could not connect to that address"),
            Self::Refused(why) => write!(f, "the SSH server refused to forward: {why}"),
            Self::Timeout => f.write_str("the SSH server did not answer a forwarding request in time"),
            Self::Disconnected => f.write_str("the SSH connection was lost"),
        }
    }
}

impl std::error::Error for ForwardError {}

impl From<russh::Error> for ForwardError {
    fn from(cause: russh::Error) -> Self {
        use russh::ChannelOpenFailure::{AdministrativelyProhibited, ConnectFailed};
        match cause {
            russh::Error::ChannelOpenFailure(AdministrativelyProhibited) | russh::Error::RequestDenied => {
                Self::Prohibited
            }
            russh::Error::ChannelOpenFailure(ConnectFailed) => Self::ConnectFailed,
            russh::Error::ChannelOpenFailure(other) => Self::Refused(format!("{other:?}")),
            _ => Self::Disconnected,
        }
    }
}
