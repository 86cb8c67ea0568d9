//! Scripts that run on a host one after the other, in one command: one round trip for all of them.

use super::error::{Cause, OnHost};
use super::script::Script;
use super::ssh::{self, ExecError, Limits, Lines};
use super::{Host, on_host};
use crate::awake;
use anyhow::{Result, anyhow};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// The longest line before what a script has printed.
const LONGEST_HEADER: usize = 64;
/// The most that a script may print.
const MOST: usize = 16 << 20;

/// Scripts that run one after the other, each once the one before has ended well. Those that change something go on where
/// the connection ends, as far as the one that runs then.
pub struct Chain<'a> {
    host: &'a Host,
    child: ssh::Child,
    left: std::vec::IntoIter<Script>,
    began: Instant,
}

impl Host {
    /// Starts scripts that are to run one after the other.
    pub async fn chain(&self, scripts: Vec<Script>) -> Result<Chain<'_>> {
        let (mut sizes, mut input) = (Vec::new(), Vec::new());
        for script in &scripts {
            let (command, stdin) = (crate::text::to_bytes(&self.command(script)?), script.input());
            sizes.extend([command.len().to_string(), stdin.len().to_string()]);
            input.extend(command.into_iter().chain(stdin));
        }
        let command = ssh::Command::new("env").args(["LC_ALL=C", "sh", "-c", include_str!("chain.sh"), "cutover"]);
        let command = command.arg(input.len().to_string()).args(sizes).line()?;
        let why = scripts.first().map_or("to run nothing", |script| script.why);
        let started = async {
            let mut child = self.session.spawn(&command).await?;
            // an end before all was read is known by what it says
            let _ = child.stdin.write_all(&input).await;
            let _ = child.stdin.shutdown().await;
            Ok::<_, ExecError>(child)
        };
        let child = started.await.map_err(|error| OnHost::new(&self.name, why, error))?;
        Ok(Chain { host: self, child, left: scripts.into_iter(), began: Instant::now() })
    }
}

impl Chain<'_> {
    /// What the next script printed, once it has ended. An exit status other than 0 is the error that [`Host::run`] gives.
    pub async fn next(&mut self) -> Result<Vec<u8>> {
        let script = self.script()?;
        let (began, is_last) = (self.began, self.left.len() == 0);
        let printed = async { if is_last { self.last().await } else { self.section().await } };
        let printed = awake::timeout(script.limit, printed).await;
        self.began = Instant::now();
        self.host.ran(&script, began);
        let printed = printed.unwrap_or(Err(ExecError::Timeout(script.limit)));
        let (status, printed) = printed.map_err(|error| OnHost::new(&self.host.name, script.why, error))?;
        match status {
            0 => Ok(printed),
            _ => {
                let _ = awake::timeout(Duration::from_secs(5), self.child.wait()).await;
                Err(self.host.failure(&script, status, &self.child.stderr(), &printed))
            }
        }
    }

    /// Gives each line of the last script as it comes.
    pub async fn follow(mut self, mut line: impl FnMut(&str)) -> Result<()> {
        let script = self.script()?;
        let began = self.began;
        let lines = async {
            let mut lines = Lines::new(&mut self.child.stdout, Limits::within(script.limit));
            while let Some(text) = lines.next().await? {
                line(&text);
            }
            self.child.wait().await
        };
        let status = awake::timeout(script.limit, lines).await;
        self.host.ran(&script, began);
        let late = |_| OnHost::new(&self.host.name, script.why, Cause::Late(script.limit));
        match status.map_err(late)?.map_err(|error| on_host(&self.host.name, script.why, error))? {
            0 => Ok(()),
            status => Err(self.host.failure(&script, status, &self.child.stderr(), b"")),
        }
    }

    fn script(&mut self) -> Result<Script> {
        self.left.next().ok_or_else(|| anyhow!("on {}, nothing is left to run", self.host.name))
    }

    /// The framed output of a script that is not the last, and its status.
    async fn section(&mut self) -> Result<(u32, Vec<u8>), ExecError> {
        let mut header = Vec::new();
        loop {
            match self.child.stdout.read_u8().await {
                Ok(b'\n') => break,
                Ok(byte) if header.len() < LONGEST_HEADER => header.push(byte),
                Ok(_) => return Err(ExecError::TooMuchOutput(LONGEST_HEADER)),
                // it ended before it came so far
                Err(_) => return Ok((self.child.wait().await?.max(1), Vec::new())),
            }
        }
        let header = String::from_utf8_lossy(&header).into_owned();
        let fields = header.strip_prefix("@out ").and_then(|rest| rest.split_once(' '));
        let fields = fields.and_then(|(status, length)| Some((status.parse().ok()?, length.parse::<usize>().ok()?)));
        let Some((status, length)) = fields else { return Ok((1, header.into_bytes())) };
        if length > MOST {
            return Err(ExecError::TooMuchOutput(MOST));
        }
        let mut printed = vec![0; length + 1];
        self.child.stdout.read_exact(&mut printed).await.map_err(|_| ExecError::Disconnected)?;
        printed.pop();
        Ok((status, printed))
    }

    /// All that the last script prints, and its status.
    async fn last(&mut self) -> Result<(u32, Vec<u8>), ExecError> {
        let mut printed = Vec::new();
        let mut from = (&mut self.child.stdout).take(MOST as u64 + 1);
        from.read_to_end(&mut printed).await.map_err(|_| ExecError::Disconnected)?;
        if printed.len() > MOST {
            return Err(ExecError::TooMuchOutput(MOST));
        }
        Ok((self.child.wait().await?, printed))
    }
}
