//! What is true on a host: slots, nginx and its configuration, and where nginx really sends requests.

use super::discover;
use super::findings::Findings;
use super::found::{Found, Slot, find, needs};
use super::history::{self, Record};
use super::journal::Journal;
use super::look::{Look, look};
use super::probe::Question;
use super::refusals::ask_slot;
use super::survey::{Compose, Disk, survey};
use crate::config::{Config, Health, Service};
use crate::host::Host;
use crate::host::container::{Container, Image};
use crate::host::nginx::{Probe, Upstream, probe_for};
use crate::release::version::Version;
use anyhow::Result;
use futures_util::future::join_all;
use std::time::Duration;

/// Name of the file that the keep-alive guard is, beside nginx's configuration file.
pub const GUARD: &str = "cutover-keepalive.conf";

/// Everything that a plan needs of a host.
#[derive(Debug)]
pub struct Observation {
    /// Stamp of what releases had written before it was looked at.
    pub stamp: String,
    /// The project's directory, without symbolic links.
    pub directory: String,
    /// Version of the engine.
    pub engine: String,
    /// Which compose.
    pub compose: Compose,
    /// Name of the compose project.
    pub project: String,
    /// What sets the tags of this project and environment apart: `PROJECT` or `PROJECT-ENVIRONMENT`.
    pub keep_prefix: String,
    /// The services, in the order of the configuration.
    pub services: Vec<ServiceSeen>,
    /// nginx.
    pub nginx: NginxSeen,
    /// Its configuration file with the upstreams.
    pub conf: ConfSeen,
    /// Compose services that the slots need and that are not running.
    pub needs: Vec<String>,
    /// Earlier releases, oldest first.
    pub history: Vec<Record>,
    /// An unfinished swap.
    pub journal: Option<Journal>,
    /// Free space.
    pub disk: Option<Disk>,
}

/// One service on a host.
#[derive(Debug)]
pub struct ServiceSeen {
    /// Its name in the configuration.
    pub name: String,
    /// The image's repository.
    pub image: String,
    /// Its slots.
    pub slots: [SlotSeen; 2],
    /// The upstream that routes to it.
    pub upstream: String,
    /// The port that its slots listen on.
    pub port: u16,
    /// The slot that the configuration file names.
    pub in_conf: usize,
    /// The slot that serves.
    pub live: Live,
    /// When a slot is healthy.
    pub health: Health,
    /// How long a container may take to stop.
    pub stop_timeout: Duration,
    /// How to ask for it through nginx.
    pub probe: Option<Probe>,
    /// Tags of the repository on the host, each with its image.
    pub tagged: Vec<(String, String)>,
    /// Digests of the repository on the host, each with its image.
    pub digests: Vec<(String, String)>,
}

/// One slot on a host.
#[derive(Debug)]
pub struct SlotSeen {
    /// The compose service.
    pub service: String,
    /// What nginx calls it.
    pub host: String,
    /// The image reference in the compose file.
    pub reference: String,
    /// The image that the reference names now.
    pub reference_image: Option<String>,
    /// Its container, running or not.
    pub container: Option<Container>,
    /// The restart policy that the compose file gives it.
    pub restart: String,
    /// The version that the container runs.
    pub version: Option<String>,
    /// The digest of the container's image.
    pub digest: Option<String>,
}

/// Which slot serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Live {
    /// It received what nginx was asked for.
    Proved(usize),
    /// The configuration file names it and it runs, but nothing was seen to reach it.
    Assumed(usize),
    /// No slot serves.
    None,
}

impl Live {
    /// The slot, however it is known.
    pub fn slot(self) -> Option<usize> {
        match self {
            Live::Proved(slot) | Live::Assumed(slot) => Some(slot),
            Live::None => None,
        }
    }
}

/// nginx on a host.
#[derive(Debug)]
pub struct NginxSeen {
    /// Its compose service.
    pub service: String,
    /// Its container, if it runs.
    pub running: Option<Container>,
    /// Where the guard's file could be written, if it is needed and nginx would read it.
    pub guard: Option<String>,
}

/// nginx's configuration file on the host.
#[derive(Debug)]
pub struct ConfSeen {
    /// Its path on the host.
    pub path: String,
    /// Its text.
    pub text: String,
    /// It is mounted alone.
    pub in_place: bool,
}

/// Where cutover keeps its state on a host: `(root, state of this environment)`.
pub fn state_paths(config: &Config) -> (String, String) {
    let root = format!("{}/.cutover", config.directory);
    let environment = config.environment.as_ref().map_or("default", |name| name.as_str());
    let state = format!("{root}/{environment}");
    (root, state)
}

/// Observes a host and changes nothing there. `wanted` are image references that a release would use. `None` comes back
/// where a finding refuses a release so thoroughly that no plan can be made.
pub async fn observe(host: &Host, config: &Config, wanted: &[String]) -> Result<(Option<Observation>, Findings)> {
    let mut findings = Findings::default();
    let files = config.compose_files.join(":");
    let mut variables: Vec<(&str, &str)> = Vec::new();
    variables.extend((!files.is_empty()).then_some(("COMPOSE_FILE", files.as_str())));
    let stated = config.project.as_ref().map(|name| name.as_str());
    variables.extend(stated.map(|name| ("COMPOSE_PROJECT_NAME", name)));
    host.set_environment(&variables);
    let (_, state) = state_paths(config);
    let nginx = config.nginx.service.as_ref().map_or("nginx", |name| name.as_str());
    let mut survey = survey(host, &config.directory, &state, nginx).await?;
    let nginx = survey.nginx.take();
    super::refusals::of_survey(&survey, config, &mut findings);
    let Some((compose, Ok(project))) = &survey.compose else { return Ok((None, findings)) };
    let (Some(directory), Some(Ok(engine))) = (&survey.directory, &survey.engine) else { return Ok((None, findings)) };
    let project_name = survey.project_name(stated);
    variables.retain(|(name, _)| *name == "COMPOSE_FILE");
    variables.push(("COMPOSE_PROJECT_NAME", &project_name));
    host.set_environment(&variables);

    let Some(found) = find(config, project, &project_name, &survey, &mut findings) else { return Ok((None, findings)) };
    let look = look(host, found.look(wanted), nginx).await?;
    super::refusals::of_nginx(&look, found.nginx_running.is_some(), &found.down(), &mut findings);
    let Some(mut seen) = put_together(config, &found, &look, &mut findings) else { return Ok((None, findings)) };
    // the slot that the file names is most likely the live one: it is asked while that is proved
    let early = seen.services.iter().map(|service| ask_slot(host, service, service.in_conf, found.nginx_running));
    let (early, live) = tokio::join!(join_all(early), prove(host, &seen, &found, &look));
    seen.services.iter_mut().zip(live).for_each(|(service, live)| service.live = live);
    let nginx = NginxSeen {
        guard: guard(&look, &seen.conf, &mut findings),
        service: found.nginx.clone(),
        running: found.nginx_running.cloned(),
    };
    let observation = Observation {
        stamp: survey.stamp.clone(),
        directory: directory.clone(),
        engine: engine.clone(),
        compose: *compose,
        needs: needs(project, &project_name, &survey, &found),
        keep_prefix: match &config.environment {
            Some(environment) => format!("{project_name}-{environment}"),
            None => project_name.clone(),
        },
        project: project_name,
        services: seen.services,
        nginx,
        conf: seen.conf,
        history: survey.history,
        journal: survey.journal,
        disk: survey.disk,
    };
    super::refusals::of_slots(host, &observation, project, &look, early, &mut findings).await;
    Ok((Some(observation), findings))
}

struct PutTogether {
    services: Vec<ServiceSeen>,
    conf: ConfSeen,
}

fn put_together(config: &Config, found: &Found<'_>, look: &Look, findings: &mut Findings) -> Option<PutTogether> {
    let stated = config
        .nginx
        .conf
        .as_ref()
        .map(|conf| if conf.starts_with('/') { conf.clone() } else { format!("{}/{conf}", config.directory) });
    let files: Vec<(String, String)> =
        look.files.iter().filter(|(path, _)| stated.as_ref().is_none_or(|stated| stated == path)).cloned().collect();
    if let (Some(stated), true) = (&stated, files.is_empty()) {
        let todo = "correct `nginx: {conf: …}` in cutover.yml, or mount the file into nginx";
        findings.refuse("conf", format!("{stated} is not among the files mounted into nginx"), todo);
        return None;
    }
    let texts: Vec<&str> = look.files.iter().map(|(_, text)| text.as_str()).collect();
    let mut services = Vec::new();
    let mut at_file = None;
    for (service, slots) in config.services.iter().zip(&found.slots) {
        let hosts: Vec<&str> = slots.iter().flat_map(|slot| &slot.names).map(String::as_str).collect();
        let routed = discover::route(&files, &hosts, service.upstream.as_ref().map(|name| name.as_str()));
        let (at, upstream) = match routed {
            Ok(routed) => routed,
            Err(why) => {
                let todo = "the upstream must have one `server` line that names a slot, such as `server blue:3001;`";
                findings.refuse(format!("conf, service {}", service.name), why, todo);
                continue;
            }
        };
        if *at_file.get_or_insert(at) != at {
            let what = format!("{} and {} route different services", files[at_file.unwrap_or(at)].0, files[at].0);
            findings.refuse("conf", what, "put the upstreams of all services into one file: they move in one reload");
            return None;
        }
        services.extend(service_seen(service, slots, &upstream, found, look, &texts, findings));
    }
    if services.len() != config.services.len() {
        return None;
    }
    let (path, text) = files.into_iter().nth(at_file?)?;
    let (inside, in_place) = found.inside(&path)?;
    super::refusals::of_conf(&path, &text, &inside, in_place, look, findings);
    Some(PutTogether { services, conf: ConfSeen { path, text, in_place } })
}

fn service_seen(
    service: &Service,
    slots: &[Slot<'_>; 2],
    upstream: &Upstream,
    found: &Found<'_>,
    look: &Look,
    texts: &[&str],
    findings: &mut Findings,
) -> Option<ServiceSeen> {
    let about = format!("conf, upstream {}", upstream.name);
    let ours = |host: &str| slots.iter().position(|slot| slot.names.iter().any(|name| name == host));
    let named: Vec<_> = upstream.servers.iter().filter_map(|server| Some((ours(&server.host)?, server))).collect();
    let (in_conf, server) = match named.as_slice() {
        [one] => *one,
        [] => {
            let hosts: Vec<&str> = upstream.servers.iter().map(|server| server.host.as_str()).collect();
            let [one, two] = [&slots[0].service, &slots[1].service];
            let what = format!("its servers are {}, the slots are {one} and {two}", hosts.join(", "));
            findings.refuse(about, what, format!("let it have `server {one}:PORT;`"));
            return None;
        }
        _ => {
            let what = "it names both slots, so requests go to both";
            findings.refuse(about, what, "let it name one slot only; cutover changes the name at each release");
            return None;
        }
    };
    // a slot is called by its service name if the file does so, else by its container name
    let kind = slots[in_conf].names.iter().position(|name| *name == server.host).unwrap_or(0);
    let image = service.image.familiar();
    let of_repository = |reference: &&String| service.image.same_repository(reference);
    let tagged = look.images.iter().flat_map(|image| {
        image.repo_tags.iter().flatten().filter(of_repository).map(|tag| (tag.clone(), image.id.clone()))
    });
    let digests = look.images.iter().flat_map(|image| {
        image.repo_digests.iter().flatten().filter(of_repository).map(|digest| (digest.clone(), image.id.clone()))
    });
    let seen = |slot: &Slot<'_>| {
        let image_of = |test: &dyn Fn(&Image) -> bool| look.images.iter().find(|image| test(image));
        let runs = slot.container.and_then(|container| image_of(&|image| image.id == container.image));
        SlotSeen {
            service: slot.service.clone(),
            host: slot.names.get(kind).unwrap_or(&slot.service).clone(),
            reference: slot.reference.clone(),
            reference_image: image_of(&|image| image.is_tagged(&slot.reference)).map(|image| image.id.clone()),
            container: slot.container.cloned(),
            restart: slot.restart.clone(),
            version: slot.container.and_then(|container| version_of(container, runs, found.history, service)),
            digest: runs.and_then(|image| image.digest_in(service.image.as_str())).map(str::to_owned),
        }
    };
    let grace = slots[in_conf].container.and_then(|container| container.config.stop_timeout).map(Duration::from_secs);
    Some(ServiceSeen {
        name: service.name.to_string(),
        image,
        slots: [seen(&slots[0]), seen(&slots[1])],
        upstream: upstream.name.clone(),
        port: service.port.unwrap_or(server.port),
        in_conf,
        live: Live::None,
        health: service.health.clone(),
        stop_timeout: service.stop_timeout.or(grace).unwrap_or(Duration::from_secs(10)),
        probe: probe_for(texts, &upstream.name),
        tagged: tagged.collect(),
        digests: digests.collect(),
    })
}

/// The version that a container runs: as the history has it, else the highest version among its image's tags.
fn version_of(container: &Container, image: Option<&Image>, history: &[Record], service: &Service) -> Option<String> {
    if let Some(record) = history::of_container(history, &container.id) {
        return Some(record.version.clone());
    }
    let tags = image?.repo_tags.iter().flatten().filter(|tag| service.image.same_repository(tag));
    let versions = tags.filter_map(|tag| Version::from_tag(tag.rsplit_once(':')?.1));
    versions.max_by(|a, b| a.semver().cmp(b.semver())).map(|version| version.to_string())
}

/// Finds out which slots really receive what nginx is asked for.
async fn prove(host: &Host, seen: &PutTogether, found: &Found<'_>, look: &Look) -> Vec<Live> {
    let nginx = found.nginx_running.map(Container::addresses).unwrap_or_default();
    let mut all = Vec::new();
    for service in &seen.services {
        let pids = |slot: &SlotSeen| slot.container.as_ref().filter(|c| c.is_running()).map(|c| c.state.pid);
        let pids = [pids(&service.slots[0]), pids(&service.slots[1])];
        let mut live = pids[service.in_conf].map_or(Live::None, |_| Live::Assumed(service.in_conf));
        if let (false, Some(probe)) = (nginx.is_empty(), &service.probe) {
            let before = pids.map(|pid| pid.and_then(|pid| look.received(pid)));
            let question = Question { host, nginx: &nginx, probe, pids, port: service.port };
            if let Ok(Some(slot)) = question.who_answers(before).await {
                live = Live::Proved(slot);
            }
        }
        all.push(live);
    }
    all
}

/// Where the guard would be written: nginx is new enough, reads the directory of its file at http level, and nobody has
/// set the directive yet. Of an nginx that does not run only the files can tell; it says itself whether it takes it.
fn guard(look: &Look, conf: &ConfSeen, findings: &mut Findings) -> Option<String> {
    let (directory, _) = conf.path.rsplit_once('/')?;
    let path = format!("{directory}/{GUARD}");
    let possible = !conf.in_place && look.writable.iter().any(|path| path == directory);
    let Some(version) = &look.nginx_version else {
        let set = look.files.iter().any(|(_, text)| text.contains("keepalive_min_timeout"));
        return (possible && !set).then_some(path);
    };
    let unreadable = !matches!(look.dump, Some(Ok(_)));
    if *version < semver::Version::new(1, 27, 4) || unreadable || look.sets("keepalive_min_timeout") {
        return None;
    }
    if !possible || !look.includes_all_of_conf_directory() {
        let what = "idle keep-alive connections are cut at every reload: `keepalive_min_timeout` is not set";
        findings.advise("nginx", what, "set `keepalive_min_timeout 10s;` in the http block of nginx.conf");
        return None;
    }
    Some(path)
}

impl ServiceSeen {
    /// Whether an image is on the host under a name of this repository.
    pub fn has_image(&self, id: &str) -> bool {
        self.tagged.iter().chain(&self.digests).any(|(_, image)| image == id)
    }

    /// The image on the host that a reference by digest names.
    pub fn present(&self, reference: &str) -> Option<String> {
        if reference.starts_with("sha256:") {
            return Some(reference.to_owned());
        }
        let (_, digest) = reference.split_once('@')?;
        let found =
            self.digests.iter().find(|(known, _)| known.split_once('@').is_some_and(|(_, known)| known == digest));
        found.map(|(_, image)| image.clone())
    }
}
