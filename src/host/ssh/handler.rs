//! What the connection asks of us: whether the host key is right, and where forwarded connections go.
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use russh::client::{self, ChannelOpenHandle, DisconnectReason, Msg};
use russh::keys::PublicKeyOrCertificate;
use russh::{Channel, ChannelOpenFailure};
use tokio::sync::watch;

use super::error::ConnectError;
use super::forward::Forwards;
use super::trust::Trust;
use crate::report::text::one_line;

/// An error inside the connection: ours, or russh's.
#[derive(Debug)]
pub(super) enum Fault {
    Ours(Box<ConnectError>),
    Russh(russh::Error),
}

impl From<russh::Error> for Fault {
    fn from(cause: russh::Error) -> Self {
        Self::Russh(cause)
    }
}

/// What the connection has learned, for whoever holds it.
#[derive(Debug, Default)]
pub(super) struct Learned {
    /// The fingerprint that was verified; `None` until then.
    pub(super) fingerprint: Option<String>,
    /// The words of its disconnect message.
    pub(super) goodbye: Option<String>,
}

pub(super) type Shared<T> = Arc<Mutex<T>>;

/// The value, also after a panic elsewhere: what is shared here is whole at any time.
pub(super) fn lock<T>(shared: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// russh's side of a connection. Every channel that a server opens is refused, but for ports that we asked it to forward.
pub(super) struct Client {
    pub(super) trust: Trust,
    pub(super) learned: Shared<Learned>,
    pub(super) forwards: Arc<Forwards>,
    /// Dropped with the connection: this is how its end is seen.
    pub(super) _alive: watch::Sender<()>,
}

impl client::Handler for Client {
    type Error = Fault;

    async fn check_server_key(&mut self, presented: &PublicKeyOrCertificate) -> Result<bool, Fault> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs());
        let fingerprint = self.trust.check(presented, now).map_err(|cause| Fault::Ours(Box::new(cause)))?;
        lock(&self.learned).fingerprint = Some(fingerprint);
        Ok(true)
    }

    async fn disconnected(&mut self, reason: DisconnectReason<Fault>) -> Result<(), Fault> {
        match reason {
            DisconnectReason::ReceivedDisconnect(info) => {
                lock(&self.learned).goodbye = Some(one_line(&info.message, 200));
                Ok(())
            }
            DisconnectReason::Error(cause) => Err(cause),
        }
    }

    async fn server_channel_open_forwarded_tcpip(
        &mut self,
        channel: Channel<Msg>,
        connected_address: &str,
        connected_port: u32,
        _originator_address: &str,
        _originator_port: u32,
        reply: ChannelOpenHandle,
        _session: &mut client::Session,
    ) -> Result<(), Fault> {
        match self.forwards.reserve(connected_address, connected_port).await {
            Ok(place) => {
                reply.accept().await;
                place.send(super::stream::forwarded(channel));
            }
            Err(reason) => reply.reject(reason).await,
        }
        Ok(())
    }

    async fn server_channel_open_forwarded_streamlocal(
        &mut self,
        _channel: Channel<Msg>,
        _socket_path: &str,
        reply: ChannelOpenHandle,
        _session: &mut client::Session,
    ) -> Result<(), Fault> {
        refuse(reply).await
    }

    async fn server_channel_open_agent_forward(
        &mut self,
        _channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _session: &mut client::Session,
    ) -> Result<(), Fault> {
        refuse(reply).await
    }

    async fn server_channel_open_session(
        &mut self,
        _channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _session: &mut client::Session,
    ) -> Result<(), Fault> {
        refuse(reply).await
    }

    async fn server_channel_open_direct_tcpip(
        &mut self,
        _channel: Channel<Msg>,
        _host_to_connect: &str,
        _port_to_connect: u32,
        _originator_address: &str,
        _originator_port: u32,
        reply: ChannelOpenHandle,
        _session: &mut client::Session,
    ) -> Result<(), Fault> {
        refuse(reply).await
    }

    async fn server_channel_open_direct_streamlocal(
        &mut self,
        _channel: Channel<Msg>,
        _socket_path: &str,
        reply: ChannelOpenHandle,
        _session: &mut client::Session,
    ) -> Result<(), Fault> {
        refuse(reply).await
    }

    async fn server_channel_open_x11(
        &mut self,
        _channel: Channel<Msg>,
        _originator_address: &str,
        _originator_port: u32,
        reply: ChannelOpenHandle,
        _session: &mut client::Session,
    ) -> Result<(), Fault> {
        refuse(reply).await
    }
}

async fn refuse(reply: ChannelOpenHandle) -> Result<(), Fault> {
    reply.reject(ChannelOpenFailure::AdministrativelyProhibited).await;
    Ok(())
}
