//! What of where requests really go stands in the way of a release.

use super::findings::Findings;
use crate::host::Host;
use crate::host::container::Container;
use crate::router::Router;
use crate::see::interpret::evidence::Evidence;
use crate::see::interpret::evidence::Live;
use crate::see::read::traffic::resolve;
use crate::see::seen::{Observation, ServiceSeen};
use anyhow::Result;

/// What was seen while nginx was asked. An unfinished swap is put right before this counts.
pub(crate) async fn of_looked(
    host: &Host,
    seen: &Observation,
    containers: &[Container],
    findings: &mut Findings,
) -> Result<()> {
    if seen.journal.is_some() {
        return Ok(());
    }
    for service in &seen.services {
        of_staying(service, findings);
        of_namesakes(seen, service, containers, findings);
        of_answers(seen, service, findings);
        if let (Live::None, Some(nginx)) = (service.live, &seen.nginx.running) {
            of_nothing_running(host, nginx, service, findings).await?;
        }
    }
    Ok(())
}

/// nginx looks up what it names for good whenever it is loaded, and fails where one does not run.
fn of_staying(service: &ServiceSeen, findings: &mut Findings) {
    if service.stays {
        let [one, two] = [&service.slots[0].service, &service.slots[1].service];
        let what = format!(
            "nginx's files name {one} and {two} for good, beside the word that a release changes ({}), and nginx can't be loaded \
             while one of them does not run: the old slot goes on running after a release",
            service.word
        );
        findings.advise(
            format!("service {}", service.name),
            what,
            "that works; with one upstream and one word it would be stopped",
        );
    }
}

/// Another container that nginx would take for a slot.
fn of_namesakes(seen: &Observation, service: &ServiceSeen, containers: &[Container], findings: &mut Findings) {
    let Some(nginx) = &seen.nginx.running else { return };
    for slot in &service.slots {
        let own = |container: &&Container| slot.container.as_ref().is_none_or(|own| own.id != container.id);
        let called = |c: &&Container| c.is_running() && c.is_called(&slot.host, &nginx.network_settings.networks);
        for other in containers.iter().filter(own).filter(called) {
            let what = format!(
                "{} means {} of the project {} too on a network of nginx: requests would go to both",
                slot.host,
                other.own_name(),
                other.label("com.docker.compose.project")
            );
            let todo = "stop it if it is an old one of this project; else give the slots names that nothing else has";
            findings.refuse(format!("slot {}", slot.service), what, todo);
        }
    }
}

fn of_answers(seen: &Observation, service: &ServiceSeen, findings: &mut Findings) {
    let about = format!("conf, {}", service.route());
    let [one, two] = [&service.slots[0].service, &service.slots[1].service];
    if service.looked.both {
        let what = format!("nginx sends requests to {one} and to {two}");
        findings.refuse(&about, what, "let it send all of them to one, and reload it");
    }
    if let Some(live) = service.live.slot() {
        let idle = &service.slots[1 - live];
        let open = service.looked.received[1 - live].open;
        if open > 0 && idle.container.as_ref().is_some_and(Container::is_running) && !service.looked.both {
            let what =
                format!("nginx still has {open} connections to {}, which a release would start anew", idle.service);
            let todo = "wait until they end (old workers of nginx finish their requests), or restart nginx";
            findings.refuse(format!("slot {}", idle.service), what, todo);
        }
    }
    let healthy =
        |answer: &Result<(u16, _), String>| answer.as_ref().is_ok_and(|(status, _)| service.health.accepts(*status));
    if service.late && service.live.slot().is_some() && service.looked.evidence == Evidence::Workers {
        let why = match seen.nginx.kind {
            Router::Host => "nginx is on the host, from where others may ask the slots too",
            _ => "nginx looks the slot's name up at each request (a variable has it)",
        };
        let what = format!(
            "{why}, so that only requests can prove where {} leads, and none gets through: {}",
            service.word,
            service.looked.refused.as_deref().unwrap_or("no location is known")
        );
        findings.refuse(
            &about,
            what,
            "say with `nginx: {probe: {path, host, headers-env}}` which request gets through",
        );
    }
    if let (Some(status), true) = (&service.looked.unreached, service.health_answer.as_ref().is_some_and(healthy)) {
        let named = &service.slots[service.in_conf].service;
        let what = format!(
            "users get {status}, although {named}, which {} names, is healthy: nginx has never loaded that, or looked its \
             address up before it changed",
            service.word
        );
        let reload = match &seen.nginx.running {
            Some(nginx) => format!("docker exec {} nginx -s reload", nginx.own_name()),
            None => "sudo nginx -s reload".to_owned(),
        };
        findings.refuse(&about, what, format!("have it load its file: {reload}"));
    } else if let (Evidence::Clients | Evidence::Workers, Some(refused)) =
        (service.looked.evidence, &service.looked.refused)
    {
        let todo = "a release is proved otherwise; `nginx: {probe: {path, host, headers-env}}` makes it surer";
        findings.advise(&about, format!("no request of cutover's own gets through: {refused}"), todo);
    }
}

/// Where no slot runs nobody may answer in its name.
async fn of_nothing_running(
    host: &Host,
    nginx: &Container,
    service: &ServiceSeen,
    findings: &mut Findings,
) -> Result<()> {
    let names: Vec<&str> = service.slots.iter().map(|slot| slot.host.as_str()).collect();
    for (name, addresses) in resolve(host, &nginx.id, &names).await? {
        if let Some(address) = addresses.first() {
            let what = format!("no slot of this project runs, but {name} means {address} in nginx's container");
            let todo = "another project's container answers there: name the project that runs with `project: NAME`";
            findings.refuse(format!("service {}", service.name), what, todo);
        }
    }
    Ok(())
}
