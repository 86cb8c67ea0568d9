//! Are the new tasks ready? Each is asked over HTTP from its own node; as many as the slot shall have, all of them different.

use super::api::Api;
use super::objects::{Node, Task};
use super::plan::Plan;
use super::see::{gateways, member_of};
use super::slots::{called, serving};
use crate::awake;
use crate::host::Host;
use crate::report::text::one_line;
use crate::report::{Event, Reporter};
use crate::swap::meaning;
use anyhow::{Context as _, Result, bail};
use futures_util::future::join_all;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::{Duration, Instant};

/// How long one answer may take.
const ANSWER: Duration = Duration::from_secs(5);
/// How long a node may take to get an image, and Swarm to find nodes for tasks whose own is gone.
const PLACING: Duration = Duration::from_secs(900);
/// Lines of a failed task that are shown.
const LOG_LINES: usize = 20;

/// The new tasks while they come up.
pub(super) struct Proof<'p, 'a> {
    pub(super) api: &'p Api<'a>,
    pub(super) plan: &'p Plan,
    pub(super) reporter: &'p Reporter,
    /// Tasks of before.
    pub(super) known: HashSet<String>,
    /// Healthy answers in a row.
    healthy: HashMap<String, u32>,
    /// Container → its address, of those that were looked for.
    addresses: HashMap<String, String>,
    /// Why a task does not count yet.
    last: BTreeMap<String, String>,
    /// The last lines of a task that has ended.
    pub(super) said: Vec<String>,
}

impl<'p, 'a> Proof<'p, 'a> {
    pub(super) fn new(api: &'p Api<'a>, plan: &'p Plan, reporter: &'p Reporter, known: HashSet<String>) -> Self {
        let (healthy, addresses, last, said) = Default::default();
        Proof { api, plan, reporter, known, healthy, addresses, last, said }
    }

    /// Waits until all are healthy, and gives them.
    pub(super) async fn find(&mut self) -> Result<Vec<Task>> {
        let (began, wanted) = (Instant::now(), usize::try_from(self.plan.replicas).unwrap_or(usize::MAX));
        let (mut states, mut since) = (Vec::new(), Instant::now());
        loop {
            let (tasks, nodes) = tokio::try_join!(self.api.tasks(&self.plan.to.service), self.api.nodes())?;
            let tasks: Vec<Task> = tasks.into_iter().filter(|task| !self.known.contains(&task.id)).collect();
            self.no_failure(&tasks, &nodes).await?;
            let running: Vec<Task> = serving(&tasks).into_iter().filter(|task| is_up(&nodes, task)).cloned().collect();
            self.ask_all(&running, &nodes).await?;
            let good = running.iter().filter(|task| self.is_healthy(task)).count();
            if good == wanted && running.len() == wanted && self.stay(&running).await? {
                return Ok(running);
            }
            self.progress(good, began);
            let now: Vec<(String, String)> =
                tasks.iter().map(|task| (task.id.clone(), task.status.state.clone())).collect();
            if now != states {
                (states, since) = (now, Instant::now());
            }
            // its time begins when all of them run
            let patience = if running.len() >= wanted {
                self.plan.health.timeout
            } else {
                PLACING.min(4 * self.plan.health.timeout)
            };
            if since.elapsed() > patience {
                bail!(self.late(good, &tasks));
            }
            awake::sleep(self.plan.health.interval.max(Duration::from_millis(200))).await;
        }
    }

    fn is_healthy(&self, task: &Task) -> bool {
        self.healthy.get(&task.id).is_some_and(|count| *count >= self.plan.health.successes)
    }

    /// The same tasks still run.
    async fn stay(&self, proved: &[Task]) -> Result<bool> {
        let now = self.api.tasks(&self.plan.to.service).await?;
        Ok(proved.iter().all(|task| now.iter().any(|now| now.id == task.id && now.serves())))
    }

    /// Ends with the word of a task that ended by itself, or that finds no place.
    async fn no_failure(&mut self, tasks: &[Task], nodes: &[Node]) -> Result<()> {
        let slot = &self.plan.to.called;
        if let Some(task) = tasks.iter().find(|task| task.has_failed()) {
            let node = called(nodes, &task.node);
            let why = [&task.status.err, &task.status.message].into_iter().find(|text| !text.is_empty());
            let why = one_line(why.map_or("it says nothing", |text| text), 300);
            self.show_logs(task).await;
            bail!("a task of {slot} on {node} is {}: {why}", task.status.state);
        }
        let waits = |task: &&Task| task.status.state == "pending" && !task.status.err.is_empty();
        match tasks.iter().find(waits) {
            Some(task) => bail!("{slot}: Swarm finds no node for a task: {}", one_line(&task.status.err, 300)),
            None => Ok(()),
        }
    }

    /// Shows a task's last lines, and keeps them to be said with the failure.
    async fn show_logs(&mut self, task: &Task) {
        let (Some(container), Some(member)) =
            (task.container(), self.api.members.iter().find(|member| member.node == task.node))
        else {
            return;
        };
        let Ok(docker) = member.host.docker(&member.version) else { return };
        let lines = docker.logs(&container.id, LOG_LINES).await.unwrap_or_default();
        for text in &lines {
            let (host, source) = (member.host.name.clone(), self.plan.to.called.clone());
            self.reporter.emit(Event::Output { host, source, text: text.clone() });
        }
        self.said = lines;
    }

    async fn ask_all(&mut self, running: &[Task], nodes: &[Node]) -> Result<()> {
        self.healthy.retain(|id, _| running.iter().any(|task| task.id == *id));
        self.last.clear();
        let mut asked = Vec::new();
        let open: Vec<&Task> = running.iter().filter(|task| !self.is_healthy(task)).collect();
        for task in open {
            let member = member_of(self.api, nodes, &task.node)?;
            let container = task.container().map(|container| container.id.clone()).unwrap_or_default();
            if !self.addresses.contains_key(&container) {
                self.addresses.extend(gateways(member).await?);
            }
            match self.addresses.get(&container) {
                Some(address) => asked.push((task.id.clone(), member.host, address.clone())),
                None => {
                    drop(self.last.insert(member.host.name.clone(), "it has no address on docker_gwbridge".to_owned()))
                }
            }
        }
        let plan = self.plan;
        let answers = join_all(asked.iter().map(|(_, host, address)| ask(host, address, plan))).await;
        for ((id, host, _), answer) in asked.iter().zip(answers) {
            match answer {
                Ok(()) => *self.healthy.entry(id.clone()).or_default() += 1,
                Err(why) => {
                    self.healthy.remove(id);
                    self.last.insert(host.name.clone(), why);
                }
            }
        }
        Ok(())
    }

    fn progress(&self, good: usize, began: Instant) {
        self.reporter.emit(Event::Progress {
            host: String::new(),
            text: format!("health of {}: {good} of {} tasks", self.plan.to.called, self.plan.replicas),
            done: began.elapsed().as_secs(),
            total: self.plan.health.timeout.as_secs(),
            unit: "s",
        });
    }

    fn late(&self, good: usize, tasks: &[Task]) -> String {
        let Plan { to, health, replicas, .. } = self.plan;
        let mut states: BTreeMap<&str, usize> = BTreeMap::new();
        tasks
            .iter()
            .filter(|task| !task.is_over())
            .for_each(|task| *states.entry(&task.status.state).or_default() += 1);
        let states: Vec<String> = states.iter().map(|(state, count)| format!("{count} {state}")).collect();
        let last: String = self.last.iter().map(|(host, why)| format!("\n{host}: {why}")).collect();
        format!(
            "{good} of {replicas} tasks of {} are healthy after {} s (GET {} on port {}); Swarm has {}{last}",
            to.called,
            health.timeout.as_secs_f64(),
            health.path,
            to.port,
            if states.is_empty() { "none".to_owned() } else { states.join(", ") }
        )
    }
}

fn is_up(nodes: &[Node], task: &Task) -> bool {
    nodes.iter().any(|node| node.id == task.node && node.is_ready())
}

/// Asks one task; why it does not count.
async fn ask(host: &Host, address: &str, plan: &Plan) -> Result<(), String> {
    let name = plan.health.host.clone().unwrap_or_else(|| format!("{}:{}", plan.to.called, plan.to.port));
    let answer = host.get(address, plan.to.port, &name, &plan.health.path, ANSWER).await;
    let answer = answer.context("no answer").map_err(|error| format!("{error:#}"))?;
    if plan.health.accepts(answer.status) {
        return Ok(());
    }
    let meaning = meaning::of_status(answer.status, answer.location.as_deref());
    Err(format!("it answered {}{meaning}", answer.status))
}
