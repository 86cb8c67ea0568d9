//! One SSH connection to one host: the host key verified, a key accepted, commands and forwarded ports over it.
//!
//! Channels share the connection: one that is not read would hold up the others, so each is emptied by a task or by the
//! call that opened it, within bounds ([`bounded`]).

mod auth;
mod bounded;
pub mod config_file;
mod connect;
mod error;
mod exec;
mod forward;
mod handler;
pub mod keys;
pub mod known_hosts;
mod lanes;
mod pool;
mod quote;
mod route;
mod session;
mod short_ecdsa;
mod stated;
mod stream;
mod target;
mod trips;
mod trust;
mod wrap;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

pub use bounded::{Answers, Lines, whole, within};
pub use error::{ConnectError, ExecError, ExpectedKey, ForwardError, UnknownHostKey};
pub use exec::{Limits, Output};
pub use forward::RemoteForward;
pub use pool::Size;
pub use quote::{Command, QuoteError, quote};
pub use session::{Session, Window};
pub use stated::{bind, unbound};
pub use stream::{Child, SshStream};
pub use target::{Target, TargetError};
pub(crate) use trust::bare_fingerprint;

use crate::secret::Secret;

/// Asks a person whether to accept a host key that nothing speaks for.
pub type AskHostKey = Arc<dyn Fn(&UnknownHostKey) -> bool + Send + Sync>;

/// Silence of the host or the network after which a connection counts as lost.
pub const SILENCE: Duration = Duration::from_secs(30);

/// How to connect: whom to trust, what to log in with, and how long to wait.
#[derive(Clone)]
pub struct Options {
    /// Text in the format of known_hosts (sshd(8)). `None`: `~/.ssh/known_hosts` and `/etc/ssh/ssh_known_hosts`.
    pub known_hosts: Option<String>,
    /// `HOST=SHA256:…`; any one of a host may match. `SHA256:…` where there is no jump host. With these, or with
    /// `known_hosts`, the files are read for `@revoked` only.
    pub fingerprints: Vec<String>,
    /// A private key as text, as it comes out of a CI secret.
    pub key: Option<Secret>,
    /// Files with private keys; a certificate is looked for beside each, as `KEY-cert.pub`.
    pub key_files: Vec<PathBuf>,
    /// Opens `key` and `key_files` that are encrypted.
    pub passphrase: Option<Secret>,
    /// Hosts to go through, first one first (ProxyJump of ssh_config(5)).
    pub jump: Vec<Target>,
    /// Whether to use the ssh-agent at `SSH_AUTH_SOCK`.
    pub agent: bool,
    /// `~/.ssh/config`, on a laptop; also allows the usual key files. `None` in CI.
    pub config_file: Option<PathBuf>,
    /// Longest wait for the TCP connection, and again for the key exchange, at each of three attempts.
    pub connect_timeout: Duration,
    /// Silence after which the server is asked for a sign of life; after four times this the connection counts as lost.
    pub keepalive: Duration,
    /// Only where a person can answer.
    pub ask_host_key: Option<AskHostKey>,
}

impl Default for Options {
    /// No key, no agent, no ssh_config; 10 s to connect, lost after [`SILENCE`].
    fn default() -> Self {
        Self {
            known_hosts: None,
            fingerprints: Vec::new(),
            key: None,
            key_files: Vec::new(),
            passphrase: None,
            jump: Vec::new(),
            agent: false,
            config_file: None,
            connect_timeout: Duration::from_secs(10),
            keepalive: SILENCE / 4,
            ask_host_key: None,
        }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("fingerprints", &self.fingerprints)
            .field("key_files", &self.key_files)
            .field("jump", &self.jump)
            .field("agent", &self.agent)
            .field("config_file", &self.config_file)
            .finish_non_exhaustive()
    }
}
