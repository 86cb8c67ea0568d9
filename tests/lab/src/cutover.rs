//! cutover run as its users run it: nothing of this process's surroundings, and the secrets of one instance.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result};

use crate::instance::Machine;
use crate::script::Lab;

/// The program, ready for its words: without this process's variables that change what it does, with the lab's Docker.
pub fn command(program: &Path) -> Result<Command> {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        let ours = ["GITHUB_", "CUTOVER_", "RUNNER_", "SSH_", "DOCKER_"].iter().any(|prefix| text.starts_with(prefix));
        if (ours && text != "CUTOVER_LAB") || text == "CI" {
            command.env_remove(&name);
        }
    }
    for (name, value) in Lab::up()?.docker().get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command.stdin(Stdio::null());
    Ok(command)
}

/// The environment that gives access to an instance, as a job's secrets do.
pub fn access(instance: &Machine) -> Result<Vec<(&'static str, String)>> {
    let read = |path: &Path| std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()));
    Ok(vec![("CUTOVER_SSH_KEY", read(&instance.key)?), ("CUTOVER_KNOWN_HOSTS", read(&instance.known_hosts)?)])
}

/// The smallest cutover.yml for a project on an instance.
pub fn smallest_config(instance: &Machine, image: &str, directory: &str) -> String {
    format!("image: {image}\nhost: {}\ndirectory: {directory}\n", instance.destination())
}
