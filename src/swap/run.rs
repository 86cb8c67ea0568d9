//! The swap of one host while it runs: its plan, one value for each of its services, and what nginx was seen to be.

use super::deliver::Shipment;
use super::env_file::Given;
use super::plan::{Plan, ServicePlan};
use super::story::Step;
use super::watch::{self, End, Watch};
use crate::host::compose::Scope;
use crate::host::container::Container;
use crate::host::docker::Login;
use crate::host::lock::Holder;
use crate::host::script::{CORE, Fence, SAY, Script};
use crate::host::{Chain, Host, Unnamed, status};
use crate::report::stop::Reason;
use crate::report::text::one_line;
use crate::see::read::traffic::{Counts, Place};
use crate::slots::within::Within;
use anyhow::{Context as _, Result, bail};
use std::collections::BTreeMap;
use std::future::pending;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Seconds that nginx may take to replace its workers after a reload.
pub(super) const RELOAD_SECONDS: u64 = 15;

/// What a runner that cancels a job leaves time for.
const HURRIED: Duration = Duration::from_secs(2);

/// The swap of one host while it runs.
pub struct HostSwap<'a> {
    /// The host.
    pub host: &'a Host,
    /// What to do.
    pub plan: &'a Plan,
    /// The plan's services, and what has become of each.
    pub services: Vec<ServiceSwap<'a>>,
    /// As what the compose project is called.
    pub scope: Scope,
    /// cutover's state directory on the host.
    pub state: String,
    /// The id under which this run holds the lock.
    pub holder: String,
    /// Who releases, from where: for the history.
    pub by: String,
    /// For pulling.
    pub login: Option<Login>,
    /// Images that come from here.
    pub shipment: Shipment,
    /// What the env file gets.
    pub env_given: Given,
    /// A runner that cancels the job leaves no time to wait.
    pub hurried: bool,
    /// Whether the new slots still run; `None` where another run started them.
    pub watch: Option<Watch>,
    /// The only host of its release: it waits for no other.
    pub alone: bool,
    /// A new slot that ended before the old one was to be stopped.
    pub gone: Option<Reason>,
    /// What runs on behind the step that was asked for, in the same command.
    pub ahead: Option<Chain<'a>>,
    /// nginx, as it was last seen.
    pub nginx: Nginx,
    /// Steps begun so far.
    pub begun: Vec<Step>,
    /// Step → seconds.
    pub seconds: BTreeMap<&'static str, f64>,
    /// Round trips of the connection until every host was live.
    pub trips_to_live: u32,
    /// What was drained.
    pub drained: Option<Drained>,
    /// An old slot was left running, since nginx still sends requests there: in these words.
    pub still_used: Option<String>,
    /// The last lines of what failed: a command, or the new slot.
    pub said: Mutex<Vec<String>>,
    /// The host has written down that all were confirmed.
    pub written: AtomicBool,
    /// When the host was last asked to do a step.
    pub asked: Instant,
}

/// One service of a swap while it runs.
pub struct ServiceSwap<'a> {
    /// What to do.
    pub plan: &'a ServicePlan,
    /// The id of its image on the host, once it is there.
    pub image: Option<String>,
    /// The digest that the registry has the image by, as far as it is known.
    pub digest: Option<String>,
    /// The new slot's container, once it is started.
    pub started: Option<Container>,
    /// What the new and the old slot had received when nginx was switched; `None` where it was not.
    pub at_switch: Option<[Option<Counts>; 2]>,
}

/// nginx during a swap.
#[derive(Debug, Default)]
pub struct Nginx {
    /// Its container.
    pub container: Option<String>,
    /// Where its connections are to be seen: its addresses as the host reaches it, and its PID 1.
    pub place: Place,
    /// How many workers it has.
    pub workers: usize,
    /// What the new slots' names mean in its container: name and address.
    pub resolved: Vec<(String, String)>,
}

/// nginx's old workers, after they were waited for.
#[derive(Debug)]
pub struct Drained {
    /// In words.
    pub text: String,
    /// When that was.
    pub at: Instant,
    /// How many were left.
    pub left: u64,
}

impl<'a> HostSwap<'a> {
    /// A swap that has not begun.
    pub fn new(host: &'a Host, plan: &'a Plan, state: &str, holder: &Holder) -> Self {
        let (pid, addresses) = (plan.nginx.pid.unwrap_or_default(), plan.nginx.addresses.clone());
        let place = Place { pid, addresses, asked: plan.nginx.asked.clone() };
        let nginx = Nginx { container: plan.nginx.container.clone(), place, ..Nginx::default() };
        HostSwap {
            host,
            plan,
            services: plan.services.iter().map(ServiceSwap::new).collect(),
            scope: plan.scope.clone(),
            state: state.to_owned(),
            holder: holder.id.clone(),
            by: holder.by.clone(),
            login: None,
            shipment: Shipment::default(),
            env_given: Given::default(),
            hurried: false,
            watch: None,
            ahead: None,
            alone: false,
            gone: None,
            nginx,
            begun: Vec::new(),
            seconds: BTreeMap::new(),
            trips_to_live: 0,
            drained: None,
            still_used: None,
            said: Mutex::default(),
            written: AtomicBool::new(false),
            asked: Instant::now(),
        }
    }
}

impl HostSwap<'_> {
    /// A script of the swap: it runs only while this run holds the lock.
    pub(super) fn script(&self, why: &'static str, text: &'static str) -> Script {
        let script = Script::new(why, text).with(&[SAY, CORE]).scope(&self.scope);
        script.fenced(&self.fence()).limit(Duration::from_secs(180))
    }

    /// The lock under which this run changes the host.
    pub(super) fn fence(&self) -> Fence {
        Fence { state: self.state.clone(), holder: self.holder.clone() }
    }

    /// Runs a script whose output says nothing.
    pub(super) async fn run(&self, script: Script) -> Result<()> {
        self.host.run(&script).await.map(|_| ())
    }

    /// The plan as the first line of a journal, with the images that are on the host by now.
    pub(super) fn journal_line(&self) -> Result<String> {
        let services = self.services.iter().map(|service| ServicePlan {
            present: service.image.clone(),
            digest: service.digest.clone(),
            ..service.plan.clone()
        });
        let plan = Plan { services: services.collect(), ..self.plan.clone() };
        Ok(format!("{}\n", crate::text::json(&serde_json::to_string(&plan)?)))
    }

    /// The compose project of a slot, as scripts take it, and its service there.
    pub(super) fn within<'b>(&'b self, slot: &'b str, within: &'b Within) -> (String, &'b str) {
        match within.service.as_str() {
            "" => (Within::words(&self.scope), slot),
            service => (Within::words(&within.scope), service),
        }
    }

    /// References, each with the image that it shall name, as a script's list.
    pub(super) fn tags(&self) -> Result<Vec<String>> {
        let mut tags = Vec::new();
        for service in &self.services {
            let image = service.image.as_ref();
            let image = image.with_context(|| format!("{} is not on the host after the pull", service.plan.pull))?;
            tags.extend(service.plan.tags.iter().map(|(reference, _)| format!("{reference}|{image}")));
        }
        Ok(tags)
    }

    /// nginx's address as the host reaches it.
    pub(super) fn nginx_address(&self) -> Result<&String> {
        match self.nginx.place.asked() {
            None => bail!("nginx's container has no address"),
            Some(address) => Ok(address),
        }
    }

    /// How long nginx's old workers may take.
    pub(super) fn drain_timeout(&self) -> Duration {
        self.in_time(self.plan.drain_timeout)
    }

    /// How long a container may take to stop.
    pub(super) fn stop_timeout(&self) -> Duration {
        self.in_time(self.plan.services.iter().map(|service| service.stop_timeout).max().unwrap_or_default())
    }

    fn in_time(&self, limit: Duration) -> Duration {
        if self.hurried { limit.min(HURRIED) } else { limit }
    }

    /// The release's own command ran, and the old code may not work with what it did.
    pub fn is_irreversible(&self) -> bool {
        self.begun.contains(&Step::Hook) && self.plan.hook.as_ref().is_some_and(|hook| hook.irreversible)
    }

    /// The host has written down that all were confirmed.
    pub(super) fn is_written(&self) -> bool {
        self.written.load(Ordering::Relaxed)
    }

    /// Why it failed on this host, and the last lines of what did.
    pub(super) fn why(&self, error: &anyhow::Error) -> String {
        let said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        let lines: String = said.iter().map(|line| format!("\n│ {}", one_line(line, 400))).collect();
        format!("{}{lines}", Unnamed(error))
    }

    /// Keeps the last lines of what failed.
    pub(super) fn keep_said(&self, lines: impl IntoIterator<Item = String>) {
        *self.said.lock().unwrap_or_else(PoisonError::into_inner) = lines.into_iter().collect();
    }
}

/// Whether the new slots still run.
impl HostSwap<'_> {
    /// Watches them from now on.
    pub(super) fn watch(&mut self) -> Result<()> {
        let docker = self.host.docker_aside(&self.plan.engine)?;
        let slots = self.services.iter().filter_map(|each| Some((each.started.as_ref()?, each.plan.to.slot.as_str())));
        self.watch = Some(watch::watch(docker, &slots.collect::<Vec<_>>())?);
        Ok(())
    }

    /// Waits until a new slot ends. Not being told how they fare is no proof that one did.
    pub(super) async fn end_of_any(&self) -> End {
        match &self.watch {
            Some(watch) => match watch.clone().await {
                Ok(end) => end,
                Err(_) => pending().await,
            },
            None => pending().await,
        }
    }

    /// Sees on the host that the new slots still run: the old ones must not be stopped where one has ended. The host is asked,
    /// since what a watch has to say may still be on its way.
    pub(super) fn runs(&self) -> Script {
        let started = self.services.iter().filter_map(|service| service.started.as_ref());
        let words = started.flat_map(|container| [container.id.clone(), container.restart_count.to_string()]);
        Script::new("to see that the new slot runs", include_str!("step/runs.sh")).args(words)
    }

    /// The new slot that ended since it was started, if one certainly did.
    pub(super) async fn ended(&self) -> Option<Reason> {
        let error = self.host.run(&self.runs()).await.err()?;
        self.which_ended(&error)
    }

    /// Which one [`HostSwap::runs`] says has ended.
    pub(super) fn which_ended(&self, error: &anyhow::Error) -> Option<Reason> {
        const ENDED: u32 = 3;
        let text = format!("{error:#}");
        let is_it = |service: &&ServiceSwap<'_>| service.started.as_ref().is_some_and(|new| text.contains(&new.id));
        let service = self.services.iter().find(is_it).filter(|_| status(error) == Some(ENDED))?;
        Some(Reason::new(&self.host.name, format!("{} ended after it was confirmed", service.plan.to.slot)))
    }
}

impl<'a> ServiceSwap<'a> {
    fn new(plan: &'a ServicePlan) -> Self {
        ServiceSwap { plan, image: plan.present.clone(), digest: plan.digest.clone(), started: None, at_switch: None }
    }

    /// The new slot's container.
    pub(super) fn new_slot(&self) -> Result<&Container> {
        self.started.as_ref().with_context(|| format!("{} was not started", self.plan.to.slot))
    }
}
