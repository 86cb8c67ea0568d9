//! Making a plan of what was seen on a host.

use super::plan::{ConfPlan, FORMAT, HookPlan, How, Kept, NewSlot, NginxPlan, OldSlot, Plan, ServicePlan};
use super::prune;
use crate::config::Config;
use crate::host::container::same_reference;
use crate::see::interpret::evidence::Live;
use crate::see::read::traffic::Place;
use crate::see::seen::{ConfSeen, Observation, ServiceSeen, SlotSeen};
use crate::slots::workers::Worker;
use anyhow::{Context as _, Result};
use std::collections::BTreeMap;

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

impl Plan {
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
                within: service.to.within.clone(),
                timeout: hook.timeout,
                irreversible: hook.irreversible,
            })
        });
        let pulled = services.iter().filter_map(|service| service.pulled.clone());
        let pulled: Vec<String> = pulled.collect();
        let keep = prune::Keep::new(seen, &release.version, config.keep);
        Ok(Plan {
            id: release.id.clone(),
            format: FORMAT,
            scope: seen.scope.clone(),
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
                kind: seen.nginx.kind,
                service: seen.nginx.service.clone(),
                container: seen.nginx.target.clone(),
                addresses: seen.nginx.place.addresses.clone(),
                asked: seen.nginx.place.asked.clone(),
                pid: seen.nginx.target.as_ref().map(|_| seen.nginx.place.pid),
                guard: seen.nginx.guard.clone().filter(|_| config.nginx.keepalive_guard && seen.conf_is_true()),
            },
            conf: seen.confs.iter().map(|conf| conf.plan(&seen.services)).collect(),
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

impl ConfSeen {
    /// What becomes of it.
    fn plan(&self, services: &[ServiceSeen]) -> ConfPlan {
        ConfPlan {
            path: self.path.clone(),
            before: self.text.clone(),
            after: self.with(|service| Some(services[service].next())),
            back: self.with(|service| services[service].live.slot()),
            in_place: matches!(self.how, How::InPlace | How::Sudo),
            sudo: self.how == How::Sudo,
            link: self.how == How::Link,
        }
    }
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
            let port = self.ports[slot];
            let slot: &SlotSeen = &self.slots[slot];
            let container = slot.container.as_ref()?;
            Some(OldSlot {
                slot: slot.service.clone(),
                container: container.id.clone(),
                pid: container.state.pid,
                restart: container.host_config.restart_policy.word(),
                addresses: container.addresses(),
                port,
                version: slot.version.clone(),
                proved,
            })
        };
        let to = &self.slots[self.next()];
        let tag = prune::keep_tag(&self.image, &host.keep_prefix, &release.version);
        let known = self.tagged.iter().find(|(name, _)| *name == tag).map(|(_, id)| id.clone());
        let mut tags = vec![(to.reference.clone(), to.reference_image.clone())];
        let pulled = self.pulled_tag(image);
        tags.extend(pulled.clone().map(|pulled| (pulled, None)));
        tags.push((tag.clone(), known));
        let workers: Vec<Worker> = self.workers.iter().filter(|worker| worker.running > 0).cloned().collect();
        for worker in &workers {
            if !tags.iter().any(|(reference, _)| same_reference(reference, &worker.reference)) {
                tags.push((worker.reference.clone(), worker.reference_image.clone()));
            }
        }
        let before = to.container.as_ref().map(|container| container.id.clone());
        let running = to.container.as_ref().filter(|container| container.is_running()).map(Place::of);
        let kept = to.container.as_ref().filter(|container| {
            let same = to.version.as_ref() == Some(&release.version) || container.image == *image;
            release.rollback && same && !container.is_running()
        });
        let kept = kept.map(|container| Kept {
            container: container.id.clone(),
            restart: crate::swap::history::policy_of(&host.history, &container.id).unwrap_or(&to.restart).to_owned(),
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
            to: NewSlot {
                slot: to.service.clone(),
                within: to.within.clone(),
                host: to.host.clone(),
                published: to.published,
                before,
                kept,
                running,
            },
            workers,
            upstream: self.upstream.clone(),
            words: self.word.clone(),
            late: self.late,
            stays: self.stays,
            port: self.ports[self.next()],
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
