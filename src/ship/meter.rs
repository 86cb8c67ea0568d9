//! Counts the bytes that travel, and reports how far they are.

use crate::report::{Event, Reporter};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// From one report to the next.
const EVERY: Duration = Duration::from_millis(200);
const MIB: f64 = (1 << 20) as f64;

/// The bytes of one image on its way to one host.
pub struct Meter {
    reporter: Reporter,
    host: String,
    what: String,
    total: AtomicU64,
    done: AtomicU64,
    began: Instant,
    last: Mutex<Instant>,
}

impl Meter {
    /// A meter that stands at 0.
    pub fn new(reporter: Reporter, host: &str, what: &str) -> Meter {
        let (host, what, began) = (host.to_owned(), what.to_owned(), Instant::now());
        Meter { reporter, host, what, total: 0.into(), done: 0.into(), began, last: Mutex::new(began) }
    }

    /// This many bytes will travel, as far as is known.
    pub fn expect(&self, total: u64) {
        self.total.store(total, Ordering::Relaxed);
    }

    /// These bytes have left.
    pub fn add(&self, count: u64) {
        self.done.fetch_add(count, Ordering::Relaxed);
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.elapsed() >= EVERY {
            *last = Instant::now();
            drop(last);
            self.report();
        }
    }

    /// Bytes that have left.
    pub fn done(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }

    fn report(&self) {
        let done = self.done();
        // an engine may ask again for what it has lost
        let total = self.total.load(Ordering::Relaxed).max(done);
        let rate = done as f64 / self.began.elapsed().as_secs_f64();
        let left = (total - done) as f64 / rate.max(1.0);
        let text = format!(
            "{}: {:.1} of {:.1} MiB, {:.1} MiB/s, {left:.0} s left",
            self.what,
            done as f64 / MIB,
            total as f64 / MIB,
            rate / MIB
        );
        self.reporter.emit(Event::Progress { host: self.host.clone(), text, done, total, unit: "bytes" });
    }
}

/// A size for people.
pub(super) fn size(bytes: u64) -> String {
    match bytes {
        0..10_240 => format!("{bytes} bytes"),
        10_240..1_048_576 => format!("{:.1} KiB", bytes as f64 / 1024.0),
        _ => format!("{:.1} MiB", bytes as f64 / MIB),
    }
}
