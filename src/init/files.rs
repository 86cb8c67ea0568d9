//! The texts that `cutover init` writes and prints.

use super::place::Place;
use std::fmt::Write as _;

/// How the workflow names the action where nothing else is said.
pub const ACTION: &str = concat!(env!("CARGO_PKG_REPOSITORY"), "@v", env!("CARGO_PKG_VERSION_MAJOR"));

/// The conf that keeps idle connections open over a reload; the same as cutover puts on a host by itself.
pub const KEEPALIVE: &str = include_str!("../swap/step/keepalive.conf");

/// What is asked of a person, or seen.
#[derive(Debug, Clone)]
pub struct Choices {
    /// `USER@HOST[:PORT]`.
    pub host: String,
    /// The compose project's directory on the host.
    pub directory: String,
    /// Whether the image goes through a registry.
    pub registry: bool,
    /// Compose files, where they are not to be found by compose itself.
    pub compose_files: Vec<String>,
    /// The services; at least one.
    pub services: Vec<ChosenService>,
    /// The health check's path.
    pub health: Option<String>,
    /// The branch whose pushes release.
    pub branch: String,
    /// The action, as `uses:` takes it.
    pub action: String,
}

/// A service of cutover.yml.
#[derive(Debug, Clone)]
pub struct ChosenService {
    /// Its name; not shown where there is only one.
    pub name: String,
    /// The image's name.
    pub image: String,
    /// The directory to build in; `None`: the directory of cutover.yml.
    pub context: Option<String>,
    /// Its slots and upstream, said only where there are several services.
    pub slots: [String; 2],
    /// The upstream.
    pub upstream: Option<String>,
}

/// cutover.yml.
pub fn configuration(answers: &Choices) -> String {
    let repository = env!("CARGO_PKG_REPOSITORY").trim_start_matches("https://github.com/");
    let mut text = format!(
        "# yaml-language-server: $schema=https://raw.githubusercontent.com/{repository}/v0/cutover.schema.json\n"
    );
    if let [only] = &answers.services[..] {
        let _ = writeln!(text, "image: {}", quoted(&only.image));
        if let Some(context) = &only.context {
            let _ = writeln!(text, "build: {}", quoted(context));
        }
    }
    let _ = writeln!(text, "host: {}\ndirectory: {}", quoted(&answers.host), quoted(&answers.directory));
    if !answers.compose_files.is_empty() {
        let files: Vec<String> = answers.compose_files.iter().map(|file| quoted(file)).collect();
        let _ = writeln!(text, "compose-file: [{}]", files.join(", "));
    }
    if !answers.registry {
        text += "registry: none\n";
    }
    if let Some(health) = &answers.health {
        let _ = writeln!(text, "health: {}", quoted(health));
    }
    if answers.services.len() > 1 {
        text += "services:\n";
        answers.services.iter().for_each(|service| text += &service_text(service));
    }
    text
}

fn service_text(service: &ChosenService) -> String {
    let mut text = format!("  {}:\n    image: {}\n", quoted(&service.name), quoted(&service.image));
    if let Some(context) = &service.context {
        let _ = writeln!(text, "    build: {}", quoted(context));
    }
    let [first, second] = &service.slots;
    let _ = writeln!(text, "    slots: [{}, {}]", quoted(first), quoted(second));
    if let Some(upstream) = &service.upstream {
        let _ = writeln!(text, "    upstream: {}", quoted(upstream));
    }
    text
}

/// A YAML scalar: plain where that is safe, else in double quotes (JSON's are a subset of YAML's).
fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/-_.@".contains(c);
    let safe = !text.is_empty()
        && text.chars().all(plain)
        && text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/')
        && !matches!(text.to_ascii_lowercase().as_str(), "true" | "false" | "null" | "yes" | "no" | "on" | "off");
    if safe { text.to_owned() } else { serde_json::Value::from(text).to_string() }
}

/// `.github/workflows/deploy.yml`.
pub fn workflow(answers: &Choices) -> String {
    let text = include_str!("workflow.yml");
    let kept = text.split_inclusive('\n').filter(|line| answers.registry || !line.contains("REGISTRY_"));
    kept.collect::<String>()
        .replace("branches: [main]", &format!("branches: [{}]", quoted(&answers.branch)))
        .replace("cutover-release/cutover@v0", answers.action.trim_start_matches("https://github.com/"))
}

/// What a person does next.
pub fn how_to_go_on(answers: &Choices) -> String {
    let place = Place::of(&answers.host);
    let text = include_str!("next.txt");
    let kept = text.split_inclusive('\n').filter(|line| answers.registry || !line.contains("REGISTRY_"));
    kept.collect::<String>()
        .replace("{name}", &place.name)
        .replace("{port}", place.port.as_deref().unwrap_or("22"))
        .replace("{registry}", answers.services.first().map_or("", |service| registry(&service.image)))
}

pub(super) fn registry(image: &str) -> &str {
    image.parse::<crate::config::ImageName>().map_or("docker.io", |name| {
        let known = name.registry().len();
        if image.len() > known && image.starts_with(name.registry()) { &image[..known] } else { "Docker Hub" }
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::config::Config;

    fn answers(count: usize) -> Choices {
        let service = |number: usize| ChosenService {
            name: format!("s{number}"),
            image: format!("ghcr.io/a/s{number}"),
            context: Some("back end".to_owned()),
            slots: [format!("blue{number}"), format!("green{number}")],
            upstream: Some(format!("up{number}")),
        };
        Choices {
            host: "deploy@203.0.113.10:2222".to_owned(),
            directory: "/srv/app".to_owned(),
            registry: true,
            compose_files: vec!["docker-compose.yml".to_owned(), "other file.yml".to_owned()],
            services: (0..count).map(service).collect(),
            health: Some("/health?x=1".to_owned()),
            branch: "main".to_owned(),
            action: ACTION.to_owned(),
        }
    }

    #[test]
    fn what_is_written_can_be_read() {
        for count in [1, 2] {
            let text = configuration(&answers(count));
            let config = Config::parse(&text, "cutover.yml", None).unwrap_or_else(|error| panic!("{error}\n{text}"));
            assert_eq!(config.services.len(), count);
            assert_eq!(config.services[0].image.as_str(), "ghcr.io/a/s0");
            assert_eq!(config.services[0].health.path, "/health?x=1");
        }
    }

    #[test]
    fn the_next_steps_name_host_port_and_registry() {
        let text = how_to_go_on(&answers(1));
        assert!(text.contains("ssh-keyscan -p 2222 203.0.113.10"), "{text}");
        assert!(text.contains("restrict,port-forwarding ssh-ed25519"), "{text}");
        assert!(text.contains("ghcr.io"), "{text}");
        assert!(!text.contains('{'), "{text}");
    }
}
