//! Whether the host itself can do a release: its engine, compose, directory, programs and disk.

use super::findings::Findings;
use crate::config::Config;
use crate::host::compose::Compose;
use crate::report::text::one_line;
use crate::see::read::survey::Survey;

/// What a finding is about that says how much of the history is known.
pub const HISTORY: &str = "history";

const MIB: u64 = 1024 * 1024;

/// Engine, compose, directory, programs, disk.
pub(crate) fn of_survey(survey: &Survey, config: &Config, findings: &mut Findings) {
    if survey.directory.is_none() {
        let what = format!("{} does not exist, or {} can't enter it", config.directory, user(survey));
        findings.refuse("directory", what, "correct `directory` in cutover.yml");
        return;
    }
    match &survey.engine {
        Some(Err(said)) if said.contains("permission denied") => {
            let what = format!("{} may not use Docker", user(survey));
            let todo = format!("sudo usermod -aG docker {}, then log in again", user(survey));
            findings.refuse("docker", what, todo);
        }
        Some(Err(said)) => {
            let what = format!("Docker does not answer: {}", one_line(said, 300));
            findings.refuse("docker", what, "install Docker Engine, or start it: sudo systemctl start docker");
        }
        _ => {}
    }
    match &survey.compose {
        None => {
            let todo = "install the compose plugin (package docker-compose-plugin)";
            findings.refuse("compose", "there is neither `docker compose` nor `docker-compose`", todo);
        }
        Some((compose, Err(said))) => {
            let command = if *compose == Compose::V2 { "docker compose config" } else { "docker-compose config" };
            let said: Vec<&str> = said.lines().filter(|line| !line.contains(" level=warning ")).collect();
            let what = format!("`{command}` fails: {}", one_line(&said.join("\n"), 400));
            findings.refuse("compose", what, format!("run it in {} and correct the file", config.directory));
        }
        Some(_) => {}
    }
    if !survey.missing.is_empty() {
        let what = format!("the host lacks {}", survey.missing.join(", "));
        findings.refuse("programs", what, "install them (packages util-linux, coreutils, mawk)");
    }
    if let Some(disk) = survey.disk.as_ref().filter(|disk| disk.free < (disk.size / 10).max(1024 * MIB)) {
        let what = format!("{} MiB of {} MiB are free where Docker keeps images", disk.free / MIB, disk.size / MIB);
        let todo = "make room: docker image prune";
        if disk.free < 256 * MIB {
            findings.refuse("disk", what, todo);
        } else {
            findings.advise("disk", what, todo);
        }
    }
}

/// What of the history can't be read. It stays where it is, for people.
pub(crate) fn of_history(survey: &Survey, state: &str, findings: &mut Findings) {
    let Some(first) = survey.unreadable.first() else { return };
    let more = match survey.unreadable.len() - 1 {
        0 => String::new(),
        more => format!(", nor can {more} further lines"),
    };
    let what =
        format!("line {first} of {state}/history.jsonl can't be read{more}: nothing goes by what is not readable");
    findings.advise(HISTORY, what, "a crash tore it, or somebody wrote there; mend it or take it out");
}

fn user(survey: &Survey) -> &str {
    survey.user.split(' ').next().unwrap_or("the user")
}

/// Whose Docker it is, and whose state. False where nothing else can be looked at.
pub(crate) fn of_host(survey: &Survey, config: &Config, findings: &mut Findings) -> bool {
    let user = survey.user.split(' ').next().unwrap_or("the user");
    let directory = survey.directory.as_deref().unwrap_or(&config.directory);
    match survey.kind.as_deref() {
        Some("podman") => {
            let what = "`docker` is podman's on this host, and cutover speaks to Docker's own engine only";
            let todo = "install Docker Engine (package docker-ce or docker.io) in place of podman-docker";
            findings.refuse("docker", what, todo);
            return false;
        }
        Some("snap") if !directory.starts_with("/home/") => {
            let what = format!("Docker is snap's, which can read nothing outside /home, and so not {directory}");
            let todo = "move the project into a home directory, or install Docker Engine from Docker's own packages";
            findings.refuse("docker", what, todo);
            return false;
        }
        _ => {}
    }
    if let Some((_, host)) = survey.variables.iter().find(|(name, _)| *name == "DOCKER_HOST")
        && host.contains("/run/user/")
    {
        let what =
            format!("Docker is rootless ({host}): its networks can't be reached from the host, as a release must");
        findings.refuse("docker", what, "run the project with the system's Docker Engine");
        return false;
    }
    if let Some(closed) = &survey.closed {
        let what = format!("{user} can't read and write cutover's state: {closed}");
        findings.refuse("state", what, state_todo(user, directory));
        return false;
    }
    true
}

fn state_todo(user: &str, directory: &str) -> String {
    format!(
        "for {user} alone: sudo install -d -o {user} -m 700 {directory}/.cutover; for a group whose members all release: \
         sudo install -d -g GROUP -m 2770 {directory}/.cutover, and for what is in there already sudo chgrp -R GROUP and \
         chmod -R g+rwX"
    )
}
