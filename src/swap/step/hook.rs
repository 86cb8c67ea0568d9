//! The release's own command, such as a migration, runs in the new image.

use super::host_hook;
use crate::slots::COMPOSE;
use crate::swap::plan::Plan;
use crate::swap::run::HostSwap;
use crate::swap::story::Step;
use anyhow::{Context as _, Result};

pub(super) fn explain(plan: &Plan) -> String {
    plan.hook.as_ref().map_or_else(String::new, |hook| {
        format!("run {} in the new image, at most {} s", hook.command.join(" "), hook.timeout.as_secs())
    })
}

pub(super) async fn run(swap: &HostSwap<'_>) -> Result<String> {
    let hook = swap.plan.hook.as_ref().context("no command to run")?;
    let (place, service) = swap.within(&hook.slot, &hook.within);
    let script = swap
        .script("to run the release's own command", include_str!("hook.sh"))
        .with(&[COMPOSE])
        .set("compose", swap.plan.compose.word())
        .set("directory", &swap.plan.directory)
        .list("tags", swap.tags()?)
        .set("seconds", hook.timeout.as_secs().max(1).to_string())
        .set("name", format!("cutover-hook-{}", hook.slot.replace('/', "-")))
        .set("place", place)
        .set("slot", service)
        .args(&hook.command)
        .stdin(swap.journal_line()?);
    host_hook::show(swap, script, Step::Hook, hook.timeout).await
}
