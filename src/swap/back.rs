//! What a service can be taken back to. `status` shows it, `rollback` goes by it.

use super::history::{self, Owner, Record, ServiceRecord};
use crate::see::seen::{Observation, ServiceSeen};
use serde::Serialize;

/// A version that a service can be taken back to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Possible {
    /// The version.
    pub version: String,
    /// What has it.
    pub from: From,
    /// The image: its id on the host, or a reference to pull.
    #[serde(skip)]
    pub image: String,
}

/// Where a version comes from when a service is taken back to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum From {
    /// It is live.
    Live,
    /// Its stopped container.
    Container,
    /// Its image, which is on the host.
    Image,
    /// The registry.
    Registry,
}

impl From {
    /// For people.
    pub fn words(self) -> &'static str {
        match self {
            From::Live => "live",
            From::Container => "the kept container",
            From::Image => "the kept image",
            From::Registry => "from the registry",
        }
    }
}

impl ServiceSeen {
    /// Whose records are its own.
    pub fn owner(&self) -> Owner<'_> {
        Owner { repository: &self.image, slots: [&self.slots[0].service, &self.slots[1].service] }
    }

    /// The version that is live, where one is and it is known.
    pub fn live_version(&self) -> Option<&str> {
        self.slots[self.live.slot()?].version.as_deref()
    }

    /// Its releases on this host that became live, newest first.
    pub fn released<'a>(&self, seen: &'a Observation) -> Vec<(&'a Record, &'a ServiceRecord)> {
        self.owner().released(&seen.history)
    }

    /// Everything that it can be taken back to, newest first; the live version is among it. `ship`: there is no registry.
    pub fn possible(&self, seen: &Observation, ship: bool) -> Vec<Possible> {
        let mut found: Vec<Possible> = Vec::new();
        let mut add = |version: &str, from, image: String| {
            if !found.iter().any(|known| known.version == version) {
                found.push(Possible { version: version.to_owned(), from, image });
            }
        };
        let live = self.live.slot().and_then(|slot| self.slots[slot].container.as_ref());
        if let (Some(container), Some(version)) = (live, self.live_version()) {
            add(version, From::Live, container.image.clone());
        }
        let released = self.released(seen);
        let kept = self.slots.iter().filter_map(|slot| Some((slot.container.as_ref()?, slot.version.as_deref()?)));
        let kept: Vec<_> = kept.filter(|(container, _)| !container.is_running()).collect();
        for (record, part) in &released {
            let version = record.version.as_str();
            let container = kept.iter().find(|(_, known)| *known == version);
            if let Some((container, _)) = container {
                add(version, From::Container, container.image.clone());
            } else if self.has_image(&part.image) {
                add(version, From::Image, part.image.clone());
            } else if !ship && !part.shipped {
                let reference = part.digest.as_ref().map(|digest| format!("{}@{digest}", self.image));
                let tag = version.trim_start_matches('v').replace('+', "_");
                let by_tag = || format!("{}:{}", self.image, self.tag.made_of(&tag));
                add(version, From::Registry, reference.unwrap_or_else(by_tag));
            }
        }
        for (container, version) in kept {
            add(version, From::Container, container.image.clone());
        }
        found
    }
}

/// Where a rollback that names no version goes, and why there, where that needs a word.
#[derive(Debug, PartialEq, Eq)]
pub struct Target {
    /// The version.
    pub version: String,
    /// What is live and in no record.
    pub foreign: Vec<String>,
}

/// The release before the one that is live. Where something is live that none of the service's releases put there, the
/// newest release: it is the one before. `can` says of a version whether every service on every host can have it.
pub fn target(hosts: &[Observation], can: impl Fn(&str) -> bool) -> Option<Target> {
    let first = hosts.first()?;
    let all = || hosts.iter().flat_map(|seen| seen.services.iter().map(move |service| (seen, service)));
    let is_known = |(seen, service): &(&Observation, &ServiceSeen)| {
        let live = service.live_version();
        live.is_some_and(|live| service.released(seen).iter().any(|(record, _)| record.version == live))
    };
    let serves = |(_, service): &(&Observation, &ServiceSeen)| service.live.slot().is_some();
    let foreign = all().filter(serves).filter(|each| !is_known(each) && !each.1.released(each.0).is_empty());
    let foreign: Vec<String> = foreign
        .map(|(_, service)| {
            format!("{} runs {}", service.name, service.live_version().unwrap_or("an image that is in no record"))
        })
        .collect();
    let is_live = |version: &str| all().all(|(_, service)| service.live_version() == Some(version));
    let any_live = |version: &str| all().any(|(_, service)| service.live_version() == Some(version));
    let is_bad = |version: &str| first.services.iter().any(|each| each.owner().is_bad(&first.history, version));
    let order = versions(first);
    let newest_live = order.iter().position(|version| any_live(version));
    let from = if foreign.is_empty() { newest_live.map_or(0, |at| at + 1) } else { 0 };
    let earlier = order[from..].iter().filter(|version| !is_live(version)).cloned();
    // a container that was there before the first release
    let kept = first.services.iter().flat_map(|service| service.slots.iter().filter_map(|slot| slot.version.clone()));
    let kept = kept.filter(|version| !order.contains(version) && !any_live(version));
    let found = earlier.chain(kept).find(|version| !is_bad(version) && can(version));
    found.map(|version| Target { version, foreign })
}

/// Versions of any of a host's services that became live, newest first.
fn versions(seen: &Observation) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let released = seen.history.iter().rev().filter(|record| record.outcome == history::Outcome::Released);
    for record in released.filter(|record| seen.services.iter().any(|each| each.owner().part(record).is_some())) {
        if !found.contains(&record.version) {
            found.push(record.version.clone());
        }
    }
    found
}
