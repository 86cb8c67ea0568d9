//! Where the slots of each service are: in nginx's compose project, or in projects and files of their own.

use super::discover;
use crate::config::{Config, ServiceSettings, SlotSettings};
use crate::host::compose::{Project, Scope, Service};
use crate::host::container::Container;
use crate::see::read::projects::ProjectRead;
use crate::see::read::survey::Survey;
use crate::slots::within::Within;
use std::collections::BTreeSet;

/// The compose projects of a directory that slots can be in.
pub(crate) struct Projects<'a> {
    /// That of nginx.
    pub(crate) project: &'a Project,
    /// As what it is called.
    pub(crate) scope: Scope,
    /// Others.
    pub(crate) beside: &'a [ProjectRead],
    /// What is on the host.
    pub(crate) survey: &'a Survey,
}

/// The projects to read beside that of nginx: stated ones, and, where a service's slots are not in nginx's, those of files
/// that are a pair by their names.
pub(crate) fn beside(config: &Config, project: &Project, survey: &Survey) -> Vec<Scope> {
    let mut all: Vec<Scope> = Vec::new();
    for service in &config.services {
        let scopes: Vec<Scope> = match &service.slots {
            Some(stated) => stated.iter().filter(|slot| !slot.files.is_empty()).map(scope_of).collect(),
            None if discover::slots(project, service).is_err() => {
                let files = survey.pairs.iter().flatten();
                files.map(|file| Scope { files: file.clone(), ..Scope::default() }).collect()
            }
            None => Vec::new(),
        };
        for scope in scopes {
            if !all.contains(&scope) {
                all.push(scope);
            }
        }
    }
    all
}

fn scope_of(slot: &SlotSettings) -> Scope {
    let project = slot.project.as_ref().map(ToString::to_string).unwrap_or_default();
    Scope { project, files: slot.files.join(":"), ..Scope::default() }
}

impl Projects<'_> {
    /// What compose says of a slot's service.
    pub(crate) fn service(&self, within: &Within) -> Option<&Service> {
        self.project_of(&within.scope)?.services.get(&within.service)
    }

    /// The project that has these files.
    pub(crate) fn project_of(&self, scope: &Scope) -> Option<&Project> {
        if scope.files == self.scope.files {
            return Some(self.project);
        }
        self.beside.iter().find(|place| place.scope.files == scope.files)?.project.as_ref().ok()
    }

    /// It is in nginx's project.
    pub(crate) fn is_main(&self, within: &Within) -> bool {
        within.scope == self.scope
    }

    /// A container of this service runs in a project.
    pub(crate) fn runs(&self, scope: &Scope, service: &str) -> bool {
        let is_it = |container: &Container| container.is_of(&scope.project, service) && container.is_running();
        self.survey.containers.iter().any(is_it)
    }

    /// Where the two slots of a service are, or why that can't be told.
    pub(crate) fn slots(&self, wanted: &ServiceSettings) -> Result<[Within; 2], String> {
        if let Some([one, two]) = &wanted.slots
            && [one, two].iter().any(|slot| slot.project.is_some() || !slot.files.is_empty())
        {
            return Ok([self.stated(wanted, one, 0)?, self.stated(wanted, two, 1)?]);
        }
        match discover::slots(self.project, wanted) {
            Ok([one, two]) => {
                let projects = self.apart(&one, &two).unwrap_or_else(|| [self.name(), self.name()]);
                Ok(self.of_main([one, two], projects))
            }
            Err(why) => self.of_one_service(wanted).or_else(|| self.of_pairs(wanted)).ok_or(why),
        }
    }

    fn name(&self) -> String {
        self.scope.project.clone()
    }

    fn of_main(&self, services: [String; 2], projects: [String; 2]) -> [Within; 2] {
        let [one, two] = services;
        let [first, second] = projects.map(|project| Scope { project, ..self.scope.clone() });
        [Within { scope: first, service: one }, Within { scope: second, service: two }]
    }

    fn stated(&self, wanted: &ServiceSettings, slot: &SlotSettings, number: usize) -> Result<Within, String> {
        let files = if slot.files.is_empty() { self.scope.files.clone() } else { slot.files.join(":") };
        let mut scope = Scope { files, ..self.scope.clone() };
        let place = self.beside.iter().find(|place| place.scope.files == scope.files);
        let project = match place {
            Some(place) => place.project.as_ref().map_err(|why| format!("{}: {why}", scope.files))?,
            None => self.project,
        };
        let service = discover::slot(project, wanted, slot, number)?;
        let runs = || one(self.projects_of(&service, place.map(|place| place.scope.files.as_str())));
        let stated = slot.project.as_ref().map(ToString::to_string);
        scope.project = stated.or_else(runs).unwrap_or_else(|| self.called(place));
        Ok(Within { scope, service })
    }

    /// As compose itself calls a project.
    fn called(&self, place: Option<&ProjectRead>) -> String {
        let printed = place.and_then(|place| place.project.as_ref().ok()?.name.clone());
        printed.unwrap_or_else(|| if place.is_some() { self.survey.own_name() } else { self.name() })
    }

    /// The projects that containers of a service were started in from this directory, by this file where one is meant.
    fn projects_of(&self, service: &str, file: Option<&str>) -> BTreeSet<String> {
        let here = |container: &&Container| {
            let label = |name: &str| container.label(&format!("com.docker.compose.{name}"));
            let is_file = |path: &str| file.is_none_or(|file| path.rsplit('/').next() == file.rsplit('/').next());
            Some(label("project.working_dir")) == self.survey.directory.as_deref()
                && container.is_of(label("project"), service)
                && label("project.config_files").split(',').any(is_file)
        };
        let found = self.survey.containers.iter().filter(here);
        found.map(|container| container.label("com.docker.compose.project").to_owned()).collect()
    }

    /// The projects of two services of nginx's own files that were started with `-p`, in a project of its colour each. One that
    /// has not been started yet is in the project that is called as the other's, of the other colour.
    fn apart(&self, one: &str, two: &str) -> Option<[String; 2]> {
        let started = [one, two].map(|service| self.projects_of(service, None));
        let colours = if one.replace("blue", "green") == two { [0, 1] } else { [1, 0] };
        if let [Some(first), Some(second)] = [&started[0], &started[1]].map(|names| self::one(names.clone()))
            && first == second
        {
            return Some([first, second]);
        }
        let is_pair = one.replace("blue", "green") == two || two.replace("blue", "green") == one;
        for number in 0..2 {
            let Some(project) = self::one(started[number].clone()) else { continue };
            let both = discover::of_both_colours(&project);
            let by_name = project != self.survey.own_name()
                || both.is_some_and(|both| both.iter().any(|other| started[1 - number].contains(other)));
            let together = started[1 - number].contains(&project);
            let of_colour = discover::colour(&project) == Some(colours[number]);
            if is_pair && by_name && !together && of_colour {
                let [blue, green] = discover::of_both_colours(&project)?;
                return Some(if colours[0] == 0 { [blue, green] } else { [green, blue] });
            }
        }
        None
    }

    /// One service that was started in two projects, one of each colour.
    fn of_one_service(&self, wanted: &ServiceSettings) -> Option<[Within; 2]> {
        let service = discover::only(self.project, wanted)?;
        let started = self.projects_of(&service, None).into_iter();
        let pairs: BTreeSet<_> = started.map(|name| discover::of_both_colours(&name)).collect();
        let pair = one(pairs)??;
        Some(self.of_main([service.clone(), service], pair))
    }

    /// A service in each of two files that are a pair by their names.
    fn of_pairs(&self, wanted: &ServiceSettings) -> Option<[Within; 2]> {
        let pairs = self.survey.pairs.iter().filter_map(|files| self.of_pair(wanted, files));
        let mut pairs: Vec<[Within; 2]> = pairs.collect();
        let first = pairs.pop()?;
        pairs.is_empty().then_some(first)
    }

    fn of_pair(&self, wanted: &ServiceSettings, files: &[String; 2]) -> Option<[Within; 2]> {
        let place = |file: &String| self.beside.iter().find(|place| place.scope.files == *file);
        let [blue, green] = [place(&files[0])?, place(&files[1])?];
        let service = |place: &ProjectRead| discover::only(place.project.as_ref().ok()?, wanted);
        let services = [service(blue)?, service(green)?];
        let started = [0, 1].map(|number| one(self.projects_of(&services[number], Some(files[number].as_str()))));
        let like = |other: &String, number: usize| {
            discover::of_both_colours(other).map_or_else(|| other.clone(), |both| both[number].clone())
        };
        let projects = match started {
            [Some(one), Some(two)] => [one, two],
            [Some(one), None] => [one.clone(), like(&one, 1)],
            [None, Some(two)] => [like(&two, 0), two],
            [None, None] => [self.called(Some(blue)), self.called(Some(green))],
        };
        let [one, two] = self.of_main(services, projects);
        let of_file = |within: Within, file: &String| Within {
            scope: Scope { files: file.clone(), profiles: String::new(), ..within.scope },
            ..within
        };
        Some([of_file(one, &files[0]), of_file(two, &files[1])])
    }
}

/// The only one of them.
fn one<T>(all: BTreeSet<T>) -> Option<T> {
    let mut all = all.into_iter();
    let first = all.next()?;
    all.next().is_none().then_some(first)
}
