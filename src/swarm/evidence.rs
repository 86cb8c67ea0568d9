//! Proof of where an nginx sends requests: connections between it and the tasks of each slot, on whichever node these run.

use super::edge::Edge;
use super::objects::Task;
use super::see::Seen;
use crate::host::script::{SAY, Script, sections};
use crate::router::NGINX;
use crate::see::read::traffic::{self, hexadecimal};
use anyhow::{Context as _, Result, bail};
use futures_util::future::{join_all, try_join_all};
use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

/// How often requests are sent before it counts as failed.
const ROUNDS: usize = 4;
/// What ended within so long before is looked at too: the kernel counts in coarse steps.
const SLACK: Duration = Duration::from_secs(1);

/// A connection from an nginx to a task.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Connection {
    nginx: (String, String),
    task: (String, String),
}

/// Where to look, and what an address means.
struct Field<'s, 'a> {
    seen: &'s Seen<'a>,
    /// Address of a task → slot.
    slots: HashMap<String, usize>,
    /// Of each host, the processes whose namespaces show connections.
    pids: Vec<Vec<i64>>,
    ports: String,
}

/// What an edge was seen to do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Reached {
    /// New connections to either slot.
    pub(crate) slots: [usize; 2],
    /// What it answered.
    pub(crate) status: u16,
    /// Why nothing can be said.
    pub(crate) why: String,
}

impl Reached {
    /// The one slot that requests reach.
    pub(crate) fn only(&self) -> Option<usize> {
        match self.slots {
            [some, 0] if some > 0 => Some(0),
            [0, some] if some > 0 => Some(1),
            _ => None,
        }
    }
}

/// Sends requests through each of these edges and sees where they go. `tasks` are those of either slot.
pub(crate) async fn look(seen: &Seen<'_>, edges: &[&Edge<'_>], tasks: &[Vec<Task>; 2]) -> Result<Vec<Reached>> {
    let field = Field::of(seen, tasks);
    let (before, began) = (field.connections(SLACK).await?, Instant::now());
    let answers = join_all(edges.iter().map(|edge| ask(edge))).await;
    let after = field.connections(began.elapsed() + SLACK / 2).await?;
    let new: Vec<&Connection> = after.difference(&before).collect();
    let each = edges.iter().zip(answers).map(|(edge, answer)| {
        let own: HashSet<String> = edge.addresses.iter().map(|address| in_kernel(address)).collect();
        let to = |slot: usize| {
            let is_it = |one: &&&Connection| own.contains(&one.nginx.0) && field.slots.get(&one.task.0) == Some(&slot);
            new.iter().filter(is_it).count()
        };
        let slots = [to(0), to(1)];
        match answer {
            Ok(status) => Reached { slots, status, why: String::new() },
            Err(error) => Reached { slots, status: 0, why: format!("{error:#}") },
        }
    });
    Ok(each.collect())
}

/// Sees that requests through every edge reach this slot alone. An old worker that leaves may still use the other one.
pub(crate) async fn prove(seen: &Seen<'_>, slot: usize, tasks: &[Vec<Task>; 2]) -> Result<Vec<String>> {
    let edges: Vec<&Edge<'_>> = seen.edges.iter().collect();
    let mut last = Vec::new();
    for _ in 0..ROUNDS {
        last = look(seen, &edges, tasks).await?;
        let good = |reached: &Reached| reached.only() == Some(slot) && !matches!(reached.status, 0 | 502..=504);
        if last.iter().all(good) {
            let say = |reached: &Reached| {
                let called = &seen.slots[slot].called;
                format!(
                    "{called} answers {} through nginx: {} of its new connections, all of them",
                    reached.status, reached.slots[slot]
                )
            };
            return Ok(last.iter().map(say).collect());
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    let (called, other) = (&seen.slots[slot].called, &seen.slots[1 - slot].called);
    let mut all = Vec::new();
    for (edge, reached) in edges.iter().zip(&last) {
        let to = reached.slots[slot];
        let why = match reached {
            Reached { why, .. } if !why.is_empty() => format!("nginx can't be asked: {why}"),
            Reached { status: status @ 502..=504, .. } => format!("nginx answers {status}"),
            Reached { .. } if to == 0 => format!("requests through nginx don't reach {called}"),
            // its leaving workers finish what they have with the slot that they know
            Reached { .. } if reached.slots[1 - slot] > 0 && leaving(edge).await? == 0 => {
                format!("requests through nginx reach {other} as well as {called}")
            }
            Reached { status, .. } => {
                all.push(format!("{called} answers {status} through nginx; workers that leave may still use {other}"));
                continue;
            }
        };
        bail!("{}: {why}", edge.host.name);
    }
    Ok(all)
}

/// Requests over new connections, more than nginx has workers; the worst answer.
async fn ask(edge: &Edge<'_>) -> Result<u16> {
    let requests = if edge.probe.guards.one_every.is_some() { 1 } else { 8 };
    let each = (0..requests).map(|_| traffic::ask(edge.host, &edge.gateway, &edge.probe));
    let answers = try_join_all(each).await?;
    answers.iter().map(|answer| answer.status).max().context("nothing was asked")
}

/// How many of nginx's workers are leaving.
async fn leaving(edge: &Edge<'_>) -> Result<u64> {
    let script = Script::new("to see whether nginx has old workers", include_str!("leaving.sh"));
    let script = script.with(&[SAY, NGINX]).set("nginx", &edge.container);
    let printed = edge.host.run(&script).await?;
    String::from_utf8_lossy(&printed).trim().parse().context("nginx's workers can't be counted")
}

impl<'s, 'a> Field<'s, 'a> {
    fn of(seen: &'s Seen<'a>, tasks: &[Vec<Task>; 2]) -> Field<'s, 'a> {
        let mut slots = HashMap::new();
        for (slot, tasks) in tasks.iter().enumerate() {
            let running = tasks.iter().filter(|task| !task.is_over());
            slots.extend(running.flat_map(Task::addresses).map(|address| (in_kernel(&address), slot)));
        }
        let of_node = |node: &str| {
            let on = tasks.iter().flatten().filter(|task| task.node == node && task.status.state == "running");
            let tasks = on.filter_map(Task::container).map(|container| container.pid);
            let edges = seen.edges.iter().filter(|edge| edge.node == node).map(|edge| edge.pid);
            tasks.chain(edges).filter(|pid| *pid > 0).collect::<Vec<i64>>()
        };
        let pids = seen.api.members.iter().map(|member| of_node(&member.node)).collect();
        let ports: HashSet<u16> = seen.edges.iter().map(|edge| edge.port).collect();
        let ports = ports.iter().map(|port| format!(" {port:04X} ")).collect();
        Field { seen, slots, pids, ports }
    }

    /// Connections that are open, and those that ended within this time.
    async fn connections(&self, within: Duration) -> Result<HashSet<Connection>> {
        let last = within.as_millis().div_ceil(10).to_string();
        let each = self.seen.api.members.iter().zip(&self.pids).filter(|(_, pids)| !pids.is_empty());
        let each = each.map(async |(member, pids)| {
            let script = Script::new("to see which slot receives requests", include_str!("connections.sh"))
                .with(&[SAY])
                .set("ports", &self.ports)
                .set("last", &last)
                .args(pids.iter().map(i64::to_string));
            sections(&member.host.run(&script).await?)
        });
        let mut all = HashSet::new();
        for section in try_join_all(each).await?.into_iter().flatten() {
            all.extend(section.text.lines().filter_map(|line| self.connection(line)));
        }
        Ok(all)
    }

    /// `ADDRESS PORT ADDRESS PORT`, ours first: whichever end of it this is.
    fn connection(&self, line: &str) -> Option<Connection> {
        let words: Vec<&str> = line.split(' ').collect();
        let [here, port, there, their_port] = words.as_slice() else { return None };
        let (here, there) = ((*here).to_owned(), (*there).to_owned());
        let (one, other) = ((here, (*port).to_owned()), (there, (*their_port).to_owned()));
        match (self.slots.contains_key(&one.0), self.slots.contains_key(&other.0)) {
            (true, false) => Some(Connection { nginx: other, task: one }),
            (false, true) => Some(Connection { nginx: one, task: other }),
            _ => None,
        }
    }
}

/// An address as the script prints it.
fn in_kernel(address: &str) -> String {
    let whole = address.parse().map(hexadecimal).unwrap_or_default();
    whole.chars().skip(whole.len().saturating_sub(8)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_slot_alone_must_be_reached() {
        let reached = |slots| Reached { slots, status: 200, why: String::new() };
        assert_eq!([[8, 0], [0, 3], [0, 0], [8, 1]].map(|slots| reached(slots).only()), [Some(0), Some(1), None, None]);
    }

    #[test]
    fn addresses_are_those_of_the_kernel() {
        assert_eq!((in_kernel("10.0.1.9").as_str(), in_kernel("no")), ("0901000A", String::new()));
    }
}
