//! What the verbs of a stack share: the locks, and what stands in the way.

use super::super::session::variable;
use crate::commands::{Exit, Run, Stop};
use crate::host::freeze::Held;
use crate::host::lock::Holder;
use crate::host::script::Fence;
use crate::host::{Host, Kind, kind};
use crate::release::login::Credentials;
use crate::report::stop::Reason;
use crate::report::{Level, finding};
use crate::secret::Secret;
use crate::see::judge::findings::{Findings, Weight};
use crate::see::state_paths;
use crate::swap::env_file::{self, Given};
use crate::swap::recover::Way;
use crate::swarm::api::Api;
use crate::swarm::objects::Change;
use crate::swarm::plan::Plan;
use crate::swarm::run::Work;
use crate::swarm::see::{Seen, see};
use crate::swarm::slots;
use crate::swarm::store::{Journal, Phase, Store, Taken};
use crate::swarm::{back, recover};
use base64::Engine as _;
use serde_json::json;
use std::sync::Mutex;
use std::time::Duration;

/// A stack under this run's locks.
pub(super) struct Desk<'d> {
    pub(super) run: &'d Run,
    pub(super) api: &'d Api<'d>,
    pub(super) store: &'d Store<'d>,
    pub(super) fence: Fence,
    /// The registry's login.
    pub(super) auth: Option<String>,
}

impl Run {
    /// Does something under the locks: that of every host, and that of the stack. Signs of life are given meanwhile; where
    /// another run has taken over, it ends there.
    pub(super) async fn at_the_desk<T>(
        &self,
        hosts: &[Host],
        stack: &str,
        holder: &Holder,
        wait: Option<Duration>,
        work: impl AsyncFnOnce(&Desk<'_>) -> Result<T, Stop>,
    ) -> Result<T, Stop> {
        self.until_signal(self.lock(hosts, holder, wait)).await??;
        let api = self.until_signal(Api::of(hosts)).await??;
        if !api.has_manager() {
            return Err(refused(&self.findings_without(&api)));
        }
        let busy = |by: &str| {
            let text =
                format!("another run has the stack's lock: {by}\nit is looked for 15 s whether that run still lives");
            self.reporter.note(Level::Info, "", text);
        };
        let patience = wait.unwrap_or(self.config.lock_wait);
        let taken = self.until_signal(Store::take(&api, stack, holder, patience, busy)).await??;
        let store = match taken {
            Taken::Held(store) => store,
            Taken::Busy(by) => return Err(Stop::Locked { host: format!("the stack {stack}"), by: Held::Run(by) }),
        };
        let (_, state) = state_paths(&self.config);
        let fence = Fence { state, holder: holder.id.clone() };
        let desk = Desk { run: self, api: &api, store: &store, fence, auth: self.registry_auth()? };
        let ended = tokio::select! {
            ended = work(&desk) => ended,
            error = store.beat() => Err(error.into()),
        };
        // of a lock that is another run's nothing can be given back
        if !matches!(ended, Err(Stop::Overtaken(_)))
            && let Err(error) = store.release().await
        {
            let text = format!("the stack's lock could not be given back; it ends by itself after 15 s: {error:#}");
            self.reporter.note(Level::Warning, "", text);
        }
        self.unlock();
        ended
    }

    fn findings_without(&self, api: &Api<'_>) -> Findings {
        let mut findings = Findings::default();
        crate::swarm::judge::of_members(api, &mut findings);
        findings
    }

    /// What the stack is now. What was found about it stands beside.
    pub(super) async fn see_stack<'a>(
        &self,
        api: &'a Api<'a>,
        stack: &str,
    ) -> Result<(Option<Seen<'a>>, Findings), Stop> {
        let mut findings = Findings::default();
        let seen = see(api, stack, &self.config, &mut findings).await?;
        Ok((seen, findings))
    }

    /// Says advice; ends with what refuses a release.
    pub(super) fn judged<'a>(&self, seen: Option<Seen<'a>>, findings: &Findings) -> Result<Seen<'a>, Stop> {
        for advice in findings.0.iter().filter(|found| found.weight == Weight::Advice) {
            self.reporter.note(Level::Warning, "", finding(advice));
        }
        let refuses = findings.0.iter().any(|found| found.weight == Weight::Refusal);
        seen.filter(|_| !refuses).ok_or_else(|| refused(findings))
    }

    /// The registry's login, as the API has it (base64url, RFC 4648).
    pub(super) fn registry_auth(&self) -> Result<Option<String>, Stop> {
        let header = |found: Credentials| {
            let login = json!({
                "username": found.username, "password": found.password.expose(), "serveraddress": found.server,
            });
            base64::engine::general_purpose::URL_SAFE.encode(login.to_string())
        };
        Ok(self.credentials()?.map(header))
    }
}

fn refused(findings: &Findings) -> Stop {
    let refusals = findings.0.iter().filter(|found| found.weight == Weight::Refusal).map(finding);
    let message = format!("refused, and nothing was changed:\n  {}", refusals.collect::<Vec<_>>().join("\n  "));
    Stop::new(Exit::Refused, message)
}

impl<'d> Desk<'d> {
    /// A release of this plan.
    pub(super) fn work<'w>(
        &'w self,
        seen: &'w Seen<'d>,
        plan: &'w Plan,
        values: Option<Vec<(String, Secret)>>,
    ) -> Work<'w, 'd> {
        Work {
            seen,
            store: self.store,
            plan,
            fence: &self.fence,
            cancel: &self.run.cancel,
            reporter: &self.run.reporter,
            auth: self.auth.clone(),
            values,
            directory: &self.run.config.directory,
            files: &self.run.config.compose_files,
            seconds: Mutex::default(),
        }
    }

    /// What the tasks of a release get from the env file.
    pub(super) fn values_given(&self) -> Result<Option<Vec<(String, Secret)>>, Stop> {
        self.values(false)
    }

    /// The same as far as the environment has it.
    fn values_there(&self) -> Result<Option<Vec<(String, Secret)>>, Stop> {
        self.values(true)
    }

    fn values(&self, as_far_as_there: bool) -> Result<Option<Vec<(String, Secret)>>, Stop> {
        Ok(match self.run.env_given(as_far_as_there)? {
            Given::Nothing => None,
            Given::Values(values) => Some(values).filter(|values| !values.is_empty()),
            Given::Whole(text) => Some(env_file::pairs(text.expose()).map_err(|line| {
                let what = format!("env-file: line {line} of what it was given is not `KEY=value`");
                Stop::new(Exit::Usage, what)
            })?),
        })
    }

    /// What the tasks of a rollback get: those values that the slot has, where it has the image still; else those that are live.
    pub(super) fn values_of_rollback(&self, seen: &Seen<'_>, plan: &Plan) -> Option<Vec<(String, Secret)>> {
        let [from, to] = [&seen.slots[plan.from.slot].service, &seen.slots[plan.to.slot].service];
        let live = from.values();
        if to.image() == plan.to.image || (live.is_empty() && to.values().is_empty()) {
            return None;
        }
        let text = format!("{} gets the values of the env file that are live now: its own are not kept", plan.version);
        self.run.reporter.note(Level::Warning, "", text);
        live.iter().for_each(|(_, value)| self.run.reporter.hide(value));
        Some(live)
    }

    /// Puts right what an earlier run left, and what a `docker stack deploy` by hand has taken away; whether there was
    /// anything.
    pub(super) async fn settle(&self, stack: &str, asked: Option<Way>) -> Result<bool, Stop> {
        let state = self.store.state().await;
        let Some(Journal { mut plan, phase }) = state.journal else { return self.repair(stack).await };
        if plan.format > crate::swarm::plan::FORMAT {
            let what = "a newer cutover left a release unfinished; it must finish it or put it back";
            return Err(Stop::new(Exit::Stuck, what));
        }
        let (seen, findings) = self.run.see_stack(self.api, stack).await?;
        let seen = seen.ok_or_else(|| refused(&findings))?;
        let missing: Vec<&str> = plan.edges.iter().map(String::as_str).collect();
        let missing: Vec<&str> =
            missing.into_iter().filter(|name| !seen.edges.iter().any(|edge| edge.host.name == *name)).collect();
        if !missing.is_empty() {
            let what = format!(
                "a release of {} is unfinished, and nginx on {} can't be put right: it is not among the hosts, or does not run",
                plan.version,
                missing.join(", ")
            );
            return Err(Stop::advised(
                Exit::Stuck,
                what,
                "bring it back, then `cutover recover`; both slots keep their tasks",
            ));
        }
        for slot in [&mut plan.from, &mut plan.to] {
            let at = seen.slots.iter().position(|seen| seen.service.name() == slot.service);
            let what = || {
                format!("a release of {} is unfinished, and {} is no slot of the stack now", plan.version, slot.service)
            };
            slot.slot =
                at.ok_or_else(|| Stop::advised(Exit::Stuck, what(), "name both slots with `slots:` in cutover.yml"))?;
        }
        let way = asked.unwrap_or_else(|| recover::way(phase));
        if way != recover::way(phase) && way == Way::Finish && phase == Phase::Start {
            let what = format!("no nginx was ever pointed at {}: there is nothing to finish", plan.version);
            return Err(Stop::advised(Exit::Usage, what, "`cutover recover` puts it back; then release it again"));
        }
        if way == Way::PutBack && phase == Phase::Confirmed {
            let what =
                format!("{} was confirmed on every node, and its predecessor may have no tasks any more", plan.version);
            return Err(Stop::advised(Exit::Usage, what, "`cutover recover` finishes it; then `cutover rollback`"));
        }
        if asked.is_none() && way == Way::PutBack && plan.is_irreversible() && phase >= Phase::Route {
            return Err(Stop::new(Exit::Stuck, back::IRREVERSIBLE));
        }
        let left = recover::recover(&self.work(&seen, &plan, None), phase, way).await?;
        if left.is_empty() { Ok(true) } else { Err(Stop::Unsettled(left)) }
    }

    /// Gives the slot that nginx names its tasks back, where it has none although the last release left it some.
    async fn repair(&self, stack: &str) -> Result<bool, Stop> {
        let Some(live) = self.store.state().await.live else { return Ok(false) };
        let (seen, _) = self.run.see_stack(self.api, stack).await?;
        let Some((seen, named)) = seen.and_then(|seen| Some((seen.named()?, seen))).map(|(named, seen)| (seen, named))
        else {
            return Ok(false);
        };
        let [slot, other] = [&seen.slots[named], &seen.slots[1 - named]];
        let was = live.slots.iter().find(|(name, _, replicas)| name == slot.service.name() && *replicas > 0);
        let Some((name, image, replicas)) = was.filter(|_| slot.service.replicas() == Some(0)) else {
            return Ok(false);
        };
        let text = format!(
            "nginx names {}, which has no tasks, and the last release left it {replicas}: was the stack deployed by hand?",
            slot.called
        );
        self.run.reporter.note(Level::Warning, "", text);
        let running = self.run.reporter.step(stack, "repair", format!("{} 0 → {replicas} tasks", slot.called));
        let values = self.values_there()?;
        let repair = async {
            let change = Change { replicas: *replicas, image: Some(image), values: values.as_deref() };
            slots::set(self.api, name, &change, self.auth.as_deref()).await?;
            slots::until_running(self.api, name, *replicas).await?;
            slots::stop(self.api, other.service.name()).await
        };
        match repair.await {
            Ok(_) => running.done(""),
            Err(error) => {
                running.failed(format!("{error:#}"));
                return Err(match kind(&error) {
                    Kind::Overtaken(overtaken) => overtaken.clone().into(),
                    _ => Stop::Unsettled(vec![Reason::new(stack, format!("{error:#}"))]),
                });
            }
        };
        Ok(true)
    }
}

/// Whether this is a job of GitHub's.
pub(super) fn in_a_job() -> bool {
    variable("GITHUB_ACTIONS").is_some()
}
