//! A compose project as `compose config` prints it: the parts that a swap needs, from compose v2 and 1.29 alike.

mod raw;
mod unset;

use crate::secret::Secret;
use anyhow::{Context, Result};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

/// Bytes that aliases may come to.
const MOST_COPIED: usize = 64 << 20;

/// A compose project (Compose Specification), normalised by the host's own compose.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Project {
    /// Top-level `name`; compose 1.29 prints none.
    pub name: Option<String>,
    /// Services by name.
    pub services: BTreeMap<String, Service>,
}

/// A port of the host that leads to one of a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Binding {
    /// That of the host.
    pub published: u16,
    /// That of the container.
    pub target: u16,
    /// Nobody but the host itself reaches it.
    pub local: bool,
}

/// One service of a compose project.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Service {
    /// Image reference as written, variables replaced.
    pub image: Option<String>,
    /// `container_name`, where one is set.
    pub container_name: Option<String>,
    /// Container ports of `expose` and `ports`, TCP only.
    pub ports: Vec<u16>,
    /// Bind mounts: (path on the host, path in the container).
    pub binds: Vec<(String, String)>,
    /// `stop_grace_period`.
    pub stop_grace_period: Option<Duration>,
    /// The restart policy, as `docker update --restart` takes it: of `deploy`, else `restart`.
    pub restart: Option<String>,
    /// `pull_policy`.
    pub pull_policy: Option<String>,
    /// What `depends_on` names.
    pub depends_on: Vec<Need>,
    /// It has secrets, configs or hooks that compose brings in when it starts a container.
    pub starts_with_compose: bool,
    /// Files of the host that its secrets and configs are made of.
    pub given_files: Vec<String>,
    /// How many containers, where `deploy.replicas` or `scale` says it.
    pub replicas: Option<u64>,
    /// `network_mode`.
    pub network_mode: Option<String>,
    /// Drivers of its networks, where the project states them.
    pub network_drivers: Vec<String>,
    /// `environment` and what the env files add. `None` as a value: passed on from the host, where it is not set; where the
    /// value can't be compared, there is no entry.
    pub environment: BTreeMap<String, Option<Secret>>,
    /// Ports of the host, of `ports`: those of one number.
    pub published: Vec<u16>,
    /// Those that the host reaches at 127.0.0.1, each with where it leads.
    pub bindings: Vec<Binding>,
    /// Has `build`.
    pub builds: bool,
    /// `profiles`: one of them must be active, where it has any.
    pub profiles: Vec<String>,
}

impl Service {
    /// Variables that are called after a port and have a port number.
    pub fn port_variables(&self) -> BTreeMap<&str, u16> {
        let named = self.environment.iter().filter(|(name, _)| name.to_ascii_uppercase().contains("PORT"));
        named.filter_map(|(name, value)| Some((name.as_str(), value.as_ref()?.expose().parse().ok()?))).collect()
    }
}

/// A service that another one depends on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Need {
    /// Its name.
    pub service: String,
    /// What it must be before the other one is started.
    pub condition: Condition,
}

/// What a service must be before one that depends on it is started (Compose Specification, `depends_on`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Condition {
    /// `service_started`.
    Started,
    /// `service_healthy`.
    Healthy,
    /// `service_completed_successfully`.
    Completed,
}

impl Condition {
    /// As the scripts call it.
    pub fn word(self) -> &'static str {
        match self {
            Condition::Started => "started",
            Condition::Healthy => "healthy",
            Condition::Completed => "completed",
        }
    }
}

impl Project {
    /// Reads the YAML that `docker compose config` (v2) or `docker-compose config` (1.29) prints.
    ///
    /// The text holds the project's environment values: it is never printed or kept.
    pub fn parse(text: &str) -> Result<Project> {
        let raw: raw::Project = read(text).context("the output of `compose config` can't be read")?;
        Ok(raw.into())
    }

    /// What these services need before them, and what that needs in turn, in an order in which it can be started. The
    /// strongest condition counts; `services` themselves are never in it. What `runs` is there already: nothing is asked of
    /// what that needs in turn.
    pub fn needs_of(&self, services: &[&str], runs: &dyn Fn(&str) -> bool) -> Vec<Need> {
        let mut order = Vec::new();
        services.iter().for_each(|service| self.visit(service, services, runs, &mut Vec::new(), &mut order));
        order
    }

    fn visit(
        &self,
        service: &str,
        but: &[&str],
        runs: &dyn Fn(&str) -> bool,
        path: &mut Vec<String>,
        order: &mut Vec<Need>,
    ) {
        let Some(known) = self.services.get(service) else { return };
        for need in known.depends_on.iter().filter(|need| !but.contains(&need.service.as_str())) {
            if path.contains(&need.service) {
                continue;
            }
            if !runs(&need.service) {
                path.push(need.service.clone());
                self.visit(&need.service, but, runs, path, order);
                path.pop();
            }
            match order.iter_mut().find(|each| each.service == need.service) {
                Some(each) => each.condition = each.condition.max(need.condition),
                None => order.push(need.clone()),
            }
        }
    }
}

pub use unset::{Unset, unset};

/// Which compose the host has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Compose {
    /// The `docker compose` plugin.
    V2,
    /// The `docker-compose` program.
    V1,
}

impl Compose {
    /// As the scripts call it.
    pub fn word(self) -> &'static str {
        match self {
            Compose::V2 => "v2",
            Compose::V1 => "v1",
        }
    }
}

/// As which project, and by which files, compose is called.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scope {
    /// The project's name; empty where compose is to find it.
    pub project: String,
    /// The files as `COMPOSE_FILE` has them; empty where compose is to find them.
    pub files: String,
    /// The active profiles as `COMPOSE_PROFILES` has them; empty where compose is to find them.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub profiles: String,
}

impl Scope {
    /// The variables that say so (Compose, "Set or change pre-defined environment variables").
    pub fn variables(&self) -> Vec<String> {
        let all = [
            ("COMPOSE_FILE", &self.files),
            ("COMPOSE_PROJECT_NAME", &self.project),
            ("COMPOSE_PROFILES", &self.profiles),
        ];
        all.iter().filter(|(_, value)| !value.is_empty()).map(|(name, value)| format!("{name}={value}")).collect()
    }
}

/// Reads YAML of a host. What it prints may ask for any number of copies of its longest text: they are bounded.
fn read<T: DeserializeOwned>(text: &str) -> Result<T, serde_saphyr::Error> {
    let copies = (MOST_COPIED / text.len().max(1)).clamp(16, 100_000);
    let options = serde_saphyr::options! {
        alias_limits: serde_saphyr::alias_limits! { max_total_replayed_events: copies },
    };
    serde_saphyr::from_str_with_options(text, options)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_composes_are_read_alike() {
        let v2 = "name: app\nservices:\n  blue:\n    image: a/b:latest\n    container_name: blue\n    environment: {X: 'y'}\n    expose: ['3001']\n    depends_on: {redis: {condition: service_started, required: true}}\n    stop_grace_period: 1m0s\n  nginx:\n    image: nginx\n    ports: [{mode: ingress, target: 80, published: '80', protocol: tcp}]\n    volumes: [{type: bind, source: /p/nginx, target: /etc/nginx/conf.d, bind: {create_host_path: true}}, {type: volume, source: v, target: /v}]\n";
        let v1 = "services:\n  blue:\n    image: a/b:latest\n    container_name: blue\n    environment: {X: 'y'}\n    expose: [3001]\n    depends_on: [redis]\n    stop_grace_period: 60s\n  nginx:\n    image: nginx\n    ports: ['80:80/tcp']\n    volumes: ['/p/nginx:/etc/nginx/conf.d:rw', 'v:/v']\nversion: '3.7'\n";
        let v2 = Project::parse(v2).expect("v2");
        let v1 = Project::parse(v1).expect("v1");
        assert_eq!(v2.services, v1.services);
        assert_eq!(v2.name.as_deref(), Some("app"));
        let blue = &v2.services["blue"];
        let redis = Need { service: "redis".to_owned(), condition: Condition::Started };
        assert_eq!((blue.ports.as_slice(), blue.depends_on.as_slice()), ([3001].as_slice(), [redis].as_slice()));
        assert_eq!(blue.stop_grace_period, Some(Duration::from_secs(60)));
        assert_eq!((v2.services["nginx"].published.as_slice(), blue.published.len()), ([80].as_slice(), 0));
        assert_eq!(v2.services["nginx"].binds, [("/p/nginx".to_owned(), "/etc/nginx/conf.d".to_owned())]);
    }

    #[test]
    fn aliases_of_a_host_come_to_a_bounded_size() {
        let of = |length: usize, times: usize| {
            let text = format!(
                "x: &x {}\nservices:\n  a:\n    volumes: [{}]\n",
                "y".repeat(length),
                vec!["*x"; times].join(", ")
            );
            Project::parse(&text)
        };
        assert!(of(20, 90).is_ok());
        assert!(of(900_000, 90).is_err());
    }

    #[test]
    fn what_is_needed_comes_in_the_order_in_which_it_is_started() {
        let text = "services:\n  blue: {depends_on: {migrate: {condition: service_completed_successfully}, cache: {condition: service_started}, green: {condition: service_started}}}\n  green: {depends_on: {blue: {condition: service_started}, db: {condition: service_healthy}}}\n  migrate: {depends_on: {db: {condition: service_started}}}\n  cache: {depends_on: [db, loop]}\n  loop: {depends_on: [cache]}\n  db: {}\n";
        let project = Project::parse(text).expect("reads");
        let needs = project.needs_of(&["blue", "green"], &|_| false);
        let at = |name: &str| needs.iter().position(|need| need.service == name).expect(name);
        assert!(at("db") < at("migrate") && at("db") < at("cache"), "{needs:?}");
        assert_eq!(needs.len(), 4, "{needs:?}");
        assert_eq!(needs[at("db")].condition, Condition::Healthy);
        assert_eq!(needs[at("migrate")].condition, Condition::Completed);
    }

    #[test]
    fn replicas_policies_and_environments_are_read() {
        let text = "services:\n  a: {scale: 2, restart: always, deploy: {replicas: 3, restart_policy: {condition: on-failure, max_attempts: 3}}, network_mode: host, environment: {A: 'x$$y', B: null, C: 1, D: true, E: 1.50}}\n  b: {deploy: {restart_policy: {condition: any}}, environment: [PASSED, 'K=v=w']}\n  c: {deploy: {replicas: 0, restart_policy: {condition: none}}, networks: {lan: null}}\n  d: {scale: 2, networks: [lan]}\nnetworks: {lan: {driver: macvlan}}\n";
        let services = Project::parse(text).expect("reads").services;
        let of = |name: &str| &services[name];
        assert_eq!((of("a").replicas, of("c").replicas, of("d").replicas), (Some(3), Some(0), Some(2)));
        let policy = |name: &str| of(name).restart.as_deref();
        assert_eq!((policy("a"), policy("b"), policy("c")), (Some("on-failure:3"), Some("always"), Some("no")));
        let value = |service: &str, name: &str| {
            of(service).environment.get(name).map(|value| value.as_ref().map(|value| value.expose().to_owned()))
        };
        let text = |text: &str| Some(Some(text.to_owned()));
        assert_eq!((value("a", "A"), value("a", "B"), value("a", "C")), (text("x$y"), Some(None), text("1")));
        assert_eq!((value("a", "D"), value("a", "E")), (text("true"), None));
        assert_eq!((value("b", "PASSED"), value("b", "K")), (Some(None), text("v=w")));
        assert_eq!(
            (of("c").network_drivers.as_slice(), of("d").network_drivers.len()),
            (["macvlan".to_owned()].as_slice(), 1)
        );
        assert_eq!(of("a").network_mode.as_deref(), Some("host"));
    }

    #[test]
    fn what_slots_share_or_listen_on_is_read() {
        let text = "services: {a: {build: ., environment: {PORT: '8080', X: 1, TOKEN: t}}, b: {ports: ['127.0.0.1:81:80', '3000-3001:1'], environment: ['APP_PORT=81', A]}}";
        let services = Project::parse(text).expect("a project").services;
        let (a, b) = (&services["a"], &services["b"]);
        assert!(a.builds && !b.builds);
        assert_eq!((a.port_variables()["PORT"], b.port_variables()["APP_PORT"]), (8080, 81));
        assert_eq!((a.port_variables().len(), b.published.as_slice()), (1, [81].as_slice()));
    }

    #[test]
    fn durations_have_several_parts() {
        assert_eq!(raw::duration("1m30.5s"), Some(Duration::from_millis(90_500)));
        assert_eq!(raw::duration("500ms"), Some(Duration::from_millis(500)));
        assert_eq!(raw::duration("5 parsecs"), None);
        assert_eq!(raw::duration("10"), None);
    }
}
