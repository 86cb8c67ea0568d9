//! Every setting as it holds, and where its value comes from. No secret is among them: only the names of variables, and
//! whether they are set.

use super::explain_parts::{build, health, hooks, nginx, ssh};
use super::origin::{Origin, Places};
use super::*;
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;

/// A setting.
#[derive(Debug, Clone, PartialEq)]
pub struct Setting {
    /// Its key, from the top of the file, with dots.
    pub key: String,
    /// What holds; null: nothing.
    pub value: Value,
    /// Where that comes from.
    pub origin: Origin,
    /// Of a variable that holds a secret: whether it is set.
    pub set: Option<bool>,
}

/// Settings in the making.
pub(super) struct Settings<'a> {
    places: Places<'a>,
    variable: &'a dyn Fn(&str) -> Option<String>,
    all: Vec<Setting>,
}

impl Config {
    /// Reads the file, and says of every setting where it comes from. `variable` looks into the environment.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn explain(
        path: &Path,
        environment: Option<&str>,
        variable: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Vec<Setting>, ConfigError> {
        let config = Config::load(path, environment)?;
        let file = path.to_string_lossy();
        let text = String::from_utf8(read_file(path, &file)?).unwrap_or_default();
        let tree = yaml::read(&text).map_err(|wrong| wrong.in_file(&file))?;
        Ok(tree.map(|tree| settings(&config, Places::of(&tree, environment), variable)).unwrap_or_default())
    }
}

impl Settings<'_> {
    /// A setting that the file may state under one of these keys; it is called by the first.
    pub(super) fn any(&mut self, keys: &[&str], value: Value, otherwise: Origin) {
        let key = (*keys.first().unwrap_or(&"")).to_owned();
        let origin = self.places.line(keys).map_or(otherwise, Origin::File);
        self.all.push(Setting { key, value, origin, set: None });
    }

    /// A setting with its default.
    pub(super) fn add(&mut self, key: &str, value: Value) {
        self.any(&[key], value, Origin::Default);
    }

    /// A setting that the hosts say where the file does not.
    pub(super) fn found(&mut self, key: &str, value: Value) {
        self.any(&[key], value, Origin::Found);
    }

    /// The variable that holds a secret.
    pub(super) fn secret(&mut self, key: &str, name: &str) {
        self.secret_of(&[key], name);
    }

    fn secret_of(&mut self, keys: &[&str], name: &str) {
        self.any(keys, json!(name), Origin::Default);
        let set = (self.variable)(name).is_some();
        self.all.iter_mut().last().into_iter().for_each(|last| last.set = Some(set));
    }

    /// A setting of a service: its own key, else one at the top that holds for all.
    fn of_service(&mut self, before: &str, key: &str, value: Value, otherwise: Origin) {
        let own = format!("{before}{key}");
        let common = !before.is_empty() && (key.starts_with("health.") || key == "stop-timeout");
        let keys = if common { vec![own.as_str(), key] } else { vec![own.as_str()] };
        // what an environment says of all services does not lie over what one says of itself
        let line = keys.iter().find_map(|key| self.places.line(&[key]));
        let origin = line.map_or(otherwise, Origin::File);
        self.all.push(Setting { key: own, value, origin, set: None });
    }

    /// What the environment says where the file says nothing; whether it does.
    pub(super) fn or_variable(&mut self, key: &str, value: Value, name: &str, otherwise: &str) -> bool {
        let given = (self.variable)(name).filter(|_| !self.states(key));
        match &given {
            Some(given) => self.any(&[key], json!(given), Origin::Variable(name.to_owned())),
            None if value.is_null() && !otherwise.is_empty() => self.add(key, json!(otherwise)),
            None => self.add(key, value),
        }
        given.is_some()
    }

    /// Whether the file states it.
    pub(super) fn states(&self, key: &str) -> bool {
        self.places.line(&[key]).is_some()
    }
}

fn settings(config: &Config, places: Places<'_>, variable: &dyn Fn(&str) -> Option<String>) -> Vec<Setting> {
    let mut to = Settings { places, variable, all: Vec::new() };
    // by name, so that no key is forgotten here
    let Config { environment: _, root: _, services, hosts: all, directory, compose_files, project, stack, .. } = config;
    let Config { nginx: on_host, latest, when_missing, version_from, registry, ssh: login, .. } = config;
    let Config { drain_timeout, bake, keep, parallel, lock_wait, hooks: own, env_file, github, .. } = config;
    let host = to.places.first(&["host", "hosts"]).map_or("host", |(key, _)| key);
    to.any(&[host], hosts(all), Origin::Default);
    to.add("directory", json!(directory));
    to.found("compose-file", if compose_files.is_empty() { Value::Null } else { json!(compose_files) });
    to.found("project", text(project.as_ref()));
    to.add("engine", json!(if stack.is_some() { "swarm" } else { "compose" }));
    to.add("stack", text(stack.as_ref()));
    services.iter().for_each(|service| of_service(&mut to, service, services.len()));
    nginx(&mut to, on_host);
    ssh(&mut to, login);
    to.add("parallel", json!(parallel));
    to.add("lock.wait", time(*lock_wait));
    of_registry(&mut to, registry.as_ref(), &services[0]);
    to.add("drain-timeout", time(*drain_timeout));
    to.add("bake.for", bake.as_ref().map_or(Value::Null, |bake| time(bake.duration)));
    to.add("bake.max-failures", json!(bake.as_ref().map(|bake| bake.max_failures)));
    to.add("keep", json!(keep));
    hooks(&mut to, own);
    of_env_file(&mut to, env_file.as_ref());
    to.add("latest", json!(word(latest)));
    to.add("when-missing", json!(word(when_missing)));
    of_version(&mut to, version_from);
    of_github(&mut to, github);
    to.all
}

fn hosts(all: &[HostSettings]) -> Value {
    let one = |host: &HostSettings| match &host.alias {
        Some(alias) => format!("{alias} = {}", host.address),
        None => host.address.to_string(),
    };
    match all {
        [only] => json!(one(only)),
        several => several.iter().map(one).collect(),
    }
}

fn of_service(to: &mut Settings<'_>, service: &ServiceSettings, services: usize) {
    let before =
        if services > 1 || to.states("services") { format!("services.{}.", service.name) } else { String::new() };
    let ServiceSettings {
        name: _,
        image,
        ship,
        build: built,
        slots,
        upstream,
        port,
        health: healthy,
        stop_timeout,
        tag,
        workers,
    } = service;
    let mut say = |key: &str, value: Value, otherwise: Origin| to.of_service(&before, key, value, otherwise);
    say("image", text(Some(image)), Origin::Default);
    build(&mut say, built.as_ref(), *ship);
    let slots = slots.as_ref().map(|slots| slots.each_ref().map(slot));
    say("slots", json!(slots), Origin::Found);
    say("upstream", text(upstream.as_ref()), Origin::Found);
    say("port", port.as_ref().map_or(Value::Null, shown_port), Origin::Found);
    health(&mut say, healthy);
    say("tag", json!(tag.to_string()), Origin::Default);
    let workers: Vec<String> = workers.iter().map(ToString::to_string).collect();
    say("workers", if workers.is_empty() { Value::Null } else { json!(workers) }, Origin::Default);
    say("stop-timeout", stop_timeout.map_or(Value::Null, time), Origin::Found);
}

fn shown_port(port: &PortSetting) -> Value {
    match port {
        PortSetting::Same(port) => json!(port),
        PortSetting::Each(all) => all.iter().map(|(slot, port)| (slot.to_string(), json!(port))).collect(),
    }
}

/// A slot by its name alone, where nothing else is stated of it.
fn slot(slot: &SlotSettings) -> Value {
    let SlotSettings { service, project, files } = slot;
    match (project, files.is_empty()) {
        (None, true) => text(service.as_ref()),
        _ => json!({ "service": text(service.as_ref()), "project": text(project.as_ref()), "files": files }),
    }
}

fn of_registry(to: &mut Settings<'_>, registry: Option<&RegistrySettings>, service: &ServiceSettings) {
    let server = registry.and_then(|registry| registry.server.clone());
    let usual = if service.ship { "none" } else { service.image.registry() };
    to.add("registry.server", json!(server.unwrap_or_else(|| usual.to_owned())));
    if !service.ship {
        let username = registry.and_then(|registry| registry.username.clone());
        let _ = to.or_variable("registry.username", json!(username), "CUTOVER_REGISTRY_USERNAME", "");
        let usual = "CUTOVER_REGISTRY_PASSWORD";
        to.secret("registry.password-env", registry.map_or(usual, |registry| registry.password_env.as_str()));
    }
}

fn of_env_file(to: &mut Settings<'_>, file: Option<&EnvFile>) {
    to.add("env-file.path", json!(file.map(|file| &file.path)));
    match file.map(|file| &file.content) {
        None => {}
        Some(EnvContent::Whole(name)) => to.secret("env-file.from-env", name.as_str()),
        Some(EnvContent::Values(pairs)) => {
            for (key, name) in pairs {
                // a list of variables has no line for each
                to.secret_of(&[&format!("env-file.values.{key}"), "env-file.values"], name.as_str());
            }
        }
    }
}

fn of_version(to: &mut Settings<'_>, from: &VersionFrom) {
    match from {
        VersionFrom::UsualPlaces => to.add("version-from", json!("usual-places")),
        VersionFrom::Anywhere => to.add("version-from", json!("anywhere")),
        VersionFrom::Pattern(pattern) => to.add("version-pattern", json!(pattern.as_str())),
    }
}

fn of_github(to: &mut Settings<'_>, github: &GitHubSettings) {
    let GitHubSettings { release, deployments, environment_url } = github;
    to.add("github.release", json!(word(release)));
    to.add("github.deployments", json!(deployments));
    to.add("github.environment-url", json!(environment_url));
}

/// A choice, as the file has it.
fn word(choice: &impl std::fmt::Debug) -> String {
    format!("{choice:?}").to_lowercase()
}

pub(super) fn text(value: Option<&impl ToString>) -> Value {
    json!(value.map(ToString::to_string))
}

/// A length of time, as the file has it.
pub(super) fn time(time: Duration) -> Value {
    json!(duration::show(time))
}
