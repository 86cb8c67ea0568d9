//! What the stand-in remembers between two calls: one JSON file, changed under a lock.

use std::fs::{self, File};
use std::io;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::container::Container;
use crate::image::Image;

const FILE: &str = "/run/docker/state.json";

/// Images and containers of this host.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct State {
    pub(crate) images: Vec<Image>,
    pub(crate) containers: Vec<Container>,
}

impl State {
    /// The state as it is.
    pub(crate) fn read() -> Result<State> {
        match fs::read(FILE) {
            Ok(bytes) => Ok(serde_json::from_slice(&bytes)?),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(State::default()),
            Err(error) => Err(error).context(FILE),
        }
    }

    /// Changes it; calls at the same time wait for each other.
    pub(crate) fn change<T>(how: impl FnOnce(&mut State) -> Result<T>) -> Result<T> {
        let lock = File::create(format!("{FILE}.lock"))?;
        lock.lock()?;
        let mut state = State::read()?;
        let result = how(&mut state)?;
        fs::write(format!("{FILE}.next"), serde_json::to_vec(&state)?)?;
        fs::rename(format!("{FILE}.next"), FILE)?;
        Ok(result)
    }

    pub(crate) fn container(&self, name: &str) -> Result<&Container> {
        self.containers
            .iter()
            .find(|container| container.is(name))
            .with_context(|| format!("No such container: {name}"))
    }

    pub(crate) fn container_mut(&mut self, name: &str) -> Result<&mut Container> {
        let mut all = self.containers.iter_mut();
        all.find(|container| container.is(name)).with_context(|| format!("No such container: {name}"))
    }
}

/// The command as root, with root's path: the stand-in is setuid, and a shell would give that up again.
pub(crate) fn as_root(command: &mut Command) -> &mut Command {
    command.uid(0).gid(0).env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
}
