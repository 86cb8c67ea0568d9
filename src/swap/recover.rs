//! An unfinished swap that an earlier run left: finished if it was confirmed anywhere, else put back.

use super::history::Outcome;
use super::journal::Journal;
use super::plan::FORMAT;
use super::run::HostSwap;
use super::story::{self, Phase, Step};
use super::{step, undo};
use crate::cancel::Cancel;
use crate::host::Host;
use crate::host::compose::Scope;
use crate::host::lock::Holder;
use crate::host::script::CORE;
use crate::host::script::SAY;
use crate::host::script::{Fence, Script};
use crate::report::Level;
use crate::report::stop::Reason;
use crate::report::text::inert;
use crate::see::seen::Observation;
use anyhow::{Context as _, Result, bail};
use std::sync::atomic::AtomicBool;

/// What shall become of an unfinished swap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// The new version stays.
    Finish,
    /// The old version comes back.
    PutBack,
}

/// Which way a release that was left unfinished goes. All its hosts go the same way: a host drains only after every one
/// was confirmed, so one that has begun to drain, or is done, says that all were. One that was being put back says that all
/// are.
pub fn way(seen: &[Observation]) -> Option<Way> {
    let id = seen.iter().find_map(|seen| seen.journal.as_ref()?.plan.as_ref().map(|plan| plan.id.clone()));
    let unfinished = seen.iter().any(|seen| seen.journal.is_some());
    let back = seen.iter().filter_map(|seen| seen.journal.as_ref()).any(|journal| journal.back);
    let draining = seen.iter().filter_map(|seen| seen.journal.as_ref()).any(Journal::is_confirmed);
    let done = seen
        .iter()
        .filter_map(|seen| seen.history.last())
        .any(|record| record.outcome == Outcome::Released && Some(&record.id) == id.as_ref());
    unfinished.then_some(if !back && (draining || done) { Way::Finish } else { Way::PutBack })
}

/// Whether going back is unsafe: the release's own command began on some host, is marked irreversible, and requests may
/// have reached the new version.
pub fn is_irreversible(seen: &[Observation]) -> bool {
    let journals = || seen.iter().filter_map(|seen| seen.journal.as_ref());
    let ran = journals().any(|journal| {
        let irreversible =
            journal.plan.as_ref().and_then(|plan| plan.hook.as_ref()).is_some_and(|hook| hook.irreversible);
        irreversible && journal.begun.contains(&Step::Hook)
    });
    ran && journals().any(|journal| journal.begun.contains(&Step::Route))
}

/// Finishes or puts back one host. What could not be done comes back as the error.
pub async fn recover(
    host: &Host,
    seen: &Observation,
    state: &str,
    holder: &Holder,
    way: Way,
    cancel: &Cancel,
) -> Result<()> {
    let Some(journal) = &seen.journal else { return Ok(()) };
    if let Some(format) = journal.newer {
        bail!(
            "an unfinished swap is of a newer cutover (its journal has format {format}, this one reads up to {FORMAT}): recover \
             it with that one"
        );
    }
    let Some(plan) = &journal.plan else { return set_aside(host, state, holder).await };
    let mut swap = HostSwap::new(host, plan, state, holder);
    if plan.scope == Scope::default() {
        swap.scope = seen.scope.clone();
    }
    swap.begun = journal.begun.clone();
    swap.written = AtomicBool::new(journal.is_confirmed());
    swap.nginx.container.clone_from(&seen.nginx.target);
    if way == Way::PutBack {
        let left = undo::one(&mut swap, "the run that released it ended half-way", false).await?;
        let left: Vec<String> = left.into_iter().map(|reason| reason.why).collect();
        return if left.is_empty() { Ok(()) } else { bail!(left.join("; ")) };
    }
    for service in &mut swap.services {
        let slots = seen.services.iter().flat_map(|service| &service.slots);
        let to = &service.plan.to.slot;
        let container = slots.filter(|slot| slot.service == *to).find_map(|slot| slot.container.clone());
        service.started = Some(container.with_context(|| format!("{to} has no container"))?);
    }
    if !journal.begun.contains(&Step::Retire)
        && let Some(Reason { why: ended, .. }) = swap.ended().await
    {
        bail!("{ended}, so the old slot was left running; `cutover recover --put-back` goes back to it");
    }
    for step in story::steps(plan).into_iter().filter(|step| step.phase() >= Phase::Drain && *step != Step::AfterSwitch)
    {
        step::take(&mut swap, step, cancel).await?;
    }
    Ok(())
}

/// A journal that can't be read is no reason to do anything, and it is kept for people.
async fn set_aside(host: &Host, state: &str, holder: &Holder) -> Result<()> {
    let fence = Fence { state: state.to_owned(), holder: holder.id.clone() };
    let script = Script::new("to set the journal aside", include_str!("step/set-aside.sh"));
    let name = host.run(&script.with(&[SAY, CORE]).fenced(&fence)).await?;
    let text = format!(
        "the journal of an unfinished swap can't be read, so nothing was undone by it; it is {} now. `cutover status` shows \
         what is live",
        inert(String::from_utf8_lossy(&name).trim())
    );
    host.reporter.note(Level::Warning, &host.name, text);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_unfinished_needs_nothing() {
        assert_eq!(way(&[]), None);
        assert!(!is_irreversible(&[]));
    }
}
