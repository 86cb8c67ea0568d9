//! Session channels: at most eight at once, and one opened ahead so that a command costs one round trip.
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::FutureExt;
use russh::client::{Handle, Msg};
use russh::{Channel, ChannelMsg, ChannelOpenFailure, ChannelReadHalf, ChannelWriteHalf};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinHandle;

use super::error::ExecError;
use super::handler::{Client, lock};
use super::trips::{Exchange, Trips, Wait};

/// sshd's MaxSessions is 10; one more is the spare, and one is left for a session that sshd has not yet cleaned up.
const AT_ONCE: usize = 8;
/// sshd counts a closed session until it next looks around: a refusal passes within a round trip.
const OPEN_ATTEMPTS: u32 = 5;
/// What the server may take to open a channel, once there is room for one.
const OPEN_WITHIN: Duration = Duration::from_secs(30);

/// A channel that closes itself when dropped.
pub(super) struct OpenChannel {
    read: ChannelReadHalf,
    /// Shared, so that one may write while another reads.
    pub(super) write: Arc<ChannelWriteHalf<Msg>>,
    /// By the server, or because the connection is gone.
    closed: bool,
    /// Given back when the channel is closed.
    permit: Option<OwnedSemaphorePermit>,
    /// What is sent here waits for an answer.
    pub(super) exchange: Arc<Exchange>,
}

impl OpenChannel {
    pub(super) fn new(channel: Channel<Msg>, trips: Trips) -> Self {
        let (read, write) = channel.split();
        let exchange = Arc::new(Exchange::new(trips));
        Self { read, write: Arc::new(write), closed: false, permit: None, exchange }
    }

    /// The next message; after the channel's end always `None`. Dropping the future loses nothing.
    pub(super) async fn next(&mut self) -> Option<ChannelMsg> {
        let message = self.read.wait().await;
        self.closed |= matches!(message, None | Some(ChannelMsg::Close));
        if !matches!(message, Some(ChannelMsg::WindowAdjusted { .. })) {
            self.exchange.came();
        }
        message
    }
}

impl Drop for OpenChannel {
    fn drop(&mut self) {
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        if !self.closed {
            let (write, permit) = (self.write.clone(), self.permit.take());
            runtime.spawn(async move {
                let _ = write.close().await;
                drop(permit);
            });
        }
    }
}

/// A channel, and the wait for it, which ends when somebody had to wait.
type Opened = Result<(OpenChannel, Wait), russh::Error>;

/// The session channels of one connection.
pub(super) struct Pool {
    handle: Arc<Handle<Client>>,
    permits: Arc<Semaphore>,
    spare: Mutex<Option<JoinHandle<Opened>>>,
    trips: Trips,
}

impl Pool {
    pub(super) fn new(handle: Arc<Handle<Client>>, trips: Trips) -> Self {
        let pool = Self { handle, permits: Arc::new(Semaphore::new(AT_ONCE)), spare: Mutex::default(), trips };
        pool.open_ahead();
        pool
    }

    /// A channel with `command` running in it: one round trip if the spare is ready, else two.
    pub(super) async fn start(&self, command: &str) -> Result<OpenChannel, ExecError> {
        if command.contains('\0') {
            return Err(super::quote::QuoteError::Nul.into());
        }
        let permit = self.permits.clone().acquire_owned().await.map_err(|_| ExecError::Disconnected)?;
        let opening = async {
            match self.take_spare().await {
                Some(channel) => Ok(channel),
                None => self.open().await,
            }
        };
        let opened = tokio::time::timeout(OPEN_WITHIN, opening).await;
        let mut channel = opened.unwrap_or(Err(ExecError::Timeout(OPEN_WITHIN)))?;
        channel.permit = Some(permit);
        channel.exchange.sent();
        channel.write.exec(true, command).await.map_err(|_| ExecError::Disconnected)?;
        self.open_ahead();
        Ok(channel)
    }

    /// The channel that was opened ahead, if there is one and the server has not closed it since.
    async fn take_spare(&self) -> Option<OpenChannel> {
        let opening = lock(&self.spare).take()?;
        let (mut channel, wait) = opening.await.ok()?.ok()?;
        wait.end();
        channel.next().now_or_never().is_none().then_some(channel)
    }

    fn open_ahead(&self) {
        let mut spare = lock(&self.spare);
        if spare.is_none() {
            *spare = Some(tokio::spawn(opening(self.handle.clone(), self.trips.clone())));
        }
    }

    async fn open(&self) -> Result<OpenChannel, ExecError> {
        for attempt in 1..=OPEN_ATTEMPTS {
            // A task of its own: if the caller gives up, the channel is still closed when the server confirms it.
            let opened = tokio::spawn(opening(self.handle.clone(), self.trips.clone())).await;
            match opened.map_err(|_| ExecError::Disconnected)? {
                Ok((channel, wait)) => {
                    wait.end();
                    return Ok(channel);
                }
                Err(russh::Error::ChannelOpenFailure(reason)) if attempt < OPEN_ATTEMPTS && passes(&reason) => {
                    tokio::time::sleep(Duration::from_millis(20) * attempt).await;
                }
                Err(russh::Error::ChannelOpenFailure(_)) => {
                    return Err(ExecError::Refused("no more sessions on this connection (MaxSessions)".into()));
                }
                Err(_) => return Err(ExecError::Disconnected),
            }
        }
        Err(ExecError::Disconnected)
    }
}

fn passes(reason: &ChannelOpenFailure) -> bool {
    matches!(reason, ChannelOpenFailure::ConnectFailed | ChannelOpenFailure::ResourceShortage)
}

async fn opening(handle: Arc<Handle<Client>>, trips: Trips) -> Opened {
    let wait = trips.begin();
    let channel = handle.channel_open_session().await?;
    Ok((OpenChannel::new(channel, trips), wait))
}
