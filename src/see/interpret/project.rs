//! What the compose project says of slots and nginx, before nginx's files are read.

use crate::config::Config;
use crate::host::compose::{Compose, Condition, Project};
use crate::host::container::{Container, Mount, same_reference};
use crate::host::nginx::Place;
use crate::see::interpret::discover;
use crate::see::judge::findings::Findings;
use crate::see::read::files::Look;
use crate::see::read::survey::Survey;
use crate::swap::history::Record;
use crate::swap::plan::First;

/// What the compose project says, before nginx's files are read.
pub(crate) struct Found<'a> {
    pub(crate) slots: Vec<[Slot<'a>; 2]>,
    pub(crate) nginx: String,
    pub(crate) nginx_running: Option<&'a Container>,
    /// What is mounted under `/etc/nginx`: (host, container).
    pub(crate) mounts: Vec<(String, String)>,
    /// Named volumes under `/etc/nginx`: (name, container).
    pub(crate) volumes: Vec<(String, String)>,
    pub(crate) history: &'a [Record],
    pub(crate) keep_prefix: String,
    /// The project's directory, without symbolic links.
    pub(crate) directory: &'a str,
}

pub(crate) struct Slot<'a> {
    pub(crate) service: String,
    pub(crate) reference: String,
    pub(crate) names: Vec<String>,
    pub(crate) restart: String,
    pub(crate) profiles: Vec<String>,
    pub(crate) container: Option<&'a Container>,
}

pub(crate) fn find<'a>(
    config: &Config,
    project: &'a Project,
    project_name: &str,
    survey: &'a Survey,
    findings: &mut Findings,
) -> Option<Found<'a>> {
    let container = |service: &str| survey.containers.iter().find(|c| c.is_of(project_name, service));
    let built = |name: &String| {
        let builds = project.services.get(name)?.builds;
        builds.then(|| own_name(project_name, name, survey))
    };
    let slot = |name: String| {
        let service = project.services.get(&name)?;
        let names =
            std::iter::once(name.clone()).chain(service.container_name.clone().filter(|own| *own != name)).collect();
        let reference = service.image.clone().or_else(|| built(&name)).unwrap_or_default();
        let restart = service.restart.clone().unwrap_or_else(|| "no".to_owned());
        let profiles = service.profiles.clone();
        Some(Slot { container: container(&name), service: name, reference, names, restart, profiles })
    };
    let mut slots = Vec::new();
    for service in &config.services {
        match discover::slots(project, service) {
            Ok([one, two]) => slots.extend(slot(one).zip(slot(two)).map(|(one, two)| [one, two])),
            Err(why) => findings.refuse(
                format!("service {}", service.name),
                why,
                "name the two compose services with `slots: [blue, green]` in cutover.yml",
            ),
        }
    }
    let nginx = match discover::nginx(project, config.nginx.service.as_ref().map(|name| name.as_str())) {
        Ok(nginx) => nginx,
        Err(why) => {
            findings.refuse("nginx", why, "name nginx's compose service with `nginx: {service: …}` in cutover.yml");
            return None;
        }
    };
    if slots.len() != config.services.len() {
        return None;
    }
    let nginx_running = container(&nginx).filter(|container| container.is_running());
    let mounts = match nginx_running {
        Some(container) => {
            let binds = container.mounts.iter().filter(|mount| mount.r#type != "volume");
            binds.map(|mount| (mount.source.clone(), mount.destination.clone())).collect()
        }
        None => project.services[&nginx].binds.clone(),
    };
    let mounts = mounts.into_iter().filter(|(_, to): &(String, String)| to.starts_with("/etc/nginx")).collect();
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
        nginx,
        nginx_running,
        mounts,
        history: &survey.history,
        keep_prefix,
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

impl Slot<'_> {
    /// Its container has volumes without a name, which compose hands on to the one that replaces it.
    pub(crate) fn inherits(&self) -> bool {
        self.container.is_some_and(|container| container.mounts.iter().any(Mount::is_anonymous))
    }
}

impl Found<'_> {
    /// What to look at on the host.
    pub(crate) fn look(&self, wanted: &[String]) -> crate::see::read::files::Ask {
        let all = || self.slots.iter().flatten();
        let containers = || all().filter_map(|slot| slot.container);
        let running = containers().filter(|container| container.is_running());
        let mut images: Vec<String> = containers().map(|container| container.image.clone()).collect();
        images.extend(all().map(|slot| slot.reference.clone()).filter(|reference| !reference.is_empty()));
        images.extend(wanted.iter().cloned());
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
    pub(crate) fn shown(&self, place: &Place) -> String {
        format!("{}:{}", self.on_host(&place.file), place.line)
    }

    /// The same for a text that has such a place in brackets at its end.
    pub(crate) fn shown_in(&self, text: &str) -> String {
        let parts = text.rsplit_once('(').and_then(|(before, place)| Some((before, place.rsplit_once(':')?)));
        match parts {
            Some((before, (file, line))) => format!("{before}({}:{line}", self.on_host(file)),
            None => text.to_owned(),
        }
    }

    fn on_host(&self, file: &str) -> String {
        let of = |(from, to): &(String, String)| {
            let rest = file.strip_prefix(to.trim_end_matches('/'))?;
            let whole = rest.is_empty() || rest.starts_with('/');
            whole.then(|| format!("{}{rest}", from.trim_end_matches('/')))
        };
        let host = self.mounts.iter().find_map(of).unwrap_or_else(|| file.to_owned());
        host.strip_prefix(&format!("{}/", self.directory)).map_or(host.clone(), str::to_owned)
    }

    /// Where the container has a file of the host.
    pub(crate) fn inside(&self, path: &str) -> Option<(String, bool)> {
        self.mounts.iter().find_map(|(from, to)| {
            if path == from {
                return Some((to.clone(), true));
            }
            let rest = path.strip_prefix(from.trim_end_matches('/'))?.strip_prefix('/')?;
            Some((format!("{}/{rest}", to.trim_end_matches('/')), false))
        })
    }
}

/// What must be healthy, or have run to its end on the new image, before a slot is started; neither slots nor nginx.
pub(crate) fn first(project: &Project, found: &Found<'_>) -> Vec<First> {
    let slots: Vec<&str> = found.slots.iter().flatten().map(|slot| slot.service.as_str()).collect();
    let needs = project.needs_of(&slots, &|_| false).into_iter();
    let needs = needs.filter(|need| need.condition != Condition::Started && need.service != found.nginx);
    needs.map(|need| First { service: need.service, condition: need.condition }).collect()
}

/// Services that the slots depend on and that are not running; neither slots nor nginx.
pub(crate) fn needs(project: &Project, project_name: &str, survey: &Survey, found: &Found<'_>) -> Vec<String> {
    let slots: Vec<&str> = found.slots.iter().flatten().map(|slot| slot.service.as_str()).collect();
    let runs = |name: &str| survey.containers.iter().any(|c| c.is_of(project_name, name) && c.is_running());
    let wanted = project.needs_of(&slots, &runs).into_iter();
    let wanted = wanted.filter(|need| need.condition != Condition::Completed && need.service != found.nginx);
    wanted.map(|need| need.service).filter(|name| !runs(name) && project.services.contains_key(name)).collect()
}
