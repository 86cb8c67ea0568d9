//! What is live on a fleet, and what was released there, in aligned lines for people.

use super::outcome::{Drift, HealthNow, HostHistory, HostStatus, ServiceStatus};
use super::text::one_line;
use crate::swap::history::{self, Record};
use jiff::{Timestamp, Unit};

/// Characters of a digest that people see; programs get all of it.
const SHORT: usize = "sha256:".len() + 12;

/// A line for each service of each host, then what somebody should know.
pub(super) fn status(hosts: &[HostStatus], drift: &[Drift], now: Timestamp) -> String {
    let all = || hosts.iter().flat_map(|host| host.services.iter().map(move |service| (host, service)));
    let rows = all().map(|(host, service)| row(host, service, now)).collect();
    let remarks: String =
        hosts.iter().flat_map(remarks).chain(drift.iter().map(differs)).map(|text| line('!', &text)).collect();
    aligned(rows) + &rollbacks(hosts) + &remarks
}

fn line(mark: char, text: &str) -> String {
    format!("{mark} {text}\n")
}

fn row(host: &HostStatus, service: &ServiceStatus, now: Timestamp) -> Vec<String> {
    let healthy = service.health.as_ref().is_none_or(|health| health.healthy);
    let mark = match &service.slot {
        Some(_) if healthy => '✔',
        _ => '✘',
    };
    let (host, name) = (one_line(&host.host, 60), one_line(&service.service, 60));
    let Some(slot) = &service.slot else {
        return vec![format!("{mark} {host}"), name, "not running".to_owned()];
    };
    let version = service.version.as_deref().unwrap_or("unknown version");
    let live = format!("{version} in {slot}");
    let since = service.since.as_deref().map_or_else(String::new, |since| format!("since {}", moment(since, now)));
    let health = service.health.as_ref().map_or_else(|| "health not asked".to_owned(), health);
    vec![format!("{mark} {host}"), name, format!("{live} {since}"), health, digest(service.digest.as_deref())]
}

/// A moment, and how long ago it was.
fn moment(text: &str, now: Timestamp) -> String {
    let Ok(at) = text.parse::<Timestamp>() else { return one_line(text, 40) };
    let seconds = now.since((Unit::Second, at)).map_or(0, |span| span.get_seconds());
    let ago = match seconds {
        ..120 => format!("{} s", seconds.max(0)),
        120..7200 => format!("{} min", seconds / 60),
        7200..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} days", seconds / 86_400),
    };
    format!("{}, {ago}", minute(at))
}

fn minute(at: Timestamp) -> String {
    format!("{} UTC", at.strftime("%Y-%m-%d %H:%M"))
}

fn health(health: &HealthNow) -> String {
    let said = match (&health.status, &health.error) {
        (Some(status), _) => format!("{status} in {:.0} ms", health.seconds.unwrap_or_default() * 1000.0),
        (None, error) => one_line(error.as_deref().unwrap_or("no answer"), 60),
    };
    if health.healthy { format!("healthy, {said}") } else { format!("NOT healthy: {said}") }
}

/// A digest as people tell it apart.
pub(super) fn digest(digest: Option<&str>) -> String {
    digest.map_or_else(|| "no digest".to_owned(), |digest| digest.chars().take(SHORT).collect())
}

/// What each service can be taken back to: once where that is the same on every host.
fn rollbacks(hosts: &[HostStatus]) -> String {
    let back = |service: &ServiceStatus| {
        let all: Vec<String> =
            service.rollback.iter().map(|each| format!("{} ({})", each.version, each.from)).collect();
        if all.is_empty() { "nothing".to_owned() } else { all.join(", ") }
    };
    let all: Vec<(&str, &str, String)> = hosts
        .iter()
        .flat_map(|host| host.services.iter().map(move |each| (host.host.as_str(), each.service.as_str(), back(each))))
        .collect();
    let say = |name: String, back: &str| format!("  {}can be rolled back to: {back}\n", name);
    let mut text = String::new();
    for (number, (host, service, back)) in all.iter().enumerate() {
        let same = |(_, other, its): &(&str, &str, String)| other != service || its == back;
        let first = !all[..number].iter().any(|(_, other, _)| other == service);
        let alone = all.iter().all(|(_, other, _)| other == service);
        match (all.iter().all(same), first) {
            (true, true) if alone => text += &say(String::new(), back),
            (true, true) => text += &say(format!("{service} "), back),
            (true, false) => {}
            (false, _) => text += &say(format!("{host}: {service} "), back),
        }
    }
    text
}

fn remarks(host: &HostStatus) -> Vec<String> {
    let mut all = Vec::new();
    for service in &host.services {
        let name = format!("{}: {}", host.host, service.service);
        if let Some(other) = &service.also_running {
            all.push(format!("{name}: both slots run: {other} does too, and gets no requests"));
        }
        if service.slot.is_some() && !service.proved {
            all.push(format!("{name} is named by nginx's configuration; not seen to receive requests"));
        }
    }
    if let Some(unfinished) = &host.unfinished {
        let version = unfinished.version.as_deref().unwrap_or("an unknown version");
        let will = if unfinished.confirmed { "finishes it" } else { "puts it back" };
        let what = format!("a swap to {version} is under way or was cut off");
        all.push(format!("{}: {what}; if no run goes on with it, the next one {will}", host.host));
    }
    all.extend(host.frozen.as_ref().map(|frozen| format!("{}: {frozen}", host.host)));
    all
}

fn differs(drift: &Drift) -> String {
    let each = drift.versions.iter().map(|(version, hosts)| format!("{version} on {}", hosts.join(", ")));
    format!("{} differs: {}", drift.service, each.collect::<Vec<_>>().join("; "))
}

/// The releases of a host.
pub(super) fn history(host: &HostHistory) -> String {
    let rows = host.releases.iter().map(release).collect();
    let mut text = format!("{}\n", host.host);
    for (record, line) in host.releases.iter().zip(aligned(rows).lines()) {
        text += &format!("{line}\n");
        text += &record.reason.lines().map(|line| format!("      {line}\n")).collect::<String>();
    }
    text
}

fn release(record: &Record) -> Vec<String> {
    let outcome = match record.outcome {
        history::Outcome::Released => "✔ released",
        history::Outcome::RolledBack => "↺ rolled back",
        history::Outcome::PutBack => "✘ failed, put back",
        history::Outcome::Stuck => "✘ failed, not put back",
    };
    let took = format!("{:.1} s", record.seconds.values().sum::<f64>());
    vec![
        format!("  {}", record.at.parse::<Timestamp>().map_or_else(|_| one_line(&record.at, 40), minute)),
        one_line(&record.version, 60),
        outcome.to_owned(),
        format!("{took:>8}"),
        format!("by {}", one_line(&record.by, 300)),
    ]
}

/// Rows in columns, two spaces between them.
fn aligned(rows: Vec<Vec<String>>) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or_default();
    // a cell that ends its row is as wide as it likes
    let wide = |column: usize| {
        rows.iter()
            .filter(|row| row.len() > column + 1)
            .map(|row| row[column].chars().count())
            .max()
            .unwrap_or_default()
    };
    let widths: Vec<usize> = (0..columns).map(wide).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        format!("{}\n", cells.collect::<Vec<_>>().join("  ").trim_end())
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
#[path = "fleet_tests.rs"]
mod tests;
