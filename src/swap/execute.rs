//! Runs plans: each phase on every host at once, and everything put back if one fails before the new version is live.

use super::confirm::Switched;
use super::deliver::Shipment;
use super::env_file::Given;
use super::history::{self, Outcome, Record};
use super::plan::Plan;
use super::story::{Phase, Step};
use super::undo;
use super::watch::Watch;
use crate::cancel::{Cancel, Signal};
use crate::host::Host;
use crate::host::container::Container;
use crate::host::docker::Login;
use crate::host::lock::{Holder, Overtaken};
use crate::parallel;
use crate::report::Level;
use crate::report::text::one_line;
use anyhow::Result;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// Seconds that nginx may take to replace its workers after a reload.
pub(super) const RELOAD_SECONDS: u64 = 15;

/// The swap of one host while it runs.
pub struct HostSwap<'a> {
    /// The host.
    pub host: &'a Host,
    /// What to do.
    pub plan: Plan,
    /// cutover's state directory on the host.
    pub state: String,
    /// The id under which this run holds the lock.
    pub holder: String,
    /// For pulling.
    pub login: Option<Login>,
    /// Images that come from here.
    pub shipment: Shipment,
    /// The new slots' containers, in the order of the plan's services.
    pub started: Vec<Container>,
    /// Whether they still run; `None` where another run started them.
    pub watch: Option<Watch>,
    /// What the switch left.
    pub switched: Switched,
    /// nginx's container.
    pub nginx: Option<String>,
    /// Steps begun so far.
    pub begun: Vec<Step>,
    /// Step → seconds.
    pub seconds: BTreeMap<&'static str, f64>,
    /// Old slots that were stopped: slot and exit code.
    pub stopped: Vec<(String, i32)>,
    /// What was drained, for people.
    pub drained: String,
    /// When that was, and how many old workers were left.
    pub drained_at: Option<(Instant, u64)>,
    /// An old slot was left running, since nginx still sends requests there: in these words.
    pub still_used: Option<String>,
    /// Who releases, from where: for the history.
    pub by: String,
    /// What the env file gets.
    pub env_given: Given,
    /// The last lines of what failed: a command, or the new slot.
    pub said: Mutex<Vec<String>>,
    /// The host has written down that all were confirmed.
    pub written: AtomicBool,
    /// When the host was last asked to do a step.
    pub asked: Instant,
}

/// Why a release did not become live, and what came of putting it back.
#[derive(Debug)]
pub struct Failure {
    /// What failed: host and reason.
    pub causes: Vec<(String, String)>,
    /// What could not be put back: host and reason.
    pub left: Vec<(String, String)>,
    /// The signal that asked to stop, if that was the cause.
    pub signal: Option<Signal>,
    /// Another run took a lock of this one: everything was left to that one.
    pub overtaken: Option<Overtaken>,
}

impl From<Overtaken> for Failure {
    fn from(overtaken: Overtaken) -> Failure {
        Failure { causes: Vec::new(), left: Vec::new(), signal: None, overtaken: Some(overtaken) }
    }
}

impl<'a> HostSwap<'a> {
    /// A swap that has not begun.
    pub fn new(host: &'a Host, plan: Plan, state: &str, holder: &Holder, login: Option<Login>) -> Self {
        HostSwap {
            nginx: plan.nginx.container.clone(),
            host,
            plan,
            state: state.to_owned(),
            holder: holder.id.clone(),
            by: holder.by.clone(),
            login,
            shipment: Shipment::default(),
            started: Vec::new(),
            watch: None,
            switched: Switched::default(),
            begun: Vec::new(),
            seconds: BTreeMap::new(),
            stopped: Vec::new(),
            drained: String::new(),
            drained_at: None,
            still_used: None,
            env_given: Given::default(),
            said: Mutex::default(),
            written: AtomicBool::new(false),
            asked: Instant::now(),
        }
    }

    /// The history's lines for a release that is live; one that goes back marks the version that it leaves.
    pub(super) fn released(&self) -> String {
        let left = self.plan.services.iter().filter_map(|service| service.from.as_ref()?.version.as_ref());
        let left: BTreeSet<&String> =
            left.filter(|version| self.plan.rollback && **version != self.plan.version).collect();
        let left = left.into_iter().map(|version| self.line(version, Outcome::RolledBack, ""));
        left.collect::<String>() + &self.record(Outcome::Released, "")
    }

    /// A line for the history.
    pub fn record(&self, outcome: Outcome, reason: &str) -> String {
        self.line(&self.plan.version, outcome, reason)
    }

    /// The restart policies of the containers that serve now and did before.
    fn policies(&self) -> BTreeMap<String, String> {
        let old = self.plan.services.iter().filter_map(|service| service.from.as_ref());
        let old = old.filter(|old| !old.restart.is_empty()).map(|old| (old.container.clone(), old.restart.clone()));
        let new = self.started.iter().map(|new| (new.id.clone(), new.host_config.restart_policy.word()));
        old.chain(new).collect()
    }

    /// The commit of the new version: this run's, else the one that its images name, where they name one.
    fn commit(&self) -> String {
        let labels = self.started.iter().map(|container| container.label("org.opencontainers.image.revision"));
        let mut labels: Vec<&str> = labels.filter(|label| is_commit(label)).collect();
        labels.dedup();
        match (self.plan.commit.as_str(), labels.as_slice()) {
            ("", [one]) => (*one).to_owned(),
            (own, _) => own.to_owned(),
        }
    }

    fn line(&self, version: &str, outcome: Outcome, reason: &str) -> String {
        let started = || {
            let each = self.plan.services.iter().zip(&self.started);
            each.map(|(service, new)| service.record(&service.to.slot, &new.image, &new.id)).collect()
        };
        let left = || {
            let each = self.plan.services.iter().filter_map(|service| Some((service, service.from.as_ref()?)));
            let each = each.filter(|(_, old)| old.version.as_deref() == Some(version));
            each.map(|(service, old)| service.record(&old.slot, "", &old.container)).collect()
        };
        let record = Record {
            at: history::now(),
            id: self.plan.id.clone(),
            by: self.by.clone(),
            version: version.to_owned(),
            commit: if version == self.plan.version { self.commit() } else { String::new() },
            outcome,
            reason: self.host.reporter.clean(reason),
            services: if outcome == Outcome::RolledBack { left() } else { started() },
            policies: self.policies(),
            seconds: self.seconds.iter().map(|(step, seconds)| ((*step).to_owned(), *seconds)).collect(),
        };
        format!("{}\n", crate::text::json(&serde_json::to_string(&record).unwrap_or_default()))
    }
}

/// As git and other tools write one.
fn is_commit(text: &str) -> bool {
    (7..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
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
) -> Result<Done, Failure> {
    let mut live = Instant::now();
    for phase in [Phase::Bring, Phase::Prepare, Phase::Switch, Phase::Watch] {
        // without a command of the release, a host need not wait for the others' images
        let has_command = swaps.iter().any(|swap| swap.plan.hook.is_some());
        if phase == Phase::Bring && !has_command {
            continue;
        }
        if !swaps.iter().any(|swap| swap.plan.steps().iter().any(|step| step.phase() == phase)) {
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
                return Err(left_alone(swaps, causes));
            }
            let left = undo::all(swaps, &reason, cancel.raised().is_some()).await?;
            return Err(Failure { causes, left, signal: cancel.raised(), overtaken: None });
        }
        if phase == Phase::Switch {
            live = Instant::now();
        }
    }
    if let Some(swap) = swaps.first() {
        swap.host.reporter.phase(Phase::Finish.title());
    }
    let drained = confirm_and_drain(swaps, limit, cancel).await?;
    let ended = parallel::all(limit, swaps.iter().map(HostSwap::ended)).await;
    let ended: Vec<(String, String)> = ended.into_iter().flatten().collect();
    if !ended.is_empty() {
        // every old slot still runs, and only the old slots do
        let reason = by_host(&ended).join("\n");
        let left = undo::all(swaps, &reason, cancel.raised().is_some()).await?;
        return Err(Failure { causes: ended, left, signal: None, overtaken: None });
    }
    let retired = swaps.iter_mut().zip(drained).map(async |(swap, drained)| {
        drained?;
        swap.retire_phase(cancel).await
    });
    let retired = parallel::all(limit, retired).await;
    let untidy = failures(swaps, retired)?;
    for (host, why) in &untidy {
        let text = format!("the new version is live, but tidying up failed: {why}\nthe next run will try again");
        swaps.iter().take(1).for_each(|swap| swap.host.reporter.note(Level::Warning, host, text.clone()));
    }
    Ok(Done { live, tidy: untidy.is_empty() })
}

/// What is to be called live is so on every host's disk, under its lock: recovery goes by that. A command of the project's
/// own waits for it; else the drain writes it down as it begins. Gives what came of the drains.
async fn confirm_and_drain(
    swaps: &mut [HostSwap<'_>],
    limit: Option<usize>,
    cancel: &Cancel,
) -> Result<Vec<Result<()>>, Failure> {
    let by_drain = |swap: &HostSwap<'_>| {
        let steps = swap.plan.steps();
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
        parallel::all(limit, swaps.iter().map(HostSwap::write_confirmed)).await
    };
    let causes = failures(swaps, written)?;
    if !causes.is_empty() {
        let left = undo::all(swaps, &by_host(&causes).join("\n"), cancel.raised().is_some()).await?;
        return Err(Failure { causes, left, signal: None, overtaken: None });
    }
    if !by_drain {
        drained = parallel::all(limit, swaps.iter_mut().map(|swap| swap.drain_phase(cancel))).await;
    }
    Ok(drained)
}

/// Who failed and why. Where another run has taken a lock of this one, nothing else counts.
fn failures(swaps: &[HostSwap<'_>], results: Vec<Result<()>>) -> Result<Vec<(String, String)>, Overtaken> {
    let mut causes = Vec::new();
    for (swap, result) in swaps.iter().zip(results) {
        let Err(error) = result else { continue };
        if let Some(overtaken) = error.downcast_ref::<Overtaken>() {
            return Err(overtaken.clone());
        }
        causes.push((swap.host.name.clone(), swap.why(&error)));
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

/// Each line of each reason with its host; hosts that say the same together.
pub fn by_host(reasons: &[(String, String)]) -> Vec<String> {
    let mut said: Vec<(String, &str)> = Vec::new();
    for (host, why) in reasons {
        match said.iter_mut().find(|(_, known)| known == why) {
            Some((hosts, _)) => *hosts += &format!(", {host}"),
            None => said.push((host.clone(), why)),
        }
    }
    said.iter().flat_map(|(hosts, why)| why.lines().map(move |line| format!("{hosts}: {line}"))).collect()
}

fn left_alone(swaps: &[HostSwap<'_>], causes: Vec<(String, String)>) -> Failure {
    let what = "the new version was left in place: the release's own command ran, and it is marked irreversible, so the \
                old code may not work any more. `cutover recover --finish` keeps the new version, `cutover recover \
                --put-back` goes back all the same";
    let left = swaps.iter().map(|swap| (swap.host.name.clone(), what.to_owned()));
    Failure { causes, left: left.collect(), signal: None, overtaken: None }
}

impl HostSwap<'_> {
    /// Why it failed on this host, and the last lines of what did.
    pub(super) fn why(&self, error: &anyhow::Error) -> String {
        let why = format!("{error:#}");
        let own = format!("on {}, ", self.host.name);
        let said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        let lines: String = said.iter().map(|line| format!("\n│ {}", one_line(line, 400))).collect();
        format!("{}{lines}", why.strip_prefix(&own).unwrap_or(&why))
    }

    /// Keeps the last lines of what failed.
    pub(super) fn keep_said(&self, lines: impl IntoIterator<Item = String>) {
        *self.said.lock().unwrap_or_else(PoisonError::into_inner) = lines.into_iter().collect();
    }

    /// The release's own command ran, and the old code may not work with what it did.
    pub fn is_irreversible(&self) -> bool {
        self.begun.contains(&Step::Hook) && self.plan.hook.as_ref().is_some_and(|hook| hook.irreversible)
    }

    /// The steps of a phase before the last. Where another host has failed meanwhile, none is begun any more.
    async fn phase(&mut self, phase: Phase, failed: &AtomicBool, cancel: &Cancel) -> Result<()> {
        let of_phase = |step: &Step| match phase {
            Phase::Prepare => step.phase() <= phase,
            _ => step.phase() == phase,
        };
        let begun = self.begun.clone();
        let steps = self.plan.steps().into_iter().filter(|step| of_phase(step) && !begun.contains(step));
        for step in steps {
            if cancel.raised().is_some() || failed.load(Ordering::Relaxed) {
                return Ok(());
            }
            let result = self.step(step, cancel).await;
            failed.fetch_or(result.is_err(), Ordering::Relaxed);
            result?;
        }
        Ok(())
    }

    /// The host has written down that all were confirmed.
    fn is_written(&self) -> bool {
        self.written.load(Ordering::Relaxed)
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
        for step in self.plan.steps().into_iter().filter(|step| step.phase() == phase) {
            self.step(step, cancel).await?;
        }
        Ok(())
    }

    /// Does one step and reports it.
    pub async fn step(&mut self, step: Step, cancel: &Cancel) -> Result<()> {
        let running = self.host.reporter.step(&self.host.name, step.name(), self.plan.explain(step));
        self.begun.push(step);
        self.asked = Instant::now();
        let result = self.perform(step, cancel).await;
        let took = match &result {
            Ok(text) => running.done(text),
            Err(error) => running.failed(format!("{error:#}")),
        };
        self.seconds.insert(step.name(), took.as_secs_f64());
        result.map(|_| ())
    }
}
