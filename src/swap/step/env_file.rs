//! The release's env file comes to the host.

use crate::swap::env_file::{BEGIN, END, Given, block};
use crate::swap::plan::Plan;
use crate::swap::run::HostSwap;
use crate::text::from_bytes;
use anyhow::Result;

pub(super) fn explain(plan: &Plan) -> String {
    format!("write {}", plan.env_file.as_deref().unwrap_or_default())
}

/// Writes it; its content travels on stdin and is nowhere shown.
pub(super) async fn run(swap: &HostSwap<'_>) -> Result<String> {
    let plan = swap.plan;
    let Some(file) = &plan.env_file else { return Ok(String::new()) };
    let (mode, content) = match &swap.env_given {
        _ if plan.rollback => ("kept", String::new()),
        Given::Nothing => ("kept", String::new()),
        Given::Whole(content) => ("whole", content.expose().to_owned()),
        Given::Values(values) => ("values", block(values, plan.compose)),
    };
    let live = plan.services.iter().find_map(|service| service.from.as_ref()?.version.as_ref());
    let script = swap
        .script("to write the env file", include_str!("env_file.sh"))
        .set("file", file)
        .set("version", plan.env_key(&plan.version))
        .set("mode", mode)
        .set("live", live.map(|live| plan.env_key(live)).unwrap_or_default())
        .set("first", BEGIN)
        .set("last", END)
        .stdin(swap.journal_line()? + &from_bytes(content.as_bytes()));
    swap.run(script).await?;
    Ok(file.clone())
}

pub(super) async fn undo(swap: &HostSwap<'_>) -> Result<()> {
    let Some(file) = &swap.plan.env_file else { return Ok(()) };
    let script = swap.script("to put the env file back", include_str!("env_file_back.sh"));
    swap.run(script.set("file", file)).await
}
