//! The outcome is written into the host's history, and what need not be kept goes.

use crate::host::script::{Script, Section, sections};
use crate::swap::history::Outcome;
use crate::swap::run::HostSwap;
use anyhow::Result;
use std::sync::atomic::Ordering;

pub(super) fn explain() -> String {
    "write the release into the host's history".to_owned()
}

pub(super) async fn run(swap: &HostSwap<'_>) -> Result<String> {
    let plan = swap.plan;
    let script = script(swap, "to write the history")
        .set("file", plan.env_file.as_deref().unwrap_or_default())
        .set("version", plan.env_key(&plan.version))
        .list("names", plan.keep.iter().map(|version| plan.env_key(version)))
        .args(&plan.prune)
        .stdin(swap.released());
    // the tag of a pull goes as well, and takes no image with it
    let is_kept = |section: &Section| section.text.contains(":cutover-");
    let pruned = sections(&swap.host.run(&script).await?)?.iter().filter(|section| is_kept(section)).count();
    Ok(if pruned == 0 { String::new() } else { format!("{pruned} old images removed") })
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
