//! A report as a table for people.

use std::fmt;

use super::outcome::{ClassReport, Report};

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.classes.iter().map(|class| class.name.len()).max().unwrap_or(0).max("class".len());
        writeln!(
            f,
            "{:<width$}  {:>8}  {:>6}  {:>8}  {:>8}  {:>8}  versions seen",
            "class", "requests", "failed", "p50 ms", "p99 ms", "max ms"
        )?;
        for class in &self.classes {
            let (name, latency) = (&class.name, &class.latency_ms);
            let (p50, p99, max) = (latency.p50, latency.p99, latency.max);
            let (requests, failed, seen) = (class.requests, class.failed, class.seen());
            writeln!(f, "{name:<width$}  {requests:>8}  {failed:>6}  {p50:>8.1}  {p99:>8.1}  {max:>8.1}  {seen}")?;
        }
        let rate = self.requests as f64 / self.seconds.max(0.001);
        let (requests, failed, seconds) = (self.requests, self.failed, self.seconds);
        write!(f, "{:<width$}  {requests:>8}  {failed:>6}  in {seconds:.1} s, {rate:.0} a second", "all")
    }
}

impl ClassReport {
    /// Versions with how often each answered, and failures by kind.
    fn seen(&self) -> String {
        let versions = self.versions.iter().map(|(version, seen)| format!("{version} {}", seen.requests));
        let failures = self.failures.iter().map(|(kind, count)| format!("{kind} {count}"));
        let (versions, failures) = (versions.collect::<Vec<_>>().join(", "), failures.collect::<Vec<_>>().join(", "));
        if failures.is_empty() { versions } else { format!("{versions}; FAILED: {failures}") }
    }
}
