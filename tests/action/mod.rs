//! Runs the documented workflows with act, on this machine, against a real instance.

pub mod mermaid;

use super::common::{Bench, root};
use super::fake::FakeGitHub;
use lab::{App, GitRepository, Lab};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;
use tempfile::TempDir;

/// A repository with a workflow, the action it names, an instance to release to and a GitHub to tell.
pub struct Repository {
    pub bench: Bench,
    pub tree: GitRepository,
    pub github: FakeGitHub,
    /// More of the environment that act and the steps run in.
    pub env: Vec<(String, String)>,
    action: TempDir,
    act: TempDir,
}

/// What a workflow left behind.
pub struct Job {
    pub green: bool,
    pub log: String,
    pub outputs: Vec<(String, String)>,
    pub summary: String,
}

impl Repository {
    /// With v1.0.0 serving, this workflow of docs/workflows, and a first commit that names `version`.
    pub fn new(bench: Bench, workflow: &str, message: &str) -> Repository {
        let app = App::new(&bench.repository, "v1.1.0");
        let tree = app.git_repository(&bench.config, message).expect("a work tree");
        let workflows = tree.path().join(".github/workflows");
        std::fs::create_dir_all(&workflows).expect("a directory");
        std::fs::copy(root().join("docs/workflows").join(workflow), workflows.join("deploy.yml")).expect("a workflow");
        let own = tree.path().join(".github/actions/release-with-cutover");
        std::fs::create_dir_all(&own).expect("a directory");
        let theirs = root().join("docs/workflows/release-with-cutover/action.yml");
        std::fs::copy(theirs, own.join("action.yml")).expect("an action");
        tree.git(&["remote", "add", "origin", "https://github.com/devrank/api.git"]).expect("a remote");
        let (action, act) = (published_action(), TempDir::new().expect("a directory"));
        Repository { bench, tree, github: FakeGitHub::start(), env: Vec::new(), action, act }
    }

    /// Commits another version of the app and gives the event of its push.
    pub fn commit(&self, app: &App, message: &str) -> Value {
        let commit = self.tree.commit(app, message).expect("a commit");
        push(&commit, message)
    }

    /// Runs the workflow to its end.
    pub fn run(&self, event: &str, data: &Value) -> Job {
        let output = self.command(event, data).output().expect("act");
        self.job(&output)
    }

    /// Starts the workflow.
    pub fn start(&self, event: &str, data: &Value) -> Child {
        self.command(event, data).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("act")
    }

    /// What the workflow left, from act's log.
    pub fn job(&self, output: &Output) -> Job {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let log = text(&output.stdout) + &text(&output.stderr);
        Job { green: output.status.success(), outputs: outputs(&log), summary: summary(&log), log }
    }

    fn command(&self, event: &str, data: &Value) -> Command {
        let file = self.act.path().join("event.json");
        std::fs::write(&file, data.to_string()).expect("an event");
        let mut act = Command::new(tools().join("act"));
        act.current_dir(self.tree.path()).arg(event).arg("-e").arg(file);
        act.args(["-P", "ubuntu-latest=-self-hosted", "-P", "docker=-self-hosted"]).envs(self.env.iter().cloned());
        act.args(["--no-cache-server", "--action-offline-mode"]);
        let action = self.action.path().display();
        act.arg(format!("--local-repository=cutover-release/cutover@v0={action}"));
        act.env("HOME", self.act.path()).env("XDG_CACHE_HOME", self.act.path().join("cache"));
        let lab = Lab::up().expect("lab");
        let read = |path: &Path| std::fs::read_to_string(path).expect("a file of the lab");
        for (name, value) in [
            ("DOCKER_HOST", lab.docker_host.clone()),
            ("DOCKER_BUILDKIT", "0".to_owned()),
            ("CUTOVER_MIRROR", format!("file://{}/mirror", self.action.path().display())),
            ("GITHUB_API_URL", self.github.url.clone()),
            ("RUNNER_TOOL_CACHE", self.act.path().join("tools").display().to_string()),
        ] {
            act.arg("--env").arg(format!("{name}={value}"));
        }
        let instance = &self.bench.instance;
        for (name, value) in [
            ("SSH_KEY", read(Path::new(&instance.key))),
            ("KNOWN_HOSTS", read(Path::new(&instance.known_hosts))),
            ("GITHUB_TOKEN", "a-token".to_owned()),
        ] {
            act.arg("-s").arg(name).env(name, value);
        }
        act.stdin(Stdio::null());
        act
    }
}

impl Job {
    pub fn output(&self, name: &str) -> &str {
        let last = self.outputs.iter().rev().find(|(known, _)| known == name);
        last.map_or("", |(_, value)| value.as_str())
    }

    pub fn expect(self, green: bool) -> Job {
        assert_eq!(self.green, green, "{}", self.log);
        self
    }

    pub fn says(self, text: &str) -> Job {
        assert!(self.log.contains(text), "not said: {text}\n{}", self.log);
        self
    }
}

/// The event of a push to main.
pub fn push(commit: &str, message: &str) -> Value {
    json!({ "ref": "refs/heads/main", "after": commit, "head_commit": { "id": commit, "message": message } })
}

/// act logs each output as `::set-output:: name=value`.
fn outputs(log: &str) -> Vec<(String, String)> {
    let pairs = log.lines().filter_map(|line| line.split_once("::set-output:: "));
    pairs.filter_map(|(_, pair)| pair.split_once('=')).map(|(n, v)| (n.to_owned(), v.to_owned())).collect()
}

/// act logs the step summary with its own lines before and after it.
fn summary(log: &str) -> String {
    let Some((_, rest)) = log.split_once("Summary - ") else { return String::new() };
    rest.lines().take_while(|line| !line.starts_with('[')).map(|line| format!("{line}\n")).collect()
}

fn tools() -> &'static PathBuf {
    static TOOLS: OnceLock<PathBuf> = OnceLock::new();
    TOOLS.get_or_init(|| {
        let output = Command::new(root().join("scripts/action-tools")).arg("python").output().expect("action-tools");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        PathBuf::from(String::from_utf8_lossy(&output.stdout).trim())
    })
}

/// The action as a release has it: its own files, the sums of the binary under test, and a mirror that serves it.
pub fn published_action() -> TempDir {
    let dir = TempDir::new().expect("a directory");
    for name in ["scripts", ".github", "mirror"] {
        std::fs::create_dir(dir.path().join(name)).expect("a directory");
    }
    for name in ["action.yml", "scripts/action", "scripts/sums"] {
        std::fs::copy(root().join(name), dir.path().join(name)).expect("a file of the action");
    }
    let name = format!("cutover-{}-{}-unknown-linux-musl", env!("CARGO_PKG_VERSION"), std::env::consts::ARCH);
    // as a release has it, but for the time that compressing takes
    let archive = dir.path().join(format!("mirror/{name}.tar.gz"));
    let level = flate2::Compression::none();
    let mut tar =
        tar::Builder::new(flate2::write::GzEncoder::new(std::fs::File::create(&archive).expect("a file"), level));
    let binary = dir.path().join(&name);
    std::fs::copy(env!("CARGO_BIN_EXE_cutover"), &binary).expect("the binary");
    tar.append_path_with_name(&binary, format!("{name}/cutover")).expect("the binary in the archive");
    tar.into_inner().and_then(flate2::write::GzEncoder::finish).expect("the archive");
    let mut sums = Command::new(dir.path().join("scripts/sums"));
    assert!(sums.arg(env!("CARGO_PKG_VERSION")).args([archive, binary]).output().expect("sums").status.success());
    let git = |words: &[&str]| {
        let mut git = Command::new("git");
        git.current_dir(dir.path()).args(["-c", "user.name=x", "-c", "user.email=x@example.com"]).args(words);
        assert!(git.output().expect("git").status.success());
    };
    git(&["init", "-q"]);
    git(&["add", "action.yml", "scripts", ".github"]);
    git(&["commit", "-qm", "v1"]);
    dir
}
