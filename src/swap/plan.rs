//! What will be done on one host, as a value: printed by `plan`, executed by `release`, kept in the journal for undoing.

use super::evidence::Evidence;
use super::making::Making;
use super::observe::{Live, Observation, ServiceSeen, SlotSeen};
use super::probe::Place;
use super::survey::Compose;
use crate::config::{Bake, Config, HealthSettings, HostHook};
use crate::host::compose::Condition;
use crate::host::container::{Container, same_reference};
use crate::host::nginx::{Probe, point};
use anyhow::{Context as _, Result, anyhow};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

/// The swap of one host.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// Tells this release from every other one; the same on all its hosts.
    pub id: String,
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
    /// How compose makes those services, the slots and nginx.
    #[serde(default)]
    pub makings: BTreeMap<String, Making>,
    /// The old slots' containers are removed once they have stopped; their images stay.
    #[serde(default)]
    pub remove_old: bool,
    /// What must be healthy, or have run to its end on the new image, before the slots are started; in this order.
    #[serde(default)]
    pub first: Vec<First>,
    /// The env file to put on the host, by its path there. Its content is never part of a plan.
    pub env_file: Option<String>,
    /// The release's own command; on one host only.
    pub hook: Option<HookPlan>,
    /// The host's own command before the switch.
    pub before_switch: Option<HostHook>,
    /// The host's own command after the switch.
    pub after_switch: Option<HostHook>,
    /// Watching after the switch.
    pub bake: Option<Bake>,
    /// How long old workers may take.
    pub drain_timeout: Duration,
    /// Tags that need not be kept afterwards.
    pub prune: Vec<String>,
    /// Versions whose env files are kept afterwards.
    #[serde(default)]
    pub keep: Vec<String>,
    /// Goes back to an earlier version.
    pub rollback: bool,
    /// The commit of the version; empty where that is not known.
    #[serde(default)]
    pub commit: String,
}

/// A compose service that comes before the slots (Compose Specification, `depends_on` with a `condition`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct First {
    /// The service.
    pub service: String,
    /// What it must be: healthy, or completed.
    pub condition: Condition,
}

/// The release's own command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HookPlan {
    /// Words.
    pub command: Vec<String>,
    /// The slot whose image and settings it runs with.
    pub slot: String,
    /// Its time.
    pub timeout: Duration,
    /// Rolling back the code is unsafe once it has run.
    pub irreversible: bool,
}

/// The swap of one service.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ServicePlan {
    /// Its name in the configuration.
    pub name: String,
    /// What is pulled: `REPOSITORY@DIGEST`, or `REPOSITORY:TAG` where no digest is known.
    pub pull: String,
    /// The image's repository, as docker prints it.
    #[serde(default)]
    pub repository: String,
    /// The digest that the registry has it by, as far as it is known.
    #[serde(default)]
    pub digest: Option<String>,
    /// The image is on the host already, with this id.
    pub present: Option<String>,
    /// It comes from here over SSH, and through no registry.
    #[serde(default)]
    pub ship: bool,
    /// References that shall name the image, each with the image it names now (`None`: none).
    pub tags: Vec<(String, Option<String>)>,
    /// That of them which keeps the release's image.
    #[serde(default)]
    pub keep_tag: String,
    /// That of them by which the image comes, where it leaves one that was not there.
    #[serde(default)]
    pub pulled: Option<String>,
    /// The slot that serves now.
    pub from: Option<OldSlot>,
    /// The slot to start.
    pub to: NewSlot,
    /// nginx's upstream.
    pub upstream: String,
    /// The port that the slot listens on.
    pub port: u16,
    /// When it is healthy.
    pub health: HealthSettings,
    /// How long a container may take to stop.
    pub stop_timeout: Duration,
    /// How to ask for it through nginx.
    pub probe: Option<Probe>,
    /// What shall prove that the new slot serves.
    #[serde(default)]
    pub evidence: Evidence,
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
    /// The container's addresses.
    #[serde(default)]
    pub addresses: Vec<String>,
    /// The version that it runs, where known.
    pub version: Option<String>,
    /// It was seen to receive what nginx was asked for.
    pub proved: bool,
    /// The restart policy that its container has; empty where it was not noted.
    #[serde(default)]
    pub restart: String,
}

/// The slot to start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewSlot {
    /// Its compose service.
    pub slot: String,
    /// What nginx calls it.
    pub host: String,
    /// Its container before the swap, if it had one.
    pub before: Option<String>,
    /// A stopped container of this very version, to be started again instead of a new one.
    pub kept: Option<Kept>,
    /// Its container, where it runs although it does not serve.
    #[serde(default)]
    pub running: Option<Place>,
}

/// A stopped container that is kept for a rollback.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// Its id.
    pub container: String,
    /// The restart policy that it gets back.
    pub restart: String,
}

/// nginx on the host.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NginxPlan {
    /// Its compose service.
    pub service: String,
    /// Its running container; `None`: it is started when the slots are healthy.
    pub container: Option<String>,
    /// Its addresses.
    #[serde(default)]
    pub addresses: Vec<String>,
    /// Its PID 1 as the host counts.
    #[serde(default)]
    pub pid: Option<i64>,
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
    /// Its text when the swap is put back: as `before`, and it names the slots that serve, even where `before` does not.
    pub back: String,
    /// The file alone is mounted: a rename would leave the container with the old one.
    pub in_place: bool,
}

/// What shall be live: a version, and what to pull for each service, in the order of the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    /// Tells it from every other one.
    pub id: String,
    /// With its `v`.
    pub version: String,
    /// The commit that it is of; empty where that is not known.
    pub commit: String,
    /// By the service's name.
    pub images: BTreeMap<String, ReleaseImage>,
    /// Goes back: the release's own command does not run, and a kept container is started again.
    pub rollback: bool,
}

/// What a service shall run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReleaseImage {
    /// `REPOSITORY@DIGEST`, `REPOSITORY:TAG`, or the id of an image that the hosts have.
    pub reference: String,
    /// Ids by which a host may have it already.
    pub ids: Vec<String>,
}

impl OldSlot {
    /// Where its connections are to be seen.
    pub fn place(&self) -> Place {
        Place { pid: self.pid, addresses: self.addresses.clone() }
    }
}

impl Plan {
    /// nginx runs: requests have to be moved, and nobody's may be lost.
    pub fn is_routing(&self) -> bool {
        self.nginx.container.is_some()
    }

    /// The guard is written before the switch.
    pub fn is_guarded(&self) -> bool {
        self.is_routing() && self.nginx.guard.is_some()
    }

    /// nginx has to take its file, or the file has to be changed for an nginx that is yet to be started.
    pub fn is_rerouted(&self) -> bool {
        self.is_routing() || self.conf.before != self.conf.after
    }

    /// What there is to say of each service.
    pub(super) fn each(&self, text: impl Fn(&ServicePlan) -> String) -> String {
        self.services.iter().map(text).collect::<Vec<_>>().join(", ")
    }

    /// Some slot serves now.
    pub fn replaces(&self) -> bool {
        self.services.iter().any(|service| service.from.is_some())
    }

    /// Plans the swap of one host from what was observed there. Pure: the same inputs give the same plan.
    ///
    /// `first` is the host that runs the release's own command.
    pub fn new(config: &Config, seen: &Observation, release: &Release, first: bool) -> Result<Plan> {
        let services: Vec<ServicePlan> =
            seen.services.iter().map(|service| service.plan(seen, release)).collect::<Result<_>>()?;
        let hook = config.hooks.release.as_ref().filter(|_| first && !release.rollback);
        let hook = hook.and_then(|hook| {
            let service = services.iter().find(|service| hook.service == service.name.as_str())?;
            Some(HookPlan {
                command: hook.command.clone(),
                slot: service.to.slot.clone(),
                timeout: hook.timeout,
                irreversible: hook.irreversible,
            })
        });
        let pulled = services.iter().filter_map(|service| service.pulled.clone());
        let pulled: Vec<String> = pulled.collect();
        let keep = super::prune::Keep::new(seen, &release.version, config.keep);
        Ok(Plan {
            id: release.id.clone(),
            hook,
            env_file: config.env_file.as_ref().map(|file| absolute(&seen.directory, &file.path)),
            before_switch: config.hooks.before_switch.clone(),
            after_switch: config.hooks.after_switch.clone(),
            bake: config.bake.clone(),
            rollback: release.rollback,
            commit: release.commit.clone(),
            version: release.version.clone(),
            directory: seen.directory.clone(),
            engine: seen.engine.clone(),
            compose: seen.compose,
            services,
            nginx: NginxPlan {
                service: seen.nginx.service.clone(),
                container: seen.nginx.running.as_ref().map(|container| container.id.clone()),
                addresses: seen.nginx.running.as_ref().map(Container::addresses).unwrap_or_default(),
                pid: seen.nginx.running.as_ref().map(|container| container.state.pid),
                guard: seen.nginx.guard.clone().filter(|_| config.nginx.keepalive_guard && seen.conf_is_true()),
            },
            conf: ConfPlan {
                path: seen.conf.path.clone(),
                before: seen.conf.text.clone(),
                after: pointed(seen, |service| Some(service.next()))?,
                back: pointed(seen, |service| service.live.slot())?,
                in_place: seen.conf.in_place,
            },
            needs: seen.needs.clone(),
            makings: seen.makings.clone(),
            remove_old: seen.leaned_on,
            // going back, as with the release's own command: an older migration is not run again
            first: if release.rollback { Vec::new() } else { seen.first.clone() },
            drain_timeout: config.drain_timeout,
            prune: keep.unneeded().into_iter().chain(pulled).collect(),
            keep: keep.versions(),
        })
    }
}

/// The configuration's text with the upstream of every service at the slot that `which` names; `None`: as it is.
fn pointed(seen: &Observation, which: impl Fn(&ServiceSeen) -> Option<usize>) -> Result<String> {
    let mut text = seen.conf.text.clone();
    for service in &seen.services {
        let hosts: Vec<&str> = service.slots.iter().map(|slot| slot.host.as_str()).collect();
        let Some(slot) = which(service) else { continue };
        text = point(&text, &service.upstream, &hosts, &service.slots[slot].host)
            .map_err(|error| anyhow!("{}: {error}", service.name))?;
    }
    Ok(text)
}

impl Observation {
    /// nginx's file names the slots that serve. Where it does not, any reload before the switch would move requests.
    fn conf_is_true(&self) -> bool {
        self.services.iter().all(|service| service.live.slot().is_none_or(|slot| slot == service.in_conf))
    }
}

impl ServiceSeen {
    /// The slot to start: the one that does not serve.
    pub fn next(&self) -> usize {
        self.live.slot().map_or(self.in_conf, |slot| 1 - slot)
    }

    fn plan(&self, host: &Observation, release: &Release) -> Result<ServicePlan> {
        let ReleaseImage { reference: image, ids } =
            release.images.get(&self.name).with_context(|| format!("the release has no image for {}", self.name))?;
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
                restart: container.host_config.restart_policy.word(),
                addresses: container.addresses(),
                version: slot.version.clone(),
                proved,
            })
        };
        let to = &self.slots[self.next()];
        let tag = super::prune::keep_tag(&self.image, &host.keep_prefix, &release.version);
        let known = self.tagged.iter().find(|(name, _)| *name == tag).map(|(_, id)| id.clone());
        let mut tags = vec![(to.reference.clone(), to.reference_image.clone())];
        let pulled = self.pulled_tag(image);
        tags.extend(pulled.clone().map(|pulled| (pulled, None)));
        tags.push((tag.clone(), known));
        let before = to.container.as_ref().map(|container| container.id.clone());
        let running = to.container.as_ref().filter(|container| container.is_running()).map(Place::of);
        let kept = to.container.as_ref().filter(|container| {
            let same = to.version.as_ref() == Some(&release.version) || container.image == *image;
            release.rollback && same && !container.is_running()
        });
        let kept = kept.map(|container| Kept {
            container: container.id.clone(),
            restart: super::history::policy_of(&host.history, &container.id).unwrap_or(&to.restart).to_owned(),
        });
        let present = kept.as_ref().and(to.container.as_ref()).map(|c| c.image.clone()).or_else(|| self.present(image));
        let digest = self.digest(host, image, present.as_deref());
        let present = present.or_else(|| ids.iter().find(|id| self.has_image(id)).cloned());
        Ok(ServicePlan {
            name: self.name.clone(),
            pull: image.to_owned(),
            ship: self.ship,
            repository: self.image.clone(),
            digest,
            present,
            tags,
            keep_tag: tag,
            pulled,
            from: live.and_then(old),
            to: NewSlot { slot: to.service.clone(), host: to.host.clone(), before, kept, running },
            upstream: self.upstream.clone(),
            port: self.port,
            health: self.health.clone(),
            stop_timeout: self.stop_timeout,
            probe: self.looked.probe.clone(),
            evidence: self.looked.evidence,
        })
    }
}

impl ServiceSeen {
    /// The tag by which an image comes to the host, where it leaves one that was not there.
    fn pulled_tag(&self, reference: &str) -> Option<String> {
        let by_tag = !reference.contains('@') && !reference.starts_with("sha256:");
        let there = self.tagged.iter().any(|(known, _)| same_reference(known, reference));
        (by_tag && !there).then(|| reference.to_owned())
    }

    /// The digest of what a reference names: its own, else that of the image on the host, else as the history has it.
    fn digest(&self, host: &Observation, reference: &str, present: Option<&str>) -> Option<String> {
        if let Some((_, digest)) = reference.split_once('@') {
            return Some(digest.to_owned());
        }
        let image = present?;
        let here =
            || self.digests.iter().find(|(_, id)| id == image)?.0.split_once('@').map(|(_, digest)| digest.to_owned());
        let known = || self.owner().of_container(&host.history, "", image)?.1.digest.clone();
        here().or_else(known)
    }
}

fn absolute(directory: &str, path: &str) -> String {
    if path.starts_with('/') { path.to_owned() } else { format!("{directory}/{path}") }
}
