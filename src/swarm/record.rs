//! The end of a release: the old slot has no tasks any more, and what is live is written down.

use super::edge::tidy;
use super::plan::Plan;
use super::run::Work;
use super::store::Left;
use super::{slots, stack_file};
use crate::host::Unnamed;
use crate::report::Level;
use crate::swap::history::{self, Outcome, Record, ServiceRecord};
use anyhow::Result;
use futures_util::future::join_all;
use std::collections::BTreeMap;
use std::sync::PoisonError;

impl Work<'_, '_> {
    /// The old slot has served its time; what is live is written down.
    pub(crate) async fn finish(&self) -> Result<()> {
        let from = &self.plan.from;
        let retire = async {
            let down = slots::stop(self.seen.api, &from.service).await?;
            Ok(if down.is_empty() { String::new() } else { format!("not seen to end on {}", down.join(", ")) })
        };
        self.step("retire", format!("{} → 0 tasks", from.called), retire).await?;
        let record = async {
            self.tidy().await;
            let written = stack_file::write(self.seen, self.directory, self.files, self.fence).await;
            if let Err(error) = written {
                let text = format!("{} is not up to date: {}", stack_file::NAME, Unnamed(&error));
                self.reporter.note(Level::Warning, "", text);
            }
            let mut slots = Vec::new();
            for slot in &self.seen.slots {
                slots.push(slots::left(&self.seen.api.service(&slot.service.id).await?));
            }
            self.store.close(self.released(), Some(Left { slots })).await?;
            Ok(String::new())
        };
        self.step("record", "write the release into the history".to_owned(), record).await
    }

    /// What the switch kept on the nodes goes.
    pub(super) async fn tidy(&self) {
        for done in join_all(self.seen.edges.iter().map(|edge| tidy(edge.host, self.fence))).await {
            if let Err(error) = done {
                self.reporter.note(Level::Warning, "", format!("{error:#}"));
            }
        }
    }

    /// The records of a release that is live; one that goes back marks the version that it leaves.
    fn released(&self) -> Vec<Record> {
        let Plan { from, version, rollback, .. } = self.plan;
        let left = from.version.as_ref().filter(|left| *rollback && *left != version);
        let left = left.map(|left| self.record(left, Outcome::RolledBack, ""));
        left.into_iter().chain([self.record(version, Outcome::Released, "")]).collect()
    }

    /// A line of the history.
    pub(super) fn record(&self, version: &str, outcome: Outcome, reason: &str) -> Record {
        let plan = self.plan;
        let slot = if outcome == Outcome::RolledBack { &plan.from } else { &plan.to };
        let part = ServiceRecord {
            service: plan.name.clone(),
            slot: slot.called.clone(),
            repository: plan.repository.clone(),
            shipped: false,
            digest: slot.digest().map(str::to_owned),
            image: slot.image.clone(),
            container: String::new(),
        };
        let seconds = self.seconds.lock().unwrap_or_else(PoisonError::into_inner);
        Record {
            at: history::now(),
            id: plan.id.clone(),
            by: plan.by.clone(),
            version: version.to_owned(),
            commit: if version == plan.version { plan.commit.clone() } else { String::new() },
            outcome,
            reason: self.reporter.clean(reason),
            services: vec![part],
            seconds: seconds.iter().map(|(step, seconds)| ((*step).to_owned(), *seconds)).collect(),
            policies: BTreeMap::new(),
        }
    }
}
