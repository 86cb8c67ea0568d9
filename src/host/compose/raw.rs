//! The YAML of `compose config`, in all shapes that compose v2 and 1.29 print.

use super::{Binding, Condition, Need};
use crate::secret::Secret;
use serde::Deserialize;
use serde::de::IgnoredAny;
use std::collections::BTreeMap;
use std::time::Duration;

#[derive(Deserialize)]
pub(super) struct Project {
    name: Option<String>,
    #[serde(default)]
    services: BTreeMap<String, Service>,
    #[serde(default)]
    networks: BTreeMap<String, Option<Network>>,
    #[serde(default)]
    secrets: BTreeMap<String, Option<Given>>,
    #[serde(default)]
    configs: BTreeMap<String, Option<Given>>,
}

/// A secret or a config.
#[derive(Deserialize)]
struct Given {
    file: Option<String>,
}

/// Which of them a service has.
#[derive(Deserialize)]
#[serde(untagged)]
enum Wants {
    List(Vec<Want>),
    Other(IgnoredAny),
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Want {
    Short(String),
    Long { source: String },
    Other(IgnoredAny),
}

#[derive(Deserialize)]
struct Service {
    image: Option<String>,
    container_name: Option<String>,
    #[serde(default)]
    expose: Vec<Scalar>,
    #[serde(default)]
    ports: Vec<Port>,
    #[serde(default)]
    volumes: Vec<Volume>,
    stop_grace_period: Option<String>,
    restart: Option<String>,
    pull_policy: Option<String>,
    depends_on: Option<Needs>,
    scale: Option<u64>,
    deploy: Option<Deploy>,
    network_mode: Option<String>,
    networks: Option<Names>,
    environment: Option<Environment>,
    secrets: Option<Wants>,
    configs: Option<Wants>,
    post_start: Option<IgnoredAny>,
    build: Option<IgnoredAny>,
    #[serde(default)]
    profiles: Vec<String>,
}

#[derive(Deserialize)]
struct Network {
    driver: Option<String>,
}

#[derive(Deserialize)]
struct Deploy {
    replicas: Option<u64>,
    restart_policy: Option<RestartPolicy>,
}

#[derive(Deserialize)]
struct RestartPolicy {
    condition: Option<String>,
    max_attempts: Option<u64>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Scalar {
    Number(u64),
    Text(String),
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Port {
    Long { target: Scalar, protocol: Option<String>, published: Option<Scalar>, host_ip: Option<String> },
    Short(Scalar),
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Volume {
    Long { source: Option<String>, target: String, r#type: Option<String> },
    Short(String),
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Names {
    List(Vec<String>),
    Map(BTreeMap<String, IgnoredAny>),
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Needs {
    List(Vec<String>),
    Map(BTreeMap<String, Option<RawNeed>>),
}

#[derive(Deserialize)]
struct RawNeed {
    condition: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Environment {
    Map(BTreeMap<String, serde_json::Value>),
    List(Vec<String>),
}

impl From<Project> for super::Project {
    fn from(raw: Project) -> Self {
        let driver = |name: &String| raw.networks.get(name)?.as_ref()?.driver.clone();
        let service = |(name, service): (String, Service)| {
            let drivers = service.networks.iter().flat_map(Names::iter).filter_map(driver).collect();
            let wanted = [(&service.secrets, &raw.secrets), (&service.configs, &raw.configs)].into_iter();
            let given = wanted
                .flat_map(|(wants, given)| wants.iter().flat_map(Wants::names).filter_map(|name| given.get(name)));
            let files = given.flatten().filter_map(|given| given.file.clone()).collect();
            (name, super::Service { network_drivers: drivers, given_files: files, ..service.into() })
        };
        super::Project { name: raw.name.clone(), services: raw.services.into_iter().map(service).collect() }
    }
}

impl From<Service> for super::Service {
    fn from(raw: Service) -> Self {
        let mut ports: Vec<u16> = raw.expose.iter().filter_map(Scalar::port).collect();
        ports.extend(raw.ports.iter().filter_map(Port::target));
        ports.sort_unstable();
        ports.dedup();
        let policy = raw.deploy.as_ref().and_then(|deploy| deploy.restart_policy.as_ref());
        super::Service {
            image: raw.image,
            container_name: raw.container_name,
            ports,
            binds: raw.volumes.into_iter().filter_map(Volume::bind).collect(),
            stop_grace_period: raw.stop_grace_period.as_deref().and_then(duration),
            restart: policy.map(RestartPolicy::word).or(raw.restart),
            pull_policy: raw.pull_policy,
            depends_on: raw.depends_on.map(Needs::into_vec).unwrap_or_default(),
            starts_with_compose: raw.secrets.is_some() || raw.configs.is_some() || raw.post_start.is_some(),
            replicas: raw.deploy.as_ref().and_then(|deploy| deploy.replicas).or(raw.scale),
            network_mode: raw.network_mode,
            network_drivers: Vec::new(),
            given_files: Vec::new(),
            environment: raw.environment.map(Environment::into_map).unwrap_or_default(),
            published: raw.ports.iter().filter_map(Port::published).collect(),
            bindings: raw.ports.iter().filter_map(Port::binding).collect(),
            builds: raw.build.is_some(),
            profiles: raw.profiles,
        }
    }
}

impl Wants {
    fn names(&self) -> Vec<&String> {
        let Wants::List(list) = self else { return Vec::new() };
        list.iter()
            .filter_map(|want| match want {
                Want::Short(name) | Want::Long { source: name } => Some(name),
                Want::Other(_) => None,
            })
            .collect()
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

impl Port {
    fn target(&self) -> Option<u16> {
        match self {
            Port::Long { target, protocol, .. } if protocol.as_deref().unwrap_or("tcp") == "tcp" => target.port(),
            Port::Long { .. } => None,
            Port::Short(Scalar::Text(text)) => Scalar::Text(text.rsplit(':').next()?.to_owned()).port(),
            Port::Short(number) => number.port(),
        }
    }
}

impl Port {
    fn published(&self) -> Option<u16> {
        match self {
            Port::Long { published, .. } => published.as_ref()?.port(),
            Port::Short(Scalar::Text(text)) => {
                let (before, _) = text.rsplit_once(':')?;
                Scalar::Text(before.rsplit(':').next()?.to_owned()).port()
            }
            Port::Short(_) => None,
        }
    }

    /// Where the host reaches it at 127.0.0.1.
    fn binding(&self) -> Option<Binding> {
        let address = match self {
            Port::Long { host_ip, .. } => host_ip.as_deref().unwrap_or_default(),
            Port::Short(Scalar::Text(text)) => {
                text.rsplit_once(':').and_then(|(rest, _)| rest.rsplit_once(':')).map_or("", |(address, _)| address)
            }
            Port::Short(_) => "",
        };
        let (published, target) = (self.published()?, self.target()?);
        let local = address == "127.0.0.1";
        (local || matches!(address, "" | "0.0.0.0" | "::" | "[::]")).then_some(Binding { published, target, local })
    }
}

impl Volume {
    fn bind(self) -> Option<(String, String)> {
        match self {
            Volume::Long { source, target, r#type } => {
                (r#type.as_deref() == Some("bind")).then_some(())?;
                Some((source?, target))
            }
            Volume::Short(text) => {
                let mut parts = text.split(':');
                let (source, target) = (parts.next()?, parts.next()?);
                source.starts_with(['/', '.']).then(|| (source.to_owned(), target.to_owned()))
            }
        }
    }
}

impl Names {
    fn iter(&self) -> Box<dyn Iterator<Item = &String> + '_> {
        match self {
            Names::List(names) => Box::new(names.iter()),
            Names::Map(map) => Box::new(map.keys()),
        }
    }
}

impl Needs {
    fn into_vec(self) -> Vec<Need> {
        let need = |service: String, condition: Option<&str>| Need {
            service,
            condition: match condition {
                Some("service_healthy") => Condition::Healthy,
                Some("service_completed_successfully") => Condition::Completed,
                _ => Condition::Started,
            },
        };
        match self {
            Needs::List(names) => names.into_iter().map(|name| need(name, None)).collect(),
            Needs::Map(map) => {
                map.into_iter().map(|(name, raw)| need(name, raw.and_then(|raw| raw.condition).as_deref())).collect()
            }
        }
    }
}

impl RestartPolicy {
    /// As compose v2 maps it.
    fn word(&self) -> String {
        match (self.condition.as_deref(), self.max_attempts) {
            (Some("none"), _) => "no".to_owned(),
            (Some("on-failure"), Some(attempts)) => format!("on-failure:{attempts}"),
            (Some("on-failure"), None) => "on-failure".to_owned(),
            _ => "always".to_owned(),
        }
    }
}

impl Environment {
    /// Both composes print `$` as `$$`.
    fn into_map(self) -> BTreeMap<String, Option<Secret>> {
        let secret = |text: &str| Some(Secret::new(text.replace("$$", "$")));
        match self {
            Environment::Map(map) => {
                let value = |value: &serde_json::Value| match value {
                    serde_json::Value::Null => Some(None),
                    serde_json::Value::String(text) => Some(secret(text)),
                    serde_json::Value::Bool(value) => Some(secret(&value.to_string())),
                    serde_json::Value::Number(number) if number.is_i64() || number.is_u64() => {
                        Some(secret(&number.to_string()))
                    }
                    _ => None,
                };
                map.into_iter().filter_map(|(name, raw)| Some((name, value(&raw)?))).collect()
            }
            Environment::List(list) => {
                let pair = |text: String| match text.split_once('=') {
                    Some((name, value)) => (name.to_owned(), secret(value)),
                    None => (text, None),
                };
                list.into_iter().map(pair).collect()
            }
        }
    }
}

/// A compose duration such as `1m30s`, `10s` or `500ms`.
pub(super) fn duration(text: &str) -> Option<Duration> {
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
