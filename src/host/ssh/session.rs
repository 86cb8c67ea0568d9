//! The connection that the rest of cutover uses.
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use russh::ChannelWriteHalf;
use russh::client::{Handle, Msg};
use russh::keys::Algorithm;
use tokio::sync::watch;

use super::Options;
use super::auth::{LoginRefusal, Offers};
use super::connect::{self, Connected, Timing};
use super::error::{ConnectError, ExecError, ForwardError};
use super::exec::{self, Limits, Output};
use super::forward::{self, Forwards, RemoteForward};
use super::handler::{Client, Learned, Shared, lock};
use super::pool::{Pool, Size};
use super::route::{Hop, route};
use super::stream::{self, Child, SshStream};
use super::target::Target;
use super::trips::Trips;
use super::trust::Trust;

/// A login may wait for a person to touch a security key.
const LOGIN_WITHIN: Duration = Duration::from_secs(60);
/// Host keys of a server that are looked at for one that a stated fingerprint is of: Ed25519, ECDSA, RSA.
const MOST_HOST_KEYS: usize = 3;

/// A connection to a host, logged in. Clones share it; it ends with the last of them and of the streams over it.
#[derive(Clone)]
pub struct Session {
    inner: Arc<Inner>,
}

struct Inner {
    pool: Pool,
    handle: Arc<Handle<Client>>,
    forwards: Arc<Forwards>,
    learned: Shared<Learned>,
    closed: watch::Receiver<()>,
    trips: Trips,
    place: String,
    user: String,
    patience: Duration,
    /// The jump host's connection, which carries this one.
    _via: Option<Session>,
}

impl Session {
    /// Connects, verifies the host key, and logs in.
    ///
    /// Connecting is tried three times if there is no answer, or none that is SSH; a refused key or host key never.
    ///
    /// # Errors
    /// [`ConnectError`], whose text is the message for the user.
    pub async fn connect(target: &Target, options: &Options) -> Result<Session, ConnectError> {
        let hops = route(target, options)?;
        let mut via: Option<Session> = None;
        let last = hops.len() - 1;
        for (at, hop) in hops.iter().enumerate() {
            let session = connect_hop(hop, options, via).await;
            via = Some(session.map_err(|cause| if at < last { in_jump(hop, cause) } else { cause })?);
        }
        via.ok_or_else(|| ConnectError::Setting { problem: "no host".into() })
    }

    /// Runs a command by the login shell (RFC 4254, section 6.5), gives it `stdin`, and waits for its end.
    ///
    /// # Errors
    /// [`ExecError`]; a status that is not 0 is no error.
    pub async fn exec(&self, command: &str, stdin: &[u8], limits: Limits) -> Result<Output, ExecError> {
        exec::exec(&self.inner.pool, command, stdin, limits).await
    }

    /// Starts a command that runs on. It holds one of the eight sessions until dropped.
    ///
    /// # Errors
    /// [`ExecError`], if there is no session for it.
    pub async fn spawn(&self, command: &str) -> Result<Child, ExecError> {
        Ok(stream::child(self.inner.pool.start(command).await?))
    }

    /// Two commands are to begin at once: the channels for both are opened ahead, where there is room.
    pub fn ready_for_two(&self) {
        self.inner.pool.ready_for_two();
    }

    /// Starts a command whose stdin and stdout are a connection, such as `docker system dial-stdio`. It holds one of the
    /// eight sessions until dropped.
    ///
    /// # Errors
    /// [`ExecError`], if there is no session for it. That the command fails is an error of reading the stream.
    pub async fn stdio(&self, command: &str) -> Result<SshStream, ExecError> {
        Ok(stream::stdio(self.inner.pool.start(command).await?))
    }

    /// The same for what nobody waits for: it counts as no round trip.
    ///
    /// # Errors
    /// As [`Session::stdio`].
    pub async fn stdio_aside(&self, command: &str) -> Result<SshStream, ExecError> {
        Ok(stream::stdio(self.inner.pool.start(command).await?.uncounted()))
    }

    /// Starts a command with a terminal of this kind (`TERM`) and size.
    ///
    /// # Errors
    /// [`ExecError`], if there is no session for it.
    pub async fn terminal(&self, command: &str, kind: &str, size: Size) -> Result<(Child, Window), ExecError> {
        let channel = self.inner.pool.terminal(command, kind, size).await?;
        let window = Window(Arc::clone(&channel.write));
        Ok((stream::child(channel), window))
    }

    /// How many sessions sshd opens on one connection (MaxSessions of sshd_config(5)), asked for up to `most` at once:
    /// those that are open count. Where it is few, further connections are made as they are needed.
    pub async fn sessions(&self, most: usize) -> usize {
        self.inner.pool.measure(most).await
    }

    /// Connects from the host to `host:port`, as the host resolves it.
    ///
    /// # Errors
    /// [`ForwardError::Prohibited`] by sshd_config(5); [`ForwardError::ConnectFailed`] if nothing answers there.
    pub async fn direct_tcpip(&self, host: &str, port: u16) -> Result<SshStream, ForwardError> {
        forward::direct(&self.inner.handle, &self.inner.trips, host, port, self.inner.patience).await
    }

    /// Lets the host listen on `address:port`, and brings the connections to us. Port 0 is one that the host chooses.
    ///
    /// # Errors
    /// [`ForwardError::Prohibited`], also if the port is taken: SSH has one answer for both.
    pub async fn remote_forward(&self, address: &str, port: u16) -> Result<RemoteForward, ForwardError> {
        let wait = self.inner.trips.begin();
        let forward =
            forward::remote(&self.inner.handle, &self.inner.forwards, address, port, self.inner.patience).await;
        wait.end();
        forward
    }

    /// Whether the connection has ended.
    pub fn is_closed(&self) -> bool {
        self.inner.handle.is_closed() || self.inner.closed.has_changed().is_err()
    }

    /// Waits for the end of the connection.
    pub async fn closed(&self) {
        let mut closed = self.inner.closed.clone();
        while closed.changed().await.is_ok() {}
    }

    /// Says goodbye and ends the connection, with everything that runs over it. Waits for one second at most.
    pub async fn close(self) {
        self.inner.pool.disconnect().await;
        let _ = crate::awake::timeout(Duration::from_secs(1), self.closed()).await;
    }

    /// `host:port`, as the user called it.
    pub fn place(&self) -> &str {
        &self.inner.place
    }

    /// The login name.
    pub fn user(&self) -> &str {
        &self.inner.user
    }

    /// The host key's fingerprint that was verified; with its authority's, if it was a certificate.
    pub fn fingerprint(&self) -> String {
        lock(&self.inner.learned).fingerprint.clone().unwrap_or_default()
    }

    /// What the server said when it ended the connection, made inert.
    pub fn goodbye(&self) -> Option<String> {
        lock(&self.inner.learned).goodbye.clone()
    }

    /// How many times something waited for the network and back, one after the other: connecting, login, opening
    /// channels, commands, requests and their answers. What happens at the same time or ahead of its use does not count.
    pub fn round_trips(&self) -> u32 {
        self.inner.trips.count()
    }
}

/// The window of a command's terminal.
pub struct Window(Arc<ChannelWriteHalf<Msg>>);

impl Window {
    /// It has this size now (RFC 4254, section 6.7).
    pub async fn resize(&self, size: Size) {
        // a command that has ended has no window
        let _ = self.0.window_change(size.columns, size.rows, 0, 0).await;
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("user", &self.inner.user).field("place", &self.inner.place).finish()
    }
}

fn in_jump(hop: &Hop, cause: ConnectError) -> ConnectError {
    ConnectError::Jump { place: hop.place(), cause: Box::new(cause) }
}

async fn connect_hop(hop: &Hop, options: &Options, via: Option<Session>) -> Result<Session, ConnectError> {
    let offers = Arc::new(Offers::gather(&hop.sources(options)).await?);
    let timing = Timing { connect: options.connect_timeout, keepalive: options.keepalive };
    let (mut connected, trust) = verified(hop, options, via.as_ref(), timing).await?;
    log_in(hop, &offers, &mut connected).await?;
    let Connected { handle, learned, forwards, closed, trips } = connected;
    let handle = Arc::new(handle);
    let again = Again { hop: hop.trusting(trust), options: options.clone(), offers, via: via.clone(), timing };
    let again = Arc::new(again);
    let connect = Box::new(move || -> BoxFuture<'static, _> { Box::pin(Arc::clone(&again).connect()) });
    let inner = Inner {
        pool: Pool::new(handle.clone(), connect, trips.clone()),
        handle,
        forwards,
        learned,
        closed,
        trips,
        place: hop.place(),
        user: hop.user.clone(),
        patience: options.connect_timeout,
        _via: via,
    };
    Ok(Session { inner: Arc::new(inner) })
}

/// What it takes to connect to a host once more, with nobody asked again.
struct Again {
    hop: Hop,
    options: Options,
    offers: Arc<Offers>,
    via: Option<Session>,
    timing: Timing,
}

impl Again {
    async fn connect(self: Arc<Self>) -> Result<Arc<Handle<Client>>, String> {
        let options = Options { ask_host_key: None, ..self.options.clone() };
        let connected = verified(&self.hop, &options, self.via.as_ref(), self.timing).await;
        let (mut connected, _) = connected.map_err(|cause| cause.to_string())?;
        log_in(&self.hop, &self.offers, &mut connected).await.map_err(|cause| cause.to_string())?;
        Ok(Arc::new(connected.handle))
    }
}

/// A connection to the host whose key is right, and what it was trusted by.
///
/// A stated fingerprint may be of another of the server's keys than the one that it presents first, so the others are
/// looked at too. A person may accept an unknown key; the connection is then made anew, because theirs is no quick answer.
async fn verified(
    hop: &Hop,
    options: &Options,
    via: Option<&Session>,
    timing: Timing,
) -> Result<(Connected, Trust), ConnectError> {
    let mut trust = hop.trust.clone();
    let mut without: Vec<Algorithm> = Vec::new();
    let mut wrong = None;
    loop {
        let cause = match connect::connect(hop, &trust, &without, via, timing).await {
            Ok(connected) => return Ok((connected, trust)),
            Err(cause) => cause,
        };
        match (&cause, &options.ask_host_key) {
            (ConnectError::HostKeyMismatch { algorithm, .. }, _) if !trust.fingerprints.is_empty() => {
                without.extend(algorithm.parse::<Algorithm>());
                if without.len() >= MOST_HOST_KEYS {
                    return Err(wrong.unwrap_or(cause));
                }
                wrong = wrong.or(Some(cause));
            }
            (ConnectError::HostKeyUnknown(key), Some(ask)) if trust.fingerprints.is_empty() => {
                let (ask, key) = (ask.clone(), key.clone());
                let fingerprint = key.fingerprint.clone();
                let accepted = tokio::task::spawn_blocking(move || ask(&key)).await.unwrap_or(false);
                if !accepted {
                    return Err(cause);
                }
                trust.fingerprints.push(fingerprint);
            }
            _ => return Err(wrong.unwrap_or(cause)),
        }
    }
}

async fn log_in(hop: &Hop, offers: &Offers, connected: &mut Connected) -> Result<(), ConnectError> {
    let login = offers.log_in(&mut connected.handle, &hop.user, &connected.trips);
    let refusal = match crate::awake::timeout(LOGIN_WITHIN, login).await {
        Ok(Ok(())) => return Ok(()),
        Ok(Err(refusal)) => refusal,
        Err(_) => {
            LoginRefusal { note: Some("the login was not answered within 60 s".into()), ..LoginRefusal::default() }
        }
    };
    if let (true, Some(missing)) = (refusal.offered.is_empty(), refusal.missing) {
        return Err(missing);
    }
    let goodbye = lock(&connected.learned).goodbye.take().map(|words| format!("the server said: {words}"));
    Err(ConnectError::AuthRefused {
        place: hop.place(),
        user: hop.user.clone(),
        offered: refusal.offered,
        methods: refusal.methods,
        note: goodbye.or(refusal.note),
    })
}
