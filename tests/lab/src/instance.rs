//! An instance: a machine of its own with sshd, dockerd and an address, gone when dropped.

use std::io::Write;
use std::ops::Deref;
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::script::{Lab, lab, run, unique};

/// What runs on an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Debian trixie: Docker 26.1, the compose v2 plugin (2.26), OpenSSH 10.
    V2,
    /// Debian bookworm: Docker 20.10, docker-compose 1.29, OpenSSH 9.2.
    V1,
}

/// A running instance. Clones are the same instance; it is removed when the last one is dropped, even by a panic, unless
/// the environment has `LAB_KEEP` or [`Machine::keep`] was called.
#[derive(Debug, Clone)]
pub struct Instance(Arc<Machine>);

/// What an [`Instance`] gives access to.
#[derive(Debug, Deserialize)]
pub struct Machine {
    /// Its name and hostname.
    pub name: String,
    /// Its address on the lab's bridge; it keeps it when it reboots.
    pub address: String,
    /// Port of its sshd.
    pub port: u16,
    /// The user to log in as; in the group docker.
    pub user: String,
    /// Path of the user's private key (OpenSSH format, ed25519, no passphrase).
    pub key: PathBuf,
    /// Path of a known_hosts file with the right lines (ed25519 and ecdsa).
    pub known_hosts: PathBuf,
    /// What runs on it.
    pub kind: Kind,
    #[serde(skip)]
    keep: AtomicBool,
}

/// How to start an instance; see [`Instance::start`] for the usual way.
#[derive(Debug, Clone)]
pub struct Start {
    /// What runs on it.
    pub kind: Kind,
    /// Port of its sshd.
    pub ssh_port: u16,
    /// Lines for sshd_config that win over the lab's own, such as `AllowTcpForwarding no`.
    pub sshd: Vec<String>,
    /// A program that is its `docker`, in place of an engine: cheap enough for many instances.
    pub stand_in: Option<PathBuf>,
}

/// What a command on an instance gave.
#[derive(Debug)]
pub struct Output {
    /// Its exit status.
    pub status: ExitStatus,
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
}

impl Output {
    /// Whether it exited with 0.
    pub fn success(&self) -> bool {
        self.status.success()
    }
}

/// A container on an instance, running or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Container {
    /// Its name.
    pub name: String,
    /// `running`, `exited`, `restarting`, …
    pub state: String,
    /// What `docker ps` says in its STATUS column.
    pub status: String,
    /// The image reference it was started from.
    pub image: String,
    /// Its whole id.
    pub id: String,
}

impl Start {
    /// sshd on port 22, nothing special.
    pub fn new(kind: Kind) -> Self {
        Start { kind, ssh_port: 22, sshd: Vec::new(), stand_in: None }
    }

    /// Starts it and waits until sshd and dockerd answer.
    pub fn start(self) -> Result<Instance> {
        Lab::up()?;
        let (name, port) = (unique(), self.ssh_port.to_string());
        let kind = if self.kind == Kind::V2 { "v2" } else { "v1" };
        let mut words = vec!["instance", &name, "--kind", kind, "--ssh-port", &port];
        self.sshd.iter().for_each(|line| words.extend(["--sshd", line]));
        let stand_in = self.stand_in.as_ref().map(|program| program.to_string_lossy().into_owned());
        stand_in.iter().for_each(|program| words.extend(["--stand-in", program]));
        let machine: Machine = serde_json::from_str(&lab(&words)?).context("what scripts/lab said of the instance")?;
        if std::env::var_os("LAB_KEEP").is_some() {
            machine.keep();
        }
        Ok(Instance(Arc::new(machine)))
    }
}

impl Deref for Instance {
    type Target = Machine;

    fn deref(&self) -> &Machine {
        &self.0
    }
}

impl Instance {
    /// Starts an instance (2–3 s) and waits until its sshd and dockerd answer.
    pub fn start(kind: Kind) -> Result<Instance> {
        Start::new(kind).start()
    }

    /// An instance that `scripts/lab instance` started; it stays when this value is dropped.
    pub fn attach(name: &str) -> Result<Instance> {
        let machine: Machine = serde_json::from_str(&lab(&["show", name])?)?;
        machine.keep();
        Ok(Instance(Arc::new(machine)))
    }
}

impl Machine {
    /// `user@address`, with the port where it is not 22.
    pub fn destination(&self) -> String {
        let port = if self.port == 22 { String::new() } else { format!(":{}", self.port) };
        format!("{}@{}{port}", self.user, self.address)
    }

    /// The OpenSSH client, ready for the command's words: this instance's key and host keys, no configuration of yours.
    pub fn ssh(&self) -> Command {
        let mut ssh = Command::new("ssh");
        ssh.args(["-F", "/dev/null", "-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes", "-o", "LogLevel=ERROR"]);
        ssh.arg("-o").arg(format!("UserKnownHostsFile={}", self.known_hosts.display()));
        ssh.arg("-i").arg(&self.key).arg("-p").arg(self.port.to_string());
        ssh.arg(format!("{}@{}", self.user, self.address));
        ssh
    }

    /// Runs a shell script as the user, over OpenSSH, from its home. A failing script is not an error here.
    pub fn sh(&self, script: &str) -> Result<Output> {
        output(self.ssh().arg("--").arg(script), b"")
    }

    /// Runs a shell script as the user and gives its trimmed output; failing is an error.
    pub fn ok(&self, script: &str) -> Result<String> {
        expect(script, self.sh(script)?)
    }

    /// Runs a shell script as root, not over SSH, and gives its trimmed output; failing is an error.
    pub fn root(&self, script: &str) -> Result<String> {
        expect(script, output(Command::new(lab_path()).args(["exec", &self.name, "sh", "-c", script]), b"")?)
    }

    /// Writes a file as the user, with its directories; `path` absolute or from the home.
    pub fn write(&self, path: &str, bytes: impl AsRef<[u8]>) -> Result<()> {
        let script = format!("mkdir -p \"$(dirname '{path}')\" && cat > '{path}'");
        expect(&script, output(self.ssh().arg("--").arg(&script), bytes.as_ref())?).map(drop)
    }

    /// Writes text files as the user in one go; each ends with a newline.
    pub fn write_all(&self, files: &[(String, String)]) -> Result<()> {
        let put = |(path, text): &(String, String)| {
            format!(
                "mkdir -p \"$(dirname '{path}')\"\ncat > '{path}' <<'END-OF-FILE'\n{}\nEND-OF-FILE\n",
                text.trim_end()
            )
        };
        let script: String = files.iter().map(put).collect();
        expect("writing files", output(self.ssh().args(["--", "sh", "-e"]), script.as_bytes())?).map(drop)
    }

    /// Reads a file as root.
    pub fn read(&self, path: &str) -> Result<String> {
        let output = output(Command::new(lab_path()).args(["exec", &self.name, "cat", path]), b"")?;
        if !output.success() {
            bail!("reading {path}: {}", output.stderr.trim());
        }
        Ok(output.stdout)
    }

    /// Every container, running or not.
    pub fn docker_ps(&self) -> Result<Vec<Container>> {
        let format = "{{.Names}}\t{{.State}}\t{{.Status}}\t{{.Image}}\t{{.ID}}";
        let lines = self.root(&format!("docker ps -a --no-trunc --format '{format}'"))?;
        lines.lines().map(|line| parse_container(line).with_context(|| format!("not a container: {line}"))).collect()
    }

    /// The container of exactly this name.
    pub fn container(&self, name: &str) -> Result<Option<Container>> {
        Ok(self.docker_ps()?.into_iter().find(|container| container.name == name))
    }

    /// Whether a container of exactly this name is there and running.
    pub fn is_running(&self, name: &str) -> Result<bool> {
        Ok(self.container(name)?.is_some_and(|container| container.state == "running"))
    }

    /// Stops dockerd and starts it again; waits until it answers.
    pub fn restart_dockerd(&self) -> Result<()> {
        lab(&["restart-dockerd", &self.name]).map(drop)
    }

    /// Restarts the whole machine; waits until sshd and dockerd answer. The address stays.
    pub fn reboot(&self) -> Result<()> {
        lab(&["reboot", &self.name]).map(drop)
    }

    /// Lets it have so much processor time a second, in seconds.
    pub fn limit(&self, processors: f64) -> Result<()> {
        let mut docker = Lab::up()?.docker();
        run(docker.args(["update", "--cpus", &processors.to_string(), &format!("lab-{}", self.name)])).map(drop)
    }

    /// Leaves the instance running when the last value of it is dropped.
    pub fn keep(&self) {
        self.keep.store(true, Ordering::Relaxed);
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        if !self.keep.load(Ordering::Relaxed) {
            let _ = lab(&["down", &self.name]);
        }
    }
}

fn lab_path() -> PathBuf {
    crate::script::root().join("scripts/lab")
}

fn parse_container(line: &str) -> Option<Container> {
    let mut words = line.split('\t').map(str::to_owned);
    let (name, state, status) = (words.next()?, words.next()?, words.next()?);
    Some(Container { name, state, status, image: words.next()?, id: words.next()? })
}

fn output(command: &mut Command, input: &[u8]) -> Result<Output> {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let mut stdin = child.stdin.take().context("no stdin")?;
    // A command that reads nothing may be gone already: its exit status tells.
    let _ = stdin.write_all(input);
    drop(stdin);
    let output = child.wait_with_output()?;
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Ok(Output { status: output.status, stdout: text(output.stdout), stderr: text(output.stderr) })
}

fn expect(script: &str, output: Output) -> Result<String> {
    if !output.success() {
        bail!("{}: {script}\n{}{}", output.status, output.stdout, output.stderr);
    }
    Ok(output.stdout.trim_end().to_owned())
}
