//! How compose makes the containers that a swap may have to make.

use crate::host::compose::Compose;
use crate::host::container::same_reference;
use crate::see::interpret::project::{Found, Slot};
use crate::see::interpret::projects::Projects;
use crate::slots::making::Making;
use crate::slots::within::Within;
use std::collections::BTreeMap;

/// How each service is made that a swap may have to make; those that need no words are left out.
pub(crate) fn makings(
    compose: Compose,
    projects: &Projects<'_>,
    found: &Found<'_>,
    needs: &[String],
    workers: &[&String],
) -> BTreeMap<String, Making> {
    let of_main = |name: &String| Within { scope: projects.scope.clone(), service: name.clone() };
    let slots = found.slots.iter().flatten().filter(|slot| !slot.inherits());
    let slots = slots.map(|slot| (slot.service.clone(), slot.within.clone()));
    let others =
        needs.iter().chain([&found.nginx]).chain(workers.iter().copied()).map(|name| (name.clone(), of_main(name)));
    let making = |(name, within): (String, Within)| Some((name, making(projects, &within)?));
    if compose == Compose::V1 { BTreeMap::new() } else { slots.chain(others).filter_map(making).collect() }
}

fn making(projects: &Projects<'_>, within: &Within) -> Option<Making> {
    let (project, service) = (projects.project_of(&within.scope)?, projects.service(within)?);
    let containers = &projects.survey.containers;
    let count = |name: &str| containers.iter().filter(|c| c.is_of(&within.scope.project, name)).count();
    // one that is optional and not in force is none of the project's services
    let beside: Vec<_> = service
        .depends_on
        .iter()
        .map(|need| &need.service)
        .filter(|name| project.services.contains_key(*name))
        .collect();
    let several = |name: &&&String| count(name) > 1;
    let making = Making {
        scaled: beside.iter().filter(several).map(|name| format!("{name}={}", count(name))).collect(),
        without: beside.iter().filter(|name| count(name) == 0).map(|name| (*name).clone()).collect(),
        beside: beside.into_iter().cloned().collect(),
        by_compose: service.starts_with_compose,
    };
    (!making.beside.is_empty()).then_some(making)
}

/// Whether compose v2 would make others anew, nginx above all, together with a slot that stopped on the image of before: it
/// does so with whatever depends on a container that it recreates, and not with what depends on one that was not there.
pub(crate) fn is_leaned_on(compose: Compose, projects: &Projects<'_>, found: &Found<'_>) -> bool {
    let slots = || found.slots.iter().flatten();
    let is_slot = |name: &String| slots().any(|slot| slot.within.service == *name && projects.is_main(&slot.within));
    let others = projects.project.services.iter().filter(|(name, _)| !is_slot(name));
    let leans = others.flat_map(|(_, service)| &service.depends_on).any(|need| is_slot(&need.service));
    let share = found.slots.iter().any(|[one, two]| same_reference(&one.reference, &two.reference));
    compose == Compose::V2 && leans && share && !slots().any(Slot::inherits)
}
