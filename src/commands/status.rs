//! `cutover status`: what is live, proved by where nginx sends requests.

use super::session::say_of_history;
use super::{Exit, Run, Stop};
use crate::cli;
use crate::host::Host;
use crate::report::outcome::{Drift, Earlier, HealthNow, HostStatus, ServiceStatus, Unfinished};
use crate::report::{Level, Outcome, finding};
use crate::see::{Live, Observation, ServiceSeen};
use crate::swap::back::{From, Possible};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// What could not be seen: how the run ends for it, and why.
type Unseen = Option<(Exit, String)>;

/// Prints it; ends with what could not be seen.
pub(super) async fn status(run: &Run, options: &cli::StatusOptions) -> Result<Exit, Stop> {
    let Some(every) = options.watch else {
        let (all, unseen) = run.until_signal(look(run)).await??;
        show(run, all);
        return unseen.map_or(Ok(Exit::Done), |(exit, why)| Err(Stop::new(exit, why)));
    };
    tokio::select! {
        ended = watch(run, every.max(Duration::from_secs(1))) => ended,
        signal = run.cancel.wait() => Ok(Exit::Interrupted(signal.exit_code())),
    }
}

/// Prints it again and again. What can't be seen now may be in the next round.
async fn watch(run: &Run, every: Duration) -> Result<Exit, Stop> {
    loop {
        let (all, unseen) = look(run).await?;
        run.reporter.screen();
        show(run, all);
        unseen.into_iter().for_each(|(_, why)| run.reporter.note(Level::Error, "", why));
        tokio::time::sleep(every).await;
    }
}

/// What is live on each host that can be seen.
async fn look(run: &Run) -> Result<(Vec<HostStatus>, Unseen), Stop> {
    let (hosts, unreached) = run.connect_where_possible(&[]).await?;
    let (mut all, mut refusals) = (Vec::new(), Vec::new());
    for (host, (seen, findings)) in hosts.iter().zip(run.look(&hosts, &[]).await?) {
        say_of_history(run, host, &findings);
        match seen {
            Some(seen) => all.push(of_host(run, host, &seen)),
            None => refusals.extend(findings.iter().map(|f| format!("{}: {}", host.name, finding(f)))),
        }
    }
    let exit = if unreached.is_empty() { Exit::Refused } else { Exit::Connection };
    let why: Vec<String> = unreached.into_iter().chain(refusals).collect();
    Ok((all, (!why.is_empty()).then(|| (exit, why.join("\n")))))
}

fn show(run: &Run, hosts: Vec<HostStatus>) {
    let drift = drift(&hosts);
    run.reporter.outcome(&Outcome::Status { hosts, drift });
}

fn of_host(run: &Run, host: &Host, seen: &Observation) -> HostStatus {
    let services = seen.services.iter().zip(run.possible(seen));
    HostStatus {
        host: host.name.clone(),
        services: services.map(|(service, possible)| of_service(service, possible)).collect(),
        frozen: seen.frozen.clone(),
        unfinished: seen.journal.as_ref().map(|journal| Unfinished {
            version: journal.plan.as_ref().map(|plan| plan.version.clone()),
            confirmed: journal.is_confirmed(),
        }),
    }
}

fn of_service(service: &ServiceSeen, possible: Vec<Possible>) -> ServiceStatus {
    let live = service.live.slot().map(|slot| &service.slots[slot]);
    let earlier = possible.into_iter().filter(|each| each.from != From::Live);
    ServiceStatus {
        service: service.name.clone(),
        slot: live.map(|slot| slot.service.clone()),
        proved: matches!(service.live, Live::Proved(_)),
        version: live.and_then(|slot| slot.version.clone()),
        digest: live.and_then(|slot| slot.digest.clone()),
        since: live.and_then(|slot| slot.container.as_ref()).map(|container| container.state.started_at.clone()),
        health: health(service),
        also_running: service.also_running().map(|slot| slot.service.clone()),
        rollback: earlier.map(|each| Earlier { version: each.version, from: each.from.words() }).collect(),
    }
}

/// What the live slot answers, where it was the one that was asked: the one that nginx's file names.
fn health(service: &ServiceSeen) -> Option<HealthNow> {
    let answer = service.health_answer.as_ref().filter(|_| service.live.slot() == Some(service.in_conf))?;
    Some(match answer {
        Ok((status, took)) => HealthNow {
            status: Some(*status),
            seconds: Some(took.as_secs_f64()),
            healthy: service.health.accepts(*status),
            error: None,
        },
        Err(why) => HealthNow { status: None, seconds: None, healthy: false, error: Some(why.clone()) },
    })
}

/// What is not the same on all hosts that were seen.
fn drift(hosts: &[HostStatus]) -> Vec<Drift> {
    let all = || hosts.iter().flat_map(|host| host.services.iter().map(move |service| (host, service)));
    let names: BTreeSet<&str> = all().map(|(_, service)| service.service.as_str()).collect();
    let of = |name: &str| {
        let same: Vec<_> = all().filter(|(_, service)| service.service == name).collect();
        let mut versions: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (host, service) in &same {
            let images: BTreeSet<_> =
                same.iter().filter(|(_, other)| other.version == service.version).map(|(_, one)| &one.digest).collect();
            versions.entry(called(service, images.len() > 1)).or_default().push(host.host.clone());
        }
        Drift { service: name.to_owned(), versions }
    };
    names.into_iter().map(of).filter(|drift| drift.versions.len() > 1).collect()
}

/// What is live, by its version; with its image where that alone does not tell it apart.
fn called(service: &ServiceStatus, with_image: bool) -> String {
    let version = match (&service.slot, &service.version) {
        (None, _) => "nothing",
        (_, Some(version)) => version,
        (_, None) => "an unknown version",
    };
    match service.digest.as_deref().filter(|_| with_image) {
        Some(digest) => format!("{version} ({})", digest.chars().take(19).collect::<String>()),
        None => version.to_owned(),
    }
}
