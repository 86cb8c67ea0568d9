//! The compose services that run the image of a service beside its slots.

use super::project::Found;
use super::projects::Projects;
use crate::config::ServiceSettings;
use crate::host::container::{Container, Image, same_reference};
use crate::see::judge::findings::Findings;
use crate::see::read::files::Look;
use crate::slots::workers::Worker;
use std::time::Duration;

/// Compose's own, where the compose file says nothing.
const GRACE: Duration = Duration::from_secs(10);

/// Those that are stated. One that does not run the image is refused; one that runs it and is not stated stays old, and is named.
pub(crate) fn workers(
    service: &ServiceSettings,
    projects: &Projects<'_>,
    found: &Found<'_>,
    look: &Look,
    findings: &mut Findings,
) -> Vec<Worker> {
    let runs_image = |reference: &str| {
        let slots = found.slots.iter().flatten();
        let mut own = slots.filter(|slot| service.image.same_repository(&slot.reference));
        service.image.same_repository(reference) || own.any(|slot| same_reference(&slot.reference, reference))
    };
    for name in left_behind(service, projects, found, &runs_image) {
        let what = format!(
            "{name} runs the image of {} too, and a release leaves it on the version that it has",
            service.name
        );
        findings.advise(
            format!("worker {name}"),
            what,
            format!("`workers: [{name}]` in cutover.yml lets a release move it after the switch"),
        );
    }
    let one = |name: &str| worker(name, projects, look, &runs_image);
    let mut all = Vec::new();
    for name in &service.workers {
        match one(name.as_str()) {
            Ok(worker) => all.push(worker),
            Err(why) => findings.refuse(
                format!("worker {name}"),
                why,
                format!("correct `workers` of {} in cutover.yml", service.name),
            ),
        }
    }
    all
}

/// Services of nginx's project that run the image, are neither slots nor stated, and have a container that runs now.
fn left_behind(
    service: &ServiceSettings,
    projects: &Projects<'_>,
    found: &Found<'_>,
    runs_image: &dyn Fn(&str) -> bool,
) -> Vec<String> {
    let is_slot = |name: &String| {
        found.slots.iter().flatten().any(|slot| slot.within.service == *name && projects.is_main(&slot.within))
    };
    let others = projects.project.services.iter().filter(|(name, _)| !is_slot(name) && **name != found.nginx);
    let others = others.filter(|(_, other)| other.image.as_deref().is_some_and(runs_image));
    let others = others.filter(|(name, _)| service.workers.iter().all(|stated| stated.as_str() != name.as_str()));
    others.map(|(name, _)| name).filter(|name| projects.runs(&projects.scope, name)).cloned().collect()
}

fn worker(
    name: &str,
    projects: &Projects<'_>,
    look: &Look,
    runs_image: &dyn Fn(&str) -> bool,
) -> Result<Worker, String> {
    let project = &projects.scope.project;
    let Some(service) = projects.project.services.get(name) else {
        return Err(format!("the compose project {project} has no such service"));
    };
    let reference = service.image.clone().unwrap_or_default();
    if !runs_image(&reference) {
        return Err(format!(
            "its image is {}, which a release does not change",
            if reference.is_empty() { "built for it" } else { &reference }
        ));
    }
    let running = |container: &&Container| container.is_of(project, name) && container.is_running();
    let containers: Vec<&Container> = projects.survey.containers.iter().filter(running).collect();
    let of_container = containers.first().and_then(|container| container.config.stop_timeout).map(Duration::from_secs);
    let grace = of_container.or(service.stop_grace_period).unwrap_or(GRACE);
    let named = |image: &&Image| image.is_tagged(&reference);
    Ok(Worker {
        service: name.to_owned(),
        reference_image: look.images.iter().find(named).map(|image| image.id.clone()),
        image: containers.first().map(|container| container.image.clone()).unwrap_or_default(),
        running: containers.len(),
        grace: grace.as_secs().max(1),
        reference,
    })
}
