//! Commands of the host's own, before and after the switch.

use crate::config::HostHook;
use crate::host::own::OWN;
use crate::host::script::Script;
use crate::host::{Kind, kind};
use crate::report::Level;
use crate::swap::run::HostSwap;
use crate::swap::story::Step;
use anyhow::{Context as _, Result};
use std::time::Duration;

pub(super) fn explain(hook: Option<&HostHook>) -> String {
    hook.map_or_else(String::new, |hook| {
        format!("run {} on the host, at most {} s", hook.command.join(" "), hook.timeout.as_secs())
    })
}

pub(super) async fn before(swap: &HostSwap<'_>) -> Result<String> {
    run(swap, Step::BeforeSwitch, swap.plan.before_switch.as_ref()).await
}

/// The new version is live: a command that fails now is worth a warning, no more.
pub(super) async fn after(swap: &HostSwap<'_>) -> Result<String> {
    if let Err(error) = run(swap, Step::AfterSwitch, swap.plan.after_switch.as_ref()).await {
        if let Kind::Overtaken(_) = kind(&error) {
            return Err(error);
        }
        swap.host.reporter.note(Level::Warning, &swap.host.name, swap.why(&error));
        swap.keep_said([]);
    }
    Ok(String::new())
}

async fn run(swap: &HostSwap<'_>, step: Step, hook: Option<&HostHook>) -> Result<String> {
    let hook = hook.context("no command to run")?;
    let script = swap
        .script("to run the host's own command", include_str!("host_hook.sh"))
        .with(&[OWN])
        .set("step", step.name())
        .set("directory", &swap.plan.directory)
        .set("seconds", hook.timeout.as_secs().max(1).to_string())
        .set("version", &swap.plan.version)
        .args(&hook.command);
    show(swap, script, step, hook.timeout).await
}

/// Runs a command and shows each line; the last ones of one that fails are kept, to be said with the failure.
pub(super) async fn show(swap: &HostSwap<'_>, script: Script, step: Step, timeout: Duration) -> Result<String> {
    let (ended, last) = swap.host.show(script, step.name(), timeout).await;
    if ended.is_err() {
        swap.keep_said(last);
    }
    ended.map(|()| String::new())
}
