//! Slots that are in a profile which nothing activates: compose shows them only where it is told to.

use super::discover;
use crate::config::{Config, ServiceSettings};
use crate::host::compose::{Project, Service};
use crate::see::read::survey::Survey;
use std::collections::BTreeSet;

/// A project with the profiles of its slots active, and nobody else's.
pub(crate) struct Activated {
    /// The project.
    pub(crate) project: Project,
    /// All that are active then, as `COMPOSE_PROFILES` has them; empty where the slots need none.
    pub(crate) profiles: String,
}

/// Activates what the slots need. A slot that is in no profile, or in an active one, needs nothing.
pub(crate) fn activate(project: &Project, survey: &Survey, config: &Config) -> Activated {
    let as_it_is = || Activated { project: project.clone(), profiles: String::new() };
    let Some(whole) = &survey.whole else { return as_it_is() };
    let slots = config.services.iter().filter_map(|service| hidden(project, whole, service)).flatten();
    // compose 1.29 shows those of no active profile too
    let inactive = |service: &&Service| !service.profiles.iter().any(|profile| survey.profiles.contains(profile));
    let services = slots.filter_map(|slot| whole.services.get(&slot)).filter(inactive);
    let wanted: BTreeSet<&String> = services.filter_map(|service| service.profiles.first()).collect();
    if wanted.is_empty() {
        return as_it_is();
    }
    let mut active: Vec<&String> = survey.profiles.iter().chain(wanted).collect();
    active.dedup();
    let mut project = whole.clone();
    let is_active = |names: &[String]| names.is_empty() || names.iter().any(|name| active.contains(&name));
    project.services.retain(|_, service| is_active(&service.profiles));
    let profiles = active.into_iter().map(String::as_str).collect::<Vec<_>>().join(",");
    Activated { project, profiles }
}

/// The slots of a service that are seen with all profiles only. Those that are seen without count, unless one of them is
/// the other's of a pair.
fn hidden(project: &Project, whole: &Project, service: &ServiceSettings) -> Option<[String; 2]> {
    let found = discover::slots(whole, service).ok()?;
    match discover::slots(project, service) {
        Ok(seen) if !seen.iter().any(|slot| found.contains(slot)) => None,
        _ => Some(found),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn activated(whole: &str, more: &str) -> Activated {
        let project = |text: &str| Project::parse(&format!("services:\n{text}")).expect("a project");
        let whole = project(whole);
        let mut seen = whole.clone();
        seen.services.retain(|_, service| service.profiles.is_empty());
        let survey = Survey { whole: Some(whole), profiles: vec!["own".to_owned()], ..Survey::default() };
        let text = format!("image: a/b\nhost: a@b.example\ndirectory: /srv/app\n{more}");
        activate(&seen, &survey, &Config::parse(&text, "cutover.yml", None).expect("a configuration"))
    }

    #[test]
    fn the_profiles_of_slots_are_activated_beside_those_that_are_and_no_other() {
        let pair = "  app-blue: {image: a/b}\n  app-green: {image: a/b, profiles: [green]}\n  jobs: {image: a/b, profiles: [jobs]}\n  tool: {image: x, profiles: [own]}\n";
        for stated in ["", "slots: [app-blue, app-green]\n"] {
            let found = activated(pair, stated);
            assert_eq!(found.profiles, "own,green");
            assert_eq!(found.project.services.keys().collect::<Vec<_>>(), ["app-blue", "app-green", "tool"]);
        }
        // a worker beside the slot is not taken for the other one
        let worker = pair.replace("jobs: {image: a/b, profiles: [jobs]}", "worker: {image: a/b}");
        assert_eq!(activated(&worker, "").profiles, "own,green");
    }

    #[test]
    fn what_needs_no_profile_is_left_as_it_is() {
        let seen = "  one: {image: a/b}\n  two: {image: a/b}\n  old-blue: {image: a/b, profiles: [old]}\n  old-green: {image: a/b, profiles: [old]}\n";
        let found = activated(seen, "");
        assert_eq!((found.profiles.as_str(), found.project.services.len()), ("", 2));
    }
}
