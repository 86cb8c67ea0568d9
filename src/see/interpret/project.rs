//! What the compose project says of slots and nginx, before nginx's files are read.

use crate::config::Config;
use crate::host::compose::{Binding, Compose, Condition, Project};
use crate::host::container::{Container, Mount, same_reference};
use crate::host::nginx::Place as Spot;
use crate::router::Router;
use crate::see::interpret::nginx::{find_nginx, its_own};
use crate::see::interpret::projects::Projects;
use crate::see::judge::findings::Findings;
use crate::see::judge::on_host;
use crate::see::read::elsewhere::{Elsewhere, OnHost};
use crate::see::read::files::Look;
use crate::see::read::survey::Survey;
use crate::see::read::traffic::Place;
use crate::slots::within::Within;
use crate::swap::history::Record;
use crate::swap::plan::First;

/// What the compose project says, before nginx's files are read.
pub(crate) struct Found<'a> {
    pub(crate) slots: Vec<[Slot<'a>; 2]>,
    /// Where nginx runs.
    pub(crate) kind: Router,
    /// Its compose service, or its container.
    pub(crate) nginx: String,
    pub(crate) nginx_running: Option<&'a Container>,
    /// nginx on the host itself, where that is it.
    pub(crate) on_host: Option<&'a OnHost>,
    /// What is mounted under `/etc/nginx`: (host, container).
    pub(crate) mounts: Vec<(String, String)>,
    /// Named volumes under `/etc/nginx`: (name, container).
    pub(crate) volumes: Vec<(String, String)>,
    pub(crate) history: &'a [Record],
    pub(crate) keep_prefix: String,
    /// Image references of other services that a release moves.
    pub(crate) others: Vec<String>,
    /// The project's directory, without symbolic links.
    pub(crate) directory: &'a str,
}

pub(crate) struct Slot<'a> {
    /// What it is called: its compose service, with its project before it where both slots have the same.
    pub(crate) service: String,
    pub(crate) within: Within,
    pub(crate) reference: String,
    pub(crate) names: Vec<String>,
    pub(crate) restart: String,
    pub(crate) profiles: Vec<String>,
    /// Ports of the host that lead to it.
    pub(crate) bindings: Vec<Binding>,
    pub(crate) container: Option<&'a Container>,
}

pub(crate) fn find<'a>(
    config: &Config,
    projects: &Projects<'a>,
    elsewhere: Option<&'a Elsewhere>,
    findings: &mut Findings,
) -> Option<Found<'a>> {
    let (survey, project, project_name) = (projects.survey, projects.project, &projects.scope.project);
    let container = |service: &str| survey.containers.iter().find(|c| c.is_of(project_name, service));
    let mut slots = Vec::new();
    for service in &config.services {
        let found = projects.slots(service).and_then(|both| {
            let same = both[0].service == both[1].service;
            let [one, two] = both;
            Ok([Slot::of(projects, one, same)?, Slot::of(projects, two, same)?])
        });
        match found {
            Ok(found) => slots.push(found),
            Err(why) => findings.refuse(
                format!("service {}", service.name),
                why,
                "name the two compose services with `slots: [blue, green]` in cutover.yml; where they are in projects or files of \
                 their own, `slots: [{project: …, files: …}, {…}]`",
            ),
        }
    }
    if slots.len() != config.services.len() {
        return None;
    }
    let (kind, nginx, outside) = find_nginx(config, project, &slots, elsewhere, findings)?;
    let on_host = elsewhere.and_then(|elsewhere| elsewhere.host.as_ref()).filter(|_| kind == Router::Host);
    if on_host.is_some_and(|nginx| !on_host::of_nginx(nginx, &slots, findings)) {
        return None;
    }
    let nginx_running = match kind {
        Router::Compose => container(&nginx).filter(|container| container.is_running()),
        Router::Container | Router::Host => outside,
    };
    let mounts = match nginx_running {
        Some(container) => {
            let binds = container.mounts.iter().filter(|mount| mount.r#type != "volume");
            binds.map(|mount| (mount.source.clone(), mount.destination.clone())).collect::<Vec<_>>()
        }
        None => project.services.get(&nginx).map(|service| service.binds.clone()).unwrap_or_default(),
    };
    let inside = |(_, to): &(String, String)| to.starts_with("/etc/nginx");
    let mounts = on_host.map(its_own).unwrap_or_else(|| mounts.into_iter().filter(inside).collect());
    let keep_prefix = match &config.environment {
        Some(environment) => format!("{project_name}-{environment}"),
        None => project_name.to_owned(),
    };
    let volumes = nginx_running.iter().flat_map(|container| &container.mounts).filter(|mount| mount.r#type == "volume");
    let volumes = volumes.map(|mount| (mount.name.clone(), mount.destination.clone()));
    let volumes = volumes.filter(|(_, to)| to.starts_with("/etc/nginx")).collect();
    Some(Found {
        volumes,
        slots,
        kind,
        nginx,
        nginx_running,
        on_host,
        mounts,
        history: &survey.history,
        keep_prefix,
        others: references_of_workers(config, project),
        directory: survey.directory.as_deref().unwrap_or_default(),
    })
}

/// The name that compose gives the image of a service that has `build` and no `image`: `PROJECT-SERVICE`, and `PROJECT_SERVICE`
/// where it is 1.29, or v2 made to be like it: then the containers of the project say so.
fn own_name(project: &str, service: &str, survey: &Survey) -> String {
    let old = matches!(survey.compose, Some((Compose::V1, _)));
    let is_like_old = |container: &Container| {
        let label = container.label("com.docker.compose.service");
        container.is_of(project, label) && same_reference(&container.config.image, &format!("{project}_{label}"))
    };
    let between = if old || survey.containers.iter().any(is_like_old) { '_' } else { '-' };
    format!("{project}{between}{service}")
}

impl<'a> Slot<'a> {
    /// `same`: both slots have one compose service.
    fn of(projects: &Projects<'a>, within: Within, same: bool) -> Result<Slot<'a>, String> {
        let (project, name) = (&within.scope.project, &within.service);
        let service =
            projects.service(&within).ok_or_else(|| format!("the compose project {project} has no service {name}"))?;
        let own = service.container_name.clone();
        let by_compose = || [format!("{project}-{name}-1"), format!("{project}_{name}_1")];
        // a name that both have says nothing
        let names = Some(name.clone()).filter(|_| !same).into_iter();
        let names = match own {
            Some(own) => names.chain([own].into_iter().filter(|own| same || own != name)).collect(),
            None if same => names.chain(by_compose()).collect(),
            None => names.collect(),
        };
        let survey = projects.survey;
        let built = || service.builds.then(|| own_name(project, name, survey));
        Ok(Slot {
            service: if same { format!("{project}/{name}") } else { name.clone() },
            reference: service.image.clone().or_else(built).unwrap_or_default(),
            names,
            restart: service.restart.clone().unwrap_or_else(|| "no".to_owned()),
            profiles: service.profiles.clone(),
            bindings: service.bindings.clone(),
            container: survey.containers.iter().find(|container| container.is_of(project, name)),
            within,
        })
    }
}

impl Slot<'_> {
    /// Its container has volumes without a name, which compose hands on to the one that replaces it.
    pub(crate) fn inherits(&self) -> bool {
        self.container.is_some_and(|container| container.mounts.iter().any(Mount::is_anonymous))
    }
}

impl Found<'_> {
    /// What scripts call nginx, if it runs.
    pub(crate) fn target(&self) -> Option<String> {
        self.on_host.map(OnHost::target).or(self.nginx_running.map(|container| container.id.clone()))
    }

    /// Where nginx is asked, and where its connections come from: from the host, that is the host's own address on the
    /// slots' networks.
    pub(crate) fn place(&self) -> Place {
        let Some(nginx) = self.on_host else { return self.nginx_running.map(Place::of).unwrap_or_default() };
        let slots = self.slots.iter().flatten().filter_map(|slot| slot.container);
        let addresses = slots.flat_map(Container::gateways).collect();
        Place { pid: nginx.pid, addresses, asked: Some("127.0.0.1".to_owned()) }
    }

    /// What to look at on the host.
    pub(crate) fn look(&self, wanted: &[String]) -> crate::see::read::files::Ask {
        let all = || self.slots.iter().flatten();
        let containers = || all().filter_map(|slot| slot.container);
        let running = containers().filter(|container| container.is_running());
        let mut images: Vec<String> = containers().map(|container| container.image.clone()).collect();
        images.extend(all().map(|slot| slot.reference.clone()).filter(|reference| !reference.is_empty()));
        images.extend(wanted.iter().chain(&self.others).cloned());
        images.extend(self.history.iter().flat_map(|record| &record.services).map(|service| service.image.clone()));
        images.sort_unstable();
        images.dedup();
        crate::see::read::files::Ask {
            nginx: self.nginx_running.map(|container| container.id.clone()),
            paths: self.mounts.iter().map(|(from, _)| from.clone()).collect(),
            pids: running.map(|container| container.state.pid).collect(),
            images,
        }
    }

    /// What nginx may call the slots that don't run.
    pub(crate) fn down(&self) -> Vec<&str> {
        let runs = |slot: &&Slot<'_>| slot.container.is_some_and(Container::is_running);
        let down = self.slots.iter().flatten().filter(|slot| !runs(slot));
        down.flat_map(|slot| &slot.names).map(String::as_str).collect()
    }

    /// No slot was ever started.
    pub(crate) fn is_new(&self) -> bool {
        self.slots.iter().flatten().all(|slot| slot.container.is_none())
    }

    /// The files as nginx has them: those that it shows, else those of the host by their path in the container.
    pub(crate) fn as_nginx_has_it(&self, look: &Look) -> Vec<(String, String)> {
        match &look.dump {
            Some(Ok(files)) => files.clone(),
            _ => {
                let inside = |(path, text): &(String, String)| Some((self.inside(path)?.0, text.clone()));
                look.files.iter().filter_map(inside).collect()
            }
        }
    }

    /// A place in a file for people: as the host has it, from the project's directory where it is in there.
    pub(crate) fn shown(&self, place: &Spot) -> String {
        format!("{}:{}", self.host_path(&place.file), place.line)
    }

    /// The same for a text that has such a place in brackets at its end.
    pub(crate) fn shown_in(&self, text: &str) -> String {
        let parts = text.rsplit_once('(').and_then(|(before, place)| Some((before, place.rsplit_once(':')?)));
        match parts {
            Some((before, (file, line))) => format!("{before}({}:{line}", self.host_path(file)),
            None => text.to_owned(),
        }
    }

    fn host_path(&self, file: &str) -> String {
        let of = |(from, to): &(String, String)| {
            let rest = file.strip_prefix(to.trim_end_matches('/'))?;
            let whole = rest.is_empty() || rest.starts_with('/');
            whole.then(|| format!("{}{rest}", from.trim_end_matches('/')))
        };
        let host = self.mounts.iter().find_map(of).unwrap_or_else(|| file.to_owned());
        host.strip_prefix(&format!("{}/", self.directory)).map_or(host.clone(), str::to_owned)
    }

    /// Where nginx has a file of the host, and whether that is mounted alone.
    pub(crate) fn inside(&self, path: &str) -> Option<(String, bool)> {
        self.mounts.iter().find_map(|(from, to)| {
            if path == from {
                return Some((to.clone(), self.on_host.is_none()));
            }
            let rest = path.strip_prefix(from.trim_end_matches('/'))?.strip_prefix('/')?;
            Some((format!("{}/{rest}", to.trim_end_matches('/')), false))
        })
    }
}

fn references_of_workers(config: &Config, project: &Project) -> Vec<String> {
    let names = config.services.iter().flat_map(|service| &service.workers);
    names.filter_map(|name| project.services.get(name.as_str())?.image.clone()).collect()
}

/// The compose services of the slots that are in nginx's project. Of others nothing but the slot itself is started.
fn of_main<'a>(found: &'a Found<'_>, projects: &Projects<'_>) -> Vec<&'a str> {
    let slots = found.slots.iter().flatten().filter(|slot| projects.is_main(&slot.within));
    slots.map(|slot| slot.within.service.as_str()).collect()
}

/// What must be healthy, or have run to its end on the new image, before a slot is started; neither slots nor nginx.
pub(crate) fn first(projects: &Projects<'_>, found: &Found<'_>) -> Vec<First> {
    let (project, slots) = (projects.project, of_main(found, projects));
    let needs = project.needs_of(&slots, &|_| false).into_iter();
    let needs = needs.filter(|need| need.condition != Condition::Started && need.service != found.nginx);
    needs.map(|need| First { service: need.service, condition: need.condition }).collect()
}

/// Services that the slots depend on and that are not running; neither slots nor nginx.
pub(crate) fn needs(projects: &Projects<'_>, found: &Found<'_>) -> Vec<String> {
    let (project, slots) = (projects.project, of_main(found, projects));
    let runs = |name: &str| projects.runs(&projects.scope, name);
    let wanted = project.needs_of(&slots, &runs).into_iter();
    let wanted = wanted.filter(|need| need.condition != Condition::Completed && need.service != found.nginx);
    wanted.map(|need| need.service).filter(|name| !runs(name) && project.services.contains_key(name)).collect()
}
