//! Port forwarding, to the host's network and from it (RFC 4254, section 7).
use std::sync::{Arc, Mutex};
use std::time::Duration;

use russh::ChannelOpenFailure;
use russh::client::Handle;
use tokio::sync::mpsc::{self, OwnedPermit};
use tokio::sync::watch;

use super::error::ForwardError;
use super::handler::{Client, lock};
use super::pool::OpenChannel;
use super::stream::{self, SshStream};
use super::trips::Trips;

/// Forwarded connections that may wait for [`RemoteForward::next`]; further ones are refused.
const WAITING: usize = 64;

/// The first connection can come right behind the server's word on which port it took, before we have read that.
const PORT_KNOWN_WITHIN: Duration = Duration::from_secs(1);

/// Where the connections go that the host forwards to us.
#[derive(Default)]
pub(super) struct Forwards(Mutex<Vec<ForwardEntry>>);

#[derive(Clone)]
struct ForwardEntry {
    id: u64,
    address: String,
    /// `None` until the server has said which port it took.
    port: watch::Sender<Option<u32>>,
    sender: mpsc::Sender<SshStream>,
}

impl ForwardEntry {
    async fn is_for(&self, port: u32) -> bool {
        let mut own = self.port.subscribe();
        let known = crate::awake::timeout(PORT_KNOWN_WITHIN, own.wait_for(Option::is_some)).await;
        matches!(known, Ok(Ok(own)) if *own == Some(port))
    }
}

impl Forwards {
    /// A place for a connection to `address` and `port`, or why there is none.
    pub(super) async fn reserve(&self, address: &str, port: u32) -> Result<OwnedPermit<SshStream>, ChannelOpenFailure> {
        let entries: Vec<ForwardEntry> = lock(&self.0).iter().filter(|e| e.address == address).cloned().collect();
        for entry in entries {
            if entry.is_for(port).await {
                return entry.sender.try_reserve_owned().map_err(|_| ChannelOpenFailure::ResourceShortage);
            }
        }
        Err(ChannelOpenFailure::AdministrativelyProhibited)
    }

    fn add(&self, address: &str, port: Option<u32>, sender: mpsc::Sender<SshStream>) -> u64 {
        let mut entries = lock(&self.0);
        let id = entries.iter().map(|e| e.id + 1).max().unwrap_or_default();
        entries.push(ForwardEntry { id, address: address.to_owned(), port: watch::Sender::new(port), sender });
        id
    }

    fn set_port(&self, id: u64, port: u32) {
        if let Some(entry) = lock(&self.0).iter().find(|e| e.id == id) {
            entry.port.send_replace(Some(port));
        }
    }

    fn remove(&self, id: u64) {
        lock(&self.0).retain(|e| e.id != id);
    }
}

/// A port on the host whose connections come to us. Dropping it gives the port back.
pub struct RemoteForward {
    listening: Listening,
    incoming: mpsc::Receiver<SshStream>,
}

/// Removes the entry, and asks the server to stop listening, when dropped.
struct Listening {
    handle: Arc<Handle<Client>>,
    forwards: Arc<Forwards>,
    id: u64,
    address: String,
    /// `None` while the server has not agreed.
    port: Option<u16>,
}

impl RemoteForward {
    /// The port that the host listens on.
    pub fn port(&self) -> u16 {
        self.listening.port.unwrap_or_default()
    }

    /// The next connection; `None` when the SSH connection is gone. At most 64 wait here; further ones are refused.
    pub async fn next(&mut self) -> Option<SshStream> {
        self.incoming.recv().await
    }

    /// Gives the port back and waits until the host no longer listens. Connections that are open stay open.
    ///
    /// # Errors
    /// The server refuses, or the connection is gone (and the port free).
    pub async fn close(mut self) -> Result<(), ForwardError> {
        match self.listening.port.take() {
            Some(port) => {
                let (handle, address) = (&self.listening.handle, &self.listening.address);
                Ok(handle.cancel_tcpip_forward(address, port.into()).await?)
            }
            None => Ok(()),
        }
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.forwards.remove(self.id);
        let (Some(port), Ok(runtime)) = (self.port.take(), tokio::runtime::Handle::try_current()) else { return };
        let (handle, address) = (self.handle.clone(), std::mem::take(&mut self.address));
        runtime.spawn(async move {
            let _ = handle.cancel_tcpip_forward(address, port.into()).await;
        });
    }
}

pub(super) async fn remote(
    handle: &Arc<Handle<Client>>,
    forwards: &Arc<Forwards>,
    address: &str,
    port: u16,
    patience: Duration,
) -> Result<RemoteForward, ForwardError> {
    let (sender, incoming) = mpsc::channel(WAITING);
    // Added before the request: a connection may come right behind the server's answer.
    let id = forwards.add(address, (port != 0).then_some(port.into()), sender);
    let (handle, forwards) = (handle.clone(), forwards.clone());
    let mut listening = Listening { handle: handle.clone(), forwards, id, address: address.to_owned(), port: None };
    let asked = address.to_owned();
    // A task of its own: if the caller gives up, the port is still given back when the server agrees.
    let answer = tokio::spawn(async move {
        let taken = handle.tcpip_forward(asked, port.into()).await?;
        let taken = if port == 0 { u16::try_from(taken).unwrap_or_default() } else { port };
        listening.forwards.set_port(id, taken.into());
        listening.port = Some(taken);
        Ok::<_, russh::Error>(listening)
    });
    let listening = crate::awake::timeout(patience, answer)
        .await
        .map_err(|_| ForwardError::Timeout)?
        .map_err(|_| ForwardError::Disconnected)??;
    Ok(RemoteForward { listening, incoming })
}

pub(super) async fn direct(
    handle: &Arc<Handle<Client>>,
    trips: &Trips,
    host: &str,
    port: u16,
    patience: Duration,
) -> Result<SshStream, ForwardError> {
    let (handle, host) = (handle.clone(), host.to_owned());
    let (wait, own) = (trips.begin(), trips.clone());
    // A task of its own: if the caller gives up, the channel is still closed when the server confirms it.
    let opening = tokio::spawn(async move {
        let channel = handle.channel_open_direct_tcpip(host, port.into(), "127.0.0.1", 0).await?;
        Ok::<_, russh::Error>(OpenChannel::new(channel, own))
    });
    let channel = crate::awake::timeout(patience, opening)
        .await
        .map_err(|_| ForwardError::Timeout)?
        .map_err(|_| ForwardError::Disconnected)??;
    wait.end();
    Ok(stream::connection(channel))
}
