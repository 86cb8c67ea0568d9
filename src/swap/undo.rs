//! Putting back: newest step first, the failing one included, errors collected and never given up.

use super::run::HostSwap;
use super::step;
use super::story::{self, Step};
use crate::host::lock::Overtaken;
use crate::host::script::Script;
use crate::host::{Kind, Unnamed, kind};
use crate::report::Level;
use crate::report::stop::Reason;
use crate::router;
use futures_util::future::join_all;

/// Puts every host back as it was, all at once whatever the limit: a cancelled job has no time. What could not be put back
/// comes back.
///
/// # Errors
/// [`Overtaken`]: another run has taken a lock of this one, and it is for that one to finish or put back.
pub async fn all(swaps: &mut [HostSwap<'_>], reason: &str, hurried: bool) -> Result<Vec<Reason>, Overtaken> {
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
pub async fn one(swap: &mut HostSwap<'_>, reason: &str, hurried: bool) -> Result<Vec<Reason>, Overtaken> {
    swap.hurried = hurried;
    let mut left = Vec::new();
    find_nginx(swap).await;
    let mut stuck = Vec::new();
    for (step, back) in story::undone(&swap.begun) {
        if back.waits_for(&stuck) {
            let text = "the new slot was left running: nginx may still send requests there";
            left.push(Reason::new(&swap.host.name, text));
            continue;
        }
        let what = back.says;
        let running = swap.host.reporter.step(&swap.host.name, step.name(), what);
        match step::undo(swap, step).await {
            Ok(()) => drop(running.undone(what)),
            Err(error) => {
                let text = format!("{what}: {}", Unnamed(&error));
                running.failed(&text);
                if let Kind::Overtaken(overtaken) = kind(&error) {
                    return Err(overtaken.clone());
                }
                stuck.push(step);
                left.push(Reason::new(&swap.host.name, text));
            }
        }
    }
    if left.is_empty()
        && !swap.begun.is_empty()
        && (swap.begun != [Step::Pull] || !swap.host.session.is_closed())
        && let Err(error) = step::record::put_back(swap, reason).await
    {
        swap.host.reporter.note(
            Level::Warning,
            &swap.host.name,
            format!("the journal can't be closed: {}", Unnamed(&error)),
        );
    }
    Ok(left)
}

/// Somebody may have recreated nginx meanwhile: what is undone is undone for the container that is there now. Where that
/// can't be seen, the one of before is the best guess.
async fn find_nginx(swap: &mut HostSwap<'_>) {
    let Some(nginx) = &swap.nginx.container else { return };
    let script = Script::new("to find nginx", include_str!("step/nginx_now.sh")).scope(&swap.scope);
    let place = match swap.plan.nginx.kind {
        router::Router::Compose => "service",
        router::Router::Container => "container",
        router::Router::Host => return,
    };
    if let Ok(found) = swap.host.run(&script.args([nginx, place, &swap.plan.nginx.service])).await {
        swap.nginx.container =
            Some(String::from_utf8_lossy(&found).trim().to_owned()).filter(|found| !found.is_empty());
    }
}
