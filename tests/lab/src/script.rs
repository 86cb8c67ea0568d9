//! The way to `scripts/lab`: one function that runs a verb, and the lab that is up once a process asked for it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context, Result, anyhow, bail};
use serde::Deserialize;

/// The lab, up: its private Docker daemon and its registries.
#[derive(Debug, Clone)]
pub struct Lab {
    /// Value for `DOCKER_HOST`, to build and push as a runner would.
    pub docker_host: String,
    /// The registries.
    pub registry: Registry,
}

/// Addresses of the registries, the same from the runner and from an instance; plain HTTP, trusted by every dockerd.
#[derive(Debug, Clone, Deserialize)]
pub struct Registry {
    /// `host:port` of the open one.
    #[serde(rename = "registry")]
    pub address: String,
    /// `host:port` of the one that wants a login.
    pub auth_registry: String,
    /// Its user.
    pub user: String,
    /// Its password.
    pub password: String,
}

static LAB: OnceLock<std::result::Result<Lab, String>> = OnceLock::new();
static NAMES: AtomicUsize = AtomicUsize::new(0);

impl Lab {
    /// Brings the lab up (once a process; minutes on a fresh machine, half a second when it is up) and removes what
    /// killed test processes left behind.
    pub fn up() -> Result<&'static Lab> {
        LAB.get_or_init(|| start().map_err(|e| format!("{e:#}"))).as_ref().map_err(|e| anyhow!("{e}"))
    }

    /// A repository of this process's own in the open registry, such as `198.18.0.1:15000/t4711-0/backend-api`.
    pub fn repository(&self, name: &str) -> String {
        format!("{}/{}/{name}", self.registry.address, unique())
    }

    /// The same in the registry that wants a login.
    pub fn auth_repository(&self, name: &str) -> String {
        format!("{}/{}/{name}", self.registry.auth_registry, unique())
    }

    /// A `docker` command that talks to the lab's daemon.
    pub fn docker(&self) -> Command {
        let mut command = Command::new("docker");
        command.env("DOCKER_HOST", &self.docker_host).env("DOCKER_BUILDKIT", "0").env_remove("DOCKER_CONTEXT");
        command
    }

    /// Runs a shell script whose `docker` talks to the lab's daemon, and gives its output; a failing part of a pipe, too,
    /// is an error.
    pub fn sh(&self, script: &str) -> Result<String> {
        let docker = self.docker();
        let envs = docker.get_envs().filter_map(|(name, value)| Some((name, value?)));
        run(Command::new("bash").args(["-o", "pipefail", "-c", script]).envs(envs))
    }
}

fn start() -> Result<Lab> {
    lab(&["up"])?;
    lab(&["sweep"])?;
    let env = lab(&["env"])?;
    let docker_host =
        env.lines().find_map(|line| line.strip_prefix("export DOCKER_HOST=")).context("no DOCKER_HOST")?;
    let registry = serde_json::from_str(&lab(&["registry"])?)?;
    Ok(Lab { docker_host: docker_host.to_owned(), registry })
}

/// A name that no other test has: `t<pid>-<n>`.
pub(crate) fn unique() -> String {
    format!("t{}-{}", std::process::id(), NAMES.fetch_add(1, Ordering::Relaxed))
}

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Runs `scripts/lab` with these words and gives its standard output.
pub(crate) fn lab(words: &[&str]) -> Result<String> {
    run(Command::new(root().join("scripts/lab")).args(words))
}

/// Runs a command to its end; its standard output, or an error that holds what it said.
pub(crate) fn run(command: &mut Command) -> Result<String> {
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("starting {command:?}"))?;
    if !output.status.success() {
        bail!("{command:?}: {}\n{}", output.status, String::from_utf8_lossy(&output.stderr));
    }
    Ok(String::from_utf8(output.stdout)?)
}
