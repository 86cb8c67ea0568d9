//! A network in user space: it delays, counts connections, and can go silent.
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use cutover::host::ssh::Target;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use crate::sshd::USER;

/// A port that leads to another port.
pub(crate) struct Link {
    port: u16,
    connections: Arc<AtomicUsize>,
    frozen: watch::Sender<bool>,
}

impl Link {
    /// To `port` of this machine; every byte takes `delay` to arrive, each way.
    pub(crate) async fn start(port: u16, delay: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let own = listener.local_addr().expect("its address").port();
        let (connections, frozen) = (Arc::<AtomicUsize>::default(), watch::Sender::new(false));
        let (count, state) = (connections.clone(), frozen.subscribe());
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::Relaxed);
                // TCP has shaken hands without delay; this is the time that it would have taken.
                tokio::time::sleep(2 * delay).await;
                let far = TcpStream::connect(("127.0.0.1", port)).await.expect("the other end");
                near.set_nodelay(true).expect("set");
                far.set_nodelay(true).expect("set");
                let (near_read, near_write) = near.into_split();
                let (far_read, far_write) = far.into_split();
                tokio::spawn(carry(near_read, far_write, delay, state.clone()));
                tokio::spawn(carry(far_read, near_write, delay, state.clone()));
            }
        });
        Self { port: own, connections, frozen }
    }

    pub(crate) fn target(&self) -> Target {
        format!("{}@127.0.0.1:{}", *USER, self.port).parse().expect("a target")
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    /// From now on nothing arrives, and nothing is said about it.
    pub(crate) fn freeze(&self) {
        self.frozen.send_replace(true);
    }
}

async fn carry(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, delay: Duration, mut frozen: watch::Receiver<bool>) {
    let (sender, mut queue) = mpsc::unbounded_channel::<(Instant, Vec<u8>)>();
    tokio::spawn(async move {
        while let Some((due, bytes)) = queue.recv().await {
            tokio::time::sleep_until(due).await;
            if to.write_all(&bytes).await.is_err() {
                return;
            }
        }
    });
    let mut buffer = vec![0; 64 << 10];
    loop {
        let read = tokio::select! {
            read = from.read(&mut buffer) => Some(read),
            _ = frozen.wait_for(|frozen| *frozen) => None,
        };
        let read = match read {
            Some(Ok(read @ 1..)) => read,
            Some(_) => return,
            None => std::future::pending().await,
        };
        if sender.send((Instant::now() + delay, buffer[..read].to_vec())).is_err() {
            return;
        }
    }
}
