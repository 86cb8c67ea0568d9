//! `cutover release`: a commit message goes in, and a new version serves.

use super::github::Told;
use super::{Exit, Run, Stop, ask};
use crate::cli;
use crate::config::Latest;
use crate::host::Host;
use crate::release::Version;
use crate::release::docker_cli::DockerCli;
use crate::release::push::pinned;
use crate::report::Level;
use crate::swap::deliver::Shipment;
use crate::swap::observe::Observation;
use futures_util::future::{Either, select};
use std::pin::pin;
use std::time::{Duration, Instant};

/// What was seen on the hosts is looked at again after this time, although no release came between.
const RECENT: Duration = Duration::from_secs(10);

/// The hosts, which are ready for a release.
struct Checked<'a> {
    hosts: Vec<Host>,
    seen: Vec<Observation>,
    at: Instant,
    github: Told<'a>,
}

/// What was built here.
struct Built {
    docker: DockerCli,
    shipment: Shipment,
}

/// Version, checks, build, push, swap.
pub(super) async fn release(run: &Run, options: &cli::Release) -> Result<Exit, Stop> {
    run.reporter.phase("Version");
    let Some((version, source)) = run.version(&options.asked).await? else { return Ok(Exit::Done) };
    run.reporter.note(Level::Info, "", format!("{version}, from {source}"));
    run.credentials()?;

    run.reporter.phase("Check the hosts and build");
    let (checking, building) = (pin!(check(run, &version, options)), pin!(build(run, &version)));
    // questions to a person are asked before the build; else a refusal ends it
    let (checked, built) = if ask::is_person_there() {
        match checking.await? {
            Some(checked) => (Some(checked), building.await),
            None => return Ok(Exit::Done),
        }
    } else {
        match select(checking, building).await {
            Either::Left((checked, building)) => match checked? {
                Some(checked) => (Some(checked), building.await),
                None => return Ok(Exit::Done),
            },
            Either::Right((built, checking)) => (checking.await?, built),
        }
    };
    let Some(mut checked) = checked else { return Ok(Exit::Done) };
    let seen = std::mem::take(&mut checked.seen);
    let ended = match built {
        Ok(built) => push_and_swap(run, &version, built, &checked, seen, options).await,
        Err(stop) => Err(stop),
    };
    checked.github.end(&ended).await;
    ended
}

/// Sees that the hosts can take this version; `None` where it is live already (said so).
async fn check<'a>(run: &'a Run, version: &Version, options: &cli::Release) -> Result<Option<Checked<'a>>, Stop> {
    let hosts = run.until_signal(run.connect()).await??;
    let (seen, at) = (run.until_signal(run.observe(&hosts, &[])).await??, Instant::now());
    let mut github = run.github(version, true).await;
    if run.already_live(&hosts, &seen, version, options.swap.allow_downgrade)? {
        github.publish().await;
        return Ok(None);
    }
    if !options.yes && ask::is_person_there() && !ask::yes(&question(version, &hosts)) {
        return Err(Stop::new(Exit::Interrupted(130), "not released; nothing was changed"));
    }
    github.begin(&github.commit()).await;
    Ok(Some(Checked { hosts, seen, at, github }))
}

/// Builds every image, and reads those that go over SSH.
async fn build(run: &Run, version: &Version) -> Result<Built, Stop> {
    let docker = run.docker().await?;
    run.build_all(&docker, version).await?;
    Ok(Built { docker, shipment: run.shipment(version, &[]).await? })
}

fn question(version: &Version, hosts: &[Host]) -> String {
    let hosts: Vec<&str> = hosts.iter().map(|host| host.name.as_str()).collect();
    format!("Release {version} to {}?", hosts.join(", "))
}

async fn push_and_swap(
    run: &Run,
    version: &Version,
    Built { docker, shipment }: Built,
    checked: &Checked<'_>,
    seen: Vec<Observation>,
    options: &cli::Release,
) -> Result<Exit, Stop> {
    if run.config.services.iter().any(|service| !service.ship) {
        run.reporter.phase("Push");
    }
    let pushed = run.push_all(&docker, version).await?;
    let moves = version.moves_latest();
    if moves && run.config.latest == Latest::Pushed {
        run.move_latest(&docker, &pushed).await;
    }

    let services = run.config.services.iter().filter(|service| !service.ship);
    let others = services.zip(&pushed).map(|(service, pushed)| pinned(&service.image, &pushed.digest));
    let wanted = run.wanted(shipment, others);
    let seen = Some(seen).filter(|_| checked.at.elapsed() < RECENT);
    let exit = run.swap(&checked.hosts, version, &wanted, &options.swap, seen).await?;
    if exit == Exit::Done {
        run.teach(&wanted.shipment).await;
    }
    if exit == Exit::Done && moves && run.config.latest == Latest::Confirmed {
        run.move_latest(&docker, &pushed).await;
    }
    Ok(exit)
}
