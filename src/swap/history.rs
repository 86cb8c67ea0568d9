//! The append-only log of releases on a host, one JSON object a line.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How a release ended on a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The new version is live.
    Released,
    /// It was live and was rolled back: a plain rollback passes it over.
    RolledBack,
    /// It failed and the old version serves.
    PutBack,
    /// It failed and could not be put back.
    Stuck,
}

/// One release of one host.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// When it ended, RFC 3339, UTC.
    pub at: String,
    /// The release's id: the same on all its hosts.
    #[serde(default)]
    pub id: String,
    /// Who released it, from where.
    pub by: String,
    /// The version, with its `v`.
    pub version: String,
    /// How it ended.
    pub outcome: Outcome,
    /// Why, where it did not end well.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// The services that were swapped.
    pub services: Vec<ServiceRecord>,
    /// Step → seconds.
    #[serde(default)]
    pub seconds: BTreeMap<String, f64>,
}

/// One service of a release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceRecord {
    /// Its name in the configuration.
    pub service: String,
    /// The slot that was started.
    pub slot: String,
    /// `sha256:…` of the manifest, where the engine knows it.
    pub digest: Option<String>,
    /// Id of the image.
    pub image: String,
    /// Id of the container.
    pub container: String,
}

/// The time of day as records have it.
pub fn now() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// Reads a history, oldest first. A line that can't be read (torn by a crash) is passed over.
pub fn read(text: &str) -> Vec<Record> {
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

/// Whether a version was rolled back and not released since.
pub fn is_bad(records: &[Record], version: &str) -> bool {
    let decided = |record: &&Record| matches!(record.outcome, Outcome::Released | Outcome::RolledBack);
    let last = records.iter().rev().filter(decided).find(|record| record.version == version);
    last.is_some_and(|record| record.outcome == Outcome::RolledBack)
}

/// Releases that became live, newest first, each version once.
pub fn released(records: &[Record]) -> Vec<&Record> {
    let mut found: Vec<&Record> = Vec::new();
    for record in records.iter().rev().filter(|record| record.outcome == Outcome::Released) {
        if !found.iter().any(|known| known.version == record.version) {
            found.push(record);
        }
    }
    found
}

/// The release that put this container there.
pub fn of_container<'a>(records: &'a [Record], container: &str) -> Option<&'a Record> {
    let is_it = |record: &&Record| record.services.iter().any(|service| service.container == container);
    records.iter().rev().filter(|record| record.outcome == Outcome::Released).find(is_it)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(version: &str, container: &str, outcome: Outcome) -> String {
        let service = ServiceRecord {
            service: "api".into(),
            slot: "blue".into(),
            digest: None,
            image: "i".into(),
            container: container.into(),
        };
        let record = Record {
            at: "2026-01-01T00:00:00Z".into(),
            id: String::new(),
            by: "me".into(),
            version: version.into(),
            outcome,
            reason: String::new(),
            services: vec![service],
            seconds: BTreeMap::new(),
        };
        serde_json::to_string(&record).expect("writes")
    }

    #[test]
    fn a_torn_last_line_costs_only_itself() {
        let text = format!(
            "{}\n{}",
            record("v1.0.0", "a", Outcome::Released),
            &record("v1.1.0", "b", Outcome::Released)[..40]
        );
        let records = read(&text);
        assert_eq!(records.len(), 1);
        assert_eq!(of_container(&records, "a").map(|r| r.version.as_str()), Some("v1.0.0"));
    }

    #[test]
    fn a_version_is_bad_from_its_rollback_to_its_next_release() {
        let mut text = record("v1.0.0", "a", Outcome::Released) + "\n" + &record("v1.1.0", "b", Outcome::Released);
        text += &("\n".to_owned() + &record("v1.1.0", "b", Outcome::RolledBack));
        assert!(is_bad(&read(&text), "v1.1.0") && !is_bad(&read(&text), "v1.0.0"));
        text += &("\n".to_owned() + &record("v1.1.0", "c", Outcome::Released));
        assert!(!is_bad(&read(&text), "v1.1.0"));
        let versions: Vec<_> = released(&read(&text)).iter().map(|record| record.version.clone()).collect();
        assert_eq!(versions, ["v1.1.0", "v1.0.0"]);
    }

    #[test]
    fn only_what_was_released_counts() {
        let records = read(&record("v2.0.0", "c", Outcome::PutBack));
        assert_eq!(of_container(&records, "c"), None);
    }
}
