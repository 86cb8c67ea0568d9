//! The service under release: an image of it in a registry, or a git repository to release from.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

use crate::script::{Lab, root, run};

/// A version of the app and how it behaves; `tests/lab/app/server.js` documents the settings.
#[derive(Debug, Clone)]
pub struct App {
    repository: String,
    version: String,
    settings: BTreeMap<String, String>,
}

/// An image in a registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// `host:port/path`, no tag.
    pub repository: String,
    /// The version, which is also the tag.
    pub version: String,
    /// `sha256:…` of the manifest.
    pub digest: String,
}

/// A git repository with the app's Dockerfile and a `cutover.yml`; removed on drop if it is in a directory of its own.
#[derive(Debug)]
pub struct GitRepository {
    path: PathBuf,
    _dir: Option<TempDir>,
}

/// Builds the app with these settings and pushes it as `:version` and `:latest`, as the reference workflow does.
pub fn build_app(repository: &str, version: &str, settings: &[(&str, &str)]) -> Result<Image> {
    let app = App::new(repository, version);
    settings.iter().fold(app, |app, (name, value)| app.set(name, value)).push()
}

impl App {
    /// An app that is healthy at once and stops in order on SIGTERM.
    pub fn new(repository: &str, version: &str) -> Self {
        App { repository: repository.to_owned(), version: version.to_owned(), settings: BTreeMap::new() }
    }

    /// Changes a behaviour: `START_DELAY_MS`, `UNHEALTHY_MS`, `CRASH`, `IGNORE_SIGTERM`, …
    pub fn set(mut self, name: &str, value: &str) -> Self {
        self.settings.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Writes the build context: `Dockerfile`, `server.js`, `settings.json`.
    pub fn write_context(&self, dir: &Path) -> Result<()> {
        for name in ["Dockerfile", "server.js"] {
            fs::copy(root().join("tests/lab/app").join(name), dir.join(name))?;
        }
        let mut settings = self.settings.clone();
        settings.insert("VERSION".to_owned(), self.version.clone());
        Ok(fs::write(dir.join("settings.json"), serde_json::to_string_pretty(&settings)? + "\n")?)
    }

    /// Builds it on the lab's daemon and pushes it as `:version` and `:latest`; logs in where the registry wants it.
    pub fn push(&self) -> Result<Image> {
        let (lab, dir) = (Lab::up()?, TempDir::new()?);
        let config = TempDir::new()?;
        self.write_context(dir.path())?;
        if self.repository.starts_with(&lab.registry.auth_registry) {
            login(lab, config.path())?;
        }
        let docker = || {
            let mut docker = lab.docker();
            docker.env("DOCKER_CONFIG", config.path());
            docker
        };
        let (tag, latest) = (format!("{}:{}", self.repository, self.version), format!("{}:latest", self.repository));
        run(docker().args(["build", "-q", "-t", &tag, "-t", &latest]).arg(dir.path()))?;
        let pushed = run(docker().args(["push", &tag]))?;
        run(docker().args(["push", "-q", &latest]))?;
        let digest =
            pushed.split_whitespace().find(|word| word.starts_with("sha256:")).context("no digest")?.to_owned();
        Ok(Image { repository: self.repository.clone(), version: self.version.clone(), digest })
    }

    /// A git repository on branch main that holds this version and `cutover_yml`, committed with `message`.
    pub fn git_repository(&self, cutover_yml: &str, message: &str) -> Result<GitRepository> {
        let dir = TempDir::new()?;
        let mut repository = self.git_repository_in(dir.path(), cutover_yml, message)?;
        repository._dir = Some(dir);
        Ok(repository)
    }

    /// The same in an empty directory, which stays.
    pub fn git_repository_in(&self, dir: &Path, cutover_yml: &str, message: &str) -> Result<GitRepository> {
        let repository = GitRepository { path: dir.to_owned(), _dir: None };
        repository.git(&["init", "-q", "-b", "main"])?;
        fs::write(repository.path().join("cutover.yml"), cutover_yml)?;
        repository.commit(self, message)?;
        Ok(repository)
    }
}

impl Image {
    /// One that only hosts with a stand-in for docker know: its digest is the version's bytes, and nothing is pushed.
    pub fn made_up(repository: &str, version: &str) -> Image {
        let hex: String = version.bytes().map(|byte| format!("{byte:02x}")).collect();
        let digest = format!("sha256:{hex:0<64}");
        Image { repository: repository.to_owned(), version: version.to_owned(), digest }
    }

    /// `repository:version`.
    pub fn reference(&self) -> String {
        format!("{}:{}", self.repository, self.version)
    }

    /// `repository@sha256:…`.
    pub fn by_digest(&self) -> String {
        format!("{}@{}", self.repository, self.digest)
    }
}

impl GitRepository {
    /// Its directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Commits this version of the app (and whatever else has changed) with this message; gives the commit's hash.
    pub fn commit(&self, app: &App, message: &str) -> Result<String> {
        app.write_context(self.path())?;
        self.git(&["add", "-A"])?;
        self.git(&["commit", "-q", "--allow-empty", "-m", message])?;
        Ok(self.git(&["rev-parse", "HEAD"])?.trim().to_owned())
    }

    /// Runs git in it, with an identity and no configuration of yours; gives its output.
    pub fn git(&self, words: &[&str]) -> Result<String> {
        let mut git = Command::new("git");
        git.current_dir(self.path()).env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_SYSTEM", "/dev/null");
        git.args(["-c", "user.name=Lab", "-c", "user.email=lab@example.com"]).args(words);
        run(&mut git)
    }
}

fn login(lab: &Lab, config: &Path) -> Result<()> {
    let registry = &lab.registry;
    let mut docker = lab.docker();
    docker.env("DOCKER_CONFIG", config).args([
        "login",
        "-u",
        &registry.user,
        "--password-stdin",
        &registry.auth_registry,
    ]);
    let mut child = docker.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?;
    child.stdin.take().context("no stdin")?.write_all(registry.password.as_bytes())?;
    let output = child.wait_with_output()?;
    if !output.status.success() {
        bail!("docker login: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(())
}
