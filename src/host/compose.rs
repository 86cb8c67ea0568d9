//! A compose project as `compose config` prints it: the parts that a swap needs, from compose v2 and 1.29 alike.

use anyhow::{Context, Result};
use serde::Deserialize;
use serde::de::IgnoredAny;
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
    /// `restart`.
    pub restart: Option<String>,
    /// `pull_policy`.
    pub pull_policy: Option<String>,
    /// Services named by `depends_on`.
    pub depends_on: Vec<String>,
    /// It has secrets, configs or hooks that compose brings in when it starts a container.
    pub starts_with_compose: bool,
}

#[derive(Deserialize)]
struct RawProject {
    name: Option<String>,
    #[serde(default)]
    services: BTreeMap<String, RawService>,
}

#[derive(Deserialize)]
struct RawService {
    image: Option<String>,
    container_name: Option<String>,
    #[serde(default)]
    expose: Vec<Scalar>,
    #[serde(default)]
    ports: Vec<RawPort>,
    #[serde(default)]
    volumes: Vec<RawVolume>,
    stop_grace_period: Option<String>,
    restart: Option<String>,
    pull_policy: Option<String>,
    depends_on: Option<Names>,
    secrets: Option<IgnoredAny>,
    configs: Option<IgnoredAny>,
    post_start: Option<IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Scalar {
    Number(u64),
    Text(String),
}

#[derive(Deserialize)]
#[serde(untagged)]
enum RawPort {
    Long { target: Scalar, protocol: Option<String> },
    Short(Scalar),
}

#[derive(Deserialize)]
#[serde(untagged)]
enum RawVolume {
    Long { source: Option<String>, target: String, r#type: Option<String> },
    Short(String),
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Names {
    List(Vec<String>),
    Map(BTreeMap<String, IgnoredAny>),
}

impl Project {
    /// Reads the YAML that `docker compose config` (v2) or `docker-compose config` (1.29) prints.
    ///
    /// The text holds the project's environment values: it is never printed or kept.
    pub fn parse(text: &str) -> Result<Project> {
        // what a host prints may ask for any number of copies of its longest text
        let copies = (MOST_COPIED / text.len().max(1)).clamp(16, 100_000);
        let options = serde_saphyr::options! {
            alias_limits: serde_saphyr::alias_limits! { max_total_replayed_events: copies },
        };
        let raw: RawProject = serde_saphyr::from_str_with_options(text, options)
            .context("the output of `compose config` can't be read")?;
        let services = raw.services.into_iter().map(|(name, service)| (name, service.into())).collect();
        Ok(Project { name: raw.name, services })
    }
}

impl From<RawService> for Service {
    fn from(raw: RawService) -> Self {
        let mut ports: Vec<u16> = raw.expose.iter().filter_map(Scalar::port).collect();
        ports.extend(raw.ports.iter().filter_map(RawPort::target));
        ports.sort_unstable();
        ports.dedup();
        Service {
            image: raw.image,
            container_name: raw.container_name,
            ports,
            binds: raw.volumes.into_iter().filter_map(RawVolume::bind).collect(),
            stop_grace_period: raw.stop_grace_period.as_deref().and_then(duration),
            restart: raw.restart,
            pull_policy: raw.pull_policy,
            depends_on: raw.depends_on.map(Names::into_vec).unwrap_or_default(),
            starts_with_compose: raw.secrets.or(raw.configs).or(raw.post_start).is_some(),
        }
    }
}

impl Scalar {
    fn port(&self) -> Option<u16> {
        match self {
            Scalar::Number(number) => u16::try_from(*number).ok(),
            Scalar::Text(text) => match text.split_once('/') {
                Some((port, "tcp")) => port.parse().ok(),
                Some(_) => None,
                None => text.parse().ok(),
            },
        }
    }
}

impl RawPort {
    fn target(&self) -> Option<u16> {
        match self {
            RawPort::Long { target, protocol } if protocol.as_deref().unwrap_or("tcp") == "tcp" => target.port(),
            RawPort::Long { .. } => None,
            RawPort::Short(Scalar::Text(text)) => Scalar::Text(text.rsplit(':').next()?.to_owned()).port(),
            RawPort::Short(number) => number.port(),
        }
    }
}

impl RawVolume {
    fn bind(self) -> Option<(String, String)> {
        match self {
            RawVolume::Long { source, target, r#type } => {
                (r#type.as_deref() == Some("bind")).then_some(())?;
                Some((source?, target))
            }
            RawVolume::Short(text) => {
                let mut parts = text.split(':');
                let (source, target) = (parts.next()?, parts.next()?);
                source.starts_with(['/', '.']).then(|| (source.to_owned(), target.to_owned()))
            }
        }
    }
}

impl Names {
    fn into_vec(self) -> Vec<String> {
        match self {
            Names::List(names) => names,
            Names::Map(map) => map.into_keys().collect(),
        }
    }
}

/// A compose duration such as `1m30s`, `10s` or `500ms`.
fn duration(text: &str) -> Option<Duration> {
    let mut total = Duration::ZERO;
    let mut rest = text.trim();
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let number: f64 = rest[..digits].parse().ok()?;
        let unit = &rest[digits..];
        let unit = &unit[..unit.find(|c: char| c.is_ascii_digit()).unwrap_or(unit.len())];
        let seconds = match unit {
            "us" | "µs" => number / 1e6,
            "ms" => number / 1e3,
            "s" => number,
            "m" => number * 60.0,
            "h" => number * 3600.0,
            _ => return None,
        };
        total += Duration::try_from_secs_f64(seconds).ok()?;
        rest = &rest[digits + unit.len()..];
    }
    Some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_composes_are_read_alike() {
        let v2 = "name: app\nservices:\n  blue:\n    image: a/b:latest\n    container_name: blue\n    environment: {X: 'y'}\n    expose: ['3001']\n    depends_on: {redis: {condition: service_started, required: true}}\n    stop_grace_period: 1m0s\n  nginx:\n    image: nginx\n    ports: [{mode: ingress, target: 80, published: '80', protocol: tcp}]\n    volumes: [{type: bind, source: /p/nginx, target: /etc/nginx/conf.d, bind: {create_host_path: true}}, {type: volume, source: v, target: /v}]\n";
        let v1 = "services:\n  blue:\n    image: a/b:latest\n    container_name: blue\n    expose: [3001]\n    depends_on: [redis]\n    stop_grace_period: 60s\n  nginx:\n    image: nginx\n    ports: ['80:80/tcp']\n    volumes: ['/p/nginx:/etc/nginx/conf.d:rw', 'v:/v']\nversion: '3.7'\n";
        let v2 = Project::parse(v2).expect("v2");
        let v1 = Project::parse(v1).expect("v1");
        assert_eq!(v2.services, v1.services);
        assert_eq!(v2.name.as_deref(), Some("app"));
        let blue = &v2.services["blue"];
        assert_eq!(
            (blue.ports.as_slice(), blue.depends_on.as_slice()),
            ([3001].as_slice(), ["redis".to_owned()].as_slice())
        );
        assert_eq!(blue.stop_grace_period, Some(Duration::from_secs(60)));
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
    fn durations_have_several_parts() {
        assert_eq!(duration("1m30.5s"), Some(Duration::from_millis(90_500)));
        assert_eq!(duration("500ms"), Some(Duration::from_millis(500)));
        assert_eq!(duration("5 parsecs"), None);
        assert_eq!(duration("10"), None);
    }
}
