//! The diagnoses: what on a host stands in the way of a release, and what will one day. Each says what to do.

use super::findings::Findings;
use super::look::Look;
use super::meaning;
use super::observe::{Observation, ServiceSeen, SlotSeen};
use super::survey::{Compose, Survey};
use crate::config::Config;
use crate::host::Host;
use crate::host::compose::Project;
use crate::host::container::Container;
use crate::host::http::Answer;
use crate::report::text::one_line;
use anyhow::Result;
use std::time::Duration;

/// What a finding is about that says how much of the history is known.
pub const HISTORY: &str = "history";

const MIB: u64 = 1024 * 1024;

/// Engine, compose, directory, programs, disk.
pub(super) fn of_survey(survey: &Survey, config: &Config, findings: &mut Findings) {
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
pub(super) fn of_history(survey: &Survey, state: &str, findings: &mut Findings) {
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

/// nginx as it runs, before anything is looked for in its files. `down` are names of slots that don't run.
pub(super) fn of_nginx(look: &Look, running: bool, down: &[&str], findings: &mut Findings) {
    if let Some(Err(said)) = &look.dump {
        if let Some(slot) = missing_host(said).filter(|host| down.contains(host)) {
            let what = format!("its file names {slot}, which does not run: nginx could not be reloaded or started now");
            findings.advise("nginx", what, "a release starts the slot that does not serve");
        } else {
            let what = format!("`nginx -t` fails as things are: {}", one_line(last_lines(said), 500));
            findings.refuse("nginx", what, "correct nginx's configuration; nothing was changed");
        }
    }
    if !running {
        findings.advise("nginx", "nginx does not run", "a release starts it when the new slot is healthy");
    }
    for path in &look.absent {
        findings.advise("nginx", format!("{path} is mounted into nginx and does not exist"), "create it on the host");
    }
}

/// The name that nginx could not resolve, if that is what it complains about.
fn missing_host(said: &str) -> Option<&str> {
    let (_, rest) = said.split_once("[emerg]")?.1.split_once("host not found in upstream \"")?;
    rest.split(['"', ':']).next()
}

fn last_lines(text: &str) -> &str {
    let text = text.trim_end();
    let start = text.rmatch_indices('\n').nth(2).map_or(0, |(at, _)| at + 1);
    &text[start..]
}

/// The configuration file with the upstreams: `inside` is its path in the container.
pub(super) fn of_conf(path: &str, text: &str, inside: &str, in_place: bool, look: &Look, findings: &mut Findings) {
    if let Some(Ok(files)) = &look.dump {
        match files.iter().find(|(name, _)| name == inside) {
            None if inside.starts_with("/etc/nginx/templates/") => {
                let name = inside.trim_start_matches("/etc/nginx/templates/").trim_end_matches(".template");
                let what = format!(
                    "{path} is a template: nginx reads /etc/nginx/conf.d/{name}, which its container makes of it when it \
                     starts and which is not on the host"
                );
                let todo = format!(
                    "mount a directory with {name} itself at /etc/nginx/conf.d (docker exec NGINX cat \
                     /etc/nginx/conf.d/{name} has its text), and leave the template out"
                );
                findings.refuse("conf", what, todo);
            }
            None => {
                let what = format!("nginx does not read {inside}, which is {path} on the host");
                findings.refuse(
                    "conf",
                    what,
                    "include it in nginx.conf, or name the right file with `nginx: {conf: …}`",
                );
            }
            Some((_, seen)) if seen.trim_end() != text.trim_end() => {
                let what = format!("nginx's container sees another {inside} than the host has in {path}");
                let todo = "the file was replaced while it is mounted alone: restart nginx's container once, or mount its directory";
                findings.refuse("conf", what, todo);
            }
            Some(_) => {}
        }
    }
    if look.links.iter().any(|(link, _)| link == path) {
        let todo = "put a plain file in its place, or name the file with `nginx: {conf: …}`";
        findings.refuse("conf", format!("{path} is a link, which is not followed when it is written"), todo);
    }
    let directory = path.rsplit_once('/').map_or("/", |(directory, _)| directory);
    let needed = if in_place { path } else { directory };
    if !look.writable.iter().any(|path| path == needed) {
        let todo = format!("sudo chown the path to the user that cutover logs in as: {needed}");
        findings.refuse("conf", format!("{needed} can't be written"), todo);
    }
    if in_place {
        let what = format!("{path} is mounted alone, so it is rewritten in place and not replaced as a whole");
        findings.advise("conf", what, "mount its directory instead, so that a crash can never leave half a file");
    }
}

/// The slots: references that can't follow a release, PID 1, stop times, health paths. `early`: what the slot in nginx's
/// file answered, of each service.
pub(super) async fn of_slots(
    host: &Host,
    seen: &Observation,
    project: &Project,
    look: &Look,
    early: Vec<Option<Result<Answer>>>,
    findings: &mut Findings,
) {
    for (service, early) in seen.services.iter().zip(early) {
        for slot in &service.slots {
            of_reference(slot, project, findings);
        }
        if let Some(slot) = service.live.slot() {
            of_process(service, &service.slots[slot], look, findings);
            let nginx = seen.nginx.running.as_ref();
            let answer = if slot == service.in_conf { early } else { ask_slot(host, service, slot, nginx).await };
            of_health(seen, service, &service.slots[slot], answer, findings);
        }
    }
}

fn of_reference(slot: &SlotSeen, project: &Project, findings: &mut Findings) {
    let about = format!("slot {}", slot.service);
    if slot.reference.contains('@') {
        let what = format!("its image is {}, which can't follow a release", slot.reference);
        findings.refuse(&about, what, "name the image by a tag in the compose file, such as `:latest`");
    }
    let policy = project.services.get(&slot.service).and_then(|service| service.pull_policy.as_deref());
    if let Some(policy @ ("always" | "build" | "daily" | "weekly")) = policy {
        let what = format!("`pull_policy: {policy}` lets compose replace the released image when it starts the slot");
        findings.refuse(&about, what, "remove `pull_policy`, or make it `missing`");
    }
}

fn of_process(service: &ServiceSeen, slot: &SlotSeen, look: &Look, findings: &mut Findings) {
    let Some(container) = &slot.container else { return };
    let about = format!("slot {}", slot.service);
    let words: Vec<&str> = [&container.config.entrypoint, &container.config.cmd]
        .into_iter()
        .flatten()
        .flatten()
        .map(String::as_str)
        .collect();
    let first = words.first().map_or("", |word| word.rsplit('/').next().unwrap_or(word));
    // then PID 1 is the engine's own init, which passes signals on to what it runs
    let init = container.host_config.init == Some(true);
    let other_signal =
        container.config.stop_signal.as_deref().is_some_and(|signal| !matches!(signal, "SIGTERM" | "15"));
    // a shell that became the server, or that handles signals itself, is none that keeps them
    let execs = words.get(2).is_some_and(|line| line.trim_start().starts_with("exec "))
        || (!init && look.handles_sigterm(container.state.pid) == Some(true));
    let it_is = |what: &str| if init { format!("`init: true` runs {what}") } else { format!("PID 1 is {what}") };
    let todo = "start the server itself in exec form, such as ENTRYPOINT [\"node\", \"dist/main.js\"]";
    if matches!(first, "yarn" | "npm" | "npx" | "pnpm" | "bun") {
        let what = format!("{}, which does not pass SIGTERM on in time: requests are dropped at a stop", it_is(first));
        findings.advise(&about, what, todo);
    } else if matches!(first, "sh" | "bash" | "ash" | "dash") && words.get(1) == Some(&"-c") && !execs {
        let what = format!("{}, which does not pass SIGTERM on", it_is("a shell (ENTRYPOINT in shell form)"));
        findings.advise(&about, what, todo);
    } else if !init && !other_signal && look.handles_sigterm(container.state.pid) == Some(false) {
        findings.advise(
            &about,
            "PID 1 ignores SIGTERM: each stop ends in SIGKILL",
            "handle SIGTERM: close the server, then exit",
        );
    }
    if container.state.health.as_ref().is_some_and(|health| health.status == "unhealthy") {
        let what =
            "Docker calls the running container unhealthy, by its own healthcheck, which that of a release must pass";
        findings.advise(
            &about,
            what,
            "see why: docker inspect -f '{{json .State.Health}}' CONTAINER; else the release fails at it",
        );
    }
    if service.stop_timeout < Duration::from_secs(10) {
        let what = format!("it has {} s to stop before SIGKILL", service.stop_timeout.as_secs_f64());
        findings.advise(&about, what, "set `stop_grace_period` in the compose file to 10s or more");
    }
}

/// Asks a slot for its health path, where it has an address.
pub(super) async fn ask_slot(
    host: &Host,
    service: &ServiceSeen,
    slot: usize,
    nginx: Option<&Container>,
) -> Option<Result<Answer>> {
    let slot = &service.slots[slot];
    let container = slot.container.as_ref()?;
    let address = nginx.and_then(|nginx| container.address_beside(nginx)).or(container.address())?;
    let asked = service.health.host.clone().unwrap_or(format!("{}:{}", slot.host, service.port));
    Some(host.get(address, service.port, &asked, &service.health.path, Duration::from_secs(5)).await)
}

fn of_health(
    seen: &Observation,
    service: &ServiceSeen,
    slot: &SlotSeen,
    answer: Option<Result<Answer>>,
    findings: &mut Findings,
) {
    let Some(container) = &slot.container else { return };
    let about = format!("slot {}", slot.service);
    if seen.nginx.running.as_ref().is_some_and(|nginx| container.address_beside(nginx).is_none()) {
        let what = format!("it is on no network with {}", seen.nginx.service);
        findings.refuse(&about, what, "give both a common network in the compose file");
    }
    let Some(answer) = answer else { return };
    let path = &service.health.path;
    match answer {
        Ok(answer) if service.health.accepts(answer.status) => {}
        Ok(answer) => {
            let what = format!(
                "the live version answers GET {path} with {}{}",
                answer.status,
                meaning::of_status(answer.status, answer.location.as_deref())
            );
            let todo = "set `health: {path: …}` to a path that answers 200 when the service works, or state `status`";
            findings.advise(&about, what, todo);
        }
        Err(error) => {
            let what = format!("the live version does not answer GET {path} on port {}: {error:#}", service.port);
            findings.advise(&about, what, "see whether it works: docker logs; a release would replace it");
        }
    }
}
