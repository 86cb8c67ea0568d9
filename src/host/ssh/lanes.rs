//! Room for sessions: the connection, and further ones where sshd allows few sessions on each (MaxSessions).
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::{BoxFuture, join_all};
use russh::client::Handle;
use russh::{ChannelOpenFailure, Disconnect};

use super::error::ExecError;
use super::handler::{Client, lock};
use super::pool::OpenChannel;
use super::trips::{Trips, Wait};
use crate::report::text::one_line;

/// Connections to one host at most: with one session on each, every command of a release has its own.
const MOST: usize = 8;
/// sshd counts a closed session until it next looks around: a refusal passes within a round trip.
const OPEN_ATTEMPTS: u32 = 5;

/// Makes a further connection to the same host, or says why it can't.
pub(super) type Connect = Box<dyn Fn() -> BoxFuture<'static, Result<Arc<Handle<Client>>, String>> + Send + Sync>;

/// The connections of one session, the first one first.
pub(super) struct Lanes {
    all: Mutex<Vec<Arc<Lane>>>,
    connect: Connect,
    /// One is made at a time.
    growing: tokio::sync::Mutex<()>,
    trips: Trips,
}

/// One connection.
struct Lane {
    handle: Arc<Handle<Client>>,
    /// Sessions that are open.
    open: AtomicUsize,
    /// Sessions that sshd opens, once it has refused one.
    room: AtomicUsize,
}

/// One session of a lane, while it is open.
pub(super) struct Seat(Arc<Lane>);

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Why a lane opened no session.
enum Refusal {
    Full,
    Gone,
}

impl Lanes {
    pub(super) fn new(first: Arc<Handle<Client>>, connect: Connect, trips: Trips) -> Self {
        Self {
            all: Mutex::new(vec![Arc::new(Lane::of(first))]),
            connect,
            growing: tokio::sync::Mutex::default(),
            trips,
        }
    }

    /// A session, on a further connection if there is no room on those that are there.
    pub(super) async fn open(&self) -> Result<(OpenChannel, Wait), ExecError> {
        let mut tried = 0;
        loop {
            for lane in self.from(tried) {
                tried += 1;
                match lane.open_with_patience(&self.trips).await {
                    Ok(opened) => return Ok(opened),
                    Err(Refusal::Gone) if tried == 1 => return Err(ExecError::Disconnected),
                    Err(Refusal::Gone | Refusal::Full) => {}
                }
            }
            let _growing = self.growing.lock().await;
            if self.from(tried).is_empty() {
                self.grow().await?;
            }
        }
    }

    /// A session on the first connection, where sshd is not known to have no room there.
    pub(super) async fn open_here(&self) -> Result<(OpenChannel, Wait), ExecError> {
        let lane = self.from(0).into_iter().next().filter(|lane| lane.room.load(Ordering::Relaxed) == usize::MAX);
        let lane = lane.ok_or(ExecError::Disconnected)?;
        lane.open_once(&self.trips).await.map_err(|_| ExecError::Disconnected)
    }

    fn from(&self, at: usize) -> Vec<Arc<Lane>> {
        lock(&self.all).iter().skip(at).cloned().collect()
    }

    async fn grow(&self) -> Result<(), ExecError> {
        let refused =
            |why: String| ExecError::Refused(format!("no more sessions on this connection (MaxSessions){why}"));
        if lock(&self.all).len() >= MOST {
            return Err(refused(format!(", and there are {MOST} connections already")));
        }
        let connected = (self.connect)().await;
        let handle =
            connected.map_err(|why| refused(format!(", and no further connection: {}", one_line(&why, 300))))?;
        lock(&self.all).push(Arc::new(Lane::of(handle)));
        Ok(())
    }

    /// How many sessions sshd opens on the first connection, asked for so many at once. One round trip where it opens as many;
    /// else it is asked again, since sshd counts sessions that were just closed for a moment.
    pub(super) async fn measure(&self, most: usize) -> usize {
        let Some(lane) = self.from(0).into_iter().next() else { return 0 };
        let mut found = 0;
        for attempt in 1..=OPEN_ATTEMPTS {
            let before = lane.open.load(Ordering::Relaxed);
            let opened = join_all((before..most).map(|_| lane.open_once(&self.trips))).await;
            found = found.max(before + opened.iter().filter(|opened| opened.is_ok()).count());
            if found >= most {
                break;
            }
            drop(opened);
            tokio::time::sleep(Duration::from_millis(20) * attempt).await;
        }
        found
    }

    /// Says goodbye on every connection.
    pub(super) async fn disconnect(&self) {
        let all = self.from(0);
        join_all(all.iter().map(|lane| lane.handle.disconnect(Disconnect::ByApplication, "", ""))).await;
    }
}

impl Lane {
    fn of(handle: Arc<Handle<Client>>) -> Lane {
        Lane { handle, open: AtomicUsize::new(0), room: AtomicUsize::new(usize::MAX) }
    }

    async fn open_with_patience(self: &Arc<Self>, trips: &Trips) -> Result<(OpenChannel, Wait), Refusal> {
        for attempt in 1..=OPEN_ATTEMPTS {
            let open = self.open.load(Ordering::Relaxed);
            if open >= self.room.load(Ordering::Relaxed) {
                return Err(Refusal::Full);
            }
            // A task of its own: if the caller gives up, the channel is still closed when the server confirms it.
            let (lane, trips) = (Arc::clone(self), trips.clone());
            let opened = tokio::spawn(async move { lane.open_once(&trips).await }).await;
            match opened.map_err(|_| Refusal::Gone)? {
                Err(russh::Error::ChannelOpenFailure(reason)) if passes(&reason) => {
                    if attempt == OPEN_ATTEMPTS {
                        self.room.fetch_min(open.max(1), Ordering::Relaxed);
                        return Err(Refusal::Full);
                    }
                    tokio::time::sleep(Duration::from_millis(20) * attempt).await;
                }
                Err(russh::Error::ChannelOpenFailure(_)) => return Err(Refusal::Full),
                Err(_) => return Err(Refusal::Gone),
                Ok(opened) => return Ok(opened),
            }
        }
        Err(Refusal::Full)
    }

    async fn open_once(self: &Arc<Self>, trips: &Trips) -> Result<(OpenChannel, Wait), russh::Error> {
        self.open.fetch_add(1, Ordering::Relaxed);
        let seat = Seat(Arc::clone(self));
        let wait = trips.begin();
        let channel = self.handle.channel_open_session().await?;
        Ok((OpenChannel::on(channel, trips.clone(), seat), wait))
    }
}

fn passes(reason: &ChannelOpenFailure) -> bool {
    matches!(reason, ChannelOpenFailure::ConnectFailed | ChannelOpenFailure::ResourceShortage)
}
