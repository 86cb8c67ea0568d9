//! From a target to an encrypted connection to the right host: resolve, dial, key exchange, host key.
use std::sync::{Arc, Mutex};
use std::time::Duration;

use russh::client::{self, Config, Handle};
use russh::keys::Algorithm;
use russh::{SshId, cipher};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::watch;

use super::Session;
use super::error::ConnectError;
use super::forward::Forwards;
use super::handler::{Client, Fault, Learned, Shared, lock};
use super::route::Hop;
use super::target::place;
use super::trips::Trips;
use super::trust::Trust;
use crate::report::text::one_line;

/// GCM has hardware on every server; russh's own list lacks aes128-gcm and starts with chacha20. CTR is for old servers.
pub(super) const CIPHERS: &[cipher::Name] = &[
    cipher::AES_128_GCM,
    cipher::AES_256_GCM,
    cipher::CHACHA20_POLY1305,
    cipher::AES_256_CTR,
    cipher::AES_192_CTR,
    cipher::AES_128_CTR,
];

/// Attempts to connect; a refused key or host key is never tried again.
const ATTEMPTS: u32 = 3;
const FIRST_PAUSE: Duration = Duration::from_millis(300);
const WINDOW: u32 = 8 << 20;
/// The most that russh allows.
const LARGEST_PACKET: u32 = 65535;
/// Messages that wait in a channel: with packets of 64 KiB, 8 MiB.
const CHANNEL_BUFFER: usize = 128;
const KEEPALIVES_LOST: u32 = 3;

/// Anything that carries a connection: TCP, or a channel through a jump host.
trait Carrier: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Carrier for T {}

/// A connection to the right host, before login.
pub(super) struct Connected {
    pub(super) handle: Handle<Client>,
    pub(super) learned: Shared<Learned>,
    pub(super) forwards: Arc<Forwards>,
    pub(super) closed: watch::Receiver<()>,
    pub(super) trips: Trips,
}

/// Why an attempt failed, and whether another one may help.
enum AttemptFailure {
    Final(ConnectError),
    Passing(String),
}

impl From<ConnectError> for AttemptFailure {
    fn from(cause: ConnectError) -> Self {
        Self::Final(cause)
    }
}

/// How to connect, the same for every hop.
#[derive(Clone, Copy)]
pub(super) struct Timing {
    pub(super) connect: Duration,
    pub(super) keepalive: Duration,
}

/// Connects, with `trust` deciding on the host key, and `without` some algorithms for it.
pub(super) async fn connect(
    hop: &Hop,
    trust: &Trust,
    without: &[Algorithm],
    via: Option<&Session>,
    timing: Timing,
) -> Result<Connected, ConnectError> {
    let mut pause = FIRST_PAUSE;
    for attempt in 1.. {
        match attempt_once(hop, trust, without, via, timing).await {
            Ok(connected) => return Ok(connected),
            Err(AttemptFailure::Final(cause)) => return Err(cause),
            Err(AttemptFailure::Passing(problem)) if attempt == ATTEMPTS => {
                return Err(ConnectError::Unreachable { place: hop.place(), problem, attempts: attempt });
            }
            Err(AttemptFailure::Passing(_)) => tokio::time::sleep(pause).await,
        }
        pause *= 2;
    }
    unreachable!("the last attempt returns")
}

async fn attempt_once(
    hop: &Hop,
    trust: &Trust,
    without: &[Algorithm],
    via: Option<&Session>,
    timing: Timing,
) -> Result<Connected, AttemptFailure> {
    let trips = Trips::default();
    trips.one();
    let carrier: Box<dyn Carrier> = match via {
        None => Box::new(dial(hop, timing).await?),
        Some(session) => {
            let opened = session.direct_tcpip(&hop.address, hop.port).await;
            Box::new(opened.map_err(|cause| AttemptFailure::Passing(format!("through the jump host: {cause}")))?)
        }
    };
    trips.one(); // identification
    trips.one(); // key exchange
    handshake(carrier, hop, trust, without, timing, trips).await
}

async fn dial(hop: &Hop, timing: Timing) -> Result<TcpStream, AttemptFailure> {
    let lookup = crate::awake::timeout(timing.connect, tokio::net::lookup_host((hop.address.as_str(), hop.port)));
    let unresolved = |problem: String| {
        let place = hop.place();
        ConnectError::Resolve { place, problem: one_line(&problem, 200) }
    };
    let addresses = match lookup.await {
        Ok(Ok(addresses)) => addresses,
        Ok(Err(cause)) => return Err(unresolved(cause.to_string()).into()),
        Err(_) => return Err(AttemptFailure::Passing("the DNS did not answer in time".into())),
    };
    let mut problem = None;
    for address in addresses {
        match crate::awake::timeout(timing.connect, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                tune(&stream, timing);
                return Ok(stream);
            }
            Ok(Err(cause)) => problem = Some(describe(&cause)),
            Err(_) => problem = Some(format!("no answer within {} s", timing.connect.as_secs_f32())),
        }
    }
    match problem {
        Some(problem) => Err(AttemptFailure::Passing(problem)),
        None => Err(unresolved("no address".into()).into()),
    }
}

fn describe(cause: &std::io::Error) -> String {
    match cause.kind() {
        std::io::ErrorKind::ConnectionRefused => "connection refused: nothing listens on this port".into(),
        _ => one_line(&cause.to_string(), 200),
    }
}

/// Best effort: a connection without these is slower, not wrong. The time limit is for a network that dies while we
/// send: keepalives are not looked at then.
fn tune(stream: &TcpStream, timing: Timing) {
    let _ = stream.set_nodelay(true);
    #[cfg(target_os = "linux")]
    if !timing.keepalive.is_zero() {
        let limit = timing.keepalive * (KEEPALIVES_LOST + 1);
        let _ = socket2::SockRef::from(stream).set_tcp_user_timeout(Some(limit));
    }
}

async fn handshake(
    carrier: Box<dyn Carrier>,
    hop: &Hop,
    trust: &Trust,
    without: &[Algorithm],
    timing: Timing,
    trips: Trips,
) -> Result<Connected, AttemptFailure> {
    let learned: Shared<Learned> = Arc::new(Mutex::default());
    let forwards = Arc::new(Forwards::default());
    let (alive, closed) = watch::channel(());
    let client = Client { trust: trust.clone(), learned: learned.clone(), forwards: forwards.clone(), _alive: alive };
    let config = Arc::new(config(trust, without, timing));
    let connecting = client::connect_stream(config, carrier, client);
    match crate::awake::timeout(timing.connect, connecting).await {
        Ok(Ok(handle)) => Ok(Connected { handle, learned, forwards, closed, trips }),
        Ok(Err(fault)) => Err(failure(fault, hop, &learned)),
        Err(_) => Err(AttemptFailure::Passing(format!(
            "it accepts connections, but did not finish the SSH key exchange within {} s",
            timing.connect.as_secs_f32()
        ))),
    }
}

fn config(trust: &Trust, without: &[Algorithm], timing: Timing) -> Config {
    Config {
        client_id: SshId::Standard(concat!("SSH-2.0-cutover_", env!("CARGO_PKG_VERSION")).into()),
        window_size: WINDOW,
        maximum_packet_size: LARGEST_PACKET,
        channel_buffer_size: CHANNEL_BUFFER,
        preferred: trust.preferred(without),
        keepalive_interval: Some(timing.keepalive).filter(|k| !k.is_zero()),
        keepalive_max: KEEPALIVES_LOST as usize,
        nodelay: true,
        ..Config::default()
    }
}

fn failure(fault: Fault, hop: &Hop, learned: &Shared<Learned>) -> AttemptFailure {
    let cause = match fault {
        Fault::Ours(cause) => return AttemptFailure::Final(*cause),
        Fault::Russh(cause) => cause,
    };
    let goodbye = lock(learned).goodbye.take().map(|words| format!(": {words}")).unwrap_or_default();
    let problem = match cause {
        russh::Error::Disconnect | russh::Error::HUP | russh::Error::IO(_) => {
            return AttemptFailure::Passing(format!("it closed the connection before the SSH key exchange{goodbye}"));
        }
        russh::Error::Version => "what answers there does not speak SSH 2".to_owned(),
        russh::Error::NoCommonAlgo { kind, theirs, .. } => {
            let theirs = one_line(&theirs.join(", "), 300);
            format!("no common {kind:?} algorithm; the server has {theirs}")
        }
        russh::Error::WrongServerSig => "the server cannot prove that it holds its host key".to_owned(),
        other => format!("the SSH key exchange failed: {}", one_line(&other.to_string(), 200)),
    };
    AttemptFailure::Final(ConnectError::Protocol { place: place(&hop.host, hop.port), problem })
}
