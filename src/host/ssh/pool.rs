//! Session channels: at most eight at once, and one opened ahead so that a command costs one round trip.
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::FutureExt;
use russh::client::{Handle, Msg};
use russh::{Channel, ChannelMsg, ChannelReadHalf, ChannelWriteHalf};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinHandle;

use super::error::ExecError;
use super::handler::{Client, lock};
use super::lanes::{Connect, Lanes, Seat};
use super::trips::{Exchange, Trips, Wait};
use super::wrap::{Begin, wrap};

/// sshd's MaxSessions is 10; one more is the spare, and one is left for a session that sshd has not yet cleaned up.
const AT_ONCE: usize = 8;
/// What the server may take to open a channel, once there is room for one.
const OPEN_WITHIN: Duration = Duration::from_secs(30);

/// The size of a terminal, in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Characters of a line.
    pub columns: u32,
    /// Lines.
    pub rows: u32,
}

/// A channel that closes itself when dropped.
pub(super) struct OpenChannel {
    read: ChannelReadHalf,
    /// Shared, so that one may write while another reads.
    pub(super) write: Arc<ChannelWriteHalf<Msg>>,
    /// By the server, or because the connection is gone.
    closed: bool,
    /// Given back when the channel is closed.
    permit: Option<OwnedSemaphorePermit>,
    seat: Option<Seat>,
    /// Of a command, until it has begun on both streams.
    begin: Option<Begin>,
    /// What is sent here waits for an answer.
    pub(super) exchange: Arc<Exchange>,
}

impl OpenChannel {
    pub(super) fn new(channel: Channel<Msg>, trips: Trips) -> Self {
        let (read, write) = channel.split();
        let exchange = Arc::new(Exchange::new(trips));
        Self { read, write: Arc::new(write), closed: false, permit: None, seat: None, begin: None, exchange }
    }

    /// A session of a connection.
    pub(super) fn on(channel: Channel<Msg>, trips: Trips, seat: Seat) -> Self {
        let mut channel = Self::new(channel, trips);
        channel.seat = Some(seat);
        channel
    }

    /// The same, with round trips that count for nobody.
    pub(super) fn uncounted(mut self) -> Self {
        self.exchange = Arc::new(Exchange::new(Trips::default()));
        self
    }

    /// The next message; after the channel's end always `None`. Dropping the future loses nothing.
    ///
    /// What a login shell printed before a command began is left out.
    pub(super) async fn next(&mut self) -> Option<ChannelMsg> {
        let mut message = self.read.wait().await;
        self.closed |= matches!(message, None | Some(ChannelMsg::Close));
        if !matches!(message, Some(ChannelMsg::WindowAdjusted { .. })) {
            self.exchange.came();
        }
        let Some(begin) = &mut self.begin else { return message };
        match &mut message {
            Some(ChannelMsg::Data { data }) => *data = data.slice_ref(begin.own(data, false)),
            Some(ChannelMsg::ExtendedData { data, .. }) => *data = data.slice_ref(begin.own(data, true)),
            _ => {}
        }
        if begin.is_drowned() { Some(ChannelMsg::Close) } else { message }
    }

    /// What was said instead, where the channel ended before its command began.
    pub(super) fn instead(&self) -> Option<String> {
        self.begin.as_ref()?.instead()
    }
}

impl Drop for OpenChannel {
    fn drop(&mut self) {
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        if !self.closed {
            let (write, held) = (self.write.clone(), (self.permit.take(), self.seat.take()));
            runtime.spawn(async move {
                let _ = write.close().await;
                drop(held);
            });
        }
    }
}

/// A channel, and the wait for it, which ends when somebody had to wait.
type Opened = Result<(OpenChannel, Wait), ExecError>;

/// The session channels of one host.
pub(super) struct Pool {
    lanes: Arc<Lanes>,
    permits: Arc<Semaphore>,
    spare: Mutex<Option<JoinHandle<Opened>>>,
    /// One more, for two commands at once.
    second: Mutex<Option<JoinHandle<Opened>>>,
}

impl Pool {
    pub(super) fn new(handle: Arc<Handle<Client>>, connect: Connect, trips: Trips) -> Self {
        let lanes = Arc::new(Lanes::new(handle, connect, trips));
        let pool = Self {
            lanes,
            permits: Arc::new(Semaphore::new(AT_ONCE)),
            spare: Mutex::default(),
            second: Mutex::default(),
        };
        pool.open_ahead();
        pool
    }

    /// A channel with `command` running in it: one round trip if the spare is ready, else two.
    pub(super) async fn start(&self, command: &str) -> Result<OpenChannel, ExecError> {
        let mut channel = self.open(command).await?;
        channel.begin = Some(Begin::default());
        channel.exchange.sent();
        channel.write.exec(true, wrap(command)).await.map_err(|_| ExecError::Disconnected)?;
        self.open_ahead();
        Ok(channel)
    }

    /// A command with a terminal of this kind (RFC 4254, section 6.2). What a login shell prints comes before its own output.
    pub(super) async fn terminal(&self, command: &str, kind: &str, size: Size) -> Result<OpenChannel, ExecError> {
        let channel = self.open(command).await?;
        let asked = channel.write.request_pty(false, kind, size.columns, size.rows, 0, 0, &[]).await;
        asked.map_err(|_| ExecError::Disconnected)?;
        channel.write.exec(true, command).await.map_err(|_| ExecError::Disconnected)?;
        Ok(channel)
    }

    /// A channel for a command.
    async fn open(&self, command: &str) -> Result<OpenChannel, ExecError> {
        if command.contains('\0') {
            return Err(super::quote::QuoteError::Nul.into());
        }
        let permit = self.permits.clone().acquire_owned().await.map_err(|_| ExecError::Disconnected)?;
        let opening = async {
            match self.take_spare().await {
                Some(channel) => Ok(channel),
                None => {
                    let (channel, wait) = self.lanes.open().await?;
                    wait.end();
                    Ok(channel)
                }
            }
        };
        let opened = crate::awake::timeout(OPEN_WITHIN, opening).await;
        let mut channel = opened.unwrap_or(Err(ExecError::Timeout(OPEN_WITHIN)))?;
        channel.permit = Some(permit);
        Ok(channel)
    }

    /// How many sessions sshd opens on one connection, asked for so many at once.
    pub(super) async fn measure(&self, most: usize) -> usize {
        // kept meanwhile: sshd counts a closed one for a moment
        let _spare = self.take_spare().await;
        self.lanes.measure(most).await
    }

    /// Ends every connection.
    pub(super) async fn disconnect(&self) {
        self.lanes.disconnect().await;
    }

    /// The channel that was opened ahead, if there is one and the server has not closed it since.
    async fn take_spare(&self) -> Option<OpenChannel> {
        let ready = lock(&self.second).take_if(|second| second.is_finished());
        let opening = ready.or_else(|| lock(&self.spare).take())?;
        let is_there = opening.is_finished();
        let (mut channel, wait) = opening.await.ok()?.ok()?;
        if !is_there {
            wait.end();
        }
        channel.next().now_or_never().is_none().then_some(channel)
    }

    /// Opens one more channel ahead, where two commands are to begin at once and there is room on this connection.
    pub(super) fn ready_for_two(&self) {
        let mut second = lock(&self.second);
        if second.is_none() {
            let lanes = Arc::clone(&self.lanes);
            *second = Some(tokio::spawn(async move { lanes.open_here().await }));
        }
    }

    /// Where there is no room for it, on a further connection: so one session is always left for putting back.
    fn open_ahead(&self) {
        let mut spare = lock(&self.spare);
        if spare.is_none() {
            let lanes = Arc::clone(&self.lanes);
            *spare = Some(tokio::spawn(async move { lanes.open().await }));
        }
    }
}
