//! What of nginx's words, and of where requests really go, stands in the way of a release.

use super::findings::Findings;
use crate::host::Host;
use crate::host::container::Container;
use crate::host::nginx::{Place, Routes, Upstream};
use crate::see::interpret::evidence::Evidence;
use crate::see::interpret::evidence::Live;
use crate::see::interpret::project::Found;
use crate::see::read::traffic::resolve;
use crate::see::seen::{Observation, ServiceSeen};
use anyhow::Result;

/// Every word that names a slot must be one that a release changes: those in the service's upstream.
pub(crate) fn of_words(
    found: &Found<'_>,
    routes: &Routes,
    upstream: &Upstream,
    names: &[Vec<String>; 2],
    findings: &mut Findings,
) {
    let all = routes.slot_words(names);
    let (own, others): (Vec<_>, Vec<_>) = all.iter().partition(|word| word.upstream.as_ref() == Some(&upstream.name));
    if others.is_empty() {
        return;
    }
    let shown = |words: &[&crate::host::nginx::SlotWord]| -> String {
        let each = words.iter().map(|word| format!("{} at {}", names[word.slot][0], found.shown(&word.place)));
        each.collect::<Vec<_>>().join(", ")
    };
    let mut what = format!(
        "a release changes `upstream {}` ({}), but other words of nginx name the slots too: {}",
        upstream.name,
        shown(&own),
        shown(&others)
    );
    if let Some(users) = users(found, routes, upstream, names) {
        what += &format!("; {users}");
    }
    let todo = "let every location pass to the one upstream, so that one word says which slot serves";
    findings.refuse(format!("conf, upstream {}", upstream.name), what, todo);
}

/// Where the plainest location that leads to a slot goes, if it is not the upstream that a release changes.
fn users(found: &Found<'_>, routes: &Routes, upstream: &Upstream, names: &[Vec<String>; 2]) -> Option<String> {
    let led = routes.passes.iter().filter(|pass| !pass.probes.is_empty()).flat_map(|pass| {
        pass.targets.iter().flat_map(move |target| {
            routes.leads_to(target, names).into_iter().map(move |(slot, places)| (pass, target, slot, places))
        })
    });
    let (pass, target, slot, places) = led.min_by_key(|(pass, ..)| pass.probes.iter().map(|p| p.path.len()).min())?;
    let places = places.iter().map(|place: &Place| found.shown(place)).collect::<Vec<_>>().join(" → ");
    (target.name != upstream.name).then(|| format!("`{}` sends users to {} ({places})", pass.location, names[slot][0]))
}

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
        of_namesakes(seen, service, containers, findings);
        of_answers(seen, service, findings);
        if let (Live::None, Some(nginx)) = (service.live, &seen.nginx.running) {
            of_nothing_running(host, nginx, service, findings).await?;
        }
    }
    Ok(())
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
    let about = format!("conf, upstream {}", service.upstream);
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
    if let (Some(status), true) = (&service.looked.unreached, service.health_answer.as_ref().is_some_and(healthy)) {
        let named = &service.slots[service.in_conf].service;
        let what = format!(
            "users get {status}, although {named}, which {} names, is healthy: nginx has never loaded that, or looked its \
             address up before it changed",
            service.word
        );
        let nginx = seen.nginx.running.as_ref().map_or("nginx", Container::own_name);
        findings.refuse(&about, what, format!("have it load its file: docker exec {nginx} nginx -s reload"));
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
