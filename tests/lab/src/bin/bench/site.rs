//! A project on an instance, behind a link that can be made slow; and cutover and OpenSSH over that link.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use lab::load::Proxy;
use lab::{Instance, Kind, Lab, Options, Project, build_app, cutover};
use serde_json::Value;
use tempfile::TempDir;

use crate::usage::{Usage, measured};

/// How long the app takes to start.
pub(crate) const START: [(&str, &str); 1] = [("START_DELAY_MS", "1500")];

pub(crate) struct Site {
    pub(crate) program: PathBuf,
    pub(crate) instance: Instance,
    pub(crate) project: Project,
    pub(crate) dir: TempDir,
    number: u32,
    proxy: Option<Proxy>,
    runtime: tokio::runtime::Runtime,
}

impl Site {
    /// A project that serves v1.0.0 of an app that starts in 1.5 s.
    pub(crate) fn set_up(program: &Path) -> Result<Site> {
        let repository = Lab::up()?.repository("backend-api");
        let instance = Instance::start(Kind::V2)?;
        let project = Project::write(&instance, &repository, Options::default())?;
        project.bring_up(&[&build_app(&repository, "v1.0.0", &START)?])?;
        let (program, dir) = (program.canonicalize()?, TempDir::new()?);
        let runtime = tokio::runtime::Runtime::new()?;
        Ok(Site { program, instance, project, dir, number: 0, proxy: None, runtime })
    }

    /// Delays everything between here and sshd, each way.
    pub(crate) fn delay(&mut self, one_way: Duration) -> Result<()> {
        let target: SocketAddr = format!("{}:{}", self.instance.address, self.instance.port).parse()?;
        let start = || self.runtime.block_on(Proxy::start(target, one_way));
        self.proxy = (!one_way.is_zero()).then(start).transpose()?;
        Ok(())
    }

    /// A port of this machine that both sides reach, and that leads to the registry over a link like this.
    pub(crate) fn way_to_registry(&self, one_way: Duration, bytes_per_second: f64) -> Result<Proxy> {
        let registry: SocketAddr = Lab::up()?.registry.address.parse()?;
        self.runtime.block_on(Proxy::limited(registry.ip(), registry, one_way, bytes_per_second))
    }

    /// Where sshd answers.
    fn place(&self) -> (String, u16) {
        match &self.proxy {
            Some(proxy) => (proxy.address().ip().to_string(), proxy.address().port()),
            None => (self.instance.address.clone(), self.instance.port),
        }
    }

    fn known_hosts(&self) -> Result<String> {
        let (address, port) = self.place();
        let name = if port == 22 { address } else { format!("[{address}]:{port}") };
        let text = fs::read_to_string(&self.instance.known_hosts)?;
        Ok(text.lines().filter_map(|line| Some(format!("{name} {}\n", line.split_once(' ')?.1))).collect())
    }

    /// The next version's number.
    pub(crate) fn next(&mut self) -> String {
        self.number += 1;
        format!("v1.0.{}", self.number)
    }

    /// cutover.yml for the place where sshd answers now.
    pub(crate) fn config(&self, more: &str) -> String {
        let (address, port) = self.place();
        let (image, directory) = (&self.project.image, &self.project.options.directory);
        format!("image: {image}\nhost: deploy@{address}:{port}\ndirectory: {directory}\n{more}")
    }

    /// cutover with these words and `--json`, in this directory.
    pub(crate) fn cutover(&self, words: &[&str], directory: &Path) -> Result<Ran> {
        let mut command = cutover::command(&self.program)?;
        command.args(words).arg("--json").current_dir(directory).envs(cutover::access(&self.instance)?);
        command.env("CUTOVER_KNOWN_HOSTS", self.known_hosts()?).env("CUTOVER_CACHE", self.dir.path().join("cache"));
        let usage = measured(&mut command)?;
        let events = usage.stdout.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        Ok(Ran { usage, events })
    }

    /// Has cutover deploy a version, with the lines of `more` in its configuration.
    pub(crate) fn deploy(&self, version: &str, more: &str) -> Result<Ran> {
        fs::write(self.dir.path().join("cutover.yml"), self.config(more))?;
        self.cutover(&["deploy", "--version", version], self.dir.path())
    }

    /// The words that make OpenSSH log in.
    pub(crate) fn ssh(&self) -> Result<String> {
        let known = self.dir.path().join("known_hosts");
        fs::write(&known, self.known_hosts()?)?;
        let ((address, port), key) = (self.place(), self.instance.key.display());
        let known = known.display();
        Ok(format!(
            "ssh -F /dev/null -o BatchMode=yes -o UserKnownHostsFile={known} -i {key} -p {port} deploy@{address}"
        ))
    }

    /// Has the reference's deploy script swap, over OpenSSH; gives the seconds.
    pub(crate) fn by_script(&self) -> Result<f64> {
        self.over_ssh(&format!("cd {} && sh ./deploy-anywhere.sh", self.project.options.directory))
    }

    /// Runs a script on the host, over OpenSSH; gives the seconds.
    pub(crate) fn over_ssh(&self, script: &str) -> Result<f64> {
        timed(&format!("{} '{script}' >/dev/null 2>&1", self.ssh()?))
    }
}

/// One run of cutover.
pub(crate) struct Ran {
    pub(crate) usage: Usage,
    events: Vec<Value>,
}

impl Ran {
    /// The end of a step.
    pub(crate) fn ended(&self, step: &str) -> Result<&Value> {
        let is_it = |event: &&Value| event["event"] == "step-end" && event["step"] == step;
        self.events.iter().find(is_it).with_context(|| format!("no step {step}"))
    }

    /// Seconds from the start until the new version was proved to serve.
    pub(crate) fn live(&self) -> Result<f64> {
        self.ended("confirm")?["at"].as_f64().context("no time")
    }

    /// What the result says of the first host.
    pub(crate) fn host(&self, name: &str) -> Option<f64> {
        let result = self.events.iter().rev().find(|event| event["event"] == "result")?;
        result["data"]["hosts"][0][name].as_f64()
    }
}

/// Runs a shell script with the lab's Docker; gives the seconds.
pub(crate) fn timed(script: &str) -> Result<f64> {
    let began = Instant::now();
    sh(script)?;
    Ok(began.elapsed().as_secs_f64())
}

/// Runs a shell script with the lab's Docker; gives its output.
pub(crate) fn sh(script: &str) -> Result<String> {
    Lab::up()?.sh(script)
}
