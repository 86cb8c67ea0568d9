//! A step between its two events.

use super::{Event, Reporter, StepState};
use std::time::{Duration, Instant};

/// A step that has begun and not ended.
#[must_use]
pub struct Running {
    reporter: Reporter,
    host: String,
    step: String,
    began: Instant,
}

impl Running {
    pub(super) fn new(reporter: &Reporter, host: &str, step: &str) -> Running {
        Running { reporter: reporter.clone(), host: host.to_owned(), step: step.to_owned(), began: Instant::now() }
    }

    /// It did what it says. Gives how long it took.
    pub fn done(self, text: impl Into<String>) -> Duration {
        self.end(StepState::Done, text)
    }

    /// It failed.
    pub fn failed(self, text: impl Into<String>) -> Duration {
        self.end(StepState::Failed, text)
    }

    /// It was put back.
    pub fn undone(self, text: impl Into<String>) -> Duration {
        self.end(StepState::Undone, text)
    }

    fn end(self, state: StepState, text: impl Into<String>) -> Duration {
        let took = self.began.elapsed();
        let Running { reporter, host, step, .. } = self;
        reporter.emit(Event::StepEnd { host, step, state, text: text.into(), seconds: took.as_secs_f64() });
        took
    }
}
