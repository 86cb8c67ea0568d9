//! A proxy in front of sshd that counts what goes to the host, slows it down, and cuts it.

use lab::Instance;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// A running proxy; its threads end with the process.
pub struct Wire {
    pub port: u16,
    sent: Arc<AtomicU64>,
    cuts: Arc<Mutex<Vec<u64>>>,
    held: Arc<AtomicU64>,
}

impl Wire {
    /// In front of this instance's sshd. `rate`: bytes a second to the host.
    pub fn to(instance: &Instance, rate: Option<u64>) -> Wire {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        // little waits on the way, as in a slow network
        socket2::SockRef::from(&listener).set_recv_buffer_size(64 << 10).expect("a buffer");
        let port = listener.local_addr().expect("an address").port();
        let target = format!("{}:{}", instance.address, instance.port);
        let (sent, cuts) = (Arc::new(AtomicU64::new(0)), Arc::new(Mutex::new(Vec::new())));
        let held = Arc::new(AtomicU64::new(u64::MAX));
        let wire = Wire { port, sent: Arc::clone(&sent), cuts: Arc::clone(&cuts), held: Arc::clone(&held) };
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let Ok(server) = TcpStream::connect(&target) else { continue };
                let cut = cuts.lock().expect("cuts").pop();
                let (sent, held) = (Arc::clone(&sent), Arc::clone(&held));
                let (from, to) = (client.try_clone().expect("clone"), server.try_clone().expect("clone"));
                std::thread::spawn(move || outward(from, to, &sent, &held, cut, rate));
                std::thread::spawn(move || copy(server, client, |_| true));
            }
        });
        wire
    }

    /// The next connections are cut after so many bytes to the host, one each.
    pub fn cut(&self, mut after: Vec<u64>) {
        after.reverse();
        *self.cuts.lock().expect("cuts") = after;
    }

    /// After so many bytes more, and what one read brings with the last of them, nothing reaches the host any more and no
    /// connection is closed, until that is taken back.
    pub fn hold_after(&self, more: u64) {
        self.held.store(self.sent() + more, Ordering::Relaxed);
    }

    /// It is held.
    pub fn is_held(&self) -> bool {
        self.sent() >= self.held.load(Ordering::Relaxed)
    }

    /// Takes [`Wire::hold_after`] back.
    pub fn let_go(&self) {
        self.held.store(u64::MAX, Ordering::Relaxed);
    }

    /// Bytes that went to the host so far.
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// known_hosts for the instance at this proxy's address.
    pub fn known_hosts(&self, instance: &Instance) -> String {
        let text = std::fs::read_to_string(&instance.known_hosts).expect("known_hosts");
        let line = |line: &str| {
            line.split_once(' ').map(|(_, key)| format!("[127.0.0.1]:{} {key}\n", self.port)).unwrap_or_default()
        };
        text.lines().map(line).collect()
    }
}

fn outward(from: TcpStream, to: TcpStream, sent: &AtomicU64, held: &AtomicU64, cut: Option<u64>, rate: Option<u64>) {
    let (mut due, mut here) = (Instant::now(), 0);
    let (one, other) = (from.try_clone(), to.try_clone());
    let cut_now = copy(from, to, |count| {
        here += count;
        sent.fetch_add(count, Ordering::Relaxed);
        while sent.load(Ordering::Relaxed) >= held.load(Ordering::Relaxed) {
            std::thread::sleep(Duration::from_millis(20));
        }
        if let Some(rate) = rate {
            // what was not sent in time is not caught up with
            due = due.max(Instant::now()) + Duration::from_secs_f64(count as f64 / rate as f64);
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
        }
        cut.is_none_or(|most| here < most)
    });
    if cut_now {
        for stream in [one, other].into_iter().flatten() {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

/// Copies until either end closes, or `on` says no: true then.
fn copy(mut from: TcpStream, mut to: TcpStream, mut on: impl FnMut(u64) -> bool) -> bool {
    let mut block = vec![0; 64 << 10];
    let _ = to.set_nodelay(true);
    while let Ok(count @ 1..) = from.read(&mut block) {
        if to.write_all(&block[..count]).is_err() {
            break;
        }
        if !on(count as u64) {
            return true;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
    false
}
