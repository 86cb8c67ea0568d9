//! What is true on a host: slots, nginx and its configuration, and where nginx really sends requests.

use super::discover;
use super::evidence::{Looked, Looking};
use super::findings::Findings;
use super::found::{Found, find, first, needs};
use super::history::Record;
use super::journal::Journal;
use super::look::{Look, look};
use super::making::{Making, is_leaned_on, makings};
use super::plan::First;
use super::probe::{Place, Question};
use super::refusals::ask_slot;
use super::survey::{Compose, Disk, survey};
use super::together::{PutTogether, put_together};
use crate::config::{Config, HealthSettings};
use crate::host::Host;
use crate::host::container::Container;
use crate::host::nginx::Probe;
use anyhow::Result;
use futures_util::future::join_all;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

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
    /// How compose makes them, the slots and nginx.
    pub makings: BTreeMap<String, Making>,
    /// What depends on a slot would be made anew together with one that stays behind, stopped, on an earlier image.
    pub leaned_on: bool,
    /// What must be healthy, or have run to its end, before a slot is started.
    pub first: Vec<First>,
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
    /// It comes from here over SSH, and through no registry.
    pub ship: bool,
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
    pub health: HealthSettings,
    /// How long a container may take to stop.
    pub stop_timeout: Duration,
    /// The word in nginx's file that names the slot: where it stands.
    pub word: String,
    /// Requests through nginx that lead to it, plainest first.
    pub candidates: Vec<Probe>,
    /// What was seen of it.
    pub looked: Looked,
    /// What the slot in nginx's file answered to the health check, if it was asked.
    pub health_answer: Option<Result<(u16, Duration), String>>,
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
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Live {
    /// It received what nginx was asked for.
    Proved(usize),
    /// The configuration file names it and it runs, but nothing was seen to reach it.
    Assumed(usize),
    /// No slot serves.
    #[default]
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
    if survey.directory.is_some() && !super::refusals_compose::of_host(&survey, config, &mut findings) {
        return Ok((None, findings));
    }
    super::refusals::of_survey(&survey, config, &mut findings);
    super::refusals::of_history(&survey, &state, &mut findings);
    let Some((compose, Ok(project))) = &survey.compose else { return Ok((None, findings)) };
    let (Some(directory), Some(Ok(engine))) = (&survey.directory, &survey.engine) else { return Ok((None, findings)) };
    let mut project_name = survey.project_name(stated);
    if let (None, Some(runs)) = (stated, survey.runs_as(&project_name, &discover::all_slots(project, config))) {
        let what = format!("its containers were started as the project {runs}, compose here calls it {project_name}");
        findings.advise(
            "project",
            what,
            format!("it is released as {runs}; say so with `project: {runs}` in cutover.yml"),
        );
        project_name = runs;
    }
    variables.retain(|(name, _)| *name == "COMPOSE_FILE");
    variables.push(("COMPOSE_PROJECT_NAME", &project_name));
    variables.extend(survey.variables.iter().map(|(name, value)| (*name, value.as_str())));
    host.set_environment(&variables);

    let found = find(config, project, &project_name, &survey, &mut findings);
    let slots = found.iter().flat_map(|found| found.slots.iter().flatten()).map(|slot| slot.service.as_str());
    let slots: Vec<&str> = slots.collect();
    super::refusals_compose::of_unset(&survey, project, &slots, config, &mut findings);
    let Some(found) = found else { return Ok((None, findings)) };
    super::refusals_compose::of_slots(&found, project, &project_name, &survey, &mut findings);
    let look = look(host, found.look(wanted), nginx).await?;
    super::refusals::of_nginx(&look, found.nginx_running.is_some(), &found.down(), &mut findings);
    let Some(mut seen) = put_together(config, &found, &look, &mut findings) else {
        if survey.journal.is_some() {
            let what = "a run ended half-way, and may have left nginx's file half written";
            findings.advise("journal", what, "`cutover recover` puts it right");
        }
        return Ok((None, findings));
    };
    // the slot that the file names is most likely the live one: it is asked while that is proved
    let early = seen.services.iter().map(|service| async {
        let began = Instant::now();
        (ask_slot(host, service, service.in_conf, found.nginx_running).await, began.elapsed())
    });
    let (early, all) = tokio::join!(join_all(early), prove(host, &seen, &found, &look));
    for ((service, looked), (answer, took)) in seen.services.iter_mut().zip(all).zip(&early) {
        (service.live, service.looked) = (looked.live, looked);
        let answer = answer.as_ref().map(|answer| answer.as_ref().map(|answer| (answer.status, *took)));
        service.health_answer = answer.map(|answer| answer.map_err(|error| format!("{error:#}")));
    }
    let early = early.into_iter().map(|(answer, _)| answer).collect();
    let nginx = NginxSeen {
        guard: guard(&look, &seen.conf, &mut findings),
        service: found.nginx.clone(),
        running: found.nginx_running.cloned(),
    };
    let needs = needs(project, &project_name, &survey, &found);
    let observation = Observation {
        stamp: survey.stamp.clone(),
        directory: directory.clone(),
        engine: engine.clone(),
        compose: *compose,
        leaned_on: is_leaned_on(*compose, project, &found),
        makings: makings(*compose, project, &project_name, &survey, &found, &needs),
        needs,
        keep_prefix: found.keep_prefix.clone(),
        first: first(project, &found),
        project: project_name,
        services: seen.services,
        nginx,
        conf: seen.conf,
        history: survey.history.clone(),
        journal: survey.journal.clone(),
        disk: survey.disk.clone(),
    };
    super::neighbours::judge(&observation, &survey.containers, &mut findings);
    super::refusals_compose::of_environment(&observation, project, &look, &mut findings);
    super::refusals::of_slots(host, &observation, project, &look, early, &mut findings).await;
    super::refusals_route::of_looked(host, &observation, &survey.containers, &mut findings).await?;
    super::refusals_project::of_project(&observation, project, &survey.containers, &mut findings);
    Ok((Some(observation), findings))
}

/// Finds out which slots really receive what nginx is asked for, and how that can be seen.
async fn prove(host: &Host, seen: &PutTogether, found: &Found<'_>, look: &Look) -> Vec<Looked> {
    let nginx = found.nginx_running.map(Place::of).unwrap_or_default();
    let running = |slot: &SlotSeen| slot.container.as_ref().filter(|container| container.is_running()).map(Place::of);
    let mut all = Vec::new();
    for service in &seen.services {
        let slots = service.slots.each_ref().map(running);
        let looking = Looking {
            in_conf: service.in_conf,
            before: slots.each_ref().map(|slot| slot.as_ref().and_then(|slot| look.received(slot.pid))),
            since: look.since.unwrap_or_else(Instant::now),
            candidates: &service.candidates,
            question: Question { host, nginx: nginx.clone(), slots, port: service.port },
        };
        all.push(looking.look().await);
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
