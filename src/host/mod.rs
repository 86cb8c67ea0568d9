//! One SSH connection to one host, and what is said over it.

mod chain;
pub mod compose;
pub mod container;
pub mod docker;
pub(crate) mod engine;
mod error;
pub mod freeze;
pub mod http;
pub mod lock;
pub mod nginx;
pub(crate) mod own;
pub mod script;
pub mod ssh;
mod tls;

use crate::awake;
use crate::report::text::inert;
use crate::report::{Event, Reporter};
use crate::secret::Secret;
use anyhow::{Result, anyhow, bail};
pub use chain::Chain;
use docker::Docker;
use engine::Engine;
use error::{Cause, OnHost};
pub(crate) use error::{Kind, Unnamed, kind, on_host, status};
use http::{Answer, Ask};
use script::Script;
use ssh::{ExecError, ForwardError, Limits, Lines, Session};
use std::pin::pin;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};
use tokio::io::AsyncWriteExt as _;

/// A connection that answers only after this time stood still.
const STALL: Duration = Duration::from_millis(1500);
/// After so long without an answer it is looked whether the connection stands still.
const EARLY: Duration = Duration::from_millis(500);
/// How often a question is asked again for that.
const STALLS: usize = 3;

/// A host that cutover is logged in to.
pub struct Host {
    /// The host as the configuration calls it.
    pub name: String,
    /// The SSH connection.
    pub session: Arc<Session>,
    /// Where events go.
    pub reporter: Reporter,
    /// Variables without which `docker` isn't found there, or finds no engine: `NAME=value`.
    environment: Mutex<Vec<String>>,
    /// Headers that a request through nginx brings along where its probe says so.
    headers: Vec<(String, Secret)>,
    docker: OnceLock<Docker>,
}

impl Host {
    /// A host over a connection that is open.
    pub fn new(name: impl Into<String>, session: Session, reporter: Reporter) -> Self {
        let (environment, docker) = (Mutex::default(), OnceLock::new());
        Host { name: name.into(), session: Arc::new(session), reporter, environment, headers: Vec::new(), docker }
    }

    /// Gives requests through nginx these headers, where their probe says so.
    pub fn with_headers(mut self, headers: Vec<(String, Secret)>) -> Self {
        self.headers = headers;
        self
    }

    /// The headers of [`Host::with_headers`].
    pub fn headers(&self) -> &[(String, Secret)] {
        &self.headers
    }

    /// Has every later script find `docker` and its engine by these environment variables and no others.
    pub fn find_docker_by(&self, variables: &[(&str, String)]) {
        let variables = variables.iter().map(|(name, value)| format!("{name}={value}")).collect();
        *self.environment.lock().unwrap_or_else(PoisonError::into_inner) = variables;
    }

    /// The Docker API of an engine of this version.
    pub fn docker(&self, engine: &str) -> Result<&Docker> {
        if let Some(docker) = self.docker.get() {
            return Ok(docker);
        }
        let docker = self.docker_over(engine, false)?;
        Ok(self.docker.get_or_init(|| docker))
    }

    /// The same, to be told by of what nobody waits for.
    pub fn docker_aside(&self, engine: &str) -> Result<Docker> {
        self.docker_over(engine, true)
    }

    fn docker_over(&self, engine: &str, aside: bool) -> Result<Docker> {
        Docker::over(Arc::clone(&self.session), engine, self.stdio()?, aside)
    }

    /// The same engine's API as JSON.
    pub(crate) fn engine(&self) -> Result<Engine> {
        Ok(Engine::over(Arc::clone(&self.session), self.stdio()?))
    }

    /// The line that connects its stdin and stdout to the engine.
    fn stdio(&self) -> Result<String> {
        let environment = self.environment.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Ok(ssh::Command::new("env").args(environment).args(["docker", "system", "dial-stdio"]).line()?)
    }

    /// Runs a script to its end and gives what it printed. An exit status other than 0 is an error that says why the
    /// script ran and what it printed to stderr.
    pub async fn run(&self, script: &Script) -> Result<Vec<u8>> {
        let began = Instant::now();
        let stdin = script.input();
        let limits = Limits::within(script.limit);
        let output = self.session.exec(&self.command(script)?, &stdin, limits).await;
        self.ran(script, began);
        let output = output.map_err(|error| OnHost::new(&self.name, script.why, error))?;
        if output.status != 0 {
            return Err(self.failure(script, output.status, &output.stderr, &output.stdout));
        }
        Ok(output.stdout)
    }

    /// Starts a script whose stdin stays open until the child is dropped. Limits and errors are the caller's.
    pub async fn start(&self, script: &Script) -> Result<ssh::Child> {
        self.ran(script, Instant::now());
        let started = self.session.spawn(&self.command(script)?).await;
        Ok(started.map_err(|error| OnHost::new(&self.name, script.why, error))?)
    }

    /// Starts a script with a terminal of this kind (`TERM`) and size.
    pub async fn terminal(&self, script: &Script, kind: &str, size: ssh::Size) -> Result<(ssh::Child, ssh::Window)> {
        self.ran(script, Instant::now());
        let started = self.session.terminal(&self.command(script)?, kind, size).await;
        Ok(started.map_err(|error| OnHost::new(&self.name, script.why, error))?)
    }

    /// Runs a script, giving each line of its output as it comes, up to 16 MiB; the rest is passed over.
    pub async fn follow(&self, script: &Script, mut line: impl FnMut(&str)) -> Result<()> {
        let began = Instant::now();
        let work = async {
            let mut child = self.session.spawn(&self.command(script)?).await?;
            child.stdin.write_all(&script.input()).await?;
            child.stdin.shutdown().await?;
            let mut lines = Lines::new(&mut child.stdout, Limits::within(script.limit));
            loop {
                match lines.next().await {
                    Ok(Some(text)) => line(&text),
                    Ok(None) => break,
                    Err(ExecError::TooMuchOutput(bytes)) => {
                        line(&format!("… the rest is left out: more than {bytes} bytes"));
                        break lines.pass_over().await?;
                    }
                    Err(error) => return Err(error.into()),
                }
            }
            let status = child.wait().await?;
            if status != 0 {
                return Ok(Err(self.failure(script, status, &child.stderr(), b"")));
            }
            Ok(Ok(()))
        };
        let outcome = awake::timeout(script.limit, work).await;
        self.ran(script, began);
        let outcome =
            outcome.unwrap_or_else(|_| Err(OnHost::new(&self.name, script.why, Cause::Late(script.limit)).into()));
        outcome.map_err(|error: anyhow::Error| on_host(&self.name, script.why, error))?
    }

    /// `GET path` from `address:port` as the host reaches it, through the SSH connection.
    pub async fn get(&self, address: &str, port: u16, host: &str, path: &str, limit: Duration) -> Result<Answer> {
        let ask = Ask { host: host.to_owned(), path: path.to_owned(), ..Ask::default() };
        self.ask(address, port, &ask, limit).await
    }

    /// The same with a program of the host, which takes one round trip; from here where that brings no answer in time.
    pub async fn get_there(&self, address: &str, port: u16, host: &str, path: &str, limit: Duration) -> Result<Answer> {
        let (ask, began) = (Ask { host: host.to_owned(), path: path.to_owned(), ..Ask::default() }, Instant::now());
        match self.ask_on_host(address, port, &ask, limit).await {
            Err(_) if began.elapsed() < limit => self.ask(address, port, &ask, limit).await,
            Err(_) => bail!("no answer within {:.1} s", limit.as_secs_f64()),
            answer => answer,
        }
    }

    /// The same with more to it. The certificate is not looked at: the SSH connection already says whose host it is.
    ///
    /// An answer that did not come in time says nothing where the connection itself stood still: it is asked for again.
    pub async fn ask(&self, address: &str, port: u16, ask: &Ask, limit: Duration) -> Result<Answer> {
        for _ in 0..STALLS {
            let (answer, stood_still) = self.ask_watched(address, port, ask, limit).await;
            if answer.is_ok() || !stood_still {
                return answer;
            }
        }
        self.ask_once(address, port, ask, limit).await
    }

    /// What came of asking once, and whether the connection stood still meanwhile or does so now. A network that is back
    /// carries nothing of ours before TCP tries again, which may be as long as it was gone (RFC 6298, section 5.5).
    async fn ask_watched(&self, address: &str, port: u16, ask: &Ask, limit: Duration) -> (Result<Answer>, bool) {
        let began = Instant::now();
        let mut asking = pin!(self.ask_once(address, port, ask, limit));
        let mut watching = pin!(async {
            awake::sleep(EARLY).await;
            self.stood_still().await
        });
        let mut seen = None;
        let answer = loop {
            tokio::select! {
                biased;
                answer = &mut asking => break answer,
                still = &mut watching, if seen.is_none() => seen = Some(still),
            }
        };
        if answer.is_ok() || began.elapsed() < limit {
            return (answer, false);
        }
        let still = match seen {
            Some(still) => still,
            None => watching.await,
        };
        (answer, still || self.stood_still().await)
    }

    /// Whether a command that does nothing takes its time now, and is answered all the same.
    async fn stood_still(&self) -> bool {
        let began = Instant::now();
        self.session.exec(":", b"", Limits::within(2 * ssh::SILENCE)).await.is_ok() && began.elapsed() > STALL
    }

    async fn ask_once(&self, address: &str, port: u16, ask: &Ask, limit: Duration) -> Result<Answer> {
        match awake::timeout(limit, self.session.direct_tcpip(address, port)).await {
            Ok(Ok(stream)) if ask.tls => {
                let stream = ssh::within(limit, tls::wrap(stream, &ask.host)).await?;
                http::get(stream, ask, limit).await
            }
            Ok(Ok(stream)) => http::get(stream, ask, limit).await,
            Ok(Err(ForwardError::Prohibited)) => self.ask_on_host(address, port, ask, limit).await,
            Ok(Err(error)) => Err(anyhow!("{error}")),
            Err(_) => bail!("no connection within {:.1} s", limit.as_secs_f64()),
        }
    }

    /// The same with a program of the host, where sshd refuses forwarding.
    async fn ask_on_host(&self, address: &str, port: u16, ask: &Ask, limit: Duration) -> Result<Answer> {
        let lines = ask.headers.iter().map(|(name, value)| format!("{name}: {value}\n")).collect::<String>();
        let script = Script::new("to ask over HTTP", include_str!("get.sh"))
            .args([if ask.tls { "https" } else { "http" }, address, &port.to_string(), &ask.host, &ask.path])
            .args([&limit.as_secs().max(1).to_string(), http::USER_AGENT])
            .stdin(lines)
            .limit(limit + Duration::from_secs(5));
        let text = String::from_utf8_lossy(&self.run(&script).await?).into_owned();
        http::read_head(&text)
    }

    fn command(&self, script: &Script) -> Result<String> {
        let environment = self.environment.lock().unwrap_or_else(PoisonError::into_inner).clone();
        // a shell may look at it only when it starts, and the length of a text is in bytes only with it
        let command = ssh::Command::new("env").arg("LC_ALL=C").args(environment).args(&script.environment);
        let command = command.arg("sh").args(script.shell_words());
        Ok(command.line()?)
    }

    /// Says that it ran: the line is ready to be pasted into a shell of that host. What it read on stdin may be secret.
    fn ran(&self, script: &Script, began: Instant) {
        let bytes = script.input().len();
        let read = if bytes == 0 { String::new() } else { format!(" # with {bytes} bytes on stdin") };
        self.reporter.emit(Event::Command {
            host: self.name.clone(),
            why: script.why.to_owned(),
            command: format!("{}{read}", self.command(script).unwrap_or_default()),
            seconds: began.elapsed().as_secs_f64(),
        });
    }

    fn failure(&self, script: &Script, status: u32, stderr: &[u8], stdout: &[u8]) -> anyhow::Error {
        let said = [stderr, stdout].into_iter().find(|said| !said.is_empty()).unwrap_or_default();
        let said = inert(String::from_utf8_lossy(said).trim());
        if script.fence.is_some() && status == lock::OVERTAKEN {
            return lock::Overtaken { host: self.name.clone(), by: said }.into();
        }
        OnHost::new(&self.name, script.why, Cause::Ended { said, status }).into()
    }
}
