//! Load: clients that record every request's outcome and never retry.
//!
//! A load runs on a thread of its own, so a test that blocks does not slow the clients down.
#![allow(clippy::disallowed_methods)]

mod client;
mod mix;
mod outcome;
mod pace;
mod proxy;
mod table;
mod target;
mod wire;

use std::sync::Arc;
use std::sync::mpsc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, anyhow};
use tokio::runtime::Builder;
use tokio::sync::{oneshot, watch};

pub use mix::{Class, Connections, Mix};
pub use outcome::{ClassReport, Failure, Latency, Record, Report, Sample, Seen};
pub use proxy::Proxy;

use client::Request;
use pace::Run;
use target::Target;

/// A running load. Dropping it stops it without a report.
#[derive(Debug)]
pub struct Load {
    stop: watch::Sender<bool>,
    report: oneshot::Receiver<Report>,
    run: Arc<Run>,
}

/// How far a running load is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Requests that have ended.
    pub requests: u64,
    /// Of these, failed.
    pub failed: u64,
}

impl Load {
    /// Starts the mix against `http://ADDRESS[:PORT][/PATH]`. An address that is not the lab's is an error.
    pub fn start(url: &str, mix: Mix) -> Result<Load> {
        let target = Target::parse(url)?;
        let (stop, stopped) = watch::channel(false);
        let (send, report) = oneshot::channel();
        let (ready, started) = mpsc::channel();
        let run = Arc::new(Run::new(&mix));
        let theirs = run.clone();
        let runtime = Builder::new_current_thread().enable_all().build()?;
        std::thread::Builder::new().name("load".to_owned()).spawn(move || {
            let _ = send.send(runtime.block_on(drive(&theirs, &target, mix, stopped, ready)));
        })?;
        started.recv().context("the load thread ended")?.map_err(|error| anyhow!("{error}"))?;
        Ok(Load { stop, report, run })
    }

    /// How many requests have ended, and failed, so far.
    pub fn progress(&self) -> Progress {
        self.run.progress()
    }

    /// Begins no more requests, waits for those in flight, gives the report.
    pub async fn stop(self) -> Result<Report> {
        let _ = self.stop.send(true);
        self.report.await.context("the load thread ended")
    }

    /// [`Load::stop`] where there is no async runtime.
    pub fn stop_blocking(self) -> Result<Report> {
        let _ = self.stop.send(true);
        self.report.blocking_recv().context("the load thread ended")
    }

    /// Runs the mix for so long and gives the report; blocks.
    pub fn run_for(url: &str, mix: Mix, duration: Duration) -> Result<Report> {
        let load = Load::start(url, mix)?;
        std::thread::sleep(duration);
        load.stop_blocking()
    }
}

/// One GET, now: the version that answered with 2xx, if one did.
pub fn get_version(url: &str, path: &str) -> Result<Option<String>> {
    let target = Target::parse(url)?;
    let request = Request::get(target.address, &target.host, path, false, Duration::from_secs(5));
    // A thread, as the caller may be inside a runtime.
    let ask = move || {
        Builder::new_current_thread().enable_all().build()?.block_on(async { Ok(request.send(&mut None).await) })
    };
    let answer: Result<_> = std::thread::spawn(ask).join().map_err(|_| anyhow!("the request panicked"))?;
    Ok(answer?.ok().map(|version| version.to_string()))
}

async fn drive(
    run: &Arc<Run>,
    target: &Target,
    mix: Mix,
    stopped: watch::Receiver<bool>,
    ready: mpsc::Sender<std::result::Result<(), String>>,
) -> Report {
    let started = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64);
    let begun = tokio::time::Instant::now();
    let mut proxies = Vec::new();
    let mut clients = tokio::task::JoinSet::new();
    let mut failure = None;
    for (index, class) in mix.classes.iter().enumerate() {
        match address_for(class, target, &mut proxies).await {
            Ok(address) => {
                pace::spawn(&mut clients, run, index, class, request(class, target, address), stopped.clone())
            }
            Err(error) => failure = Some(format!("{error:#}")),
        }
    }
    let _ = ready.send(failure.map_or(Ok(()), Err));
    let mut stop = stopped;
    let _ = tokio::time::timeout(mix.longest, stop.wait_for(|stop| *stop)).await;
    let seconds = begun.elapsed().as_secs_f64();
    while clients.join_next().await.is_some() {}
    run.report(started, seconds)
}

fn request(class: &Class, target: &Target, address: std::net::SocketAddr) -> Request {
    let host = class.host.as_deref().unwrap_or(&target.host);
    let path = format!("{}{}", target.path.trim_end_matches('/'), class.path);
    let keep_alive = class.connections != Connections::New;
    Request::get(address, host, &path, keep_alive, class.timeout)
}

async fn address_for(class: &Class, target: &Target, proxies: &mut Vec<Proxy>) -> Result<std::net::SocketAddr> {
    let Some(rtt) = class.rtt else { return Ok(target.address) };
    let proxy = Proxy::start(target.address, rtt / 2).await?;
    let address = proxy.address();
    proxies.push(proxy);
    Ok(address)
}

#[cfg(test)]
mod tests;
