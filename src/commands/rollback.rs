//! `cutover rollback`: the same pipeline as a deploy, back to an earlier release: from the container that was kept, else
//! from the image that was kept, else from the registry.

use super::lock::Locked;
use super::swap::holder;
use super::{Exit, Run, Stop};
use crate::cli;
use crate::release::Version;
use crate::report::Level;
use crate::swap::deliver::Shipment;
use crate::swap::history::{self, ServiceRecord};
use crate::swap::observe::{Observation, ServiceSeen};
use crate::swap::plan::Release;
use std::time::Instant;

/// Goes back on every host.
pub(super) async fn rollback(run: &Run, options: &cli::Rollback) -> Result<Exit, Stop> {
    let began = Instant::now();
    let asked = options.version.as_ref().or(options.to.as_ref()).map(|text| Version::parse(text)).transpose()?;
    run.reporter.phase("Check the hosts");
    let hosts = run.until_signal(run.connect()).await??;
    let holder = holder("rolling back");
    let locked = run.lock_and_observe(&hosts, &holder, options.wait.as_deref(), &[], None);
    let Locked { locks: _locks, seen, .. } = run.until_signal(locked).await??;
    let seen = match run.recover(&hosts, seen, &holder, None).await? {
        (true, _) => run.observe(&hosts, &[]).await?,
        (false, seen) => seen,
    };
    let target = target(&seen, asked.map(|version| version.to_string()))?;
    run.reporter.note(Level::Info, "", format!("going back to {target}"));
    let mut plans = Vec::new();
    for (number, seen) in seen.iter().enumerate() {
        let images = seen.services.iter().map(|service| image(seen, service, &target)).collect();
        let release = Release { id: holder.id.clone(), version: target.clone(), images, rollback: true };
        let plan = crate::swap::plan::Plan::new(&run.config, seen, &release, number == 0);
        plans.push(plan.map_err(|error| Stop::new(Exit::PutBack, format!("{error:#}")))?);
    }
    let mut github = match Version::parse(&target) {
        Ok(version) => Some(run.github(&version, false).await),
        Err(_) => None,
    };
    if let Some(github) = &mut github {
        github.begin(&target).await;
    }
    let ended =
        run.carry_out(&hosts, plans, &Shipment::default(), &holder, began).await.and_then(super::swap::Ended::exit);
    if let Some(github) = &mut github {
        github.end(&ended).await;
    }
    ended
}

/// The version to go back to: the one asked for, else the last one before the live one that is not bad.
fn target(seen: &[Observation], asked: Option<String>) -> Result<String, Stop> {
    let live: Vec<&str> = seen.iter().flat_map(live_versions).collect();
    if let Some(asked) = asked {
        let everywhere = !live.is_empty() && live.iter().all(|live| *live == asked);
        return if everywhere { Err(Stop::new(Exit::Usage, format!("{asked} is live already"))) } else { Ok(asked) };
    }
    let Some(first) = seen.first() else { return Err(nowhere()) };
    let earlier = history::released(&first.history).into_iter();
    let mut earlier = earlier.filter(|record| !live.contains(&record.version.as_str()));
    let found = earlier.find(|record| !history::is_bad(&first.history, &record.version));
    let kept = || {
        let idle = first
            .services
            .first()?
            .slots
            .iter()
            .filter(|slot| slot.container.as_ref().is_some_and(|c| !c.is_running()));
        let mut versions = idle.filter_map(|slot| slot.version.clone());
        versions.find(|version| !history::is_bad(&first.history, version) && !live.contains(&version.as_str()))
    };
    found.map(|record| record.version.clone()).or_else(kept).ok_or_else(nowhere)
}

fn nowhere() -> Stop {
    let message =
        "there is no earlier release to go back to; see `cutover history`, or name one: cutover rollback vX.Y.Z";
    Stop::new(Exit::Usage, message)
}

fn live_versions(seen: &Observation) -> impl Iterator<Item = &str> {
    seen.services.iter().filter_map(|service| service.slots[service.live.slot()?].version.as_deref())
}

/// What a service ran in that release: its image if the host still has it, else its digest or tag in the registry.
fn image(seen: &Observation, service: &ServiceSeen, version: &str) -> String {
    let of_version = seen.history.iter().rev().filter(|record| record.version == version);
    let of_service: Vec<&ServiceRecord> =
        of_version.flat_map(|record| &record.services).filter(|known| known.service == service.name).collect();
    let here = of_service.iter().find(|known| service.has_image(&known.image));
    let digest = of_service.iter().find_map(|known| known.digest.as_ref());
    let idle = service.slots.iter().filter_map(|slot| Some((slot.container.as_ref()?, slot.version.as_deref()?)));
    let kept = idle.into_iter().find(|(container, known)| !container.is_running() && *known == version);
    match (kept, here, digest) {
        (Some((container, _)), ..) => container.image.clone(),
        (None, Some(known), _) => known.image.clone(),
        (None, None, Some(digest)) => format!("{}@{digest}", service.image),
        (None, None, None) => format!("{}:{}", service.image, version.replace('+', "_")),
    }
}
