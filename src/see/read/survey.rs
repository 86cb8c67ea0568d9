//! What is on a host, read by one remote script and told apart here.

use crate::host::Host;
use crate::host::compose::{self, Compose, Project, Scope, Unset};
use crate::host::container::Container;
use crate::host::freeze::Frozen;
use crate::host::script::{SAY, Script, sections};
use crate::router::TRAFFIC;
use crate::see::read::files::{Ahead, LOOKING, Nginx};
use crate::swap::history::{self, Record};
use crate::swap::journal::Journal;
use anyhow::Result;
use std::time::Instant;

/// Free space where the engine keeps images.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disk {
    /// Bytes that can still be written.
    pub free: u64,
    /// Whole size in bytes.
    pub size: u64,
}

/// What the survey found. A part that failed holds what the host said.
#[derive(Debug, Default)]
pub struct Survey {
    /// The project directory without symbolic links; `None`: it does not exist or can't be entered.
    pub directory: Option<String>,
    /// Stamp of what releases have written, as a lock has it.
    pub stamp: String,
    /// A person has frozen releases.
    pub frozen: Option<Frozen>,
    /// The user's name and groups.
    pub user: String,
    /// Version of the engine.
    pub engine: Option<Result<String, String>>,
    /// What nginx says of itself, where its container was guessed.
    pub nginx: Option<Nginx>,
    /// What was looked at with that.
    pub ahead: Option<Ahead>,
    /// What `docker` is, where it is not Docker's own: "podman" or "snap".
    pub kind: Option<String>,
    /// Variables without which `docker` isn't found or finds no engine, each with its value.
    pub variables: Vec<(&'static str, String)>,
    /// What of cutover's state the user can't read or write.
    pub closed: Option<String>,
    /// Variables that compose took as empty.
    pub unset: Vec<Unset>,
    /// Which compose there is, and the project it reads or its complaint.
    pub compose: Option<(Compose, Result<Project, String>)>,
    /// The project with all its profiles active, where it has any.
    pub whole: Option<Project>,
    /// The profiles that `COMPOSE_PROFILES` of the environment or of `.env` has.
    pub profiles: Vec<String>,
    /// Files of the project's secrets and configs that are not there.
    pub absent: Vec<String>,
    /// Every container of every compose project.
    pub containers: Vec<Container>,
    /// Free space.
    pub disk: Option<Disk>,
    /// Programs that cutover needs and the host lacks.
    pub missing: Vec<String>,
    /// Files of the directory whose names differ only in "blue" and "green".
    pub pairs: Vec<[String; 2]>,
    /// `COMPOSE_PROJECT_NAME` of the environment or of `.env`.
    pub env_project: Option<String>,
    /// Earlier releases, oldest first.
    pub history: Vec<Record>,
    /// Lines of their file that can't be read, counted from 1.
    pub unreadable: Vec<usize>,
    /// An unfinished swap.
    pub journal: Option<Journal>,
}

/// What compose says of a project, for scripts.
pub(crate) const PROJECT: &str = include_str!("project.sh");

/// Surveys a host. `directory` is the project's, `scope` what is stated of it, `state` that of cutover in it, `nginx` a compose
/// service, `wanted` images that a release would use.
pub async fn survey(
    host: &Host,
    directory: &str,
    scope: &Scope,
    state: &str,
    nginx: &str,
    wanted: &[String],
) -> Result<Survey> {
    let script = Script::new("to see what is on the host", include_str!("survey.sh"));
    let script =
        script.with(&[SAY, PROJECT, TRAFFIC, LOOKING]).scope(scope).args([directory, state, nginx]).args(wanted);
    let began = Instant::now();
    read(&host.run(&script).await?, began)
}

fn read(output: &[u8], began: Instant) -> Result<Survey> {
    let mut survey = Survey::default();
    let (mut version, mut nginx, mut warned, mut from) = (String::new(), String::new(), String::new(), 1);
    for section in sections(output)? {
        let text = section.text;
        let answer = if section.status == 0 { Ok(text.clone()) } else { Err(text.clone()) };
        match section.name.as_str() {
            "directory" => survey.directory = answer.ok(),
            "stamp" => survey.stamp = text,
            "frozen" => survey.frozen = Some(Frozen::read(&text)),
            "user" => survey.user = text,
            "version" => version = text.trim().to_owned(),
            "engine" => survey.engine = Some(answer.map(|_| version.clone())),
            "nginx" => nginx = text,
            "nginx-dump" => survey.nginx = Some(Nginx::read(std::mem::take(&mut nginx), &text)),
            "next" => survey.ahead = Some(Ahead::read(&crate::text::to_bytes(&text), began)?),
            "compose-v2" => survey.compose = Some((Compose::V2, project(answer))),
            "compose-v1" => survey.compose = Some((Compose::V1, project(answer))),
            "compose-whole" => survey.whole = project(answer).ok(),
            "env-profiles" => survey.profiles = profiles(&text),
            "compose-warned" => warned = text,
            "compose-raw" => survey.unset = compose::unset(&warned, &text),
            "kind" => survey.kind = Some(text),
            "path" => survey.variables.push(("PATH", text)),
            "docker-host" => survey.variables.push(("DOCKER_HOST", text)),
            "closed" => survey.closed = Some(text),
            "containers" => survey.containers = Container::list(&text)?,
            "disk" => survey.disk = disk(&text),
            "absent" => survey.absent.push(text),
            "missing" => survey.missing = text.split_whitespace().map(str::to_owned).collect(),
            "env-project" if !text.trim().is_empty() => survey.env_project = Some(text.trim().to_owned()),
            "pair" => {
                survey.pairs.extend(text.split_once('|').map(|(blue, green)| [blue.to_owned(), green.to_owned()]))
            }
            "history-from" => from = text.trim().parse().unwrap_or(1),
            "history" => {
                let (records, unreadable) = history::read(&text);
                survey.history = records;
                survey.unreadable = unreadable.into_iter().map(|number| from + number).collect();
            }
            "journal" => survey.journal = Some(Journal::read(&text)),
            _ => {}
        }
    }
    Ok(survey)
}

pub(crate) fn project(answer: Result<String, String>) -> Result<Project, String> {
    answer.and_then(|text| Project::parse(&text).map_err(|error| format!("{error:#}")))
}

/// `COMPOSE_PROFILES`, quoted or not.
fn profiles(text: &str) -> Vec<String> {
    let names = text.trim().trim_matches(['"', '\'']).split(',').map(str::trim);
    names.filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

/// The last line of `df -Pk` (POSIX): device, size, used, available in KiB, per cent, mount point.
fn disk(line: &str) -> Option<Disk> {
    let mut fields = line.split_whitespace().skip(1);
    let (size, _, free) = (fields.next()?, fields.next()?, fields.next()?);
    Some(Disk { free: free.parse::<u64>().ok()? * 1024, size: size.parse::<u64>().ok()? * 1024 })
}

impl Survey {
    /// The name under which these services run in this directory, where it is another one and only one: somebody started
    /// them with `-p` or from another place.
    pub fn runs_as(&self, name: &str, services: &[String]) -> Option<String> {
        let of =
            |container: &Container, project: &str| services.iter().any(|service| container.is_of(project, service));
        if self.containers.iter().any(|container| of(container, name)) {
            return None;
        }
        let here = |container: &&Container| {
            Some(container.label("com.docker.compose.project.working_dir")) == self.directory.as_deref()
        };
        let labels = self.containers.iter().filter(here).map(|c| (c, c.label("com.docker.compose.project")));
        let mut names: Vec<&str> = labels.filter(|(c, label)| of(c, label)).map(|(_, label)| label).collect();
        names.sort_unstable();
        names.dedup();
        match names.as_slice() {
            [one] => Some((*one).to_owned()),
            _ => None,
        }
    }

    /// The name under which nginx, else these services, run in this directory, where that is another one.
    pub fn runs_elsewhere(&self, name: &str, nginx: Option<String>, slots: &[String]) -> Option<String> {
        let nginx: Vec<String> = nginx.into_iter().collect();
        if nginx.iter().any(|nginx| self.containers.iter().any(|container| container.is_of(name, nginx))) {
            return None;
        }
        self.runs_as(name, &nginx).or_else(|| self.runs_as(name, slots))
    }

    /// What compose itself calls the project, where nobody says otherwise.
    pub(crate) fn own_name(&self) -> String {
        self.project_name(None)
    }

    /// The compose project's name: printed by compose; else stated, in the environment, or from the directory, as compose 1.29
    /// makes it of these.
    pub fn project_name(&self, stated: Option<&str>) -> String {
        if let Some((_, Ok(Project { name: Some(name), .. }))) = &self.compose {
            return stated.unwrap_or(name).to_owned();
        }
        let base = || self.directory.as_deref().unwrap_or_default().rsplit('/').next().unwrap_or_default();
        let kept = |c: &char| c.is_ascii_lowercase() || c.is_ascii_digit() || *c == '_' || *c == '-';
        let named = stated.or(self.env_project.as_deref()).unwrap_or_else(base);
        let name: String = named.to_lowercase().chars().filter(kept).collect();
        if name.is_empty() { "default".to_owned() } else { name }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_without_anything_is_told_apart() {
        let output = b"@directory 1 2\n/x\n@user 0 10\nme me sudo\n@engine 1 17\npermission denied\n@compose-none 1 0\n\n@missing 0 6\n flock\n";
        let survey = read(output, Instant::now()).expect("reads");
        assert_eq!(survey.directory, None);
        assert_eq!(survey.engine, Some(Err("permission denied".into())));
        assert!(survey.compose.is_none());
        assert_eq!(survey.missing, ["flock"]);
    }

    #[test]
    fn the_project_name_is_made_as_compose_makes_it() {
        let mut survey = Survey { directory: Some("/home/me/My App_1".into()), ..Survey::default() };
        assert_eq!(survey.project_name(None), "myapp_1");
        survey.env_project = Some("env".into());
        assert_eq!(survey.project_name(None), "env");
        survey.env_project = Some("\"My Shop\"".into());
        assert_eq!(survey.project_name(None), "myshop");
        assert_eq!(survey.project_name(Some("Stated")), "stated");
        survey.compose = Some((Compose::V2, Ok(Project { name: Some("printed".into()), ..Project::default() })));
        assert_eq!(survey.project_name(None), "printed");
        assert_eq!(survey.project_name(Some("stated")), "stated");
    }

    #[test]
    fn df_is_read_in_bytes() {
        let disk = disk("/dev/vda1 100 60 40 60% /var/lib/docker").expect("reads");
        assert_eq!((disk.size, disk.free), (102_400, 40_960));
    }
}
