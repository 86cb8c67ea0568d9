//! What cutover.yml says, once it is checked. `None` and empty lists mean: found out on the host.

mod access;
mod build;
mod env_file;
mod github;
mod hooks;
mod nginx;
mod service;
mod version;

use crate::config::host::HostSettings;
use crate::config::names::Name;
use std::path::PathBuf;
use std::time::Duration;

pub use access::{KnownHostsSetting, RegistrySettings, Ssh};
pub use build::{Build, BuildSecret, SecretSource};
pub use env_file::{EnvContent, EnvFile};
pub use github::{GitHubSettings, WhenReleased};
pub use hooks::{Hooks, HostHook, LocalHook, ReleaseHook};
pub use nginx::{NginxSettings, ProbeStated};
pub use service::{HealthSettings, PortSetting, ServiceSettings, SlotSettings};
pub use version::{Latest, TagForm, VersionFrom, VersionPattern, WhenMissing};

/// A checked cutover.yml, with one environment's settings laid over it.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// The environment that was asked for. Part of the identity of state, lock and history on the host.
    pub environment: Option<Name>,
    /// The directory of cutover.yml: relative paths of this side start there, and git is asked there.
    pub root: PathBuf,
    /// The services, in the order of the file; at least one.
    pub services: Vec<ServiceSettings>,
    /// The hosts, in the order of the file; at least one, none twice.
    pub hosts: Vec<HostSettings>,
    /// The project's directory on every host: absolute, no `.` or `..` in it.
    pub directory: String,
    /// The compose files on the host, relative to `directory` or absolute; empty: as compose itself finds them.
    pub compose_files: Vec<String>,
    /// The name of the compose project.
    pub project: Option<Name>,
    /// The stack, with `engine: swarm`; `None`: compose runs the slots.
    pub stack: Option<Name>,
    /// nginx on the host.
    pub nginx: NginxSettings,
    /// When the tag `latest` moves.
    pub latest: Latest,
    /// What a commit message without a version means.
    pub when_missing: WhenMissing,
    /// Where in a text its version stands.
    pub version_from: VersionFrom,
    /// The registry's login; `None`: docker's own configuration is used as it is.
    pub registry: Option<RegistrySettings>,
    /// How to log in to the hosts.
    pub ssh: Ssh,
    /// How long to wait for nginx's old workers to finish.
    pub drain_timeout: Duration,
    /// Watching after the switch; `None`: not watched.
    pub bake: Option<Bake>,
    /// How many releases are kept on a host for rollback; at least 1.
    pub keep: usize,
    /// How many hosts are worked on at the same time; `None`: all.
    pub parallel: Option<usize>,
    /// How long to wait for another run's lock; zero: not at all.
    pub lock_wait: Duration,
    /// Commands around the switch.
    pub hooks: Hooks,
    /// A secret env file that is put on the host.
    pub env_file: Option<EnvFile>,
    /// What GitHub is told.
    pub github: GitHubSettings,
}

/// Watching through nginx after the switch, and going back by itself.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Bake {
    /// For how long.
    pub duration: Duration,
    /// More failures than this put the old version back.
    pub max_failures: u32,
}
