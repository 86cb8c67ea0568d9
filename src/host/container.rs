//! Containers and images as `docker inspect` prints them: the parts that a swap needs, of every engine since 20.10.

use anyhow::{Context, Result};
use serde::Deserialize;
use std::collections::BTreeMap;

/// A container (Docker Engine API, `ContainerInspect`).
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Container {
    /// Its full id.
    pub id: String,
    /// Its name, with the leading `/`.
    pub name: String,
    /// The id of its image.
    pub image: String,
    /// RFC 3339.
    pub created: String,
    /// How often the engine restarted it.
    pub restart_count: i64,
    /// What it does now.
    pub state: State,
    /// What it was made from.
    pub config: Settings,
    /// What is mounted into it.
    pub mounts: Vec<Mount>,
    /// Where it can be reached.
    pub network_settings: NetworkSettings,
    /// How the engine runs it.
    pub host_config: HostConfig,
}

/// `State` of a container.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct State {
    /// "created", "running", "restarting", "exited", …
    pub status: String,
    /// PID 1 as the host counts; 0 when not running.
    pub pid: i64,
    /// RFC 3339.
    pub started_at: String,
    /// What its healthcheck has said so far, where it has one.
    pub health: Option<Health>,
}

/// `Health` of a container's state.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Health {
    /// "starting", "healthy", "unhealthy".
    pub status: String,
}

/// `Config` of a container.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Settings {
    /// The reference that it was made from.
    pub image: String,
    /// Labels; compose puts project and service here.
    pub labels: Option<BTreeMap<String, String>>,
    /// `ENTRYPOINT`.
    pub entrypoint: Option<Vec<String>>,
    /// `CMD`.
    pub cmd: Option<Vec<String>>,
    /// Seconds between SIGTERM and SIGKILL, where set.
    pub stop_timeout: Option<u64>,
    /// What `docker stop` sends first, where it is not SIGTERM.
    pub stop_signal: Option<String>,
    /// `NAME=value`. Values are secrets.
    pub env: Option<Vec<String>>,
    /// The healthcheck, of the compose file or the image.
    pub healthcheck: Option<Healthcheck>,
}

/// `Healthcheck` of a container.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Healthcheck {
    /// `["NONE"]`, `["CMD", WORD…]` or `["CMD-SHELL", LINE]`.
    pub test: Option<Vec<String>>,
}

/// One mount of a container.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Mount {
    /// "bind", "volume", "tmpfs".
    pub r#type: String,
    /// Of a volume; the engine gives one that nobody named 64 hexadecimal digits.
    pub name: String,
    /// Path on the host.
    pub source: String,
    /// Path in the container.
    pub destination: String,
}

/// `NetworkSettings` of a container.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct NetworkSettings {
    /// Network name → address there.
    pub networks: BTreeMap<String, Endpoint>,
    /// `PORT/PROTOCOL` of the container → ports of the host.
    pub ports: Option<BTreeMap<String, Option<Vec<PortBinding>>>>,
}

/// A container's address on one network.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Endpoint {
    /// IPv4 address; empty when not running.
    #[serde(rename = "IPAddress")]
    pub ip_address: String,
    /// IPv6 address; empty where the network has none.
    #[serde(rename = "GlobalIPv6Address")]
    pub ipv6_address: String,
    /// The host's own address on that network.
    #[serde(rename = "Gateway")]
    pub gateway: String,
    /// The names that it has there beside its own.
    #[serde(rename = "Aliases")]
    pub aliases: Option<Vec<String>>,
}

/// A port of the host that leads to a container.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct PortBinding {
    /// The port of the host; empty where the engine chooses one.
    pub host_port: String,
}

/// `HostConfig` of a container.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct HostConfig {
    /// The restart policy.
    pub restart_policy: RestartPolicy,
    /// PID 1 is the engine's own init, which passes signals on.
    pub init: Option<bool>,
}

/// The restart policy of a container.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct RestartPolicy {
    /// "no", "always", "unless-stopped", "on-failure".
    pub name: String,
    /// How often "on-failure" tries; 0: for ever.
    pub maximum_retry_count: u64,
}

impl RestartPolicy {
    /// As `docker update --restart` takes it.
    pub fn word(&self) -> String {
        match (self.name.as_str(), self.maximum_retry_count) {
            ("", _) => "no".to_owned(),
            ("on-failure", count @ 1..) => format!("on-failure:{count}"),
            (name, _) => name.to_owned(),
        }
    }
}

/// An image (Docker Engine API, `ImageInspect`).
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Image {
    /// `sha256:…`.
    pub id: String,
    /// `NAME:TAG`, Docker Hub's own names short.
    pub repo_tags: Option<Vec<String>>,
    /// `NAME@sha256:…`.
    pub repo_digests: Option<Vec<String>>,
    /// What containers get from it.
    pub config: Option<Settings>,
}

impl Mount {
    /// It is a volume that nobody named.
    pub fn is_anonymous(&self) -> bool {
        self.r#type == "volume" && self.name.len() == 64 && self.name.bytes().all(|byte| byte.is_ascii_hexdigit())
    }
}

impl Container {
    /// Reads the array that `docker inspect` prints. It may hold secrets: never print or keep it.
    pub fn list(json: &str) -> Result<Vec<Container>> {
        serde_json::from_str(json).context("the output of `docker inspect` can't be read")
    }

    /// It is running (and not about to be restarted).
    pub fn is_running(&self) -> bool {
        self.state.status == "running"
    }

    /// A label, empty where it has none of that name.
    pub fn label(&self, name: &str) -> &str {
        self.config.labels.as_ref().and_then(|labels| labels.get(name)).map_or("", String::as_str)
    }

    /// Its name, without the slash.
    pub fn own_name(&self) -> &str {
        self.name.trim_start_matches('/')
    }

    /// Ports of the host that lead to it now.
    pub fn host_ports(&self) -> Vec<u16> {
        let bindings = self.network_settings.ports.iter().flat_map(BTreeMap::values).flatten().flatten();
        bindings.filter_map(|binding| binding.host_port.parse().ok()).collect()
    }

    /// Whether a name means it on one of these networks.
    pub fn is_called(&self, name: &str, networks: &BTreeMap<String, Endpoint>) -> bool {
        let shared = self.network_settings.networks.iter().filter(|(network, _)| networks.contains_key(*network));
        let aliases = |endpoint: &Endpoint| endpoint.aliases.iter().flatten().any(|alias| alias == name);
        shared.into_iter().any(|(_, endpoint)| aliases(endpoint) || self.own_name() == name)
    }

    /// Is the container of this service of this compose project, and not of a one-off `run`.
    pub fn is_of(&self, project: &str, service: &str) -> bool {
        self.label("com.docker.compose.project") == project
            && self.label("com.docker.compose.service") == service
            && !self.label("com.docker.compose.oneoff").eq_ignore_ascii_case("true")
    }

    /// Its address on a network that `other` is on too.
    pub fn address_beside(&self, other: &Container) -> Option<&str> {
        let networks = &self.network_settings.networks;
        let shared = networks.iter().find(|(name, _)| other.network_settings.networks.contains_key(*name));
        let (_, endpoint) = shared?;
        [&endpoint.ip_address, &endpoint.ipv6_address]
            .into_iter()
            .map(String::as_str)
            .find(|address| !address.is_empty())
    }

    /// All its addresses, IPv4 first.
    pub fn addresses(&self) -> Vec<String> {
        let endpoints = || self.network_settings.networks.values();
        let all = endpoints().map(|e| &e.ip_address).chain(endpoints().map(|e| &e.ipv6_address));
        all.filter(|address| !address.is_empty()).cloned().collect()
    }

    /// The host's own addresses on its networks: what comes from the host comes from there.
    pub fn gateways(&self) -> Vec<String> {
        let all = self.network_settings.networks.values().map(|endpoint| endpoint.gateway.clone());
        all.filter(|address| !address.is_empty()).collect()
    }

    /// Its address on any network, IPv4 where there is one.
    pub fn address(&self) -> Option<&str> {
        let endpoints = || self.network_settings.networks.values();
        let all = endpoints().map(|e| e.ip_address.as_str()).chain(endpoints().map(|e| e.ipv6_address.as_str()));
        all.into_iter().find(|address| !address.is_empty())
    }

    /// Its environment variables.
    pub fn environment(&self) -> BTreeMap<&str, &str> {
        self.config.environment()
    }

    /// The words of its healthcheck as `docker exec` takes them; `None` where it has none.
    pub fn healthcheck(&self) -> Option<Vec<&str>> {
        let test = self.config.healthcheck.as_ref()?.test.as_deref()?;
        let words: Vec<&str> = test.iter().skip(1).map(String::as_str).collect();
        match test.first()?.as_str() {
            "CMD" if !words.is_empty() => Some(words),
            "CMD-SHELL" if !words.is_empty() => Some([vec!["/bin/sh", "-c"], words].concat()),
            _ => None,
        }
    }
}

impl Settings {
    fn environment(&self) -> BTreeMap<&str, &str> {
        self.env.iter().flatten().filter_map(|pair| pair.split_once('=')).collect()
    }
}

impl Image {
    /// Reads the array that `docker image inspect` prints.
    pub fn list(json: &str) -> Result<Vec<Image>> {
        serde_json::from_str(json).context("the output of `docker image inspect` can't be read")
    }

    /// The environment variables that its containers get.
    pub fn environment(&self) -> BTreeMap<&str, &str> {
        self.config.as_ref().map(Settings::environment).unwrap_or_default()
    }

    /// Has this `NAME[:TAG]`.
    pub fn is_tagged(&self, reference: &str) -> bool {
        let reference = short(reference);
        self.repo_tags.iter().flatten().any(|tag| short(tag) == reference)
    }

    /// This names it: its id, a tag, or a digest of a registry's.
    pub fn is_called(&self, name: &str) -> bool {
        let has = |digest: &str| self.repo_digests.iter().flatten().any(|known| known.ends_with(digest));
        self.id == name || self.is_tagged(name) || name.find('@').is_some_and(|at| has(&name[at..]))
    }

    /// Its digest in the repository `name`.
    pub fn digest_in(&self, name: &str) -> Option<&str> {
        let name = short(name);
        let name = name.strip_suffix(":latest").unwrap_or(&name);
        let digests = self.repo_digests.iter().flatten().filter_map(|digest| digest.split_once('@'));
        digests.filter(|(of, _)| short(of).strip_suffix(":latest") == Some(name)).map(|(_, digest)| digest).next()
    }
}

/// Whether two references name one tag of one repository, however they are written.
pub fn same_reference(one: &str, other: &str) -> bool {
    short(one) == short(other)
}

/// A reference as docker shows it: no `docker.io/`, no `library/`, `:latest` where no tag is written.
fn short(reference: &str) -> String {
    let bare = reference.strip_prefix("docker.io/").unwrap_or(reference);
    let bare = bare.strip_prefix("library/").unwrap_or(bare);
    let tagged = bare.rsplit('/').next().is_some_and(|last| last.contains(':'));
    if tagged { bare.to_owned() } else { format!("{bare}:latest") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inspect_output_is_read() {
        let json = r#"[{"Id":"c1","Name":"/blue","Image":"sha256:i","RestartCount":0,"State":{"Status":"running","Pid":7,"OOMKilled":false,"StartedAt":"t"},"Config":{"Labels":{"com.docker.compose.project":"app","com.docker.compose.service":"blue","com.docker.compose.oneoff":"False"},"Entrypoint":null,"Cmd":["node","x"]},"NetworkSettings":{"Networks":{"app_default":{"IPAddress":"10.0.0.2"}}},"Unknown":1}]"#;
        let blue = Container::list(json).expect("reads").remove(0);
        assert!(blue.is_of("app", "blue") && !blue.is_of("app", "green") && blue.is_running());
        assert_eq!(blue.address_beside(&blue), Some("10.0.0.2"));
        assert_eq!(blue.address_beside(&Container::default()), None);
    }

    #[test]
    fn policies_healthchecks_and_addresses_are_read() {
        let json = r#"[{"Config":{"Env":["A=b=c","D="],"Healthcheck":{"Test":["CMD-SHELL","curl x || exit 1"]}},"HostConfig":{"Init":true,"RestartPolicy":{"Name":"on-failure","MaximumRetryCount":3}},"NetworkSettings":{"Networks":{"six":{"IPAddress":"","GlobalIPv6Address":"fd00::2"}}}}]"#;
        let one = Container::list(json).expect("reads").remove(0);
        assert_eq!(one.host_config.restart_policy.word(), "on-failure:3");
        assert_eq!(RestartPolicy::default().word(), "no");
        assert_eq!(one.healthcheck(), Some(vec!["/bin/sh", "-c", "curl x || exit 1"]));
        assert_eq!((one.address(), one.address_beside(&one)), (Some("fd00::2"), Some("fd00::2")));
        assert_eq!(one.environment(), BTreeMap::from([("A", "b=c"), ("D", "")]));
        let none = r#"[{"Config":{"Healthcheck":{"Test":["NONE"]}}},{"Config":{}}]"#;
        assert!(Container::list(none).expect("reads").iter().all(|container| container.healthcheck().is_none()));
    }

    #[test]
    fn tags_match_however_they_are_written() {
        let image = Image {
            id: "i".into(),
            repo_tags: Some(vec!["a/b:latest".into(), "127.0.0.1:5000/x:v1".into()]),
            repo_digests: Some(vec!["a/b@sha256:1".into(), "127.0.0.1:5000/x@sha256:2".into()]),
            config: None,
        };
        assert!(image.is_tagged("docker.io/a/b") && image.is_tagged("a/b:latest") && !image.is_tagged("a/b:v1"));
        assert!(image.is_tagged("127.0.0.1:5000/x:v1"));
        assert_eq!(image.digest_in("docker.io/a/b"), Some("sha256:1"));
        assert_eq!(image.digest_in("127.0.0.1:5000/x"), Some("sha256:2"));
        assert_eq!(image.digest_in("b"), None);
    }
}
