//! What will be done on one host, as a value: printed by `plan`, executed by `release`, kept in the journal for undoing.

use super::observe::{Live, Observation, SlotSeen};
use super::steps::Step;
use super::survey::Compose;
use crate::config::{Config, Health};
use crate::host::nginx::{Probe, point};
use anyhow::{Result, anyhow};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The swap of one host.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The version that shall be live, with its `v`.
    pub version: String,
    /// The project's directory.
    pub directory: String,
    /// Version of the host's engine.
    pub engine: String,
    /// The host's compose.
    pub compose: Compose,
    /// The services that change, all in one reload.
    pub services: Vec<ServicePlan>,
    /// nginx, which is never recreated.
    pub nginx: NginxPlan,
    /// Its configuration.
    pub conf: ConfPlan,
    /// Compose services that the slots need and that are not running.
    pub needs: Vec<String>,
    /// How long old workers may take.
    pub drain_timeout: Duration,
    /// Images that need not be kept afterwards, by id.
    pub prune: Vec<String>,
}

/// The swap of one service.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ServicePlan {
    /// Its name in the configuration.
    pub name: String,
    /// What is pulled: `REPOSITORY@DIGEST`, or `REPOSITORY:TAG` where no digest is known.
    pub pull: String,
    /// The image is on the host already, with this id.
    pub present: Option<String>,
    /// References that shall name the image, each with the image it names now (`None`: none).
    pub tags: Vec<(String, Option<String>)>,
    /// The slot that serves now.
    pub from: Option<OldSlot>,
    /// The slot to start.
    pub to: NewSlot,
    /// nginx's upstream.
    pub upstream: String,
    /// The port that the slot listens on.
    pub port: u16,
    /// When it is healthy.
    pub health: Health,
    /// How long a container may take to stop.
    pub stop_timeout: Duration,
    /// How to ask for it through nginx.
    pub probe: Option<Probe>,
}

/// The slot that serves now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OldSlot {
    /// Its compose service.
    pub slot: String,
    /// Its container.
    pub container: String,
    /// The container's PID 1 as the host counts.
    pub pid: i64,
    /// The version that it runs, where known.
    pub version: Option<String>,
    /// It was seen to receive what nginx was asked for.
    pub proved: bool,
}

/// The slot to start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewSlot {
    /// Its compose service.
    pub slot: String,
    /// What nginx calls it.
    pub host: String,
}

/// nginx on the host.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NginxPlan {
    /// Its compose service.
    pub service: String,
    /// Its running container; `None`: it is started when the slots are healthy.
    pub container: Option<String>,
    /// The guard's file, where it is to be written.
    pub guard: Option<String>,
}

/// nginx's configuration file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfPlan {
    /// Its path on the host.
    pub path: String,
    /// Its text now.
    pub before: String,
    /// Its text afterwards.
    pub after: String,
    /// The file alone is mounted: a rename would leave the container with the old one.
    pub in_place: bool,
}

/// What shall be live: a version, and what to pull for each service, in the order of the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    /// With its `v`.
    pub version: String,
    /// `REPOSITORY@DIGEST` or `REPOSITORY:TAG`.
    pub images: Vec<String>,
    /// The tag for the version, such as `v1.2.3`.
    pub tag: String,
}

impl Plan {
    /// Plans the swap of one host from what was observed there. Pure: the same inputs give the same plan.
    pub fn new(config: &Config, seen: &Observation, release: &Release) -> Result<Plan> {
        let services = seen.services.iter().zip(&release.images);
        let services: Vec<ServicePlan> = services.map(|(service, image)| service.plan(image, release)).collect();
        let mut after = seen.conf.text.clone();
        for (service, seen) in services.iter().zip(&seen.services) {
            let hosts: Vec<&str> = seen.slots.iter().map(|slot| slot.host.as_str()).collect();
            after = point(&after, &service.upstream, &hosts, &service.to.host)
                .map_err(|error| anyhow!("{}: {error}", service.name))?;
        }
        Ok(Plan {
            version: release.version.clone(),
            directory: seen.directory.clone(),
            engine: seen.engine.clone(),
            compose: seen.compose,
            services,
            nginx: NginxPlan {
                service: seen.nginx.service.clone(),
                container: seen.nginx.running.as_ref().map(|container| container.id.clone()),
                guard: seen.nginx.guard.clone().filter(|_| config.nginx.keepalive_guard),
            },
            conf: ConfPlan {
                path: seen.conf.path.clone(),
                before: seen.conf.text.clone(),
                after,
                in_place: seen.conf.in_place,
            },
            needs: seen.needs.clone(),
            drain_timeout: config.drain_timeout,
            prune: Vec::new(),
        })
    }

    /// The steps, in order.
    pub fn steps(&self) -> Vec<Step> {
        let running = self.nginx.container.is_some();
        let replaces = self.services.iter().any(|service| service.from.is_some());
        let mut steps = vec![Step::Pull, Step::Start];
        steps.extend((running && self.nginx.guard.is_some()).then_some(Step::Guard));
        steps.push(Step::Health);
        steps.extend((running || self.conf.before != self.conf.after).then_some(Step::Route));
        steps.extend((!running).then_some(Step::NginxUp));
        steps.push(Step::Confirm);
        steps.extend(running.then_some(Step::Drain));
        steps.extend(replaces.then_some(Step::Retire));
        steps.push(Step::Record);
        steps
    }

    /// What a step will do on this host and why, for people.
    pub fn explain(&self, step: Step) -> String {
        let each =
            |text: &dyn Fn(&ServicePlan) -> String| self.services.iter().map(text).collect::<Vec<_>>().join(", ");
        let to = || each(&|s| s.to.slot.clone());
        match step {
            Step::Pull => each(&|s| match s.present {
                Some(_) => format!("{} is on the host already", s.pull),
                None => format!("bring {} to the host", s.pull),
            }),
            Step::Start if self.needs.is_empty() => format!("start {} on {}", to(), self.version),
            Step::Start => format!("start {}, then {} on {}", self.needs.join(", "), to(), self.version),
            Step::Guard => "let idle keep-alive connections outlive a reload of nginx".to_owned(),
            Step::Health => each(&|s| format!("until {} answers GET {} on port {}", s.to.slot, s.health.path, s.port)),
            Step::Route => each(&|s| format!("point upstream {} at {}", s.upstream, s.to.host)),
            Step::NginxUp => format!("start {}", self.nginx.service),
            Step::Confirm => format!("see requests through nginx reach {}", to()),
            Step::Bake => "watch the answers through nginx".to_owned(),
            Step::Drain => format!("let nginx's old workers finish, at most {} s", self.drain_timeout.as_secs()),
            Step::Retire => {
                let from = self.services.iter().filter_map(|s| s.from.as_ref());
                let from = from.map(|old| match &old.version {
                    Some(version) => format!("{} ({version})", old.slot),
                    None => old.slot.clone(),
                });
                format!("stop {} and keep it for a rollback", from.collect::<Vec<_>>().join(", "))
            }
            Step::Record => "write the release into the host's history".to_owned(),
        }
    }
}

impl super::observe::ServiceSeen {
    fn plan(&self, image: &str, release: &Release) -> ServicePlan {
        let live = match self.live {
            Live::Proved(slot) => Some((slot, true)),
            Live::Assumed(slot) => Some((slot, false)),
            Live::None => None,
        };
        let old = |(slot, proved): (usize, bool)| {
            let slot: &SlotSeen = &self.slots[slot];
            let container = slot.container.as_ref()?;
            Some(OldSlot {
                slot: slot.service.clone(),
                container: container.id.clone(),
                pid: container.state.pid,
                version: slot.version.clone(),
                proved,
            })
        };
        let to = &self.slots[live.map_or(self.in_conf, |(slot, _)| 1 - slot)];
        let tag = format!("{}:{}", self.image, release.tag);
        let mut tags = vec![(to.reference.clone(), to.reference_image.clone())];
        if tag != to.reference {
            tags.push((tag.clone(), self.tagged.iter().find(|(name, _)| *name == tag).map(|(_, id)| id.clone())));
        }
        ServicePlan {
            name: self.name.clone(),
            pull: image.to_owned(),
            present: self.present(image),
            tags,
            from: live.and_then(old),
            to: NewSlot { slot: to.service.clone(), host: to.host.clone() },
            upstream: self.upstream.clone(),
            port: self.port,
            health: self.health.clone(),
            stop_timeout: self.stop_timeout,
            probe: self.probe.clone(),
        }
    }
}
