//! `cutover status`: what is live, proved by where nginx sends requests.

use super::session::say_of_history;
use super::{Exit, Run, Stop};
use crate::host::Host;
use crate::report::outcome::{Earlier, HostStatus, ServiceStatus, Unfinished};
use crate::report::{Outcome, finding};
use crate::see::{Live, Observation, ServiceSeen};
use crate::swap::back::{From, Possible};

/// Prints it.
pub(super) async fn status(run: &Run) -> Result<Exit, Stop> {
    let hosts = run.until_signal(run.connect()).await??;
    let seen = run.until_signal(run.look(&hosts, &[])).await??;
    let (mut all, mut refusals) = (Vec::new(), Vec::new());
    for (host, (seen, findings)) in hosts.iter().zip(seen) {
        say_of_history(run, host, &findings);
        match seen {
            Some(seen) => all.push(of_host(run, host, &seen)),
            None => refusals.extend(findings.iter().map(|f| format!("{}: {}", host.name, finding(f)))),
        }
    }
    run.reporter.outcome(&Outcome::Status { hosts: all });
    if refusals.is_empty() { Ok(Exit::Done) } else { Err(Stop::new(Exit::Refused, refusals.join("\n"))) }
}

fn of_host(run: &Run, host: &Host, seen: &Observation) -> HostStatus {
    let services = seen.services.iter().zip(run.possible(seen));
    HostStatus {
        host: host.name.clone(),
        services: services.map(|(service, possible)| of_service(service, possible)).collect(),
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
        also_running: service.also_running().map(|slot| slot.service.clone()),
        rollback: earlier.map(|each| Earlier { version: each.version, from: each.from.words() }).collect(),
    }
}
