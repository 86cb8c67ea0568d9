//! Pacing: when each client begins its requests, and the one place where outcomes are recorded.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep_until};

use super::Progress;
use super::client::{Connection, Request};
use super::mix::{Class, Connections, Mix};
use super::outcome::{ClassReport, Record, Report};

/// What all clients of a load share.
#[derive(Debug)]
pub(crate) struct Run {
    begun: Instant,
    end: Instant,
    most: u64,
    classes: Vec<Book>,
}

#[derive(Debug)]
struct Book {
    name: String,
    sent: AtomicU64,
    records: Mutex<Vec<Record>>,
}

impl Run {
    pub(crate) fn new(mix: &Mix) -> Run {
        let book =
            |class: &Class| Book { name: class.name.clone(), sent: AtomicU64::new(0), records: Mutex::default() };
        let begun = Instant::now();
        Run { begun, end: begun + mix.longest, most: mix.most, classes: mix.classes.iter().map(book).collect() }
    }

    pub(crate) fn progress(&self) -> Progress {
        let mut progress = Progress { requests: 0, failed: 0 };
        for book in &self.classes {
            let records = book.records.lock().unwrap_or_else(PoisonError::into_inner);
            progress.requests += records.len() as u64;
            progress.failed += records.iter().filter(|record| record.outcome.is_err()).count() as u64;
        }
        progress
    }

    pub(crate) fn report(&self, started_unix_ms: u64, seconds: f64) -> Report {
        let records = |book: &Book| std::mem::take(&mut *book.records.lock().unwrap_or_else(PoisonError::into_inner));
        let classes: Vec<_> = self.classes.iter().map(|book| ClassReport::new(&book.name, records(book))).collect();
        let requests = classes.iter().map(|class| class.requests).sum();
        let failed = classes.iter().map(|class| class.failed).sum();
        Report { requests, failed, seconds, started_unix_ms, classes }
    }

    /// Whether one more request may begin in this class.
    fn may_begin(&self, class: usize) -> bool {
        Instant::now() < self.end && self.classes[class].sent.fetch_add(1, Ordering::Relaxed) < self.most
    }

    async fn send(&self, class: usize, request: &Request, kept: &mut Option<Connection>) {
        let begun = Instant::now();
        let outcome = request.send(kept).await;
        let record = Record { at: begun - self.begun, took: begun.elapsed(), outcome };
        self.classes[class].records.lock().unwrap_or_else(PoisonError::into_inner).push(record);
    }
}

/// Starts the clients of one class.
pub(crate) fn spawn(
    clients: &mut JoinSet<()>,
    run: &Arc<Run>,
    index: usize,
    class: &Class,
    request: Request,
    stopped: watch::Receiver<bool>,
) {
    let request = Arc::new(request);
    match class.connections {
        Connections::New => {
            let every = Duration::from_secs_f64(1.0 / class.rate);
            clients.spawn(open_loop(run.clone(), index, request, every, stopped));
        }
        Connections::KeepAlive(count) => {
            let every = Duration::from_secs_f64(count as f64 / class.rate);
            for client in 0..count {
                let offset = every.mul_f64(client as f64 / count as f64);
                clients.spawn(kept_open(run.clone(), index, request.clone(), every, offset, stopped.clone()));
            }
        }
    }
}

/// A request at every tick, whether or not the ones before have ended.
async fn open_loop(
    run: Arc<Run>,
    class: usize,
    request: Arc<Request>,
    every: Duration,
    mut stopped: watch::Receiver<bool>,
) {
    let mut ticks = interval_at(Instant::now(), every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut in_flight = JoinSet::new();
    while tick(&mut ticks, &mut stopped).await && run.may_begin(class) {
        let (run, request) = (run.clone(), request.clone());
        in_flight.spawn(async move { run.send(class, &request, &mut None).await });
        while in_flight.try_join_next().is_some() {}
    }
    while in_flight.join_next().await.is_some() {}
}

/// One connection: a request at every tick, or as soon as the one before has ended.
async fn kept_open(
    run: Arc<Run>,
    class: usize,
    request: Arc<Request>,
    every: Duration,
    offset: Duration,
    mut stopped: watch::Receiver<bool>,
) {
    sleep_until(run.begun + offset).await;
    let mut ticks = interval_at(Instant::now(), every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut kept = None;
    while tick(&mut ticks, &mut stopped).await && run.may_begin(class) {
        run.send(class, &request, &mut kept).await;
    }
}

/// Waits for the next tick; false once the load is stopped.
async fn tick(ticks: &mut tokio::time::Interval, stopped: &mut watch::Receiver<bool>) -> bool {
    tokio::select! {
        biased;
        _ = stopped.wait_for(|stopped| *stopped) => false,
        _ = ticks.tick() => true,
    }
}
