//! A release that a run left half-way is finished or put back: by its journal, from what is true now.

use super::run::{End, Work};
use super::store::Phase;
use super::{evidence, slots};
use crate::report::stop::Reason;
use crate::swap::recover::Way;
use anyhow::Result;
use futures_util::future::join_all;
use std::time::Instant;

/// What the journal comes to by itself.
pub(crate) fn way(phase: Phase) -> Way {
    if phase == Phase::Confirmed { Way::Finish } else { Way::PutBack }
}

/// Does it. What could not be done comes back.
pub(crate) async fn recover(work: &Work<'_, '_>, phase: Phase, way: Way) -> Result<Vec<Reason>> {
    if way == Way::PutBack {
        return Ok(work.undo(phase, "the run that released it ended half-way").await?);
    }
    work.reporter.phase("Recover: finish the release that an earlier run left");
    let to = &work.plan.to;
    let routing = work.seen.edges.iter().map(|edge| async move {
        let running = work.reporter.step(&edge.host.name, "route", format!("point nginx at {}", to.word));
        let done = edge.route(to.slot, work.fence).await;
        match &done {
            Ok(text) => running.done(text.clone()),
            Err(error) => running.failed(format!("{error:#}")),
        };
        done
    });
    for done in join_all(routing).await {
        done?;
    }
    let tasks = work.seen.tasks_now().await?;
    if !slots::serving(&tasks[to.slot]).is_empty() {
        evidence::prove(work.seen, to.slot, &tasks).await?;
    }
    match work.after(Instant::now()).await {
        End::Live(live) => Ok(live.left),
        End::Overtaken(overtaken) => Err(overtaken.into()),
        End::Failed(failure) => Ok(failure.left),
    }
}
