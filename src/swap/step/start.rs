//! The idle slots start on the new image beside the live ones, with what they need.

use super::health;
use crate::host::compose::Condition;
use crate::host::container::Container;
use crate::host::script::{Script, Section, sections};
use crate::report::Level;
use crate::report::text::one_line;
use crate::router::{Router, TRAFFIC};
use crate::slots::COMPOSE;
use crate::slots::making;
use crate::swap::plan::{NewSlot, Plan};
use crate::swap::run::{HostSwap, ServiceSwap};
use crate::text::digest;
use anyhow::{Context as _, Result, bail};
use std::collections::BTreeMap;
use std::time::Duration;

/// How long each service that comes before the slots may take; start.sh has the same.
const FIRST: Duration = Duration::from_secs(600);

pub(super) fn explain(plan: &Plan) -> String {
    let to = plan.each(|service| service.to.slot.clone());
    if plan.services.iter().all(|service| service.to.kept.is_some()) {
        return format!("start the kept {to} again");
    }
    let needs = plan.needs.iter().map(|need| format!("start {need}, "));
    let first = plan.first.iter().map(|first| match first.condition {
        Condition::Completed => format!("run {} to its end, ", first.service),
        _ => format!("wait until {} is healthy, ", first.service),
    });
    let before: String = needs.chain(first).collect();
    let then = if before.is_empty() { "" } else { "then " };
    format!("{before}{then}start {to} on {}", plan.version)
}

pub(super) async fn run(swap: &mut HostSwap<'_>) -> Result<String> {
    let mut chain = swap.host.chain(vec![script(swap)?, health::ahead(swap)]).await?;
    let output = chain.next().await?;
    swap.ahead = Some(chain);
    let containers = containers(swap, &output)?;
    let mut started = Vec::new();
    for service in &swap.services {
        let NewSlot { slot, within, .. } = &service.plan.to;
        let (place, name) = swap.within(slot, within);
        let project = place.split('|').next().unwrap_or_default();
        let found = containers.iter().find(|container| container.is_of(project, name));
        let found = found.with_context(|| format!("compose started no container for {slot}"))?;
        runs_the_image(swap, service, found).await?;
        started.push(found.clone());
    }
    let names = started.iter().map(|container| container.own_name().to_owned()).collect::<Vec<_>>().join(", ");
    for (service, container) in swap.services.iter_mut().zip(started) {
        service.started = Some(container);
    }
    if swap.plan.nginx.kind == Router::Host {
        let gateways =
            swap.services.iter().filter_map(|service| service.started.as_ref()).flat_map(Container::gateways);
        swap.nginx.place.addresses.extend(gateways);
    }
    swap.watch()?;
    Ok(names)
}

fn script(swap: &HostSwap<'_>) -> Result<Script> {
    let plan = swap.plan;
    let slots = || plan.services.iter().map(|service| &service.to);
    let needs: Vec<&String> = plan.needs.iter().collect();
    let need = |name: &String| {
        let [named, missing] = making::words(&plan.makings, std::iter::once(name), &needs);
        format!("{name}|{named}|{missing}")
    };
    let idle = plan.services.iter().map(|service| (&service.to, service.port));
    let idle = idle.filter_map(|(to, port)| Some(to.running.as_ref()?.as_slot(port, &to.slot)));
    let script = swap
        .script("to start the idle slot", include_str!("start.sh"))
        .with(&[COMPOSE, TRAFFIC])
        .set("at", swap.nginx.place.as_nginx())
        .list("idle", idle)
        .list(
            "files",
            plan.conf.iter().map(|conf| format!("{}|{}|{}", conf.how().word(), digest(&conf.before), conf.path)),
        )
        .set("compose", plan.compose.word())
        .set("directory", &plan.directory)
        .list("tags", swap.tags()?)
        .list("needs", plan.needs.iter().map(need))
        .list("firsts", plan.first.iter().map(|first| format!("{}|{}", first.service, first.condition.word())))
        .list("kept", slots().filter_map(|to| to.kept.as_ref()).map(|k| format!("{}|{}", k.container, k.restart)))
        .args(anew(swap));
    let limit = script.limit + FIRST * u32::try_from(plan.first.len()).unwrap_or(1);
    Ok(script.limit(limit).stdin(swap.journal_line()?))
}

/// The words for the slots that are started anew: those of a project at once.
fn anew(swap: &HostSwap<'_>) -> Vec<String> {
    let plan = swap.plan;
    let made: Vec<&String> = plan.services.iter().map(|service| &service.to.slot).chain(&plan.needs).collect();
    let mut places: BTreeMap<String, Vec<&NewSlot>> = BTreeMap::new();
    for to in plan.services.iter().map(|service| &service.to).filter(|to| to.kept.is_none()) {
        places.entry(swap.within(&to.slot, &to.within).0).or_default().push(to);
    }
    let words = |(place, slots): (String, Vec<&NewSlot>)| {
        let names = || slots.iter().map(|to| &to.slot);
        let by_compose = names().any(|slot| plan.makings.get(slot).is_some_and(|making| making.by_compose));
        let [named, missing] = making::words(&plan.makings, names(), &made);
        let services = slots.iter().map(|to| swap.within(&to.slot, &to.within).1.to_owned());
        let services = services.collect::<Vec<_>>().join(" ");
        [place, named, missing, if by_compose { "compose" } else { "docker" }.to_owned(), services]
    };
    places.into_iter().flat_map(words).collect()
}

/// Compose took the image of this release: a reference that changed meanwhile would name another.
async fn runs_the_image(swap: &HostSwap<'_>, service: &ServiceSwap<'_>, container: &Container) -> Result<()> {
    let Some(wanted) = service.image.as_ref().filter(|image| **image != container.image) else { return Ok(()) };
    let docker = swap.host.docker(&swap.plan.engine)?;
    let images = (docker.image(wanted).await?, docker.image(&container.image).await?);
    if images.0.is_some() && images.0.map(|image| image.id) == images.1.map(|image| image.id) {
        return Ok(());
    }
    bail!(
        "{} was started on another image than {}: its `image:` in the compose file does not name {} any more",
        service.plan.to.slot,
        service.plan.pull,
        service.plan.tags.first().map_or("the release's tag", |(reference, _)| reference)
    )
}

/// Removes the new slots, and gives the images their names back.
pub(super) async fn undo(swap: &HostSwap<'_>) -> Result<()> {
    let services = &swap.plan.services;
    let slot = |to: &NewSlot| {
        let (place, service) = swap.within(&to.slot, &to.within);
        format!("{service}|{}|{place}", to.before.as_deref().unwrap_or("-"))
    };
    let staying = |to: &NewSlot| {
        let (place, service) = swap.within(&to.slot, &to.within);
        format!("{service}|{place}")
    };
    let tags = services.iter().flat_map(|service| &service.tags);
    let script = swap
        .script("to remove the new slot", include_str!("start_back.sh"))
        .with(&[COMPOSE])
        .set("grace", swap.stop_timeout().as_secs().to_string())
        .list("slots", services.iter().map(|service| slot(&service.to)))
        .list("needs", swap.plan.needs.iter().cloned())
        .list("tags", tags.map(|(reference, image)| format!("{reference}|{}", image.as_deref().unwrap_or("-"))))
        .set("compose", swap.plan.compose.word())
        .set("directory", &swap.plan.directory)
        .list("stay", services.iter().filter(|service| service.stays).map(|service| staying(&service.to)));
    swap.run(script).await
}

/// The containers that a script named; says so where compose would not know one of them again.
pub(super) fn containers(swap: &HostSwap<'_>, output: &[u8]) -> Result<Vec<Container>> {
    let all = sections(output)?;
    for Section { text, .. } in all.iter().filter(|section| section.name == "inexact") {
        let text = format!(
            "a `docker compose up` by hand would recreate a container that was started now, since compose could not make it \
             beside all that it depends on: {}",
            one_line(text, 300)
        );
        swap.host.reporter.note(Level::Warning, &swap.host.name, text);
    }
    let section = all.into_iter().find(|section| section.name == "containers");
    Container::list(&section.context("the host named no container")?.text)
}
