//! How a container is made so that a later `docker compose up` by hand knows it again and leaves it alone.
//!
//! Compose labels each container with a hash of its service's settings, and recreates one whose hash is not what it would
//! write now. `up --no-deps` of compose v2 up to 2.29 takes those services out of `depends_on` that are not named too, and
//! so writes another hash; 1.29 does not. So whoever depends on others is made with these named, none of them touched.

use super::found::{Found, Slot};
use super::survey::{Compose, Survey};
use crate::host::compose::Project;
use crate::host::container::same_reference;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What compose is told when it makes a service's container.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Making {
    /// The services that it depends on.
    pub beside: Vec<String>,
    /// Those of them that have several containers, or none, as `NAME=COUNT`: compose would make that one.
    pub scaled: Vec<String>,
    /// Those of them that have no container.
    pub without: Vec<String>,
    /// Compose has something to do at its start (secrets, configs, hooks), so `docker start` is not enough.
    pub by_compose: bool,
}

/// How each service is made that a swap may have to make; those that need no words are left out.
pub(super) fn makings(
    compose: Compose,
    project: &Project,
    project_name: &str,
    survey: &Survey,
    found: &Found<'_>,
    needs: &[String],
) -> BTreeMap<String, Making> {
    let slots = found.slots.iter().flatten().filter(|slot| !slot.inherits());
    let names = slots.map(|slot| &slot.service).chain(needs).chain([&found.nginx]);
    let count = |name: &str| survey.containers.iter().filter(|c| c.is_of(project_name, name)).count();
    let making = |name: &String| {
        let service = project.services.get(name)?;
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
        (!making.beside.is_empty()).then(|| (name.clone(), making))
    };
    if compose == Compose::V1 { BTreeMap::new() } else { names.filter_map(making).collect() }
}

/// Whether compose v2 would make others anew, nginx above all, together with a slot that stopped on the image of before: it
/// does so with whatever depends on a container that it recreates, and not with what depends on one that was not there.
pub(super) fn is_leaned_on(compose: Compose, project: &Project, found: &Found<'_>) -> bool {
    let slots = || found.slots.iter().flatten();
    let is_slot = |name: &String| slots().any(|slot| slot.service == *name);
    let others = project.services.iter().filter(|(name, _)| !is_slot(name));
    let leans = others.flat_map(|(_, service)| &service.depends_on).any(|need| is_slot(&need.service));
    let share = found.slots.iter().any(|[one, two]| same_reference(&one.reference, &two.reference));
    compose == Compose::V2 && leans && share && !slots().any(Slot::inherits)
}

/// The two words of the scripts' `make` for services that are made together; `made` have a container by then, or are to
/// keep the one that they get. Empty where nothing needs to be named.
pub(super) fn words<'a>(
    makings: &BTreeMap<String, Making>,
    services: impl Iterator<Item = &'a String> + Clone,
    made: &[&String],
) -> [String; 2] {
    let each = || services.clone().filter_map(|name| makings.get(name));
    let mut with: Vec<String> = Vec::new();
    let mut without: Vec<String> = Vec::new();
    for making in each() {
        with.extend(making.scaled.iter().map(|scaled| format!("--scale {scaled}")));
        with.extend(making.beside.iter().cloned());
        without.extend(making.without.iter().filter(|name| !made.contains(name)).cloned());
    }
    for words in [&mut with, &mut without] {
        words.sort_unstable();
        words.dedup();
    }
    [with.join(" "), without.join(" ")]
}
