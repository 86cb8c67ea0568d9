//! The diagnoses: what on a host stands in the way of a release, and what will one day. Each says what to do.

use super::findings::Findings;
use crate::host::Host;
use crate::host::http::Answer;
use crate::see::interpret::projects::Projects;
use crate::see::read::answers::ask_slot;
use crate::see::read::files::Look;
use crate::see::seen::{Observation, ServiceSeen, SlotSeen};
use crate::swap::meaning;
use anyhow::Result;
use std::time::Duration;

/// The slots: references that can't follow a release, PID 1, stop times, health paths. `early`: what the slot in nginx's
/// file answered, of each service.
pub(crate) async fn of_slots(
    host: &Host,
    seen: &Observation,
    projects: &Projects<'_>,
    look: &Look,
    early: Vec<Option<Result<Answer>>>,
    findings: &mut Findings,
) {
    for (service, early) in seen.services.iter().zip(early) {
        for slot in &service.slots {
            of_reference(slot, projects, findings);
        }
        if let Some(slot) = service.live.slot() {
            of_process(service, &service.slots[slot], look, findings);
            let nginx = seen.nginx.running.as_ref();
            let answer = if slot == service.in_conf { early } else { ask_slot(host, service, slot, nginx).await };
            of_health(seen, service, &service.slots[slot], answer, findings);
        }
    }
}

fn of_reference(slot: &SlotSeen, projects: &Projects<'_>, findings: &mut Findings) {
    let about = format!("slot {}", slot.service);
    if slot.reference.contains('@') {
        let what = format!("its image is {}, which can't follow a release", slot.reference);
        findings.refuse(&about, what, "name the image by a tag in the compose file, such as `:latest`");
    }
    let policy = projects.service(&slot.within).and_then(|service| service.pull_policy.as_deref());
    if let Some(policy @ ("always" | "build" | "daily" | "weekly")) = policy {
        let what = format!("`pull_policy: {policy}` lets compose replace the released image when it starts the slot");
        findings.refuse(&about, what, "remove `pull_policy`, or make it `missing`");
    }
}

fn of_process(service: &ServiceSeen, slot: &SlotSeen, look: &Look, findings: &mut Findings) {
    let Some(container) = &slot.container else { return };
    let about = format!("slot {}", slot.service);
    let words: Vec<&str> = [&container.config.entrypoint, &container.config.cmd]
        .into_iter()
        .flatten()
        .flatten()
        .map(String::as_str)
        .collect();
    let first = words.first().map_or("", |word| word.rsplit('/').next().unwrap_or(word));
    // then PID 1 is the engine's own init, which passes signals on to what it runs
    let init = container.host_config.init == Some(true);
    let other_signal =
        container.config.stop_signal.as_deref().is_some_and(|signal| !matches!(signal, "SIGTERM" | "15"));
    // a shell that became the server, or that handles signals itself, is none that keeps them
    let execs = words.get(2).is_some_and(|line| line.trim_start().starts_with("exec "))
        || (!init && look.handles_sigterm(container.state.pid) == Some(true));
    let it_is = |what: &str| if init { format!("`init: true` runs {what}") } else { format!("PID 1 is {what}") };
    let todo = "start the server itself in exec form, such as ENTRYPOINT [\"node\", \"dist/main.js\"]";
    if matches!(first, "yarn" | "npm" | "npx" | "pnpm" | "bun") {
        let what = format!("{}, which does not pass SIGTERM on in time: requests are dropped at a stop", it_is(first));
        findings.advise(&about, what, todo);
    } else if matches!(first, "sh" | "bash" | "ash" | "dash") && words.get(1) == Some(&"-c") && !execs {
        let what = format!("{}, which does not pass SIGTERM on", it_is("a shell (ENTRYPOINT in shell form)"));
        findings.advise(&about, what, todo);
    } else if !init && !other_signal && look.handles_sigterm(container.state.pid) == Some(false) {
        findings.advise(
            &about,
            "PID 1 ignores SIGTERM: each stop ends in SIGKILL",
            "handle SIGTERM: close the server, then exit",
        );
    }
    if container.state.health.as_ref().is_some_and(|health| health.status == "unhealthy") {
        let what =
            "Docker calls the running container unhealthy, by its own healthcheck, which that of a release must pass";
        findings.advise(
            &about,
            what,
            "see why: docker inspect -f '{{json .State.Health}}' CONTAINER; else the release fails at it",
        );
    }
    if service.stop_timeout < Duration::from_secs(10) {
        let what = format!("it has {} s to stop before SIGKILL", service.stop_timeout.as_secs_f64());
        findings.advise(&about, what, "set `stop_grace_period` in the compose file to 10s or more");
    }
}

fn of_health(
    seen: &Observation,
    service: &ServiceSeen,
    slot: &SlotSeen,
    answer: Option<Result<Answer>>,
    findings: &mut Findings,
) {
    let Some(container) = &slot.container else { return };
    let about = format!("slot {}", slot.service);
    if seen.nginx.running.as_ref().is_some_and(|nginx| container.address_beside(nginx).is_none()) {
        let what = format!("it is on no network with {}", seen.nginx.service);
        findings.refuse(&about, what, "give both a common network in the compose file");
    }
    let Some(answer) = answer else { return };
    let path = &service.health.path;
    let port = service.ports[service.live.slot().unwrap_or(service.in_conf)];
    match answer {
        Ok(answer) if service.health.accepts(answer.status) => {}
        Ok(answer) => {
            let what = format!(
                "the live version answers GET {path} with {}{}",
                answer.status,
                meaning::of_status(answer.status, answer.location.as_deref())
            );
            let todo = "set `health: {path: …}` to a path that answers 200 when the service works, or state `status`";
            findings.advise(&about, what, todo);
        }
        Err(error) => {
            let what = format!("the live version does not answer GET {path} on port {port}: {error:#}");
            findings.advise(&about, what, "see whether it works: docker logs; a release would replace it");
        }
    }
}
