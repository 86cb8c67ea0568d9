//! `cutover plan`: what a release would do on the hosts as they are, and why. Changes nothing.

use super::{Exit, Run, Stop};
use crate::cli::{self, VersionAsked};
use crate::config::{LocalHook, ServiceSettings};
use crate::release::Version;
use crate::release::build::reference;
use crate::report::outcome::{HostPlan, PlannedStep};
use crate::report::{Level, Outcome};
use crate::swap::deliver::Shipment;
use crate::swap::planning::Release;
use crate::swap::story::Step;
use crate::swap::{step, story};

/// Prints it.
pub(super) async fn plan(run: &Run, asked: &VersionAsked) -> Result<Exit, Stop> {
    let Some((version, source)) = run.version(asked).await? else { return Ok(Exit::Done) };
    let hosts = run.until_signal(run.connect()).await??;
    let images: Vec<String> = run.config.services.iter().map(|service| reference(service, &version)).collect();
    let seen = run.until_signal(run.observe(&hosts, &images)).await??;
    for (host, frozen) in hosts.iter().zip(&seen).filter_map(|(host, seen)| Some((host, seen.frozen.as_ref()?))) {
        run.reporter.note(Level::Warning, &host.name, frozen.to_string());
    }
    match run.already_live(&hosts, &seen, &version, &images, &cli::SwapOptions::default()).await {
        Ok(true) => return Ok(Exit::Done),
        Ok(false) => {}
        Err(downgrade) => run.reporter.note(Level::Warning, "", downgrade.to_string()),
    }
    let images = run.release_images(images, &Shipment::default());
    let release =
        Release { id: String::new(), version: version.to_string(), commit: String::new(), images, rollback: false };
    let all = run.plans(&seen, &release)?;
    let own = &run.config.hooks;
    let here = |hook: Option<&LocalHook>, when: &str| Some(format!("{when}, run {} here", hook?.command.join(" ")));
    let build = here(own.before_build.as_ref(), "before the build");
    let release = here(own.before_release.as_ref(), "before the first host is changed");
    let images = run.config.services.iter().map(|service| bringing(service, &version));
    let images = build.into_iter().chain(images).chain(release).collect();
    let each = hosts.iter().zip(all).zip(&seen);
    let hosts = each.map(|((host, plan), seen)| {
        let planned = |each: Step| PlannedStep { step: each.name(), text: step::explain(&plan, each) };
        let steps = story::steps(&plan).into_iter().map(planned).collect();
        HostPlan { host: host.name.clone(), steps, plan, evidence: super::check::all_evidence(seen) }
    });
    let hosts = hosts.collect();
    run.reporter.outcome(&Outcome::Plan { version, source: source.to_string(), hosts, images });
    Ok(Exit::Done)
}

/// How a service's image gets to the hosts.
fn bringing(service: &ServiceSettings, version: &Version) -> String {
    let image = reference(service, version);
    match (&service.build, service.ship) {
        (Some(_), true) => format!("build {image}, to be sent over SSH"),
        (None, true) => format!("use {image} from Docker here"),
        (Some(_), false) => format!("build and push {image}"),
        (None, false) => format!("use {image} from the registry"),
    }
}
