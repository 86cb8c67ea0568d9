//! Diagnoses of the compose project: what its slots are made with, and what the host gives to it or does not.

use super::findings::Findings;
use crate::config::{Config, EnvContent};
use crate::host::compose::{Condition, Project, Service, Unset};
use crate::host::container::Container;
use crate::see::interpret::project::{Found, Slot};
use crate::see::interpret::projects::Projects;
use crate::see::read::files::Look;
use crate::see::seen::{Observation, ServiceSeen, SlotSeen};
use std::collections::BTreeSet;

/// Variables that compose takes as empty, where a slot or what it needs uses them.
pub(crate) fn of_unset(projects: &Projects<'_>, found: Option<&Found<'_>>, config: &Config, findings: &mut Findings) {
    let slots = |files: &str| -> Vec<&str> {
        let all = found.iter().flat_map(|found| found.slots.iter().flatten());
        all.filter(|slot| slot.within.scope.files == files).map(|slot| slot.within.service.as_str()).collect()
    };
    let mut main = slots(&projects.scope.files);
    if main.is_empty() {
        main.extend(found.map(|found| found.nginx.as_str()));
    }
    of_project(&projects.survey.unset, projects.project, &main, config, findings);
    for place in projects.beside {
        let slots = slots(&place.scope.files);
        if let (Ok(project), false) = (&place.project, slots.is_empty()) {
            of_project(&place.unset, project, &slots, config, findings);
        }
    }
}

fn of_project(unset: &[Unset], project: &Project, slots: &[&str], config: &Config, findings: &mut Findings) {
    let needs = project.needs_of(slots, &|_| false);
    let ours = |service: &String| {
        slots.is_empty() || slots.contains(&service.as_str()) || needs.iter().any(|need| need.service == *service)
    };
    for unset in unset.iter().filter(|unset| !is_delivered(config, &unset.name)) {
        let users: Vec<&str> = unset.services.iter().filter(|service| ours(service)).map(String::as_str).collect();
        let name = &unset.name;
        let whole = config.env_file.as_ref().is_some_and(|file| matches!(file.content, EnvContent::Whole(_)));
        if users.is_empty() {
            let others = unset.services.join(", ");
            let place = if others.is_empty() { "an env file or elsewhere in the project".to_owned() } else { others };
            let what = format!("${name} stands in {place} and is not set on the host: compose takes it as empty");
            findings.advise(
                "compose",
                what,
                format!("set {name} in .env; where `$` is meant, write `$$` or put the value into single quotes"),
            );
        } else if whole && is_dot_env(config) {
            let what = format!("{name} is not set on the host yet, and {} use it", users.join(", "));
            findings.advise("compose", what, "see that the env file that the release writes has it");
        } else {
            let what =
                format!("{name} is not set on the host: compose would start {} with an empty value", users.join(", "));
            let todo =
                format!("put {name}=VALUE into {}/.env, or write ${{{name}:-}} where empty is meant", config.directory);
            findings.refuse("compose", what, todo);
        }
    }
}

fn is_dot_env(config: &Config) -> bool {
    let dot_env = format!("{}/.env", config.directory);
    config.env_file.as_ref().is_some_and(|file| file.path == ".env" || file.path == dot_env)
}

/// The release itself writes it into `.env`.
fn is_delivered(config: &Config, name: &str) -> bool {
    let Some(file) = config.env_file.as_ref().filter(|_| is_dot_env(config)) else { return false };
    matches!(&file.content, EnvContent::Values(values) if values.iter().any(|(key, _)| key.as_str() == name))
}

/// What the slots are made with.
pub(crate) fn of_slots(found: &Found<'_>, projects: &Projects<'_>, findings: &mut Findings) {
    let survey = projects.survey;
    for slot in found.slots.iter().flatten() {
        let Some(service) = projects.service(&slot.within) else { continue };
        let is_its = |container: &&Container| container.is_of(&slot.within.scope.project, &slot.within.service);
        of_count(&slot.service, service, survey.containers.iter().filter(is_its).count(), findings);
        of_needs(slot, service, projects, findings);
        of_network(&slot.service, service, findings);
        for file in service.given_files.iter().filter(|file| survey.absent.contains(file)) {
            let what =
                format!("{file}, of which a secret or config of it is made, does not exist: it could not be started");
            findings.refuse(
                format!("slot {}", slot.service),
                what,
                "put the file there, or take the secret or config out",
            );
        }
    }
}

/// Of a project that is not nginx's, nothing is started but the slot.
fn of_needs(slot: &Slot<'_>, service: &Service, projects: &Projects<'_>, findings: &mut Findings) {
    if projects.is_main(&slot.within) {
        return;
    }
    let (about, scope) = (format!("slot {}", slot.service), &slot.within.scope);
    for need in &service.depends_on {
        let name = &need.service;
        if need.condition == Condition::Completed {
            let what = format!(
                "it depends on {name}, which must run to its end first; that is done for slots in the project of nginx alone"
            );
            let todo = "take it out of `depends_on`, and run it as `hooks: {release: …}`";
            findings.refuse(&about, what, todo);
        } else if !projects.runs(scope, name) && !projects.runs(&projects.scope, name) {
            let what = format!("it depends on {name}, which does not run in the project {}", scope.project);
            let todo = "start it there if it is needed: a release starts nothing of that project but the slot";
            findings.advise(&about, what, todo);
        }
    }
}

fn of_count(slot: &str, service: &Service, containers: usize, findings: &mut Findings) {
    let about = format!("slot {slot}");
    match service.replicas {
        Some(0) => {
            let what = "`deploy.replicas: 0` (or `scale: 0`) lets compose start no container for it";
            findings.refuse(about, what, "remove it: cutover itself stops the slot that does not serve");
        }
        Some(count @ 2..) => {
            let what = format!("it has {count} replicas (`deploy.replicas` or `scale`), and a slot is one container");
            let todo = "remove it, and let the service use more processes in its one container instead";
            findings.refuse(about, what, todo);
        }
        _ if containers > 1 => {
            let what =
                format!("it has {containers} containers (docker compose up --scale), and a slot is one container");
            findings.refuse(
                about,
                what,
                format!("docker compose up -d --no-deps --no-recreate --scale {slot}=1 {slot}"),
            );
        }
        _ => {}
    }
}

fn of_network(slot: &str, service: &Service, findings: &mut Findings) {
    let about = format!("slot {slot}");
    match service.network_mode.as_deref() {
        Some("host") => {
            let what = "`network_mode: host`: both slots would listen on one port of the host, and none has an address";
            findings.refuse(about, what, "remove it, so that both slots are on the project's network with nginx");
        }
        Some(mode) if mode == "none" || mode.contains(':') => {
            let what = format!("`network_mode: {mode}` gives it no address of its own");
            findings.refuse(about, what, "remove it, so that both slots are on the project's network with nginx");
        }
        _ => {
            if let Some(driver) =
                service.network_drivers.iter().find(|driver| matches!(driver.as_str(), "macvlan" | "ipvlan"))
            {
                let what = format!("it is on a network of the driver {driver}, which the host itself can't reach");
                findings.advise(about, what, "let nginx and both slots share a bridge network as well");
            }
        }
    }
}

/// Where the running container has another value than the new one would get: the names alone, since values are secrets.
pub(crate) fn of_environment(seen: &Observation, projects: &Projects<'_>, look: &Look, findings: &mut Findings) {
    for service in &seen.services {
        if let Some(slot) = service.live.slot() {
            of_values(service, &service.slots[slot], projects, look, findings);
        }
    }
}

fn of_values(service: &ServiceSeen, slot: &SlotSeen, projects: &Projects<'_>, look: &Look, findings: &mut Findings) {
    let (Some(container), Some(stated)) = (&slot.container, projects.service(&slot.within)) else { return };
    let about = format!("slot {}", slot.service);
    let has = container.environment();
    let image = look.images.iter().find(|image| image.id == container.image);
    let of_image: BTreeSet<&str> = image.map(|image| image.environment().into_keys().collect()).unwrap_or_default();
    let (mut passed, mut differ) = (Vec::new(), Vec::new());
    for (name, value) in &stated.environment {
        let same = match value {
            None => !has.contains_key(name.as_str()) || of_image.contains(name.as_str()),
            Some(value) => has.get(name.as_str()) == Some(&value.expose()),
        };
        match value {
            _ if same => {}
            None => passed.push(name.as_str()),
            Some(_) => differ.push(name.as_str()),
        }
    }
    // docker's command line adds the proxies of its own configuration
    let own = |name: &&&str| of_image.contains(**name) || name.to_ascii_lowercase().ends_with("_proxy");
    differ.extend(has.keys().filter(|name| !stated.environment.contains_key(**name)).filter(|name| !own(name)));
    if !passed.is_empty() {
        let what = format!(
            "the running container of {} has {}, which the compose file passes on from the host, and the host has it no more",
            service.name,
            passed.join(", ")
        );
        findings.refuse(&about, what, "put it into the project's .env file");
    }
    if !differ.is_empty() {
        let what = format!("a new container would have other values than the running one for {}", differ.join(", "));
        let todo =
            "see whether that is meant: the compose file, .env or the login's environment changed since it was made";
        findings.advise(&about, what, todo);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::see::judge::findings::Weight;

    fn findings_of(unset: &[Unset], config: &str) -> Vec<(Weight, String)> {
        let text = format!("image: a/b\nhost: a@b.example\ndirectory: /srv/app\n{config}");
        let config = Config::parse(&text, "cutover.yml", None).expect("a configuration");
        let project = Project::parse("services:\n  blue: {depends_on: [db]}\n  green: {}\n  db: {}\n  other: {}\n");
        let mut findings = Findings::default();
        of_project(unset, &project.expect("a project"), &["blue", "green"], &config, &mut findings);
        findings.0.into_iter().map(|finding| (finding.weight, finding.what)).collect()
    }

    #[test]
    fn a_variable_that_a_slot_or_its_need_uses_refuses_unless_the_release_brings_it() {
        let unset = |name: &str, services: &[&str]| Unset {
            name: name.to_owned(),
            services: services.iter().map(|service| (*service).to_owned()).collect(),
        };
        let all = vec![unset("A", &["blue", "other"]), unset("B", &["db"]), unset("C", &["other"]), unset("D", &[])];
        let weights =
            |config: &str| findings_of(&all, config).into_iter().map(|(weight, _)| weight).collect::<Vec<_>>();
        let (refusal, advice) = (Weight::Refusal, Weight::Advice);
        assert_eq!(weights(""), [refusal, refusal, advice, advice]);
        assert_eq!(weights("env-file: {path: .env, values: [A]}\n"), [refusal, advice, advice]);
        assert_eq!(weights("env-file: {path: other.env, values: [A]}\n"), [refusal, refusal, advice, advice]);
        assert_eq!(weights("env-file: {path: /srv/app/.env, from-env: X}\n"), [advice; 4]);
        let what = &findings_of(&all, "")[0].1;
        assert!(what.contains("A is not set") && what.contains("blue") && !what.contains("other"), "{what}");
    }
}
