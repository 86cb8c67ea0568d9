//! What a release will do, as a value: the journal has it, so that any run can finish it or put it back.

use super::objects::{digest, tag};
use super::see::Seen;
use crate::config::HealthSettings;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Counts up where an older cutover could not go on with the plan.
pub(crate) const FORMAT: u32 = 1;

/// A release that goes from one slot to the other.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Plan {
    pub(crate) format: u32,
    /// The run's id.
    pub(crate) id: String,
    /// Who releases, from where.
    pub(crate) by: String,
    pub(crate) version: String,
    pub(crate) commit: String,
    pub(crate) rollback: bool,
    /// As cutover.yml calls the service.
    pub(crate) name: String,
    pub(crate) repository: String,
    /// The slot that nginx names now.
    pub(crate) from: SlotPlan,
    /// The one that gets the version.
    pub(crate) to: SlotPlan,
    /// How many tasks it gets.
    pub(crate) replicas: u64,
    pub(crate) health: HealthSettings,
    pub(crate) drain_timeout: Duration,
    /// The hosts whose nginx is switched.
    pub(crate) edges: Vec<String>,
}

/// A slot of a plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct SlotPlan {
    /// Which of the two.
    pub(crate) slot: usize,
    /// The service, as the swarm calls it.
    pub(crate) service: String,
    /// As people call it: without the stack.
    pub(crate) called: String,
    /// What nginx calls it.
    pub(crate) word: String,
    /// The image, with its digest where one is known.
    pub(crate) image: String,
    pub(crate) version: Option<String>,
    pub(crate) port: u16,
}

/// What is released.
pub(crate) struct Release {
    pub(crate) id: String,
    pub(crate) by: String,
    pub(crate) version: String,
    pub(crate) commit: String,
    pub(crate) image: String,
    pub(crate) rollback: bool,
}

impl Plan {
    /// From what was seen; what stands in the way is known to be nothing.
    pub(crate) fn new(seen: &Seen<'_>, config: &crate::config::Config, release: Release) -> Plan {
        let from = seen.named().unwrap_or(0);
        let service = &config.services[0];
        let slot = |slot: usize| {
            let of = &seen.slots[slot];
            let edge = seen.edges.first();
            SlotPlan {
                slot,
                service: of.service.name().to_owned(),
                called: of.called.clone(),
                word: edge.map_or_else(String::new, |edge| edge.word(slot)),
                image: of.service.image().to_owned(),
                version: of.version(service),
                port: edge.map_or(80, |edge| edge.port),
            }
        };
        let to = SlotPlan { image: release.image, version: Some(release.version.clone()), ..slot(1 - from) };
        Plan {
            format: FORMAT,
            id: release.id,
            by: release.by,
            version: release.version,
            commit: release.commit,
            rollback: release.rollback,
            name: service.name.to_string(),
            repository: service.image.familiar(),
            from: slot(from),
            to,
            replicas: seen.replicas(),
            health: service.health.clone(),
            drain_timeout: config.drain_timeout,
            edges: seen.edges.iter().map(|edge| edge.host.name.clone()).collect(),
        }
    }

    /// What would be done, in order: the step and what it does.
    pub(crate) fn steps(&self) -> Vec<(&'static str, String)> {
        let Plan { from, to, replicas, .. } = self;
        let edges = self.edges.join(", ");
        let running = if from.version.is_some() { "" } else { ", where it has any" };
        vec![
            ("start", format!("{} 0 → {replicas} tasks of {}", to.called, self.version)),
            ("health", format!("until each of them answers GET {} on port {}", self.health.path, to.port)),
            ("route", format!("point nginx on {edges} at {}", to.word)),
            ("confirm", format!("see requests through each nginx reach {} alone", to.called)),
            ("drain", format!("let nginx's old workers finish, at most {} s", self.drain_timeout.as_secs())),
            ("retire", format!("{} → 0 tasks{running}", from.called)),
            ("record", "write the release into the history, and what is live beside the stack file".to_owned()),
        ]
    }
}

impl SlotPlan {
    /// The digest of its image.
    pub(crate) fn digest(&self) -> Option<&str> {
        digest(&self.image)
    }
}

/// The version that an image reference names, by its tag.
pub(crate) fn version_of(reference: &str, service: &crate::config::ServiceSettings) -> Option<String> {
    let within = service.tag.within(tag(reference)?)?;
    let version = crate::release::Version::parse(within).ok()?;
    Some(version.to_string())
}
