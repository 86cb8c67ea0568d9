//! `cutover check`: what stands in the way of a release, or will one day, and what to do. Changes nothing.

use super::{Exit, Run, Stop};
use crate::host::compose::Scope;
use crate::host::container::same_reference;
use crate::host::freeze::{Frozen, Held};
use crate::report::Outcome;
use crate::report::outcome::{HostCheck, ServiceCheck};
use crate::see::judge::findings::{Finding, Weight};
use crate::see::{Observation, ServiceSeen, SlotSeen};
use crate::slots::workers::Worker;

/// Sessions that a release has open at the same time, one of them kept for putting back. Where sshd opens fewer on one
/// connection, it makes further ones.
const SESSIONS: usize = 6;

/// Prints every finding; refusals make the exit code 3, as a release would end.
pub(super) async fn check(run: &Run) -> Result<Exit, Stop> {
    let hosts = run.until_signal(run.connect()).await??;
    let (mut all, mut refused) = (Vec::new(), false);
    for (host, (seen, mut findings)) in hosts.iter().zip(run.until_signal(run.look(&hosts, &[])).await??) {
        findings.extend(of_sessions(run.until_signal(host.session.sessions(SESSIONS)).await?));
        findings.extend(seen.as_ref().and_then(|seen| seen.frozen.clone()).map(of_frozen));
        let refuses = findings.iter().any(|finding| finding.weight == Weight::Refusal);
        refused |= refuses;
        all.push(HostCheck {
            host: host.name.clone(),
            ready: seen.is_some() && !refuses,
            findings,
            services: seen.iter().flat_map(of_host).collect(),
            login: format!("{}@{}", host.session.user(), host.session.place()),
            fingerprint: host.session.fingerprint(),
        });
    }
    run.reporter.outcome(&Outcome::Check { hosts: all });
    Ok(if refused { Exit::Refused } else { Exit::Done })
}

fn of_host(seen: &Observation) -> impl Iterator<Item = ServiceCheck> + '_ {
    seen.services.iter().map(|service| found(seen, service))
}

/// What was found of a service.
fn found(seen: &Observation, service: &ServiceSeen) -> ServiceCheck {
    let path = &service.health.path;
    let health_text = match &service.health_answer {
        Some(Ok((status, took))) => format!("GET {path} → {status} in {} ms", took.as_millis()),
        Some(Err(error)) => format!("GET {path} → {}", crate::report::text::one_line(error, 100)),
        None => format!("GET {path}, which nothing answers yet"),
    };
    let health = service.health_answer.as_ref().and_then(|answer| answer.as_ref().ok());
    ServiceCheck {
        service: service.name.clone(),
        slots: service.slots.each_ref().map(|slot| slot.service.clone()),
        about: about(seen, service),
        live: service.live.slot().map(|slot| service.slots[slot].service.clone()),
        nginx: seen.nginx.words(),
        upstream: service.upstream.clone(),
        place: service.word.clone(),
        port: service.ports[service.in_conf],
        other_port: service.ports[1 - service.in_conf],
        health: health.map(|(status, _)| *status),
        evidence: service.looked.evidence,
        evidence_text: evidence(service),
        named: service.slots[service.in_conf].host.clone(),
        health_text,
    }
}

/// What is particular about where its slots are, and what goes with them.
fn about(seen: &Observation, service: &ServiceSeen) -> String {
    let slots = || service.slots.iter();
    let [one, two] = &service.slots;
    let elsewhere = slots().any(|slot| slot.within.scope != seen.scope);
    let own_images = !same_reference(&one.reference, &two.reference);
    let profiles = slots().filter_map(|slot| in_profile(seen, slot));
    let projects = slots().filter(|_| elsewhere).map(|slot| in_project(seen, slot));
    let images = slots().filter(|_| own_images).map(|slot| format!("{} runs {}", slot.service, slot.reference));
    profiles.chain(projects).chain(images).chain(workers(service)).collect::<Vec<_>>().join(", ")
}

/// A profile that is activated for the slot.
fn in_profile(seen: &Observation, slot: &SlotSeen) -> Option<String> {
    let mut active = seen.scope.profiles.split(',');
    let profile = slot.profiles.iter().find(|profile| active.any(|active| active == *profile))?;
    Some(format!("{} in the profile {profile}", slot.service))
}

fn in_project(seen: &Observation, slot: &SlotSeen) -> String {
    let Scope { project, files, .. } = &slot.within.scope;
    let files = if *files == seen.scope.files { String::new() } else { format!(", {files}") };
    format!("{} in the project {project}{files}", slot.service)
}

fn workers(service: &ServiceSeen) -> Option<String> {
    let worker = |worker: &Worker| match worker.running {
        0 => format!("{} (not running)", worker.service),
        _ => worker.service.clone(),
    };
    let names: Vec<String> = service.workers.iter().map(worker).collect();
    (!names.is_empty()).then(|| format!("workers {}", names.join(" and ")))
}

fn evidence(service: &ServiceSeen) -> String {
    let live = service.live.slot().unwrap_or(service.in_conf);
    service.looked.evidence.explain(service.looked.probe.as_ref(), &service.slots[live].service)
}

/// The evidence that a release will have on a host, for a plan.
pub(super) fn all_evidence(seen: &Observation) -> String {
    let each = seen.services.iter().map(|service| format!("{}: {}", service.name, evidence(service)));
    each.collect::<Vec<_>>().join("; ")
}

fn of_frozen(frozen: Frozen) -> Finding {
    let todo = Held::Person(frozen.clone()).todo().to_owned();
    Finding { weight: Weight::Advice, about: "lock".to_owned(), what: frozen.to_string(), todo }
}

fn of_sessions(sessions: usize) -> Option<Finding> {
    (sessions < SESSIONS).then(|| Finding {
        weight: Weight::Advice,
        about: "ssh".to_owned(),
        what: format!(
            "sshd opens {sessions} sessions on one connection (MaxSessions), so a release makes further connections"
        ),
        todo: "that works; `MaxSessions 10` in sshd_config, which is its default, saves their time".to_owned(),
    })
}
