//! One command, from its start to its exit status, bounded in time and memory.
use std::time::Duration;

use russh::client::Msg;
use russh::{ChannelMsg, ChannelWriteHalf, Sig};

use super::error::ExecError;
use super::pool::{OpenChannel, Pool};
use crate::report::text::one_line;

/// Bounds of one command.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Longest wait for the result, from the call on. The remote process is not killed after that; its stdin and stdout
    /// are closed.
    pub timeout: Duration,
    /// Largest sum of the bytes on stdout and stderr.
    pub max_bytes: usize,
}

impl Default for Limits {
    /// Two minutes, 16 MiB.
    fn default() -> Self {
        Self { timeout: Duration::from_secs(120), max_bytes: 16 << 20 }
    }
}

impl Limits {
    /// Another timeout, the usual size.
    pub fn within(timeout: Duration) -> Self {
        Self { timeout, ..Self::default() }
    }
}

/// What a command left behind. Bytes of the host: hostile until shown through `report::text`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// Exit status as the server reports it; a POSIX shell makes it 126 or 127 for what it cannot run.
    pub status: u32,
    /// Standard output.
    pub stdout: Vec<u8>,
    /// Standard error.
    pub stderr: Vec<u8>,
}

impl Output {
    /// Whether the exit status is 0.
    pub fn success(&self) -> bool {
        self.status == 0
    }
}

/// How a channel says that its command ended (RFC 4254, section 6.10).
#[derive(Clone, Debug, Default)]
pub(super) struct Ending {
    status: Option<u32>,
    signal: Option<String>,
    eof: bool,
}

impl Ending {
    /// Takes note of an exit status, signal or EOF.
    pub(super) fn note(&mut self, message: &ChannelMsg) {
        match message {
            ChannelMsg::ExitStatus { exit_status } => self.status = Some(*exit_status),
            ChannelMsg::ExitSignal { signal_name, .. } => self.signal = Some(name(signal_name)),
            ChannelMsg::Eof => self.eof = true,
            _ => {}
        }
    }

    /// The status of the command in this channel, once that has ended; `in_order` if the server closed it.
    pub(super) fn status_of(self, channel: &OpenChannel, in_order: bool) -> Result<u32, ExecError> {
        let status = self.status(in_order);
        match (&status, channel.instead()) {
            (Ok(status), Some(said)) => Err(ExecError::NotBegun { said, status: Some(*status) }),
            (Err(ExecError::NoStatus), Some(said)) => Err(ExecError::NotBegun { said, status: None }),
            _ => status,
        }
    }

    /// The status, once the channel has ended; `in_order` if the server closed it.
    fn status(self, in_order: bool) -> Result<u32, ExecError> {
        match (self.signal, self.status) {
            (Some(signal), _) => Err(ExecError::Signal(signal)),
            (None, Some(status)) if in_order || self.eof => Ok(status),
            _ if in_order => Err(ExecError::NoStatus),
            _ => Err(ExecError::Disconnected),
        }
    }
}

fn name(signal: &Sig) -> String {
    match signal {
        Sig::Custom(name) => one_line(name, 20),
        known => format!("{known:?}"),
    }
}

pub(super) async fn exec(pool: &Pool, command: &str, stdin: &[u8], limits: Limits) -> Result<Output, ExecError> {
    let run = async {
        let channel = pool.start(command).await?;
        run(channel, stdin, limits.max_bytes).await
    };
    crate::awake::timeout(limits.timeout, run).await.unwrap_or(Err(ExecError::Timeout(limits.timeout)))
}

async fn run(mut channel: OpenChannel, stdin: &[u8], max_bytes: usize) -> Result<Output, ExecError> {
    let write = channel.write.clone();
    let writing = feed(&write, stdin);
    let reading = collect(&mut channel, max_bytes);
    tokio::pin!(writing, reading);
    tokio::select! {
        result = &mut reading => result,
        () = &mut writing => reading.await,
    }
}

async fn feed(write: &ChannelWriteHalf<Msg>, stdin: &[u8]) {
    if write.data_bytes(stdin.to_vec()).await.is_ok() {
        let _ = write.eof().await;
    }
}

async fn collect(channel: &mut OpenChannel, max_bytes: usize) -> Result<Output, ExecError> {
    let mut ending = Ending::default();
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    let in_order = loop {
        match channel.next().await {
            None => break false,
            Some(ChannelMsg::Close) => break true,
            Some(ChannelMsg::Failure) => return Err(ExecError::Refused("it refused the exec request".into())),
            Some(ChannelMsg::Data { data }) => stdout.extend_from_slice(&data),
            Some(ChannelMsg::ExtendedData { data, .. }) => stderr.extend_from_slice(&data),
            Some(other) => ending.note(&other),
        }
        if stdout.len() + stderr.len() > max_bytes {
            return Err(ExecError::TooMuchOutput(max_bytes));
        }
    };
    let status = ending.status_of(channel, in_order)?;
    Ok(Output { status, stdout, stderr })
}
