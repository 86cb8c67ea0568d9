//! What went wrong with docker on this side, and what to do about it.
use super::docker_cli::DockerJob;
use super::login::Credentials;
use crate::report::text::{inert, one_line};
use std::collections::VecDeque;
use std::ffi::OsString;
use std::fmt;
use std::process::ExitStatus;

/// A docker command that failed. All of it may be shown: foreign text is inert, secrets are absent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DockerError {
    /// What it was for, as in "pushing a/b:v1.2.3".
    pub purpose: String,
    /// What happened.
    pub what: String,
    /// The words of the command, `docker` first; the values of build arguments are left out. Empty: it never ran.
    pub command: Vec<String>,
    /// The exit code; `None`: it never ran, or a signal ended it.
    pub exit: Option<i32>,
    /// The last lines of its output.
    pub lines: Vec<String>,
    /// What to do.
    pub advice: Option<String>,
    pub(super) not_found: bool,
}

impl DockerError {
    /// It never came to running docker.
    pub(super) fn before(purpose: &str, what: &str) -> Self {
        DockerError {
            purpose: inert(purpose),
            what: one_line(what, 500),
            command: Vec::new(),
            exit: None,
            lines: Vec::new(),
            advice: None,
            not_found: false,
        }
    }

    pub(super) fn with_advice(mut self, advice: &str) -> Self {
        self.advice = Some(advice.to_owned());
        self
    }

    pub(super) fn not_started(program: &OsString, job: &DockerJob, error: &std::io::Error) -> Self {
        let what = format!("{} cannot be started: {error}", program.to_string_lossy());
        let not_found = error.kind() == std::io::ErrorKind::NotFound;
        let advice = not_found.then(|| "install docker's command line, or put it on the PATH".to_owned());
        DockerError { command: shown(&job.words), advice, not_found, ..Self::before(&job.purpose, &what) }
    }

    pub(super) fn failed(
        job: &DockerJob,
        status: ExitStatus,
        last: VecDeque<String>,
        login: Option<&Credentials>,
    ) -> Self {
        let lines: Vec<String> = last.iter().map(|line| inert(line)).collect();
        let command = shown(&job.words);
        DockerError {
            advice: advice(&lines, job.registry.as_deref(), login),
            exit: status.code(),
            lines,
            command,
            ..Self::before(&job.purpose, &format!("docker ended with {}", how(status)))
        }
    }
}

fn how(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt;
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => "neither exit code nor signal".to_owned(),
    }
}

/// The words without the values of build arguments.
fn shown(words: &[OsString]) -> Vec<String> {
    let mut all = vec!["docker".to_owned()];
    let mut argument = false;
    for word in words {
        let word = one_line(&word.to_string_lossy(), 300);
        all.push(match word.split_once('=') {
            Some((name, _)) if argument => format!("{name}=…"),
            _ => word.clone(),
        });
        argument = word == "--build-arg";
    }
    all
}

/// What to do about it, from what docker said.
fn advice(lines: &[String], registry: Option<&str>, login: Option<&Credentials>) -> Option<String> {
    let said = lines.join("\n").to_lowercase();
    let has = |parts: &[&str]| parts.iter().any(|part| said.contains(part));
    if has(&["permission denied while trying to connect", "dial unix /var/run/docker.sock: connect: permission denied"])
    {
        return Some(
            "this user may not talk to the docker daemon: add it to the group docker, and log in again".to_owned(),
        );
    }
    if has(&["cannot connect to the docker daemon", "is the docker daemon running", "error during connect"]) {
        return Some("start the docker daemon, or set DOCKER_HOST or the docker context to where it is".to_owned());
    }
    if has(&["toomanyrequests", "rate limit", "429 too many requests"]) {
        return Some("the registry limits requests: log in (registry: in cutover.yml), or wait".to_owned());
    }
    if has(&["no space left on device"]) {
        return Some(
            "the disk is full here: docker system df shows by what, docker builder prune frees the build cache"
                .to_owned(),
        );
    }
    if has(&["denied", "unauthorized", "authentication required", "no basic auth credentials", "403 forbidden"]) {
        return Some(refused(registry, login));
    }
    if has(&["unable to prepare context", "failed to read dockerfile", "cannot locate specified dockerfile"]) {
        return Some("look at build.context and build.dockerfile: the context is relative to cutover.yml, the Dockerfile to the context".to_owned());
    }
    None
}

/// Which credentials were refused.
fn refused(registry: Option<&str>, login: Option<&Credentials>) -> String {
    let registry = registry.unwrap_or("the registry");
    match login.filter(|login| login.server == registry) {
        Some(login) => format!(
            "{registry} refused the user {} with the password in {}: look at both, and at the user's right to push there",
            login.username, login.password_env
        ),
        None => format!(
            "{registry} was asked with docker's own login: run docker login, or set registry: in cutover.yml and CUTOVER_REGISTRY_PASSWORD"
        ),
    }
}

impl fmt::Display for DockerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.purpose, self.what)?;
        if !self.command.is_empty() {
            write!(f, "\n  command: {}", self.command.join(" "))?;
        }
        for line in &self.lines {
            write!(f, "\n  │ {line}")?;
        }
        match &self.advice {
            Some(advice) => write!(f, "\n  → {advice}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for DockerError {}
