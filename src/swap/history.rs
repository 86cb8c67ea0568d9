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
    /// The commit that it is of, where that is known.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub commit: String,
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
    /// Container → the restart policy that it had while it served: a stopped one has none.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub policies: BTreeMap<String, String>,
}

/// One service of a release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceRecord {
    /// Its name in the configuration.
    pub service: String,
    /// The slot that was started; of a version that was rolled back, the slot that it left.
    pub slot: String,
    /// The image's repository. Together with the slot it says whose record this is, whatever the service is called.
    #[serde(default)]
    pub repository: String,
    /// It came from where the release ran, and through no registry.
    #[serde(default)]
    pub shipped: bool,
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

/// The restart policy that a container had while it served, as far as it was noted.
pub fn policy_of<'a>(records: &'a [Record], container: &str) -> Option<&'a str> {
    records.iter().rev().find_map(|record| record.policies.get(container)).map(String::as_str)
}

/// Reads a history, oldest first, and which of its lines can't be read, counted from 0: a crash tore them, or somebody wrote
/// there. Nothing goes by those.
pub fn read(text: &str) -> (Vec<Record>, Vec<usize>) {
    let (mut records, mut unreadable) = (Vec::new(), Vec::new());
    for (number, line) in text.lines().enumerate() {
        match serde_json::from_str(line) {
            Ok(record) => records.push(record),
            Err(_) => unreadable.push(number),
        }
    }
    (records, unreadable)
}

/// Whose records: a directory has those of every service that is released there.
#[derive(Debug, Clone, Copy)]
pub struct Owner<'a> {
    /// The image's repository, as docker prints it.
    pub repository: &'a str,
    /// The service's slots.
    pub slots: [&'a str; 2],
}

impl Owner<'_> {
    fn has(&self, record: &ServiceRecord) -> bool {
        // records of before have no repository
        let same = record.repository.is_empty() || record.repository == self.repository;
        same && self.slots.contains(&record.slot.as_str())
    }

    /// This service's part of a record.
    pub fn part<'a>(&self, record: &'a Record) -> Option<&'a ServiceRecord> {
        record.services.iter().find(|service| self.has(service))
    }

    /// Its releases that became live, newest first, each version once.
    pub fn released<'a>(&self, records: &'a [Record]) -> Vec<(&'a Record, &'a ServiceRecord)> {
        let mut found: Vec<(&Record, &ServiceRecord)> = Vec::new();
        for record in records.iter().rev().filter(|record| record.outcome == Outcome::Released) {
            let known = found.iter().any(|(known, _)| known.version == record.version);
            found.extend(self.part(record).filter(|_| !known).map(|part| (record, part)));
        }
        found
    }

    /// Whether a version of it was rolled back and not released since.
    pub fn is_bad(&self, records: &[Record], version: &str) -> bool {
        let decided = |record: &&Record| match record.outcome {
            Outcome::Released => self.part(record).is_some(),
            // records of before say nothing of whom they left
            Outcome::RolledBack => record.services.is_empty() || self.part(record).is_some(),
            Outcome::PutBack | Outcome::Stuck => false,
        };
        let last = records.iter().rev().filter(decided).find(|record| record.version == version);
        last.is_some_and(|record| record.outcome == Outcome::RolledBack)
    }

    /// The release that a container of this image came with, newest first: the one that put it there, else the last one
    /// of this service that had the image.
    pub fn of_container<'a>(
        &self,
        records: &'a [Record],
        container: &str,
        image: &str,
    ) -> Option<(&'a Record, &'a ServiceRecord)> {
        let released = || records.iter().rev().filter(|record| record.outcome == Outcome::Released);
        let parts = released().flat_map(|record| record.services.iter().map(move |part| (record, part)));
        let put_there = parts.clone().find(|(_, part)| part.container == container);
        put_there.or_else(|| parts.clone().find(|(_, part)| part.image == image && self.has(part)))
    }
}

/// The commit of the newest release of a version.
pub fn commit_of_version<'a>(records: &'a [Record], version: &str) -> Option<&'a str> {
    let of_version = |record: &&Record| record.outcome == Outcome::Released && record.version == version;
    records.iter().rev().find(of_version).map(|record| record.commit.as_str()).filter(|commit| !commit.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    const API: Owner<'_> = Owner { repository: "team/api", slots: ["blue", "green"] };

    fn record(version: &str, part: (&str, &str, &str), outcome: Outcome) -> Record {
        let (repository, slot, container) = part;
        let service = ServiceRecord {
            service: "any".into(),
            slot: slot.into(),
            repository: repository.into(),
            shipped: false,
            digest: None,
            image: format!("image-{version}"),
            container: container.into(),
        };
        Record {
            at: "2026-01-01T00:00:00Z".into(),
            id: String::new(),
            by: "me".into(),
            version: version.into(),
            commit: String::new(),
            outcome,
            reason: String::new(),
            services: vec![service],
            seconds: BTreeMap::new(),
            policies: BTreeMap::new(),
        }
    }

    fn versions(records: &[Record]) -> Vec<&str> {
        API.released(records).iter().map(|(record, _)| record.version.as_str()).collect()
    }

    #[test]
    fn a_torn_line_costs_only_itself_and_is_named() {
        let line = |version: &str| serde_json::to_string(&record(version, ("", "blue", "a"), Outcome::Released));
        let text = format!("{}\n{}", line("v1.0.0").expect("writes"), &line("v1.1.0").expect("writes")[..40]);
        let (records, unreadable) = read(&text);
        assert_eq!((versions(&records), unreadable), (vec!["v1.0.0"], vec![1]));
    }

    #[test]
    fn a_version_is_bad_from_its_rollback_to_its_next_release() {
        let of = |version, slot, outcome| record(version, ("team/api", slot, "c"), outcome);
        let mut records = vec![of("v1.0.0", "blue", Outcome::Released), of("v1.1.0", "green", Outcome::Released)];
        records.push(of("v1.1.0", "green", Outcome::RolledBack));
        assert!(API.is_bad(&records, "v1.1.0") && !API.is_bad(&records, "v1.0.0"));
        records.push(of("v1.1.0", "blue", Outcome::Released));
        assert!(!API.is_bad(&records, "v1.1.0"));
        assert_eq!(versions(&records), ["v1.1.0", "v1.0.0"]);
    }

    #[test]
    fn a_service_has_its_own_records_whatever_it_is_called_and_those_of_before_by_its_slots() {
        let mut web = record("v3.0.0", ("team/web", "web-blue", "w"), Outcome::Released);
        web.services[0].service = "any".into();
        let mut records = vec![
            record("v1.0.0", ("", "blue", "a"), Outcome::Released),
            record("v1.1.0", ("team/api", "green", "b"), Outcome::Released),
            record("v2.0.0", ("team/other", "green", "o"), Outcome::Released),
            web,
        ];
        assert_eq!(versions(&records), ["v1.1.0", "v1.0.0"]);
        // another one's rollback says nothing of this one's version
        records.push(record("v1.1.0", ("team/web", "web-green", "x"), Outcome::RolledBack));
        assert!(!API.is_bad(&records, "v1.1.0"));
        records.push(Record { services: Vec::new(), ..record("v1.1.0", ("", "", ""), Outcome::RolledBack) });
        assert!(API.is_bad(&records, "v1.1.0"));
    }

    #[test]
    fn a_container_is_known_by_its_id_and_one_that_was_made_anew_by_its_image() {
        let records = [
            record("v1.0.0", ("", "blue", "a"), Outcome::Released),
            record("v2.0.0", ("", "blue", "c"), Outcome::PutBack),
        ];
        let version =
            |container, image| API.of_container(&records, container, image).map(|(record, _)| record.version.as_str());
        assert_eq!(version("a", "image-other"), Some("v1.0.0"));
        assert_eq!(version("x", "image-v1.0.0"), Some("v1.0.0"));
        assert_eq!((version("c", "image-v2.0.0"), version("x", "y")), (None, None), "only what was released counts");
    }

    #[test]
    fn a_record_has_the_commit_of_its_release_and_one_of_before_has_none() {
        let one = Record { commit: "abc".into(), ..record("v1.0.0", ("", "blue", "a"), Outcome::Released) };
        let failed = Record { outcome: Outcome::PutBack, commit: "def".into(), ..one.clone() };
        assert_eq!(commit_of_version(&[one.clone(), failed], "v1.0.0"), Some("abc"));
        let line = serde_json::to_string(&one).expect("writes").replace(",\"commit\":\"abc\"", "");
        let (records, _) = read(&line);
        assert_eq!((records.len(), commit_of_version(&records, "v1.0.0")), (1, None), "{line}");
    }
}
