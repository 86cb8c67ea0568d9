//! `cutover status`: what is live, proved by where nginx sends requests.

use super::{Exit, Run, Stop};
use crate::host::Host;
use crate::report::Event;
use crate::swap::back::{From, Possible};
use crate::swap::observe::{Live, Observation};
use serde_json::{Value, json};

/// Prints it.
pub(super) async fn status(run: &Run) -> Result<Exit, Stop> {
    let hosts = run.until_signal(run.connect()).await??;
    let seen = run.until_signal(run.look(&hosts, &[])).await??;
    let (mut text, mut data, mut refusals) = (String::new(), Vec::new(), Vec::new());
    for (host, (seen, findings)) in hosts.iter().zip(seen) {
        match seen {
            Some(seen) => {
                super::session::say_of_history(run, host, &findings);
                text += &host_text(run, host, &seen);
                data.push(host_data(run, host, &seen));
            }
            None => refusals.extend(findings.iter().map(|f| format!("{}: {}", host.name, super::session::said(f)))),
        }
    }
    run.reporter.emit(Event::Result { verb: "status", data: json!({ "hosts": data }), text });
    if refusals.is_empty() { Ok(Exit::Done) } else { Err(Stop::new(Exit::Refused, refusals.join("\n"))) }
}

fn host_text(run: &Run, host: &Host, seen: &Observation) -> String {
    let mut text = format!("{}\n", host.name);
    for (service, possible) in seen.services.iter().zip(run.possible(seen)) {
        text += &match service.live {
            Live::None => format!("  {:<16} not running\n", service.name),
            Live::Proved(slot) | Live::Assumed(slot) => {
                let live = &service.slots[slot];
                let since = live.container.as_ref().map_or("", |container| container.state.started_at.as_str());
                let digest = live.digest.as_deref().unwrap_or("no digest");
                let proof = if matches!(service.live, Live::Proved(_)) {
                    "seen to receive requests"
                } else {
                    "named by nginx's configuration; not seen to receive requests"
                };
                format!(
                    "  {:<16} {} in {} since {}, {digest}\n{:19}{proof}\n",
                    service.name,
                    live.version.as_deref().unwrap_or("unknown version"),
                    live.service,
                    since.split('.').next().unwrap_or(since),
                    ""
                )
            }
        };
        if let Some(other) = service.also_running() {
            text += &format!("{:19}both slots run: {} does too, and gets no requests\n", "", other.service);
        }
        text += &format!("{:19}can be rolled back to: {}\n", "", back(&possible));
    }
    if let Some(journal) = &seen.journal {
        let version = journal.plan.as_ref().map_or("an unknown version", |plan| plan.version.as_str());
        let will = if journal.is_confirmed() { "finishes it" } else { "puts it back" };
        text += &format!(
            "  a swap to {version} is under way or was cut off; if no run goes on with it, the next one {will}\n"
        );
    }
    text
}

fn host_data(run: &Run, host: &Host, seen: &Observation) -> Value {
    let services = seen.services.iter().zip(run.possible(seen)).map(|(service, possible)| {
        let live = service.live.slot().map(|slot| &service.slots[slot]);
        json!({
            "service": service.name,
            "slot": live.map(|slot| &slot.service),
            "proved": matches!(service.live, Live::Proved(_)),
            "version": live.and_then(|slot| slot.version.as_ref()),
            "digest": live.and_then(|slot| slot.digest.as_ref()),
            "since": live.and_then(|slot| slot.container.as_ref()).map(|container| &container.state.started_at),
            "also-running": service.also_running().map(|slot| &slot.service),
            "rollback": possible.iter().filter(|each| each.from != From::Live).map(|each| &each.version).collect::<Vec<_>>(),
        })
    });
    json!({
        "host": host.name,
        "services": services.collect::<Vec<_>>(),
        "unfinished": seen.journal.as_ref().map(|journal| json!({
            "version": journal.plan.as_ref().map(|plan| &plan.version),
            "confirmed": journal.is_confirmed(),
        })),
    })
}

/// What the service can be rolled back to, for people.
fn back(possible: &[Possible]) -> String {
    let earlier = possible.iter().filter(|each| each.from != From::Live);
    let said: Vec<String> = earlier.map(|each| format!("{} ({})", each.version, each.from.words())).collect();
    if said.is_empty() { "nothing".to_owned() } else { said.join(", ") }
}
