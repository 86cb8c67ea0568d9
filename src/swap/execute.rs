//! Runs plans: each phase on every host at once, and everything put back if one fails before the new version is live.

use super::run::HostSwap;
use super::story::{self, Phase, Step};
use super::{step, undo};
use crate::cancel::{Cancel, Signal};
use crate::host::lock::Overtaken;
use crate::host::{Kind, kind};
use crate::parallel;
use crate::report::Level;
use crate::report::stop::{Reason, by_host};
use anyhow::Result;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// Why a release did not become live.
#[derive(Debug)]
pub enum Unreleased {
    /// It failed, and what was changed was put back as far as that could be.
    Failed(Failure),
    /// Another run took a lock of this one: everything was left to that one.
    Overtaken(Overtaken),
}

/// What failed, and what came of putting it back.
#[derive(Debug)]
pub struct Failure {
    /// What failed.
    pub causes: Vec<Reason>,
    /// What could not be put back.
    pub left: Vec<Reason>,
    /// The signal that asked to stop, if that was the cause.
    pub signal: Option<Signal>,
}

impl From<Overtaken> for Unreleased {
    fn from(overtaken: Overtaken) -> Unreleased {
        Unreleased::Overtaken(overtaken)
    }
}

impl From<Failure> for Unreleased {
    fn from(failure: Failure) -> Unreleased {
        Unreleased::Failed(failure)
    }
}

/// Swaps every host, in phases, at most `limit` hosts at a time. Gives when every host was confirmed, and whether
/// everything is tidy.
///
/// `keep` is asked before a switch is put back although the release's own command can't be: true leaves the new version.
pub async fn execute(
    swaps: &mut [HostSwap<'_>],
    limit: Option<usize>,
    cancel: &Cancel,
    keep: impl FnOnce() -> bool,
) -> Result<Done, Unreleased> {
    let mut live = Instant::now();
    if let [swap] = swaps {
        swap.alone = true;
    }
    for phase in [Phase::Bring, Phase::Prepare, Phase::Switch, Phase::Watch] {
        // without a command of the release, a host need not wait for the others' images
        let has_command = swaps.iter().any(|swap| swap.plan.hook.is_some());
        if phase == Phase::Bring && !has_command {
            continue;
        }
        if !swaps.iter().any(|swap| story::steps(swap.plan).iter().any(|step| step.phase() == phase)) {
            continue;
        }
        if let Some(swap) = swaps.first() {
            swap.host.reporter.phase(phase.title());
        }
        let failed = AtomicBool::new(false);
        let results = parallel::all(limit, swaps.iter_mut().map(|swap| swap.phase(phase, &failed, cancel))).await;
        let causes = failures(swaps, results)?;
        if !causes.is_empty() || cancel.raised().is_some() {
            let reason = if causes.is_empty() { "stopped by a signal".to_owned() } else { by_host(&causes).join("\n") };
            if phase > Phase::Prepare && swaps.iter().any(HostSwap::is_irreversible) && keep() {
                return Err(left_alone(swaps, causes).into());
            }
            let left = undo::all(swaps, &reason, cancel.raised().is_some()).await?;
            return Err(Failure { causes, left, signal: cancel.raised() }.into());
        }
        if phase == Phase::Switch {
            live = Instant::now();
            swaps.iter_mut().for_each(|swap| swap.trips_to_live = swap.host.session.round_trips());
        }
    }
    if let Some(swap) = swaps.first() {
        let retires = swaps.iter().any(|swap| swap.plan.is_retiring());
        swap.host.reporter.phase(if retires { Phase::Finish.title() } else { Phase::NOTHING_TO_STOP });
    }
    let drained = confirm_and_drain(swaps, limit, cancel).await?;
    // a host that is alone looks in the command that stops its old slot
    let asked = swaps.iter().filter(|swap| !swap.alone);
    let ended = parallel::all(limit, asked.map(HostSwap::ended)).await;
    let ended: Vec<Reason> = ended.into_iter().flatten().collect();
    if !ended.is_empty() {
        return Err(no_longer(swaps, ended, cancel).await?.into());
    }
    let retired = swaps.iter_mut().zip(drained).map(async |(swap, drained)| {
        drained?;
        swap.retire_phase(cancel).await
    });
    let retired = parallel::all(limit, retired).await;
    let untidy = failures(swaps, retired)?;
    let ended: Vec<Reason> = swaps.iter_mut().filter_map(|swap| swap.gone.take()).collect();
    if !ended.is_empty() {
        return Err(no_longer(swaps, ended, cancel).await?.into());
    }
    for Reason { host, why } in &untidy {
        let text = format!("the new version is live, but tidying up failed: {why}\nthe next run will try again");
        swaps.iter().take(1).for_each(|swap| swap.host.reporter.note(Level::Warning, host, text.clone()));
    }
    Ok(Done { live, tidy: untidy.is_empty() })
}

/// A new slot ended although it was confirmed. Every old slot still runs, and only the old slots do: back to these.
async fn no_longer(swaps: &mut [HostSwap<'_>], ended: Vec<Reason>, cancel: &Cancel) -> Result<Failure, Overtaken> {
    let reason = by_host(&ended).join("\n");
    let left = undo::all(swaps, &reason, cancel.raised().is_some()).await?;
    Ok(Failure { causes: ended, left, signal: None })
}

/// What is to be called live is so on every host's disk, under its lock: recovery goes by that. A command of the project's
/// own waits for it; else the drain writes it down as it begins. Gives what came of the drains.
async fn confirm_and_drain(
    swaps: &mut [HostSwap<'_>],
    limit: Option<usize>,
    cancel: &Cancel,
) -> Result<Vec<Result<()>>, Unreleased> {
    let by_drain = |swap: &HostSwap<'_>| {
        let steps = story::steps(swap.plan);
        steps.contains(&Step::Drain) && !steps.contains(&Step::AfterSwitch)
    };
    let by_drain = swaps.iter().all(by_drain);
    let mut drained = Vec::new();
    let written = if by_drain {
        drained = parallel::all(limit, swaps.iter_mut().map(|swap| swap.drain_phase(cancel))).await;
        let refused = swaps.iter().zip(&mut drained).map(|(swap, drained)| match swap.is_written() {
            true => Ok(()),
            false => std::mem::replace(drained, Ok(())),
        });
        refused.collect()
    } else {
        parallel::all(limit, swaps.iter().map(step::record::confirmed)).await
    };
    let causes = failures(swaps, written)?;
    if !causes.is_empty() {
        let left = undo::all(swaps, &by_host(&causes).join("\n"), cancel.raised().is_some()).await?;
        return Err(Failure { causes, left, signal: None }.into());
    }
    if !by_drain {
        drained = parallel::all(limit, swaps.iter_mut().map(|swap| swap.drain_phase(cancel))).await;
    }
    Ok(drained)
}

/// Who failed and why. Where another run has taken a lock of this one, nothing else counts.
fn failures(swaps: &[HostSwap<'_>], results: Vec<Result<()>>) -> Result<Vec<Reason>, Overtaken> {
    let mut causes = Vec::new();
    for (swap, result) in swaps.iter().zip(results) {
        let Err(error) = result else { continue };
        if let Kind::Overtaken(overtaken) = kind(&error) {
            return Err(overtaken.clone());
        }
        causes.push(Reason::new(&swap.host.name, swap.why(&error)));
    }
    Ok(causes)
}

/// A release that is live.
#[derive(Debug, Clone, Copy)]
pub struct Done {
    /// When every host was confirmed.
    pub live: Instant,
    /// No host has anything left to finish.
    pub tidy: bool,
}

fn left_alone(swaps: &[HostSwap<'_>], causes: Vec<Reason>) -> Failure {
    let what = "the new version was left in place: the release's own command ran, and it is marked irreversible, so the \
                old code may not work any more. `cutover recover --finish` keeps the new version, `cutover recover \
                --put-back` goes back all the same";
    let left = swaps.iter().map(|swap| Reason::new(&swap.host.name, what));
    Failure { causes, left: left.collect(), signal: None }
}

impl HostSwap<'_> {
    /// The steps of a phase before the last. Where another host has failed meanwhile, none is begun any more.
    async fn phase(&mut self, phase: Phase, failed: &AtomicBool, cancel: &Cancel) -> Result<()> {
        let of_phase = |step: &Step| match phase {
            Phase::Prepare => step.phase() <= phase,
            _ => step.phase() == phase,
        };
        let begun = self.begun.clone();
        let steps = story::steps(self.plan).into_iter().filter(|step| of_phase(step) && !begun.contains(step));
        for step in steps {
            if cancel.raised().is_some() || failed.load(Ordering::Relaxed) {
                return Ok(());
            }
            let result = step::take(self, step, cancel).await;
            failed.fetch_or(result.is_err(), Ordering::Relaxed);
            result?;
        }
        Ok(())
    }

    /// What comes before the old slot is stopped.
    async fn drain_phase(&mut self, cancel: &Cancel) -> Result<()> {
        self.finish(Phase::Drain, cancel).await
    }

    /// Stops the old slot, and what comes after.
    async fn retire_phase(&mut self, cancel: &Cancel) -> Result<()> {
        self.finish(Phase::Finish, cancel).await
    }

    async fn finish(&mut self, phase: Phase, cancel: &Cancel) -> Result<()> {
        for step in story::steps(self.plan).into_iter().filter(|step| step.phase() == phase) {
            step::take(self, step, cancel).await?;
        }
        Ok(())
    }
}
