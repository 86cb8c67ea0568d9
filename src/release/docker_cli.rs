//! The docker command line on this side: one base command, lines streamed, nothing left running.
use super::docker_error::DockerError;
use super::login::{Credentials, private_config};
use super::login_dir::LoginDir;
use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs::File;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::mpsc;

/// Where a line came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DockerStream {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
}

/// A line of docker's output as docker wrote it (not made inert), without its end, cut at 8 KiB.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DockerLine {
    /// Where it came from.
    pub stream: DockerStream,
    /// The text.
    pub text: String,
}

/// Takes each line while docker runs.
pub type OnLine<'a> = &'a mut (dyn FnMut(DockerLine) + Send);

/// docker's command line, and the login of this run.
///
/// Every method may be dropped half-way: docker and what it started are killed. The login's directory is removed when
/// this is dropped.
#[derive(Debug)]
pub struct DockerCli {
    program: OsString,
    buildx: bool,
    login: Option<(LoginDir, Credentials)>,
}

/// One run of docker.
pub(super) struct DockerJob {
    /// The words after `docker`.
    pub(super) words: Vec<OsString>,
    /// What it is for, as in "pushing a/b:v1.2.3".
    pub(super) purpose: String,
    /// The registry that it talks to, for advice.
    pub(super) registry: Option<String>,
    input: Option<Vec<u8>>,
    /// Secrets of the environment that this run of docker is meant to have.
    given: Vec<String>,
}

impl DockerJob {
    pub(super) fn new(purpose: impl Into<String>, words: impl IntoIterator<Item = impl Into<OsString>>) -> Self {
        let words = words.into_iter().map(Into::into).collect();
        DockerJob { words, purpose: purpose.into(), registry: None, input: None, given: Vec::new() }
    }

    /// Gives it these variables, secrets or not.
    pub(super) fn given(mut self, names: Vec<String>) -> Self {
        self.given = names;
        self
    }

    pub(super) fn with_registry(mut self, registry: &str) -> Self {
        self.registry = Some(registry.to_owned());
        self
    }
}

/// How many lines an error keeps.
const KEPT: usize = 40;
const LONGEST_LINE: usize = 8 * 1024;
/// What a process that docker left behind may hold our pipes for, after docker itself has ended.
const GRACE: Duration = Duration::from_secs(2);

impl DockerCli {
    /// Finds `docker` on the PATH and whether it has buildx.
    pub async fn find() -> Result<DockerCli, DockerError> {
        DockerCli::at("docker").await
    }

    /// `docker` on the PATH, for what needs no buildx.
    pub fn plain(program: impl Into<OsString>) -> DockerCli {
        DockerCli { program: program.into(), buildx: false, login: None }
    }

    /// As `find`, with a program that may be elsewhere.
    pub async fn at(program: impl Into<OsString>) -> Result<DockerCli, DockerError> {
        let mut docker = DockerCli::plain(program);
        docker.buildx = match docker.run(DockerJob::new("looking for buildx", ["buildx", "version"])).await {
            Ok(_) => true,
            Err(error) if error.not_found => return Err(error),
            Err(_) => false,
        };
        Ok(docker)
    }

    pub(super) fn program(&self) -> &std::ffi::OsStr {
        &self.program
    }

    /// Whether `docker buildx` works.
    pub fn has_buildx(&self) -> bool {
        self.buildx
    }

    /// Logs in for this run only; the password goes through stdin. Everything later on uses the login.
    pub async fn log_in(&mut self, credentials: Credentials) -> Result<(), DockerError> {
        let purpose = format!("logging in to {} as {}", credentials.server, credentials.username);
        let dir = private_config(&credentials).map_err(|error| DockerError::before(&purpose, &error.to_string()))?;
        let mut job = DockerJob::new(purpose, ["login", "--username", &credentials.username, "--password-stdin"]);
        job.words.extend(credentials.server_argument().map(Into::into));
        job = job.with_registry(&credentials.server);
        job.input = Some(credentials.password.expose().as_bytes().to_vec());
        self.login = Some((dir, credentials));
        let done = self.run(job).await;
        if done.is_err() {
            self.login = None;
        }
        done.map(drop)
    }

    /// The directory of this run's login.
    #[cfg(test)]
    pub(super) fn config_dir(&self) -> Option<&std::path::Path> {
        self.login.as_ref().map(|(dir, _)| dir.path())
    }

    /// Has `read` take in the archive of an image that docker has here (`docker save`), on a thread of its own.
    pub async fn save<T: Send + 'static>(
        &self,
        reference: &str,
        read: impl FnOnce(File) -> anyhow::Result<T> + Send + 'static,
    ) -> Result<T, DockerError> {
        let job = DockerJob::new(format!("reading {reference}"), ["save", reference]);
        let mut running = match self.command(&job, false).spawn() {
            Ok(child) => DockerRunning(child),
            Err(error) => return Err(DockerError::not_started(&self.program, &job, &error)),
        };
        let before = |error: &str| DockerError::before(&job.purpose, error);
        let out = running.0.stdout.take().map(ChildStdout::into_owned_fd);
        let out = out.unwrap_or_else(|| Err(std::io::ErrorKind::BrokenPipe.into()));
        let out = out.map_err(|error| before(&error.to_string()))?;
        let read = tokio::task::spawn_blocking(move || read(File::from(out)));
        let mut said = String::new();
        if let Some(stderr) = running.0.stderr.take() {
            let _ = stderr.take(64 << 10).read_to_string(&mut said).await;
        }
        let taken = read.await.map_err(|error| before(&error.to_string()))?;
        match running.0.wait().await {
            Ok(status) if status.success() => taken.map_err(|error| before(&format!("{error:#}"))),
            Ok(status) => Err(DockerError::failed(&job, status, said.lines().map(str::to_owned).collect(), None)),
            Err(error) => Err(before(&error.to_string())),
        }
    }

    /// Runs docker and gives its standard output.
    pub(super) async fn run(&self, job: DockerJob) -> Result<String, DockerError> {
        let mut out = String::new();
        self.stream(job, &mut |line| {
            if line.stream == DockerStream::Out && out.len() < (1 << 20) {
                out.push_str(&line.text);
                out.push('\n');
            }
        })
        .await?;
        Ok(out)
    }

    /// Runs docker, line by line.
    pub(super) async fn stream(&self, mut job: DockerJob, on_line: OnLine<'_>) -> Result<(), DockerError> {
        let input = job.input.take();
        let mut running = match self.command(&job, input.is_some()).spawn() {
            Ok(child) => DockerRunning(child),
            Err(error) => return Err(DockerError::not_started(&self.program, &job, &error)),
        };
        let mut last = VecDeque::with_capacity(KEPT);
        let mut keep = |line: DockerLine| {
            if last.len() == KEPT {
                last.pop_front();
            }
            last.push_back(line.text.clone());
            on_line(line);
        };
        let status = running.lines(input, &mut keep).await;
        match status {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(DockerError::failed(&job, status, last, self.login.as_ref().map(|(_, login)| login))),
            Err(error) => Err(DockerError::before(&job.purpose, &error.to_string())),
        }
    }

    /// The one place that makes a docker command.
    fn command(&self, job: &DockerJob, input: bool) -> Command {
        let mut command = Command::from(crate::child::command(&self.program, &job.given));
        command.args(&job.words).stdin(if input { Stdio::piped() } else { Stdio::null() });
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true).process_group(0);
        if let Some((dir, _)) = &self.login {
            command.env("DOCKER_CONFIG", dir.path());
        }
        command
    }
}

/// docker and the plugins that it starts: a process group of its own, killed as one when it is given up.
struct DockerRunning(Child);

impl Drop for DockerRunning {
    fn drop(&mut self) {
        let group = self.0.id().and_then(|id| rustix::process::Pid::from_raw(id.cast_signed()));
        if let Some(group) = group {
            let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        }
    }
}

impl DockerRunning {
    /// Feeds the input, hands on every line, and waits for the end.
    async fn lines(&mut self, input: Option<Vec<u8>>, on_line: OnLine<'_>) -> std::io::Result<ExitStatus> {
        let (to, mut from) = mpsc::channel::<DockerLine>(64);
        let out = pump(self.0.stdout.take(), DockerStream::Out, to.clone());
        let err = pump(self.0.stderr.take(), DockerStream::Err, to);
        let fed = feed(self.0.stdin.take(), input);
        let taken = async {
            while let Some(line) = from.recv().await {
                on_line(line);
            }
        };
        let child = &mut self.0;
        let ended = async {
            let status = child.wait().await;
            tokio::time::sleep(GRACE).await;
            status
        };
        tokio::select! {
            _ = async { tokio::join!(out, err, fed, taken) } => {}
            status = ended => return status,
        }
        self.0.wait().await
    }
}

/// A child that does not read its input ends on its own terms: its exit code tells.
async fn feed(pipe: Option<ChildStdin>, input: Option<Vec<u8>>) {
    if let (Some(mut pipe), Some(input)) = (pipe, input) {
        let _ = pipe.write_all(&input).await;
        let _ = pipe.shutdown().await;
    }
}

/// Splits at `\n` and `\r`; what is longer than a line may be is cut.
async fn pump(pipe: Option<impl AsyncRead + Unpin>, stream: DockerStream, to: mpsc::Sender<DockerLine>) {
    let Some(mut pipe) = pipe else { return };
    let mut block = vec![0_u8; 8 << 10];
    let mut line: Vec<u8> = Vec::new();
    while let Ok(read @ 1..) = pipe.read(&mut block).await {
        for &byte in &block[..read] {
            if byte == b'\n' || byte == b'\r' {
                send(&mut line, stream, &to).await;
            } else if line.len() < LONGEST_LINE {
                line.push(byte);
            }
        }
    }
    send(&mut line, stream, &to).await;
}

async fn send(line: &mut Vec<u8>, stream: DockerStream, to: &mpsc::Sender<DockerLine>) {
    if !line.is_empty() {
        let _ = to.send(DockerLine { stream, text: String::from_utf8_lossy(line).into_owned() }).await;
        line.clear();
    }
}
