//! Byte streams over channels. A task of its own empties each channel, because a full one would hold up the connection.
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use russh::client::Msg;
use russh::{Channel, ChannelMsg, ChannelWriteHalf};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf};
use tokio::sync::{oneshot, watch};

use super::error::ExecError;
use super::exec::{Ending, Limits};
use super::handler::lock;
use super::pool::OpenChannel;
use super::trips::{Exchange, Trips};
use crate::report::text::one_line;

/// What fits in between a channel and its user, each way.
const BUFFER: usize = 1 << 20;
/// One write to a channel; russh cuts it into packets.
const CHUNK: usize = 256 << 10;
/// How long a reader may leave everything unread before its channel is closed, so that the others go on.
const UNREAD: Duration = Duration::from_secs(3);
/// How long what was written before a stream was dropped may take to leave.
const LINGER: Duration = Duration::from_secs(10);
/// What is kept of a command's stderr: its end.
const STDERR_TAIL: usize = 16 << 10;

/// Bytes to and from the host: a forwarded connection, or a command's stdin and stdout.
///
/// Shutting down the write side sends EOF. Dropping it sends what was written and closes the channel. For a command that
/// failed, reading past the end is an error that says so, with the end of its stderr.
#[derive(Debug)]
pub struct SshStream {
    io: DuplexStream,
    end: watch::Receiver<Option<Result<u32, ExecError>>>,
    stderr: Arc<Mutex<Vec<u8>>>,
    is_command: bool,
    _open: oneshot::Sender<()>,
}

impl SshStream {
    /// The last 16 KiB that the command wrote to stderr so far; empty for a forwarded connection.
    pub fn stderr(&self) -> Vec<u8> {
        lock(&self.stderr).clone()
    }

    fn failure(&self) -> Option<io::Error> {
        let problem = match self.end.borrow().clone()? {
            Ok(0) => return None,
            Ok(status) => format!("the command ended with status {status}"),
            Err(ExecError::NoStatus) if !self.is_command => return None,
            Err(problem) => problem.to_string(),
        };
        let stderr = one_line(&String::from_utf8_lossy(&self.stderr()), 400);
        let said = if stderr.is_empty() { problem } else { format!("{problem}: {stderr}") };
        Some(io::Error::new(io::ErrorKind::BrokenPipe, said))
    }
}

impl AsyncRead for SshStream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let wanted = buf.remaining();
        ready!(Pin::new(&mut self.io).poll_read(cx, buf))?;
        let at_end = buf.filled().len() == before && wanted > 0;
        Poll::Ready(if at_end { self.failure().map_or(Ok(()), Err) } else { Ok(()) })
    }
}

impl AsyncWrite for SshStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

/// A command that runs on. Dropping it closes its channel: a command that reads stdin sees the end of it, another one
/// may run on (sshd sends no signal without a terminal). More than 16 MiB on stderr close its channel as well.
#[derive(Debug)]
pub struct Child {
    /// Standard input; dropping it or shutting it down sends EOF.
    pub stdin: DuplexStream,
    /// Standard output. Must be read or dropped: unread for 3 s with 1 MiB and more waiting, the channel is closed with
    /// [`ExecError::Unread`].
    pub stdout: DuplexStream,
    end: watch::Receiver<Option<Result<u32, ExecError>>>,
    stderr: Arc<Mutex<Vec<u8>>>,
    _open: oneshot::Sender<()>,
}

impl Child {
    /// Waits for the command's end; the exit status.
    ///
    /// # Errors
    /// Everything that [`ExecError`] knows of a command that has started.
    pub async fn wait(&mut self) -> Result<u32, ExecError> {
        match self.end.wait_for(Option::is_some).await {
            Ok(end) => end.clone().unwrap_or(Err(ExecError::Disconnected)),
            Err(_) => Err(ExecError::Disconnected),
        }
    }

    /// The last 16 KiB that the command wrote to stderr so far.
    pub fn stderr(&self) -> Vec<u8> {
        lock(&self.stderr).clone()
    }
}

/// The far ends of what the user holds.
struct Pump<R, W> {
    channel: OpenChannel,
    from_user: R,
    to_user: W,
    stderr: Arc<Mutex<Vec<u8>>>,
    end: watch::Sender<Option<Result<u32, ExecError>>>,
    open: oneshot::Receiver<()>,
    /// For a command, the reader's end of file waits for the exit status.
    is_command: bool,
}

/// A connection that the host forwarded to us, or we to it.
pub(super) fn forwarded(channel: Channel<Msg>) -> SshStream {
    stream(OpenChannel::new(channel, Trips::default()), false)
}

/// A connection from us into the host's network.
pub(super) fn connection(channel: OpenChannel) -> SshStream {
    stream(channel, false)
}

/// A command's stdin and stdout as one stream.
pub(super) fn stdio(channel: OpenChannel) -> SshStream {
    stream(channel, true)
}

fn stream(channel: OpenChannel, is_command: bool) -> SshStream {
    let (near, far) = tokio::io::duplex(BUFFER);
    let (from_user, to_user) = tokio::io::split(far);
    let (end_sender, end) = watch::channel(None);
    let (open_sender, open) = oneshot::channel();
    let stderr = Arc::default();
    let pump = Pump { channel, from_user, to_user, stderr: Arc::clone(&stderr), end: end_sender, open, is_command };
    tokio::spawn(pump.run());
    SshStream { io: near, end, stderr, is_command, _open: open_sender }
}

pub(super) fn child(channel: OpenChannel) -> Child {
    let (stdin, from_user) = tokio::io::duplex(BUFFER);
    let (stdout, to_user) = tokio::io::duplex(BUFFER);
    let (end_sender, end) = watch::channel(None);
    let (open_sender, open) = oneshot::channel();
    let stderr = Arc::default();
    let pump =
        Pump { channel, from_user, to_user, stderr: Arc::clone(&stderr), end: end_sender, open, is_command: false };
    tokio::spawn(pump.run());
    Child { stdin, stdout, end, stderr, _open: open_sender }
}

impl<R: AsyncRead + Unpin, W: AsyncWrite + Unpin> Pump<R, W> {
    async fn run(self) {
        let Self { mut channel, from_user, mut to_user, stderr, end, open, is_command } = self;
        let write = channel.write.clone();
        let exchange = channel.exchange.clone();
        let outward = outward(&write, from_user, &exchange);
        let result = {
            let inward = inward(&mut channel, &mut to_user, &stderr, is_command);
            tokio::pin!(outward, inward);
            let mut sent = false;
            tokio::pin!(open);
            loop {
                tokio::select! {
                    result = &mut inward => break result,
                    () = &mut outward, if !sent => sent = true,
                    // The user has dropped it: what was written before still leaves.
                    _ = &mut open => {
                        if !sent {
                            let leave = async { tokio::select! { () = &mut outward => {}, _ = &mut inward => {} } };
                            let _ = crate::awake::timeout(LINGER, leave).await;
                        }
                        break Err(ExecError::Disconnected);
                    }
                }
            }
        };
        let _ = end.send(Some(result));
    }
}

async fn outward<R: AsyncRead + Unpin>(write: &ChannelWriteHalf<Msg>, mut from_user: R, exchange: &Exchange) {
    loop {
        let mut chunk = Vec::with_capacity(CHUNK);
        match from_user.read_buf(&mut chunk).await {
            Ok(0) | Err(_) => break,
            Ok(_) => {
                exchange.sent();
                if write.data_bytes(chunk).await.is_err() {
                    return;
                }
            }
        }
    }
    let _ = write.eof().await;
}

async fn inward<W: AsyncWrite + Unpin>(
    channel: &mut OpenChannel,
    to_user: &mut W,
    stderr: &Mutex<Vec<u8>>,
    is_command: bool,
) -> Result<u32, ExecError> {
    let mut ending = Ending::default();
    let (mut errors, most) = (0, Limits::default().max_bytes);
    loop {
        match channel.next().await {
            None => return ending.status_of(channel, false),
            Some(ChannelMsg::Close) => return ending.status_of(channel, true),
            Some(ChannelMsg::Failure) => return Err(ExecError::Refused("it refused the exec request".into())),
            Some(ChannelMsg::Data { data }) => give(to_user, &data).await?,
            Some(ChannelMsg::ExtendedData { data, .. }) => {
                errors += data.len();
                keep_tail(&mut lock(stderr), &data);
                if errors > most {
                    return Err(ExecError::TooMuchOutput(most));
                }
            }
            Some(other) => {
                ending.note(&other);
                if matches!(other, ChannelMsg::Eof) && !is_command {
                    let _ = to_user.shutdown().await;
                }
            }
        }
    }
}

/// Hands bytes to the user. One who has dropped the reader does not want them; one who does not read is given up on.
async fn give<W: AsyncWrite + Unpin>(to_user: &mut W, mut data: &[u8]) -> Result<(), ExecError> {
    while !data.is_empty() {
        match crate::awake::timeout(UNREAD, to_user.write(data)).await {
            Ok(Ok(written)) if written > 0 => data = &data[written..],
            Ok(_) => return Ok(()),
            Err(_) => return Err(ExecError::Unread),
        }
    }
    Ok(())
}

fn keep_tail(tail: &mut Vec<u8>, data: &[u8]) {
    tail.extend_from_slice(data);
    let excess = tail.len().saturating_sub(STDERR_TAIL);
    tail.drain(..excess);
}
