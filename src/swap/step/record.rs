//! The outcome is written into the host's history, and what need not be kept goes.

use crate::host::script::{Script, Section, sections};
use crate::swap::history::{self, Outcome, Record, ServiceRecord};
use crate::swap::run::{HostSwap, ServiceSwap};
use crate::swap::story::Step;
use anyhow::Result;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;

pub(super) fn explain() -> String {
    "write the release into the host's history".to_owned()
}

pub(super) async fn run(swap: &mut HostSwap<'_>) -> Result<String> {
    let output = match swap.ahead.take() {
        Some(mut chain) => chain.next().await?,
        None => swap.host.run(&history(swap)).await?,
    };
    // the tag of a pull goes as well, and takes no image with it
    let is_kept = |section: &Section| section.text.contains(":cutover-");
    let pruned = sections(&output)?.iter().filter(|section| is_kept(section)).count();
    Ok(if pruned == 0 { String::new() } else { format!("{pruned} old images removed") })
}

/// The script that writes the history behind the one that stops the old slot, in the same command.
pub(super) fn ahead(swap: &mut HostSwap<'_>) -> Script {
    // the host puts in how long that took
    swap.seconds.insert(Step::Retire.name(), 0.0);
    history(swap)
}

fn history(swap: &HostSwap<'_>) -> Script {
    let plan = swap.plan;
    script(swap, "to write the history")
        .set("file", plan.env_file.as_deref().unwrap_or_default())
        .set("version", plan.env_key(&plan.version))
        .list("names", plan.keep.iter().map(|version| plan.env_key(version)))
        .args(&plan.prune)
        .stdin(swap.released())
}

/// Closes the journal of a swap that was put back; `reason` goes into the history.
pub(in crate::swap) async fn put_back(swap: &HostSwap<'_>, reason: &str) -> Result<()> {
    let script = script(swap, "to close the journal").set("file", "").set("version", "").set("names", "");
    swap.run(script.stdin(swap.record(Outcome::PutBack, reason))).await
}

/// Writes down that every host was confirmed.
pub(in crate::swap) async fn confirmed(swap: &HostSwap<'_>) -> Result<()> {
    let text = include_str!("confirmed.sh");
    swap.run(swap.script("to write down that the new version is confirmed", text)).await?;
    swap.written.store(true, Ordering::Relaxed);
    Ok(())
}

fn script(swap: &HostSwap<'_>, why: &'static str) -> Script {
    swap.script(why, include_str!("record.sh"))
}

impl HostSwap<'_> {
    /// The lines for a release that is live; one that goes back marks the version that it leaves.
    fn released(&self) -> String {
        let left = self.plan.services.iter().filter_map(|service| service.from.as_ref()?.version.as_ref());
        let left: BTreeSet<&String> =
            left.filter(|version| self.plan.rollback && **version != self.plan.version).collect();
        let left = left.into_iter().map(|version| self.line(version, Outcome::RolledBack, ""));
        left.collect::<String>() + &self.record(Outcome::Released, "")
    }

    /// A line of this version.
    fn record(&self, outcome: Outcome, reason: &str) -> String {
        self.line(&self.plan.version, outcome, reason)
    }

    /// The restart policies of the containers that serve now and did before.
    fn policies(&self) -> BTreeMap<String, String> {
        let old = self.plan.services.iter().filter_map(|service| service.from.as_ref());
        let old = old.filter(|old| !old.restart.is_empty()).map(|old| (old.container.clone(), old.restart.clone()));
        let new = self.services.iter().filter_map(|service| service.started.as_ref());
        let new = new.map(|new| (new.id.clone(), new.host_config.restart_policy.word()));
        old.chain(new).collect()
    }

    /// The commit of the new version: this run's, else the one that its images name, where they name one.
    fn commit(&self) -> String {
        let started = self.services.iter().filter_map(|service| service.started.as_ref());
        let labels = started.map(|container| container.label("org.opencontainers.image.revision"));
        let mut labels: Vec<&str> = labels.filter(|label| is_commit(label)).collect();
        labels.dedup();
        match (self.plan.commit.as_str(), labels.as_slice()) {
            ("", [one]) => (*one).to_owned(),
            (own, _) => own.to_owned(),
        }
    }

    fn line(&self, version: &str, outcome: Outcome, reason: &str) -> String {
        let part = |service: &ServiceSwap<'_>| match outcome {
            Outcome::RolledBack => service.left(version),
            _ => service.came(),
        };
        let record = Record {
            at: history::now(),
            id: self.plan.id.clone(),
            by: self.by.clone(),
            version: version.to_owned(),
            commit: if version == self.plan.version { self.commit() } else { String::new() },
            outcome,
            reason: self.host.reporter.clean(reason),
            services: self.services.iter().filter_map(part).collect(),
            policies: self.policies(),
            seconds: self.seconds.iter().map(|(step, seconds)| ((*step).to_owned(), *seconds)).collect(),
        };
        format!("{}\n", crate::text::json(&serde_json::to_string(&record).unwrap_or_default()))
    }
}

/// As git and other tools write one.
fn is_commit(text: &str) -> bool {
    (7..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

impl ServiceSwap<'_> {
    /// The slot that came, for a record.
    fn came(&self) -> Option<ServiceRecord> {
        let new = self.started.as_ref()?;
        Some(self.record(&self.plan.to.slot, &new.image, &new.id))
    }

    /// The slot that was left, where it ran this version.
    fn left(&self, version: &str) -> Option<ServiceRecord> {
        let old = self.plan.from.as_ref().filter(|old| old.version.as_deref() == Some(version))?;
        Some(self.record(&old.slot, "", &old.container))
    }

    fn record(&self, slot: &str, image: &str, container: &str) -> ServiceRecord {
        ServiceRecord {
            service: self.plan.name.clone(),
            slot: slot.to_owned(),
            repository: self.plan.repository.clone(),
            shipped: self.plan.ship,
            digest: self.digest.clone(),
            image: image.to_owned(),
            container: container.to_owned(),
        }
    }
}
