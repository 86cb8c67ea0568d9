//! What the tests against real instances share: a project that serves, and cutover run as its users run it.
#![allow(dead_code, unreachable_pub, missing_docs, clippy::unwrap_used, clippy::expect_used)]

pub mod fault;
pub mod host;
pub mod serves;
pub mod watch;

pub mod layout;
pub mod swarm;
pub mod wire;

use lab::{App, Image, Instance, Kind, Lab, Options, Project, build_app};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;

/// A project that serves v1.0.0 from blue, and a cutover.yml for it.
pub struct Bench {
    pub instance: Instance,
    pub project: Project,
    pub repository: String,
    pub dir: TempDir,
    pub config: String,
}

/// How a run of cutover ended.
pub struct Ran {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Bench {
    /// The reference project as it is, serving v1.0.0.
    pub fn reference(kind: Kind) -> Bench {
        Bench::with(kind, Options::default())
    }

    /// The reference project with changes, serving v1.0.0.
    pub fn with(kind: Kind, options: Options) -> Bench {
        let bench = Bench::idle(kind, options);
        let first = build_app(&bench.repository, "v1.0.0", &[]).expect("v1.0.0");
        bench.project.bring_up(&[&first]).expect("up");
        bench
    }

    /// The project's files, and nothing running.
    pub fn idle(kind: Kind, options: Options) -> Bench {
        Bench::on(Instance::start(kind).expect("an instance"), options)
    }

    /// The same on an instance that is there.
    pub fn on(instance: Instance, options: Options) -> Bench {
        // a repository of its own: tests share a registry
        let name = format!("{}/backend-api", instance.name.to_lowercase());
        let repository = Lab::up().expect("lab").repository(&name);
        Bench::of(instance, repository, options)
    }

    /// The same with an image of this repository.
    pub fn of(instance: Instance, repository: String, options: Options) -> Bench {
        let project = Project::write(&instance, &repository, options).expect("project");
        let config = lab::cutover::smallest_config(&instance, &repository, &project.options.directory);
        Bench { instance, project, repository, dir: TempDir::new().expect("a directory"), config }
    }

    /// Builds and pushes a version.
    pub fn image(&self, version: &str, settings: &[(&str, &str)]) -> Image {
        build_app(&self.repository, version, settings).expect("an image")
    }

    /// Runs cutover with the bench's configuration.
    pub fn cutover(&self, words: &[&str]) -> Ran {
        run(&mut self.command(words))
    }

    /// The same, not yet run.
    pub fn command(&self, words: &[&str]) -> Command {
        let config = self.dir.path().join("cutover.yml");
        std::fs::write(&config, &self.config).expect("cutover.yml");
        let mut command = cutover();
        command.current_dir(self.dir.path()).args(words).envs(access(&self.instance));
        command
    }

    /// Makes and pushes a version, then deploys it.
    pub fn deploy(&self, version: &str, settings: &[(&str, &str)]) -> Ran {
        self.image(version, settings);
        self.cutover(&["deploy", "--version", version])
    }

    /// A git work tree with the app at this version, committed with this message, and the bench's cutover.yml.
    pub fn work_tree(&self, version: &str, message: &str) -> lab::GitRepository {
        App::new(&self.repository, version).git_repository(&self.config, message).expect("a work tree")
    }

    /// What `status --json` says of the only service.
    pub fn status(&self) -> Value {
        let ran = self.cutover(&["status", "--json"]);
        ran.result()["hosts"][0]["services"][0].clone()
    }

    /// The old version serves, nothing of the failed one is left, and nginx's file is as it was.
    pub fn assert_untouched(&self, conf: &str) {
        assert_eq!(self.project.served_version().as_deref(), Some("v1.0.0"));
        assert_eq!(self.project.conf().expect("conf"), conf);
        assert!(self.instance.container("green").expect("ps").is_none(), "green is left");
        assert!(self.instance.is_running("blue").expect("ps"));
        let latest = self.project.ok(&format!("docker image inspect -f '{{{{.Id}}}}' {}:latest", self.repository));
        let live = self.project.ok("docker inspect -f '{{.Image}}' blue");
        assert_eq!(latest.expect("latest"), live.expect("blue"), "the compose reference names another image");
        let left = self.project.ok("find . -name '*cutover*' -path './nginx/*' -o -name journal.jsonl").expect("find");
        assert_eq!(left, "", "files are left");
    }
}

impl Ran {
    /// The data of the last result event of a `--json` run.
    pub fn result(&self) -> Value {
        let events = self.events();
        let last = events.iter().rev().find(|event| event["event"] == "result");
        last.unwrap_or_else(|| panic!("no result: {self}"))["data"].clone()
    }

    /// Every event of a `--json` run.
    pub fn events(&self) -> Vec<Value> {
        self.stdout.lines().map(|line| serde_json::from_str(line).expect("a JSON line")).collect()
    }

    /// Ended with this code; shows everything otherwise.
    pub fn expect(self, code: i32) -> Ran {
        assert_eq!(self.code, code, "{self}");
        self
    }

    /// Did not print this.
    pub fn never_says(self, text: &str) -> Ran {
        assert!(!self.stdout.contains(text) && !self.stderr.contains(text), "said: {text}\n{self}");
        self
    }

    /// Printed this, on either stream.
    pub fn says(self, text: &str) -> Ran {
        assert!(self.stdout.contains(text) || self.stderr.contains(text), "not said: {text}\n{self}");
        self
    }
}

impl std::fmt::Display for Ran {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "exit code {}\n--- stdout\n{}\n--- stderr\n{}", self.code, self.stdout, self.stderr)
    }
}

/// The binary, with none of this process's surroundings that change what it does.
pub fn cutover() -> Command {
    lab::cutover::command(Path::new(env!("CARGO_BIN_EXE_cutover"))).expect("lab")
}

/// The environment that gives access to an instance, as a job's secrets do.
pub fn access(instance: &Instance) -> Vec<(&'static str, String)> {
    lab::cutover::access(instance).expect("files of the lab")
}

/// Runs to the end.
pub fn run(command: &mut Command) -> Ran {
    let Output { status, stdout, stderr } = command.output().expect("cutover runs");
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Ran { code: status.code().unwrap_or(-1), stdout: text(stdout), stderr: text(stderr) }
}

/// The repository's root.
pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}
