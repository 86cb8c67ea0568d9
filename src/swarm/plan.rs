//! What a release will do, as a value: the journal has it, so that any run can finish it or put it back.

use super::objects::{digest, tag};
use super::see::Seen;
use crate::config::{Bake, HealthSettings, HostHook};
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
    /// The release's own command.
    #[serde(default)]
    pub(crate) hook: Option<HookPlan>,
    /// The hosts' own commands.
    #[serde(default)]
    pub(crate) before_switch: Option<HostHook>,
    #[serde(default)]
    pub(crate) after_switch: Option<HostHook>,
    /// Watching after the switch.
    #[serde(default)]
    pub(crate) bake: Option<Bake>,
}

/// A command in a task of the new image.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct HookPlan {
    pub(crate) command: Vec<String>,
    pub(crate) timeout: Duration,
    /// Whether going back is unsafe once it has run.
    pub(crate) irreversible: bool,
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
            hook: config.hooks.release.as_ref().filter(|_| !release.rollback).map(|hook| HookPlan {
                command: hook.command.clone(),
                timeout: hook.timeout,
                irreversible: hook.irreversible,
            }),
            before_switch: config.hooks.before_switch.clone(),
            after_switch: config.hooks.after_switch.clone(),
            bake: config.bake.clone(),
        }
    }

    /// What would be done, in order: the step and what it does.
    pub(crate) fn steps(&self) -> Vec<(&'static str, String)> {
        let Plan { from, to, replicas, .. } = self;
        let edges = self.edges.join(", ");
        let running = if from.version.is_some() { "" } else { ", where it has any" };
        let hook = self.hook.as_ref().map(|hook| format!("run {} in a task of the new image", hook.command.join(" ")));
        let on_hosts =
            |hook: &Option<HostHook>| hook.as_ref().map(|hook| format!("run {} on {edges}", hook.command.join(" ")));
        let bake = self.bake.as_ref();
        let bake = bake.map(|bake| format!("watch the answers through each nginx for {} s", bake.duration.as_secs()));
        let all = [
            ("hook", hook),
            ("start", Some(format!("{} 0 → {replicas} tasks of {}", to.called, self.version))),
            ("health", Some(format!("until each of them answers GET {} on port {}", self.health.path, to.port))),
            ("before-switch", on_hosts(&self.before_switch)),
            ("route", Some(format!("point nginx on {edges} at {}", to.word))),
            ("confirm", Some(format!("see requests through each nginx reach {} alone", to.called))),
            ("bake", bake),
            ("after-switch", on_hosts(&self.after_switch)),
            ("drain", Some(format!("let nginx's old workers finish, at most {} s", self.drain_timeout.as_secs()))),
            ("retire", Some(format!("{} → 0 tasks{running}", from.called))),
            ("record", Some("write the release into the history, and what is live beside the stack file".to_owned())),
        ];
        all.into_iter().filter_map(|(step, text)| Some((step, text?))).collect()
    }

    /// Whether going back is unsafe once requests have reached the new version.
    pub(crate) fn is_irreversible(&self) -> bool {
        self.hook.as_ref().is_some_and(|hook| hook.irreversible)
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
