//! `cutover rollback`: the same pipeline as a deploy, back to an earlier release: from the container that was kept, else
//! from the image that was kept, else from the registry.

use super::lock::Locked;
use super::swap::holder;
use super::{Exit, Run, Stop, ask};
use crate::cli;
use crate::host::Host;
use crate::release::Version;
use crate::report::Level;
use crate::see::Observation;
use crate::swap::back::{self, From, Possible};
use crate::swap::deliver::Shipment;
use crate::swap::history;
use crate::swap::planning::Release;
use std::time::Instant;

/// Goes back on every host.
pub(super) async fn rollback(run: &Run, options: &cli::RollbackOptions) -> Result<Exit, Stop> {
    let began = Instant::now();
    let asked = options.version.as_ref().or(options.to.as_ref()).map(|text| Version::parse(text)).transpose()?;
    run.reporter.phase("Check the hosts");
    let hosts = run.until_signal(run.connect()).await??;
    let holder = holder("rolling back");
    let locked = run.lock_and_observe(&hosts, &holder, options.wait, &[], None);
    let Locked { seen, .. } = run.until_signal(locked).await??;
    let seen = match run.recover(&hosts, seen, &holder, None).await? {
        (true, _) => run.observe(&hosts, &[]).await?,
        (false, seen) => seen,
    };
    let target = run.target(&seen, asked)?;
    run.reporter.about(&target);
    if !options.yes && ask::is_person_there() && !ask::yes(&question(&target, &hosts, &seen)) {
        return Err(Stop::new(Exit::Interrupted(130), "not rolled back; nothing was changed"));
    }
    run.reporter.note(Level::Info, "", format!("going back to {target}"));
    let mut plans = Vec::new();
    for (number, seen) in seen.iter().enumerate() {
        let images = run.possible(seen).map(|possible| {
            let possible = possible.into_iter().find(|possible| possible.version == target);
            possible.map_or_else(String::new, |possible| possible.image)
        });
        let images = run.release_images(images, &Shipment::default());
        let commit = history::commit_of_version(&seen.history, &target).unwrap_or_default().to_owned();
        let release = Release { id: holder.id.clone(), version: target.clone(), commit, images, rollback: true };
        let plan = crate::swap::plan::Plan::new(&run.config, seen, &release, number == 0);
        plans.push(plan.map_err(|error| Stop::new(Exit::Refused, format!("{error:#}")))?);
    }
    let mut github = match Version::parse(&target) {
        Ok(version) => Some(run.github(&version, false).await),
        Err(_) => None,
    };
    if let Some(github) = &mut github {
        github.begin(&target).await;
    }
    let ended =
        run.carry_out(&hosts, &plans, &Shipment::default(), &holder, began).await.and_then(super::swap::Tried::exit);
    match &mut github {
        Some(github) => github.end_if_ours(ended).await,
        None => ended,
    }
}

impl Run {
    /// What each service of a host can be taken back to.
    pub(super) fn possible(&self, seen: &Observation) -> impl Iterator<Item = Vec<Possible>> {
        let services = seen.services.iter().zip(&self.config.services);
        services.map(move |(service, config)| service.possible(seen, config.ship))
    }

    /// The version to go back to: the one asked for, else the last one before the live one that is not bad.
    fn target(&self, seen: &[Observation], asked: Option<Version>) -> Result<String, Stop> {
        let usage = |message: String| Stop::new(Exit::Usage, message);
        let all: Vec<Vec<Possible>> = seen.iter().flat_map(|seen| self.possible(seen)).collect();
        let is_in = |version: &str, possible: &[Possible]| possible.iter().any(|each| each.version == version);
        let can = |version: &str| all.iter().all(|possible| is_in(version, possible));
        let Some(asked) = asked.map(|asked| asked.to_string()) else {
            let target = back::target(seen, can).ok_or_else(nowhere)?;
            for foreign in &target.foreign {
                let text = format!("{foreign}, which no release put there; {} is the newest one", target.version);
                self.reporter.note(Level::Info, "", text);
            }
            return Ok(target.version);
        };
        let live = |possible: &Vec<Possible>| possible.iter().any(|p| p.version == asked && p.from == From::Live);
        if all.iter().all(live) {
            return Err(usage(format!("{asked} is live already")));
        }
        if can(&asked) {
            return Ok(asked);
        }
        let released = |seen: &Observation| {
            let mut versions = seen.services.iter().flat_map(|service| service.released(seen));
            versions.any(|(record, _)| record.version == asked)
        };
        let why = if seen.iter().any(released) {
            "is in the history, but its image is not everywhere on the hosts, nor can it come from a registry"
        } else {
            "is not in the history"
        };
        let others = all.first().into_iter().flatten().filter(|each| each.from != From::Live && can(&each.version));
        let others: Vec<&str> = others.map(|each| each.version.as_str()).collect();
        let others = if others.is_empty() { "nothing".to_owned() } else { others.join(", ") };
        Err(usage(format!(
            "{asked} {why}; possible: {others}\nan image that a registry has goes live with \
             `cutover deploy --version {asked} --allow-downgrade`"
        )))
    }
}

/// What a person is asked, with what is left behind on each host.
fn question(target: &str, hosts: &[Host], seen: &[Observation]) -> String {
    let live = |seen: &Observation| {
        let each = seen.services.iter().map(|service| {
            let slot = service.live.slot().map(|slot| &service.slots[slot]);
            slot.map_or("nothing", |slot| slot.version.as_deref().unwrap_or("an unknown version"))
        });
        let mut each: Vec<&str> = each.collect();
        each.dedup();
        each.join(", ")
    };
    let hosts: Vec<String> =
        hosts.iter().zip(seen).map(|(host, seen)| format!("{} (now {})", host.name, live(seen))).collect();
    format!("Go back to {target} on {}?", hosts.join(", "))
}

fn nowhere() -> Stop {
    let message =
        "there is no earlier release to go back to; see `cutover history`, or name one: cutover rollback vX.Y.Z";
    Stop::new(Exit::Usage, message)
}
