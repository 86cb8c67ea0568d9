//! How often something waited for the network and back, one after the other.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Counts round trips of one connection. Waits at the same time count as one: each carries the count at its begin, and
/// its end makes the count at least one more. So the count is never less than the longest chain of waits.
#[derive(Clone, Debug, Default)]
pub(super) struct Trips(Arc<AtomicU32>);

impl Trips {
    pub(super) fn begin(&self) -> Wait {
        Wait { trips: self.clone(), begun: self.count() }
    }

    /// A wait that nothing can overlap with.
    pub(super) fn one(&self) {
        self.begin().end();
    }

    pub(super) fn count(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A wait that has begun.
#[derive(Debug)]
pub(super) struct Wait {
    trips: Trips,
    begun: u32,
}

impl Wait {
    pub(super) fn end(self) {
        self.trips.0.fetch_max(self.begun + 1, Ordering::Relaxed);
    }
}

/// A conversation: what was sent waits for what comes next.
#[derive(Debug)]
pub(super) struct Exchange {
    trips: Trips,
    wait: Mutex<Option<Wait>>,
}

impl Exchange {
    pub(super) fn new(trips: Trips) -> Self {
        Self { trips, wait: Mutex::default() }
    }

    /// Something is sent.
    pub(super) fn sent(&self) {
        let mut wait = self.wait.lock().unwrap_or_else(PoisonError::into_inner);
        if wait.is_none() {
            *wait = Some(self.trips.begin());
        }
    }

    /// Something came.
    pub(super) fn came(&self) {
        if let Some(wait) = self.wait.lock().unwrap_or_else(PoisonError::into_inner).take() {
            wait.end();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_at_the_same_time_count_as_one() {
        let trips = Trips::default();
        let (one, two) = (trips.begin(), trips.begin());
        one.end();
        let three = trips.begin();
        two.end();
        assert_eq!(trips.count(), 1);
        three.end();
        assert_eq!(trips.count(), 2);
        let talk = Exchange::new(trips.clone());
        talk.came();
        talk.sent();
        talk.sent();
        talk.came();
        talk.came();
        assert_eq!(trips.count(), 3);
    }
}
