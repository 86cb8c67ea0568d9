//! A slow network in user space: a TCP proxy that delays data, FIN and RST by the same time in each direction, and lets
//! only so many bytes a second through.
//!
//! A client's first bytes wait for a handshake's round trip. A server that has closed answers late data with a reset,
//! and that reset, too, reaches the client one way later: what TCP does, and what clients of a reloading nginx see.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Result;
use tokio::io::{AsyncReadExt, AsyncWriteExt, Interest};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, sleep_until};

/// A running proxy; it and its connections end when it is dropped.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    acceptor: JoinHandle<()>,
}

#[derive(Debug)]
enum Event {
    Data(Vec<u8>),
    Fin,
    Rst,
}

type Timed = (Instant, Event);

/// Events on their way; a bound, so that a stuck receiver slows the sender down as a full window would.
const IN_FLIGHT: usize = 1024;

/// What may wait for its turn on a link that is full.
const QUEUE: Duration = Duration::from_millis(20);

/// One direction of the link, which all connections share.
#[derive(Debug, Clone)]
struct Lane {
    one_way: Duration,
    bytes_per_second: f64,
    /// When what was sent so far has left.
    free: Arc<Mutex<Instant>>,
}

impl Lane {
    fn new(one_way: Duration, bytes_per_second: f64) -> Lane {
        Lane { one_way, bytes_per_second, free: Arc::new(Mutex::new(Instant::now())) }
    }

    /// Sends so many bytes; gives when the last of them has left.
    fn send(&self, bytes: usize) -> Instant {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        *free = free.max(Instant::now()) + Duration::from_secs_f64(bytes as f64 / self.bytes_per_second);
        *free
    }
}

impl Proxy {
    /// Listens on a loopback port and forwards to `target`, each way delayed by `one_way`.
    pub async fn start(target: SocketAddr, one_way: Duration) -> Result<Proxy> {
        Proxy::limited(Ipv4Addr::LOCALHOST.into(), target, one_way, f64::INFINITY).await
    }

    /// The same on a port of `ip`, with so many bytes a second each way for all connections together.
    pub async fn limited(ip: IpAddr, target: SocketAddr, one_way: Duration, bytes_per_second: f64) -> Result<Proxy> {
        let listener = TcpListener::bind((ip, 0)).await?;
        let address = listener.local_addr()?;
        let lanes = [Lane::new(one_way, bytes_per_second), Lane::new(one_way, bytes_per_second)];
        let acceptor = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                connections.spawn(connect(client, target, lanes.clone()));
                while connections.try_join_next().is_some() {}
            }
        });
        Ok(Proxy { address, acceptor })
    }

    /// Where clients connect.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.acceptor.abort();
    }
}

/// One connection: the SYN travels, the server answers or refuses, then both directions are pumped.
async fn connect(client: TcpStream, target: SocketAddr, [up, down]: [Lane; 2]) {
    let one_way = up.one_way;
    let established = Instant::now() + one_way * 2;
    sleep_until(Instant::now() + one_way).await;
    let Ok(server) = TcpStream::connect(target).await else {
        sleep_until(established).await;
        return reset(&client);
    };
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let ((client_read, client_write), (server_read, server_write)) = (client.into_split(), server.into_split());
    let (to_server, server_events) = channel(IN_FLIGHT);
    let (to_client, client_events) = channel(IN_FLIGHT);
    let (fins, mut delivered) = watch::channel(0);
    let readers = async {
        tokio::join!(read(client_read, to_server, up, established), read(server_read, to_client, down, Instant::now()));
        std::future::pending::<()>().await
    };
    tokio::select! {
        () = readers => {}
        () = write(client_write, client_events, &fins) => {}
        () = write(server_write, server_events, &fins) => {}
        _ = delivered.wait_for(|fins| *fins == 2) => {}
    }
}

/// Puts what the socket gives on its way; nothing leaves before `from`.
async fn read(mut half: OwnedReadHalf, events: Sender<Timed>, lane: Lane, from: Instant) {
    loop {
        let mut bytes = Vec::with_capacity(16 << 10);
        let got = half.read_buf(&mut bytes).await;
        let left = lane.send(*got.as_ref().unwrap_or(&0));
        let arrives = left.max(from) + lane.one_way;
        let event = match got {
            Ok(0) => Event::Fin,
            Ok(_) => Event::Data(bytes),
            Err(_) => Event::Rst,
        };
        let (fin, rst) = (matches!(event, Event::Fin), matches!(event, Event::Rst));
        if events.send((arrives, event)).await.is_err() || rst {
            return;
        }
        if fin {
            break;
        }
        let waits = left.saturating_duration_since(Instant::now());
        if waits > QUEUE {
            sleep(waits - QUEUE).await;
        }
    }
    // The other end has closed. If it answers what is still sent to it with a reset, that travels too.
    if half.ready(Interest::ERROR).await.is_ok() {
        let _ = events.send((Instant::now() + lane.one_way, Event::Rst)).await;
    }
}

/// Delivers events when they arrive, in order; ends after a reset.
async fn write(mut half: OwnedWriteHalf, mut events: Receiver<Timed>, fins: &watch::Sender<u8>) {
    while let Some((arrives, event)) = events.recv().await {
        sleep_until(arrives).await;
        match event {
            // A failed write means that this end has reset, which its reader sees.
            Event::Data(bytes) => drop(half.write_all(&bytes).await),
            Event::Fin => {
                let _ = half.shutdown().await;
                fins.send_modify(|fins| *fins += 1);
            }
            Event::Rst => return reset(half.as_ref()),
        }
    }
}

/// Makes the kernel send RST when the socket is dropped.
fn reset(stream: &TcpStream) {
    let _ = stream.set_zero_linger();
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::ErrorKind;

    const WAY: Duration = Duration::from_millis(25);

    async fn pair() -> (Proxy, TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
        let proxy = Proxy::start(listener.local_addr().expect("address"), WAY).await.expect("proxy");
        let client = TcpStream::connect(proxy.address()).await.expect("connect");
        let (server, _) = listener.accept().await.expect("accept");
        (proxy, client, server)
    }

    #[tokio::test]
    async fn data_and_fin_take_one_way_each() {
        let (_proxy, mut client, mut server) = pair().await;
        tokio::time::sleep(WAY * 3).await;
        let sent = Instant::now();
        client.write_all(b"ping").await.expect("write");
        server.read_exact(&mut [0; 4]).await.expect("ping");
        assert!(sent.elapsed() >= WAY && sent.elapsed() < WAY * 3, "{:?}", sent.elapsed());
        server.write_all(b"pong").await.expect("write");
        drop(server);
        let mut answer = Vec::new();
        client.read_to_end(&mut answer).await.expect("pong and FIN");
        assert_eq!(answer, b"pong");
        assert!(sent.elapsed() >= WAY * 2);
    }

    #[tokio::test]
    async fn the_first_bytes_wait_for_the_handshake() {
        let begun = Instant::now();
        let (_proxy, mut client, mut server) = pair().await;
        client.write_all(b"ping").await.expect("write");
        server.read_exact(&mut [0; 4]).await.expect("ping");
        assert!(begun.elapsed() >= WAY * 3, "{:?}", begun.elapsed());
    }

    #[tokio::test]
    async fn connections_share_the_bytes_of_a_second() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
        let target = listener.local_addr().expect("address");
        let proxy = Proxy::limited(Ipv4Addr::LOCALHOST.into(), target, WAY, 1e6).await.expect("proxy");
        let begun = Instant::now();
        let transfer = async || {
            let mut client = TcpStream::connect(proxy.address()).await.expect("connect");
            let (mut server, _) = listener.accept().await.expect("accept");
            let write = async {
                client.write_all(&[0; 100_000]).await.expect("write");
                drop(client);
            };
            let mut got = Vec::new();
            let (_, read) = tokio::join!(write, server.read_to_end(&mut got));
            assert_eq!(read.expect("read"), 100_000);
        };
        tokio::join!(transfer(), transfer());
        let took = begun.elapsed().as_secs_f64();
        assert!((0.2..0.4).contains(&took), "{took} s");
    }

    #[tokio::test]
    async fn data_for_a_server_that_has_closed_comes_back_as_a_reset() {
        let (_proxy, mut client, server) = pair().await;
        tokio::time::sleep(WAY * 3).await;
        drop(server);
        // The FIN is on its way: the client does not know yet.
        client.write_all(b"late").await.expect("write");
        assert_eq!(client.read(&mut [0; 4]).await.expect("FIN first"), 0);
        tokio::time::sleep(WAY * 3).await;
        let error = client.write_all(b"later").await.expect_err("then the reset");
        assert!(matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset), "{error:?}");
    }

    #[tokio::test]
    async fn a_refused_connection_is_reset_after_a_round_trip() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
        let target = listener.local_addr().expect("address");
        drop(listener);
        let proxy = Proxy::start(target, WAY).await.expect("proxy");
        let begun = Instant::now();
        let mut client = TcpStream::connect(proxy.address()).await.expect("the proxy listens");
        let error = client.read(&mut [0; 1]).await.expect_err("reset");
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        assert!(begun.elapsed() >= WAY * 2);
    }
}
