//! `cutover plan`: what a release would do on the hosts as they are, and why. Changes nothing.

use super::{Exit, Run, Stop};
use crate::cli::{self, VersionAsked};
use crate::release::build::reference;
use crate::report::{Event, Level};
use crate::swap::deliver::Shipment;
use crate::swap::plan::Release;
use crate::swap::{step, story};
use serde_json::json;

/// Prints it.
pub(super) async fn plan(run: &Run, asked: &VersionAsked) -> Result<Exit, Stop> {
    let Some((version, source)) = run.version(asked).await? else { return Ok(Exit::Done) };
    let hosts = run.until_signal(run.connect()).await??;
    let images: Vec<String> = run.config.services.iter().map(|service| reference(&service.image, &version)).collect();
    let seen = run.until_signal(run.observe(&hosts, &images)).await??;
    match run.already_live(&hosts, &seen, &version, &images, &cli::SwapOptions::default()).await {
        Ok(true) => return Ok(Exit::Done),
        Ok(false) => {}
        Err(downgrade) => run.reporter.note(Level::Warning, "", downgrade.message),
    }
    let images = run.release_images(images, &Shipment::default());
    let release =
        Release { id: String::new(), version: version.to_string(), commit: String::new(), images, rollback: false };
    let all = run.plans(&seen, &release)?;
    let mut text = format!("{version} (from {source}) would be released so:\n");
    for service in &run.config.services {
        text += &match service.build {
            Some(_) if service.ship => {
                format!("  build {}, to be sent over SSH\n", reference(&service.image, &version))
            }
            None if service.ship => format!("  use {} from Docker here\n", reference(&service.image, &version)),
            Some(_) => format!("  build and push {}\n", reference(&service.image, &version)),
            None => format!("  use {} from the registry\n", reference(&service.image, &version)),
        };
    }
    let mut plans = Vec::new();
    for ((host, plan), seen) in hosts.iter().zip(&all).zip(&seen) {
        text += &format!("  on {}:\n    evidence {}\n", host.name, super::check::all_evidence(seen));
        for step in story::steps(plan) {
            text += &format!("    {:<8} {}\n", step.name(), step::explain(plan, step));
        }
        for (number, (before, after)) in plan.conf.before.lines().zip(plan.conf.after.lines()).enumerate() {
            if before != after {
                text += &format!("    {}:{}\n      - {before}\n      + {after}\n", plan.conf.path, number + 1);
            }
        }
        let steps: Vec<_> = story::steps(plan)
            .iter()
            .map(|step| json!({ "step": step.name(), "text": step::explain(plan, *step) }))
            .collect();
        plans.push(json!({ "host": host.name, "steps": steps, "plan": plan }));
    }
    let data = json!({ "version": version.to_string(), "source": source.to_string(), "hosts": plans });
    run.reporter.emit(Event::Result { verb: "plan", data, text });
    Ok(Exit::Done)
}
