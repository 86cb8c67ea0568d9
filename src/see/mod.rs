//! Seeing a host, in three steps: [`read`] asks it, [`interpret`] says what the answers mean, [`judge`] what stands in the way
//! of a release. Nothing here changes anything.

pub mod interpret;
pub mod judge;
pub mod read;
pub mod seen;

pub use interpret::evidence::{Evidence, Live};
pub use seen::{Observation, ServiceSeen, SlotSeen, state_paths};

use crate::config::Config;
use crate::host::Host;
use crate::host::compose::{Project, Scope};
use crate::swap::plan::How;
use anyhow::Result;
use futures_util::future::join_all;
use interpret::evidence::{Looked, Looking};
use interpret::profiles::{Activated, activate};
use interpret::project::{Found, find, first, needs};
use interpret::projects::{self, Projects};
use interpret::services::{PutTogether, put_together};
use interpret::workers::workers;
use interpret::{discover, making};
use judge::findings::Findings;
use read::answers::ask_slot;
use read::elsewhere::elsewhere;
use read::files::{Look, look};
use read::survey::survey;
use read::traffic::{Place, Question};
use seen::{ConfSeen, NginxSeen};
use std::time::Instant;

/// Name of the file that the keep-alive guard is, beside nginx's configuration file.
pub const GUARD: &str = "cutover-keepalive.conf";

/// Observes a host and changes nothing there. `wanted` are image references that a release would use. `None` comes back
/// where a finding refuses a release so thoroughly that no plan can be made.
pub async fn observe(host: &Host, config: &Config, wanted: &[String]) -> Result<(Option<Observation>, Findings)> {
    let mut findings = Findings::default();
    let stated = config.project.as_ref().map(|name| name.as_str());
    let files = config.compose_files.join(":");
    let mut scope = Scope { project: stated.unwrap_or_default().to_owned(), files, ..Scope::default() };
    host.find_docker_by(&[]);
    let (_, state) = state_paths(config);
    let nginx = config.nginx.service.as_ref().map_or("nginx", |name| name.as_str());
    let mut survey = survey(host, &config.directory, &scope, &state, nginx, wanted).await?;
    let (nginx, ahead) = (survey.nginx.take(), survey.ahead.take());
    if survey.directory.is_some() && !judge::host::of_host(&survey, config, &mut findings) {
        return Ok((None, findings));
    }
    judge::host::of_survey(&survey, config, &mut findings);
    judge::host::of_history(&survey, &state, &mut findings);
    let Some((compose, Ok(project))) = &survey.compose else { return Ok((None, findings)) };
    let (Some(directory), Some(Ok(engine))) = (&survey.directory, &survey.engine) else { return Ok((None, findings)) };
    let Activated { project, profiles } = activate(project, &survey, config);
    let (project, mut project_name) = (&project, survey.project_name(stated));
    let of_nginx = discover::nginx(project, config.nginx.service.as_ref().map(|name| name.as_str())).ok();
    if let (None, Some(runs)) =
        (stated, survey.runs_elsewhere(&project_name, of_nginx, &discover::all_slots(project, config)))
    {
        // of two projects that are called by colours, `check` names both
        if discover::colour(&runs).is_none() {
            let what =
                format!("its containers were started as the project {runs}, compose here calls it {project_name}");
            let todo = format!("it is released as {runs}; say so with `project: {runs}` in cutover.yml");
            findings.advise("project", what, todo);
        }
        project_name = runs;
    }
    host.find_docker_by(&survey.variables);
    (scope.project, scope.profiles) = (project_name.clone(), profiles);

    let beside = match projects::beside(config, project, &survey) {
        scopes if scopes.is_empty() => Vec::new(),
        scopes => read::projects::projects(host, directory, scopes).await?,
    };
    let projects = Projects { project, scope: scope.clone(), beside: &beside, survey: &survey };
    let elsewhere = if needs_elsewhere(config, project) {
        Some(elsewhere(host, config.nginx.container.as_ref().map(|name| name.as_str())).await?)
    } else {
        None
    };
    let found = find(config, &projects, elsewhere.as_ref(), &mut findings);
    judge::compose::of_unset(&projects, found.as_ref(), config, &mut findings);
    let Some(found) = found else { return Ok((None, findings)) };
    judge::compose::of_slots(&found, &projects, &mut findings);
    let mut look = look(host, found.look(wanted), nginx, ahead).await?;
    if let Some(nginx) = found.on_host {
        nginx.tell(&mut look);
    }
    judge::conf::of_nginx(&look, found.target().is_some(), &found.down(), found.is_new(), &mut findings);
    let user = host.session.user();
    let Some(mut seen) = put_together(config, &projects, &found, &look, &mut findings) else {
        if let Some(nginx) = found.on_host {
            judge::on_host::of_rights(nginx, user, &[], &mut findings);
        }
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
    for (service, settings) in seen.services.iter_mut().zip(&config.services) {
        service.workers = workers(settings, &projects, &found, &look, &mut findings);
    }
    let moved: Vec<&String> =
        seen.services.iter().flat_map(|service| &service.workers).map(|each| &each.service).collect();
    let nginx = NginxSeen {
        guard: guard(&look, &found, &seen.confs, &mut findings),
        kind: found.kind,
        service: found.nginx.clone(),
        running: found.nginx_running.cloned(),
        target: found.target(),
        place: found.place(),
    };
    if let Some(nginx) = found.on_host {
        judge::on_host::of_files(&mut seen.confs, &look, &mut findings);
        judge::on_host::of_rights(nginx, user, &seen.confs, &mut findings);
    }
    let needs = needs(&projects, &found);
    let observation = Observation {
        stamp: survey.stamp.clone(),
        frozen: survey.frozen.clone(),
        directory: directory.clone(),
        engine: engine.clone(),
        compose: *compose,
        leaned_on: making::is_leaned_on(*compose, &projects, &found),
        makings: making::makings(*compose, &projects, &found, &needs, &moved),
        needs,
        keep_prefix: found.keep_prefix.clone(),
        first: first(&projects, &found),
        scope,
        services: seen.services,
        nginx,
        confs: seen.confs,
        history: survey.history.clone(),
        journal: survey.journal.clone(),
        disk: survey.disk.clone(),
    };
    judge::neighbours::judge(&observation, &survey.containers, &mut findings);
    judge::compose::of_environment(&observation, &projects, &look, &mut findings);
    judge::slots::of_slots(host, &observation, &projects, &look, early, &mut findings).await;
    judge::route::of_looked(host, &observation, &survey.containers, &mut findings).await?;
    judge::project::of_project(&observation, &projects, &mut findings);
    Ok((Some(observation), findings))
}

/// nginx is stated to be no service of the project, or none is found there.
fn needs_elsewhere(config: &Config, project: &Project) -> bool {
    let stated = config.nginx.service.as_ref().map(|name| name.as_str());
    config.nginx.container.is_some()
        || config.nginx.on_host
        || (stated.is_none() && discover::nginx(project, None).is_err())
}

/// Finds out which slots really receive what nginx is asked for, and how that can be seen.
async fn prove(host: &Host, seen: &PutTogether, found: &Found<'_>, look: &Look) -> Vec<Looked> {
    let nginx = found.place();
    let running = |slot: &SlotSeen| slot.container.as_ref().filter(|container| container.is_running()).map(Place::of);
    let mut all = Vec::new();
    for service in &seen.services {
        let slots = service.slots.each_ref().map(running);
        let looking = Looking {
            in_conf: service.in_conf,
            before: slots.each_ref().map(|slot| slot.as_ref().and_then(|slot| look.received(slot.pid))),
            since: look.since.unwrap_or_else(Instant::now),
            candidates: &service.candidates,
            question: Question { host, nginx: nginx.clone(), slots, ports: service.ports },
            on_host: found.on_host.is_some(),
        };
        all.push(looking.look().await);
    }
    all
}

/// Where the guard would be written: nginx is new enough, reads a directory of the host at http level, and nobody has set the
/// directive yet. Of an nginx that does not run only the files can tell; it says itself whether it takes it.
fn guard(look: &Look, found: &Found<'_>, confs: &[ConfSeen], findings: &mut Findings) -> Option<String> {
    let Some(version) = &look.nginx_version else {
        let set = look.files.iter().any(|(_, text)| text.contains("keepalive_min_timeout"));
        let own = confs.iter().filter(|conf| conf.how == How::Rename).find_map(|conf| conf.path.rsplit_once('/'));
        let own = own.filter(|(directory, _)| look.writable.iter().any(|path| path == directory));
        return own.filter(|_| !set).map(|(directory, _)| format!("{directory}/{GUARD}"));
    };
    let unreadable = !matches!(look.dump, Some(Ok(_)));
    if *version < semver::Version::new(1, 27, 4) || unreadable || look.sets("keepalive_min_timeout") {
        return None;
    }
    let included = look.included_directories();
    let is_read = |directory: &&String| {
        let inside = found.inside(directory).map(|(inside, _)| inside);
        inside.is_some_and(|inside| {
            included.iter().any(|known| known.trim_end_matches('/') == inside.trim_end_matches('/'))
        })
    };
    let place =
        look.writable.iter().find(is_read).map(|directory| format!("{}/{GUARD}", directory.trim_end_matches('/')));
    if place.is_none() {
        let what = "idle keep-alive connections are cut at every reload: `keepalive_min_timeout` is not set";
        findings.advise("nginx", what, "set `keepalive_min_timeout 10s;` in the http block of nginx.conf");
    }
    place
}
