//! What became of each request, and the report of a run.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Why a request failed. Nothing is ever sent twice, so each of these is a request that a user would have lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Failure {
    /// A whole response, but not a 2xx.
    Status(u16),
    /// Nobody listened.
    ConnectRefused,
    /// Reset or unreachable before the connection was there.
    ConnectFailed,
    /// The new connection ended before a byte of the response.
    ResetBeforeResponse,
    /// A connection that had served before ended before a byte of this response: what a client sees when the server
    /// closes an idle connection while a request is on its way.
    ResetIdle,
    /// The connection ended within the response.
    Truncated,
    /// Not finished in the class's time.
    Timeout,
    /// Not HTTP/1.
    Malformed,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Status(status) => write!(f, "status-{status}"),
            Failure::ConnectRefused => f.write_str("connect-refused"),
            Failure::ConnectFailed => f.write_str("connect-failed"),
            Failure::ResetBeforeResponse => f.write_str("reset-before-response"),
            Failure::ResetIdle => f.write_str("reset-idle"),
            Failure::Truncated => f.write_str("truncated"),
            Failure::Timeout => f.write_str("timeout"),
            Failure::Malformed => f.write_str("malformed"),
        }
    }
}

/// One request.
#[derive(Debug, Clone)]
pub struct Record {
    /// When it was begun, from the start of the load.
    pub at: Duration,
    /// How long it took.
    pub took: Duration,
    /// The `X-Version` that answered (empty without the header), or why it failed.
    pub outcome: Result<Arc<str>, Failure>,
}

/// What a whole run gave.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Report {
    /// Requests of all classes.
    pub requests: u64,
    /// Failed requests of all classes.
    pub failed: u64,
    /// How long new requests were begun.
    pub seconds: f64,
    /// When it started, in milliseconds since 1970: sample times count from here.
    pub started_unix_ms: u64,
    /// A report for each class, in the mix's order.
    pub classes: Vec<ClassReport>,
}

/// What one class of clients saw.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ClassReport {
    /// The class's name.
    pub name: String,
    /// All requests, each finished.
    pub requests: u64,
    /// Those with a whole 2xx response.
    pub ok: u64,
    /// All others.
    pub failed: u64,
    /// Failures by kind.
    pub failures: BTreeMap<String, u64>,
    /// The first few failures.
    pub samples: Vec<Sample>,
    /// Which versions answered, and when.
    pub versions: BTreeMap<String, Seen>,
    /// Times of the good responses, in milliseconds.
    pub latency_ms: Latency,
    /// Every request, in the order in which they ended.
    #[serde(skip)]
    pub records: Vec<Record>,
}

/// One failure.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Sample {
    /// When the request was begun.
    pub at_ms: u64,
    /// How long it took.
    pub took_ms: u64,
    /// Its kind.
    pub kind: String,
}

/// When a version answered.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Seen {
    /// How often.
    pub requests: u64,
    /// Begin of the first request that it answered.
    pub first_ms: u64,
    /// Begin of the last one.
    pub last_ms: u64,
}

/// Response times in milliseconds.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Latency {
    /// Median.
    pub p50: f64,
    /// 99th percentile.
    pub p99: f64,
    /// The slowest.
    pub max: f64,
}

const SAMPLES: usize = 10;

impl Report {
    /// The class of this name.
    pub fn class(&self, name: &str) -> Option<&ClassReport> {
        self.classes.iter().find(|class| class.name == name)
    }

    /// Failures of this kind (such as `status-502`) in all classes.
    pub fn failures(&self, kind: &str) -> u64 {
        self.classes.iter().filter_map(|class| class.failures.get(kind)).sum()
    }
}

impl ClassReport {
    pub(crate) fn new(name: &str, records: Vec<Record>) -> ClassReport {
        let failed: Vec<_> = records.iter().filter_map(|r| r.outcome.as_ref().err().map(|kind| (r, kind))).collect();
        let mut failures = BTreeMap::new();
        failed.iter().for_each(|(_, kind)| *failures.entry(kind.to_string()).or_default() += 1);
        let mut samples: Vec<_> = failed.iter().map(|(record, kind)| sample(record, **kind)).collect();
        samples.sort_by_key(|sample| sample.at_ms);
        samples.truncate(SAMPLES);
        let (requests, failed) = (records.len() as u64, failed.len() as u64);
        ClassReport {
            name: name.to_owned(),
            requests,
            ok: requests - failed,
            failed,
            failures,
            samples,
            versions: versions(&records),
            latency_ms: latency(&records),
            records,
        }
    }
}

fn sample(record: &Record, kind: Failure) -> Sample {
    Sample { at_ms: ms(record.at), took_ms: ms(record.took), kind: kind.to_string() }
}

fn versions(records: &[Record]) -> BTreeMap<String, Seen> {
    let mut versions: BTreeMap<String, Seen> = BTreeMap::new();
    for record in records {
        let (Ok(version), at) = (&record.outcome, ms(record.at)) else { continue };
        let seen = versions.entry(version.to_string()).or_insert(Seen { requests: 0, first_ms: at, last_ms: at });
        seen.requests += 1;
        seen.first_ms = seen.first_ms.min(at);
        seen.last_ms = seen.last_ms.max(at);
    }
    versions
}

fn latency(records: &[Record]) -> Latency {
    let mut times: Vec<_> = records.iter().filter(|r| r.outcome.is_ok()).map(|r| r.took).collect();
    times.sort_unstable();
    let at = |part: f64| {
        let index = ((times.len() as f64 * part).ceil() as usize).clamp(1, times.len().max(1)) - 1;
        times.get(index).map_or(0.0, |took| took.as_micros() as f64 / 1000.0)
    };
    Latency { p50: at(0.5), p99: at(0.99), max: at(1.0) }
}

fn ms(duration: Duration) -> u64 {
    duration.as_millis() as u64
}
