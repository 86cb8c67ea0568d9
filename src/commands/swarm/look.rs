//! What only looks at a stack: `plan`, `status`, `check`, `history`.

use super::deploy::{already_live, possible};
use crate::cli::{SwapOptions, VersionAsked};
use crate::commands::{Exit, Run, Stop};
use crate::release::build::reference;
use crate::report::outcome::{
    Earlier, HostCheck, HostHistory, HostStatus, LineChange, PlannedStep, ServiceCheck, ServiceStatus, StackNode,
    StackPlan, StackSlot, StackStatus, Unfinished,
};
use crate::report::{Level, Outcome, finding};
use crate::see::interpret::evidence::Evidence;
use crate::see::judge::findings::{Finding, Findings, Weight};
use crate::swarm::api::Api;
use crate::swarm::edge::Edge;
use crate::swarm::evidence::{self, Reached};
use crate::swarm::judge::drift;
use crate::swarm::objects::digest;
use crate::swarm::plan::{Plan, Release};
use crate::swarm::see::Seen;
use crate::swarm::slots::{called, serving};
use crate::swarm::store::{self, Phase, State};

/// Prints what a release would do.
pub(super) async fn plan(run: &Run, asked: &VersionAsked, stack: &str) -> Result<Exit, Stop> {
    let Some((version, source)) = run.version(asked).await? else { return Ok(Exit::Done) };
    let hosts = run.until_signal(run.connect()).await??;
    let api = run.until_signal(Api::of(&hosts)).await??;
    let (seen, findings) = run.until_signal(run.see_stack(&api, stack)).await??;
    let seen = run.judged(seen, &findings)?;
    match already_live(run, &seen, &version, &SwapOptions::default()) {
        Ok(true) => return Ok(Exit::Done),
        Ok(false) => {}
        Err(downgrade) => run.reporter.note(Level::Warning, "", downgrade.to_string()),
    }
    let release = Release {
        id: String::new(),
        by: String::new(),
        version: version.to_string(),
        commit: String::new(),
        image: reference(&run.config.services[0], &version),
        rollback: false,
    };
    let plan = Plan::new(&seen, &run.config, release);
    let steps = plan.steps().into_iter().map(|(step, text)| PlannedStep { step, text }).collect();
    let changes = seen.edges.iter().flat_map(|edge| lines(edge, plan.to.slot)).collect();
    let (source, stack) = (source.to_string(), stack.to_owned());
    run.reporter.outcome(&Outcome::StackPlan(StackPlan { version, source, stack, steps, changes }));
    Ok(Exit::Done)
}

/// The lines of an nginx that change.
fn lines(edge: &Edge<'_>, slot: usize) -> Vec<LineChange> {
    let mut all = Vec::new();
    for (path, before, after) in edge.changes(slot) {
        let pairs = before.lines().zip(after.lines()).enumerate().filter(|(_, (before, after))| before != after);
        all.extend(pairs.map(|(number, (before, after))| LineChange {
            host: edge.host.name.clone(),
            place: format!("{path}:{}", number + 1),
            before: before.to_owned(),
            after: after.to_owned(),
        }));
    }
    all
}

/// What was seen of a stack, with what each nginx does with requests.
struct Looked<'a> {
    seen: Seen<'a>,
    state: State,
    reached: Vec<Reached>,
}

async fn look<'a>(run: &Run, api: &'a Api<'a>, stack: &str) -> Result<(Option<Looked<'a>>, Findings), Stop> {
    let (seen, findings) = run.see_stack(api, stack).await?;
    let Some(seen) = seen else { return Ok((None, findings)) };
    let state = store::read(api, stack).await?;
    let edges: Vec<&Edge<'_>> = seen.edges.iter().collect();
    let reached = evidence::look(&seen, &edges, &seen.tasks()).await?;
    Ok((Some(Looked { seen, state, reached }), findings))
}

/// Prints what is live.
pub(super) async fn status(run: &Run, stack: &str) -> Result<Exit, Stop> {
    let (hosts, mut unseen) = run.until_signal(run.connect_where_possible(&[])).await??;
    let exit = if unseen.is_empty() { Exit::Refused } else { Exit::Connection };
    if hosts.is_empty() {
        return Err(Stop::new(exit, unseen.join("\n")));
    }
    let api = run.until_signal(Api::of(&hosts)).await??;
    let (looked, findings) = run.until_signal(look(run, &api, stack)).await??;
    match looked {
        Some(looked) => run.reporter.outcome(&Outcome::StackStatus(of_stack(run, &looked))),
        None => unseen.extend(findings.0.iter().filter(|found| found.weight == Weight::Refusal).map(finding)),
    }
    if unseen.is_empty() { Ok(Exit::Done) } else { Err(Stop::new(exit, unseen.join("\n"))) }
}

fn of_stack(run: &Run, looked: &Looked<'_>) -> StackStatus {
    let Looked { seen, state, reached } = looked;
    let slot = |slot: &crate::swarm::see::SlotSeen| StackSlot {
        slot: slot.called.clone(),
        image: slot.service.image().to_owned(),
        replicas: slot.service.replicas().unwrap_or(0),
        running: serving(&slot.tasks).iter().map(|task| called(&seen.nodes, &task.node)).collect(),
    };
    let node = |node: &crate::swarm::objects::Node| StackNode {
        node: node.name().to_owned(),
        ready: node.is_ready(),
        active: node.spec.availability == "active",
        manager: node.manager_status.is_some(),
        leader: node.manager_status.as_ref().is_some_and(|status| status.leader),
    };
    let hosts = seen.edges.iter().zip(reached).enumerate();
    StackStatus {
        stack: seen.stack.clone(),
        hosts: hosts.map(|(number, (edge, reached))| of_edge(run, looked, edge, reached, number == 0)).collect(),
        slots: seen.slots.iter().map(slot).collect(),
        nodes: seen.nodes.iter().map(node).collect(),
        differs: drift(seen, state.live.as_ref()),
    }
}

/// What is live through one nginx: the slot that requests reach, else the one that its files name.
fn of_edge(run: &Run, looked: &Looked<'_>, edge: &Edge<'_>, reached: &Reached, first: bool) -> HostStatus {
    let Looked { seen, state, .. } = looked;
    let settings = &run.config.services[0];
    let slot = &seen.slots[reached.only().unwrap_or(edge.named)];
    let runs = !serving(&slot.tasks).is_empty();
    let since = state.history.iter().rev().find(|record| Some(&record.version) == slot.version(settings).as_ref());
    let other = &seen.slots[1 - reached.only().unwrap_or(edge.named)];
    let earlier = possible(run, seen, &state.history).into_iter();
    let service = ServiceStatus {
        service: settings.name.to_string(),
        slot: runs.then(|| slot.called.clone()),
        proved: reached.only().is_some(),
        version: slot.version(settings),
        digest: digest(slot.service.image()).map(str::to_owned),
        since: since.map(|record| record.at.clone()),
        health: None,
        also_running: (!serving(&other.tasks).is_empty()).then(|| other.called.clone()),
        rollback: earlier.map(|(version, _, _)| Earlier { version, from: "its image" }).collect(),
    };
    let unfinished = state.journal.as_ref().filter(|_| first).map(|journal| Unfinished {
        version: Some(journal.plan.version.clone()),
        confirmed: journal.phase == Phase::Confirmed,
    });
    HostStatus { host: edge.host.name.clone(), services: vec![service], frozen: None, unfinished }
}

/// Prints every finding; refusals make the exit code 3, as a release would end.
pub(super) async fn check(run: &Run, stack: &str) -> Result<Exit, Stop> {
    let hosts = run.until_signal(run.connect()).await??;
    let api = run.until_signal(Api::of(&hosts)).await??;
    let (looked, mut findings) = if api.has_manager() {
        run.until_signal(look(run, &api, stack)).await??
    } else {
        let mut findings = Findings::default();
        crate::swarm::judge::of_members(&api, &mut findings);
        (None, findings)
    };
    if let Some(looked) = &looked {
        more(looked, &mut findings);
    }
    let refused = findings.0.iter().any(|found| found.weight == Weight::Refusal);
    let each = hosts.iter().enumerate().map(|(number, host)| {
        let edge = looked.iter().flat_map(|looked| looked.seen.edges.iter().zip(&looked.reached));
        let mut edge = edge.filter(|(edge, _)| edge.host.name == host.name);
        // what is about all of them is said once
        let findings: Vec<Finding> = if number == 0 { std::mem::take(&mut findings.0) } else { Vec::new() };
        HostCheck {
            host: host.name.clone(),
            ready: looked.is_some() && !refused,
            findings,
            services: looked
                .as_ref()
                .zip(edge.next())
                .map(|(looked, (edge, reached))| found(run, looked, edge, reached))
                .into_iter()
                .collect(),
            login: format!("{}@{}", host.session.user(), host.session.place()),
            fingerprint: host.session.fingerprint(),
        }
    });
    let all = each.collect();
    run.reporter.outcome(&Outcome::Check { hosts: all });
    Ok(if refused { Exit::Refused } else { Exit::Done })
}

/// What only a look at requests, and at what releases left, can find.
fn more(looked: &Looked<'_>, findings: &mut Findings) {
    let Looked { seen, state, reached } = looked;
    for text in drift(seen, state.live.as_ref()) {
        let todo = "`cutover recover` gives the live slot its tasks back; `docker stack deploy` by hand needs both files, see docs/swarm.md";
        findings.advise("drift", text, todo);
    }
    if let Some(journal) = &state.journal {
        let what = format!("a release of {} is under way or was cut off", journal.plan.version);
        findings.advise("journal", what, "the next run puts it right first, or `cutover recover`");
    }
    for (edge, reached) in seen.edges.iter().zip(reached) {
        let about = format!("nginx on {}", edge.host.name);
        match reached.only() {
            Some(slot) if slot == edge.named => {}
            Some(slot) => {
                let what = format!(
                    "its files name {}, and requests reach {}",
                    seen.slots[edge.named].called, seen.slots[slot].called
                );
                findings.refuse(about, what, "`nginx -s reload` in its container");
            }
            None => {
                let why =
                    if reached.why.is_empty() { format!("it answers {}", reached.status) } else { reached.why.clone() };
                let what = format!("requests were not seen to reach one slot: {why}");
                findings.advise(about, what, "a release demands that it is seen");
            }
        }
    }
}

fn found(run: &Run, looked: &Looked<'_>, edge: &Edge<'_>, reached: &Reached) -> ServiceCheck {
    let seen = &looked.seen;
    let live = reached.only();
    let place = edge.changes(edge.named).first().map(|(path, ..)| path.clone()).unwrap_or_default();
    let evidence = match live {
        Some(slot) => format!("new connections from this nginx reach tasks of {} alone", seen.slots[slot].called),
        None => "none".to_owned(),
    };
    ServiceCheck {
        service: run.config.services[0].name.to_string(),
        slots: seen.slots.each_ref().map(|slot| slot.called.clone()),
        about: format!("{} tasks", seen.replicas()),
        live: live.map(|slot| seen.slots[slot].called.clone()),
        nginx: "a task on every node".to_owned(),
        upstream: String::new(),
        place,
        port: edge.port,
        other_port: edge.port,
        health: None,
        evidence: if live.is_some() { Evidence::Probe } else { Evidence::Untried },
        evidence_text: evidence,
        named: edge.word(edge.named),
        health_text: format!("GET {}", run.config.services[0].health.path),
    }
}

/// Prints the releases of the stack, oldest first.
pub(super) async fn history(run: &Run, stack: &str) -> Result<Exit, Stop> {
    let (hosts, unreached) = run.until_signal(run.connect_where_possible(&[])).await??;
    if hosts.is_empty() {
        return Err(Stop::new(Exit::Connection, unreached.join("\n")));
    }
    let api = run.until_signal(Api::of(&hosts)).await??;
    let releases = run.until_signal(store::read(&api, stack)).await??.history;
    run.reporter.outcome(&Outcome::History { hosts: vec![HostHistory { host: stack.to_owned(), releases }] });
    if unreached.is_empty() { Ok(Exit::Done) } else { Err(Stop::new(Exit::Connection, unreached.join("\n"))) }
}
