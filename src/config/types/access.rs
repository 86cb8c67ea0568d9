//! `registry` and `ssh`: how to get in.

use crate::config::host::Address;
use crate::config::names::EnvName;
use std::path::PathBuf;
use std::time::Duration;

/// The registry's login. The password only ever comes from an environment variable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegistrySettings {
    /// `HOST[:PORT]`; `None`: the registry of the image.
    pub server: Option<String>,
    /// The user; `None`: from `CUTOVER_REGISTRY_USERNAME`.
    pub username: Option<String>,
    /// The variable that holds the password.
    pub password_env: EnvName,
}

/// How to log in to the hosts. Everything absent: agent, default keys, `~/.ssh/config`, `~/.ssh/known_hosts`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ssh {
    /// The variable that holds the private key.
    pub key_env: Option<EnvName>,
    /// A file with the private key; `~/` is the home directory.
    pub key_file: Option<PathBuf>,
    /// The variable that holds the key's passphrase.
    pub passphrase_env: Option<EnvName>,
    /// The hosts' keys.
    pub known_hosts: Option<KnownHostsSetting>,
    /// Fingerprints of which one must be the host's: `SHA256:` and 43 characters of base64, or `HOST=` and that.
    pub fingerprints: Vec<String>,
    /// Hosts to go through, first to last.
    pub jump: Vec<Address>,
    /// How long connecting may take, login included.
    pub connect_timeout: Option<Duration>,
    /// Instead of `~/.ssh/config`.
    pub config_file: Option<PathBuf>,
}

/// Where the hosts' keys are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KnownHostsSetting {
    /// Lines in the format of known_hosts (sshd(8)).
    Text(String),
    /// A file of such lines.
    File(PathBuf),
}
