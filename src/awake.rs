//! Time in which this process ran. What a stopped process sleeps through is nobody's slowness.

use std::future::Future;
use std::time::{Duration, Instant};

/// How often the clock is looked at.
const TICK: Duration = Duration::from_millis(250);
/// What can pass from one look to the next, for a busy machine at most; anything above is a pause of this process.
const MOST: Duration = Duration::from_secs(1);

/// The time ran out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the time ran out")]
pub struct Elapsed;

/// Waits for so much time in which this process ran.
pub async fn sleep(time: Duration) {
    let mut left = time;
    while !left.is_zero() {
        let began = Instant::now();
        tokio::time::sleep(left.min(TICK)).await;
        left = left.saturating_sub(began.elapsed().min(MOST));
    }
}

/// The future's output, if it comes within so much time in which this process ran.
///
/// # Errors
/// [`Elapsed`], if it does not.
pub async fn timeout<F: Future>(limit: Duration, future: F) -> Result<F::Output, Elapsed> {
    tokio::pin!(future);
    tokio::select! {
        biased;
        output = &mut future => Ok(output),
        () = sleep(limit) => Err(Elapsed),
    }
}

/// What comes of asking. Where this process stood still meanwhile, a failure says nothing of who was asked (a server closes a
/// connection on which no request comes): it is asked again.
///
/// # Errors
/// That of the first asking without a pause.
pub async fn ask<T, E>(asking: impl AsyncFn() -> Result<T, E>) -> Result<T, E> {
    loop {
        let mut looked = Instant::now();
        let mut paused = false;
        let once = asking();
        tokio::pin!(once);
        let answer = loop {
            tokio::select! {
                answer = &mut once => break answer,
                () = tokio::time::sleep(TICK) => paused |= looked.elapsed() > MOST,
            }
            looked = Instant::now();
        };
        if answer.is_ok() || !(paused || looked.elapsed() > MOST) {
            return answer;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_failure_counts_where_this_process_did_not_stand_still() {
        let asked = std::cell::Cell::new(0);
        let asking = async || {
            asked.set(asked.get() + 1);
            tokio::time::sleep(Duration::from_millis(10)).await;
            if asked.get() == 1 {
                std::thread::sleep(Duration::from_millis(1500));
            }
            Err::<(), _>(asked.get())
        };
        assert_eq!(ask(asking).await, Err(2));
        assert_eq!(ask(async || Err::<(), _>(0)).await, Err(0));
    }

    #[tokio::test]
    async fn a_pause_of_this_process_counts_for_a_second_at_most() {
        let paused = async {
            tokio::time::sleep(Duration::from_millis(100)).await;
            // nothing of this runtime runs meanwhile, as in a process that was stopped
            std::thread::sleep(Duration::from_millis(2500));
            tokio::time::sleep(Duration::from_millis(300)).await;
        };
        assert_eq!(timeout(Duration::from_secs(2), paused).await, Ok(()));
        assert_eq!(timeout(Duration::from_millis(50), std::future::pending::<()>()).await, Err(Elapsed));
    }
}
