//! `hooks`: commands around a release.

use crate::config::names::EnvName;
use crate::config::names::Name;
use std::time::Duration;

/// Commands around the switch.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Hooks {
    /// Once for the release, in the new image, on one host, before the switch.
    pub release: Option<ReleaseHook>,
    /// On every host, before the switch.
    pub before_switch: Option<HostHook>,
    /// On every host, after the switch.
    pub after_switch: Option<HostHook>,
    /// Here, before anything is built.
    pub before_build: Option<LocalHook>,
    /// Here, before the first host is changed.
    pub before_release: Option<LocalHook>,
    /// Here, when the new version is live.
    pub after_release: Option<LocalHook>,
    /// Here, when a release has failed.
    pub on_failure: Option<LocalHook>,
}

/// A command in a container of the new image, such as a migration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReleaseHook {
    /// Words, never a line.
    pub command: Vec<String>,
    /// The service whose image and settings it runs with; one of `Config::services`.
    pub service: Name,
    /// Its time.
    pub timeout: Duration,
    /// Whether rolling back the code is unsafe once it has run.
    pub irreversible: bool,
}

/// A command on the host itself, in the project's directory.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct HostHook {
    /// Words, never a line.
    pub command: Vec<String>,
    /// Its time.
    pub timeout: Duration,
}

/// A command on this side, in the directory of cutover.yml.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalHook {
    /// Words, never a line.
    pub command: Vec<String>,
    /// Its time.
    pub timeout: Duration,
    /// Variables with secrets that it gets; no other program does.
    pub secrets: Vec<EnvName>,
}
