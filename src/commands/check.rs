//! `cutover check`: what stands in the way of a release, or will one day, and what to do. Changes nothing.

use super::session::said;
use super::{Exit, Run, Stop};
use crate::report::Event;
use crate::swap::findings::{Finding, Weight};
use crate::swap::observe::{Observation, ServiceSeen};
use serde_json::{Value, json};

/// Sessions that a release has open at the same time, one of them kept for putting back. Where sshd opens fewer on one
/// connection, it makes further ones.
const SESSIONS: usize = 6;

/// Prints every finding; refusals make the exit code 3, as a release would end.
pub(super) async fn check(run: &Run) -> Result<Exit, Stop> {
    let hosts = run.until_signal(run.connect()).await??;
    let (mut text, mut data, mut refused) = (String::new(), Vec::new(), false);
    for (host, (seen, mut findings)) in hosts.iter().zip(run.until_signal(run.look(&hosts, &[])).await??) {
        text += &format!(
            "{}: {}@{}, host key {}\n",
            host.name,
            host.session.user(),
            host.session.place(),
            host.session.fingerprint()
        );
        findings.extend(of_sessions(run.until_signal(host.session.sessions(SESSIONS)).await?));
        for finding in &findings {
            let mark = if finding.weight == Weight::Refusal { "✘" } else { "!" };
            text += &format!("  {mark} {}\n", said(finding));
        }
        refused |= findings.iter().any(|finding| finding.weight == Weight::Refusal);
        let ready = seen.is_some() && findings.iter().all(|finding| finding.weight != Weight::Refusal);
        let services = seen.iter().flat_map(|seen| &seen.services);
        let mark = if ready { "✔ ready" } else { "  found" };
        text += &services.clone().map(|service| format!("  {mark}: {}\n", found(service))).collect::<String>();
        let services: Vec<Value> = services.map(found_data).collect();
        data.push(json!({ "host": host.name, "ready": ready, "findings": findings, "services": services }));
    }
    run.reporter.emit(Event::Result { verb: "check", data: json!({ "hosts": data }), text });
    Ok(if refused { Exit::Refused } else { Exit::Done })
}

/// What was found of a service, on one line.
fn found(service: &ServiceSeen) -> String {
    let [one, two] = &service.slots;
    let named = &service.slots[service.in_conf];
    let health = match &service.health_answer {
        Some(Ok((status, took))) => format!("GET {} → {status} in {} ms", service.health.path, took.as_millis()),
        Some(Err(error)) => format!("GET {} → {}", service.health.path, crate::report::text::one_line(error, 100)),
        None => format!("GET {}, which nothing answers yet", service.health.path),
    };
    format!(
        "{}: slots {}, {}; upstream {} ({}) on {}:{}; health {health}; evidence: {}",
        service.name,
        one.service,
        two.service,
        service.upstream,
        service.word,
        named.host,
        service.port,
        evidence(service)
    )
}

fn evidence(service: &ServiceSeen) -> String {
    let live = service.live.slot().unwrap_or(service.in_conf);
    service.looked.evidence.explain(service.looked.probe.as_ref(), &service.slots[live].service)
}

fn found_data(service: &ServiceSeen) -> Value {
    let health = service.health_answer.as_ref().and_then(|answer| answer.as_ref().ok());
    json!({
        "service": service.name,
        "slots": service.slots.each_ref().map(|slot| &slot.service),
        "live": service.live.slot().map(|slot| &service.slots[slot].service),
        "upstream": service.upstream,
        "place": service.word,
        "port": service.port,
        "health": health.map(|(status, _)| status),
        "evidence": service.looked.evidence,
        "evidence-text": evidence(service),
    })
}

/// The evidence that a release will have on a host, for a plan.
pub(super) fn all_evidence(seen: &Observation) -> String {
    let each = seen.services.iter().map(|service| format!("{}: {}", service.name, evidence(service)));
    each.collect::<Vec<_>>().join("; ")
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
