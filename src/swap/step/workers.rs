//! What runs the image and gets no requests is moved once requests reach the new version: stopped, then started on the new image.

use crate::host::container::Container;
use crate::host::script::{Script, sections};
use crate::slots::workers::Worker;
use crate::slots::{COMPOSE, making};
use crate::swap::plan::{Plan, ServicePlan};
use crate::swap::run::{HostSwap, ServiceSwap};
use anyhow::{Context as _, Result, bail};
use std::time::Duration;

/// How long one may take besides its stop: workers.sh has 60 s for its healthcheck.
const EACH: Duration = Duration::from_secs(120);

pub(super) fn explain(plan: &Plan) -> String {
    let names = plan.services.iter().flat_map(|service| &service.workers).map(|worker| worker.service.as_str());
    let names = names.collect::<Vec<_>>().join(", ");
    format!("stop {names} and start them on {}", plan.version)
}

pub(super) async fn run(swap: &HostSwap<'_>) -> Result<String> {
    let tags: Result<Vec<String>> = swap.services.iter().map(tags).collect();
    let script = script(swap, "to move the workers").set("back", "").list("tags", tags?);
    let mut moved = Vec::new();
    for section in sections(&swap.host.run(&script).await?)?.iter().filter(|section| section.name == "containers") {
        for container in Container::list(&section.text)? {
            runs_the_image(swap, &container)?;
            moved.push(container.own_name().to_owned());
        }
    }
    Ok(moved.join(", "))
}

/// Back on the images that they ran: their references name these until the start is undone, which gives every reference its own.
pub(super) async fn undo(swap: &HostSwap<'_>) -> Result<()> {
    let tags = all(swap.plan).map(|(_, worker)| format!("{}|{}", worker.reference, worker.image));
    swap.run(script(swap, "to put the workers back").set("back", "back").list("tags", tags)).await
}

fn all(plan: &Plan) -> impl Iterator<Item = (&ServicePlan, &Worker)> {
    plan.services.iter().flat_map(|service| service.workers.iter().map(move |worker| (service, worker)))
}

/// The references of a service's workers, with the new image.
fn tags(service: &ServiceSwap<'_>) -> Result<String> {
    let image = service.image.as_ref().with_context(|| format!("{} is not on the host", service.plan.pull))?;
    let lines = service.plan.workers.iter().map(|worker| format!("{}|{image}", worker.reference));
    Ok(lines.collect::<Vec<_>>().join("\n"))
}

fn script(swap: &HostSwap<'_>, why: &'static str) -> Script {
    let plan = swap.plan;
    let made: Vec<&String> = all(plan).map(|(_, worker)| &worker.service).collect();
    let words = |(_, worker): (&ServicePlan, &Worker)| {
        let Worker { service, grace, running, .. } = worker;
        let [named, missing] = making::words(&plan.makings, std::iter::once(service), &made);
        let by_compose = plan.makings.get(service).is_some_and(|making| making.by_compose);
        let by = if by_compose { "compose" } else { "docker" }.to_owned();
        [service.clone(), grace.to_string(), running.to_string(), named, missing, by]
    };
    let patience: u64 = all(plan).map(|(_, worker)| worker.grace + EACH.as_secs()).sum();
    swap.script(why, include_str!("workers.sh"))
        .with(&[COMPOSE])
        .set("compose", plan.compose.word())
        .set("directory", &plan.directory)
        .args(all(plan).flat_map(words))
        .limit(Duration::from_secs(patience))
}

/// Compose took the image of this release.
fn runs_the_image(swap: &HostSwap<'_>, container: &Container) -> Result<()> {
    let label = container.label("com.docker.compose.service");
    let has = |service: &&ServiceSwap<'_>| service.plan.workers.iter().any(|worker| worker.service == label);
    let Some(service) = swap.services.iter().find(has) else { return Ok(()) };
    if service.image.as_ref() == Some(&container.image) {
        return Ok(());
    }
    bail!("{label} was started on another image than {}", service.plan.pull)
}
