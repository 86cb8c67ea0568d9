//! Putting back: newest step first, the failing one included, errors collected and never given up.

use super::execute::{HostSwap, RELOAD_SECONDS};
use super::history::Outcome;
use super::story::{self, Step};
use crate::host::lock::Overtaken;
use crate::host::script::Script;
use crate::report::Level;
use anyhow::Result;
use futures_util::future::join_all;
use sha2::{Digest as _, Sha256};
use std::time::Duration;

/// What a runner that cancels a job leaves time for.
const HURRIED: Duration = Duration::from_secs(2);

/// Puts every host back as it was, all at once whatever the limit: a cancelled job has no time. What could not be put back
/// comes back: host and reason.
///
/// # Errors
/// [`Overtaken`]: another run has taken a lock of this one, and it is for that one to finish or put back.
pub async fn all(swaps: &mut [HostSwap<'_>], reason: &str, hurried: bool) -> Result<Vec<(String, String)>, Overtaken> {
    if let Some(swap) = swaps.first() {
        swap.host.reporter.phase("Put back what was changed");
    }
    let left = join_all(swaps.iter_mut().map(|swap| one(swap, reason, hurried))).await;
    let left: Result<Vec<_>, Overtaken> = left.into_iter().collect();
    Ok(left?.into_iter().flatten().collect())
}

/// Puts one host back. `reason` goes into its history; hurried, nothing is waited for longer than a runner gives.
///
/// # Errors
/// As [`all`].
pub async fn one(swap: &mut HostSwap<'_>, reason: &str, hurried: bool) -> Result<Vec<(String, String)>, Overtaken> {
    if hurried {
        swap.plan.drain_timeout = swap.plan.drain_timeout.min(HURRIED);
        swap.plan.services.iter_mut().for_each(|service| service.stop_timeout = service.stop_timeout.min(HURRIED));
    }
    let mut left = Vec::new();
    find_nginx(swap).await;
    let mut stuck = Vec::new();
    for (step, back) in story::undone(&swap.begun) {
        if back.waits_for(&stuck) {
            let text = "the new slot was left running: nginx may still send requests there";
            left.push((swap.host.name.clone(), text.to_owned()));
            continue;
        }
        let what = back.says;
        let running = swap.host.reporter.step(&swap.host.name, step.name(), what);
        match step_back(swap, step).await {
            Ok(()) => drop(running.undone(what)),
            Err(error) => {
                let text = format!("{what}: {error:#}");
                running.failed(&text);
                if let Some(overtaken) = error.downcast_ref::<Overtaken>() {
                    return Err(overtaken.clone());
                }
                stuck.push(step);
                left.push((swap.host.name.clone(), text));
            }
        }
    }
    if left.is_empty()
        && !swap.begun.is_empty()
        && (swap.begun != [Step::Pull] || !swap.host.session.is_closed())
        && let Err(error) = close_journal(swap, reason).await
    {
        swap.host.reporter.note(Level::Warning, &swap.host.name, format!("the journal can't be closed: {error:#}"));
    }
    Ok(left)
}

/// Somebody may have recreated nginx meanwhile: what is undone is undone for the container that is there now. Where that
/// can't be seen, the one of before is the best guess.
async fn find_nginx(swap: &mut HostSwap<'_>) {
    let Some(nginx) = &swap.nginx else { return };
    let script = Script::new("to find nginx", include_str!("scripts/nginx-now.sh"));
    if let Ok(found) = swap.host.run(&script.args([nginx, &swap.plan.nginx.service])).await {
        swap.nginx = Some(String::from_utf8_lossy(&found).trim().to_owned()).filter(|found| !found.is_empty());
    }
}

/// Undoes one step that can be undone.
async fn step_back(swap: &HostSwap<'_>, step: Step) -> Result<()> {
    let script = match step {
        Step::Route => return unroute(swap).await,
        Step::NginxUp => Some(nginx_down(swap)),
        Step::Guard => unguard(swap),
        Step::EnvFile => swap.unenv_file(),
        _ => Some(unstart(swap)),
    };
    match script {
        Some(script) => run(swap, script).await,
        None => Ok(()),
    }
}

async fn run(swap: &HostSwap<'_>, script: Script) -> Result<()> {
    swap.host.run(&script).await.map(|_| ())
}

/// Requests that reached the new slot meanwhile are finished before it is removed.
async fn unroute(swap: &HostSwap<'_>) -> Result<()> {
    let conf = &swap.plan.conf;
    swap.route_script(&[&conf.after, &conf.before], &conf.back, true).await?;
    if let Some(nginx) = &swap.nginx {
        swap.drain_workers(nginx, swap.plan.drain_timeout, true).await?;
    }
    Ok(())
}

fn nginx_down(swap: &HostSwap<'_>) -> Script {
    let text = concat!(include_str!("scripts/prelude.sh"), include_str!("scripts/nginx-down.sh"));
    swap.script("to stop nginx again", text).arg(&swap.plan.nginx.service)
}

fn unguard(swap: &HostSwap<'_>) -> Option<Script> {
    let text = concat!(include_str!("scripts/prelude.sh"), include_str!("scripts/unguard.sh"));
    let (guard, nginx) = (swap.plan.nginx.guard.as_ref()?, swap.nginx.as_ref()?);
    Some(swap.script("to remove the guard", text).args([guard, nginx, &RELOAD_SECONDS.to_string()]))
}

fn unstart(swap: &HostSwap<'_>) -> Script {
    let text = concat!(include_str!("scripts/prelude.sh"), include_str!("scripts/unstart.sh"));
    let services = &swap.plan.services;
    let timeout = services.iter().map(|service| service.stop_timeout.as_secs()).max().unwrap_or(10);
    let tags = services.iter().flat_map(|service| &service.tags);
    swap.script("to remove the new slot", text)
        .args([timeout.to_string(), services.len().to_string()])
        .args(
            services.iter().flat_map(|service| {
                [service.to.slot.clone(), service.to.before.clone().unwrap_or_else(|| "-".to_owned())]
            }),
        )
        .arg(swap.plan.needs.len().to_string())
        .args(&swap.plan.needs)
        .args(tags.flat_map(|(reference, image)| [reference.clone(), image.clone().unwrap_or_else(|| "-".into())]))
}

async fn close_journal(swap: &HostSwap<'_>, reason: &str) -> Result<()> {
    let text = concat!(include_str!("scripts/prelude.sh"), include_str!("scripts/record.sh"));
    let line = swap.record(Outcome::PutBack, reason);
    run(swap, swap.script("to close the journal", text).args(["", "", "0"]).stdin(line)).await
}

/// SHA-256 of a text's bytes on the host, in hexadecimal.
pub(super) fn digest(text: &str) -> String {
    Sha256::digest(crate::text::to_bytes(text)).iter().map(|byte| format!("{byte:02x}")).collect()
}
