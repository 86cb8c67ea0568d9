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
use crate::see::Observation;
use crate::swap::deliver::Shipment;
use futures_util::FutureExt as _;
use futures_util::future::{Either, ready, select};
use std::pin::pin;
use std::time::{Duration, Instant};

/// What was seen on the hosts is looked at again after this time, although no release came between.
const RECENT: Duration = Duration::from_secs(10);

/// The hosts, which are ready for a release.
struct Checked<'a> {
    hosts: Vec<Host>,
    seen: Snapshot,
    github: Told<'a>,
}

/// What was seen on them, and when.
struct Snapshot {
    all: Vec<Observation>,
    at: Instant,
}

/// What was built here.
struct Prepared {
    docker: DockerCli,
    shipment: Shipment,
}

impl cli::ReleaseOptions {
    /// The same for a version whose image is there.
    pub(super) fn without_build(&self) -> cli::DeployOptions {
        let (asked, swap) = (self.asked.clone(), self.swap.clone());
        cli::DeployOptions { asked, swap, ..cli::DeployOptions::default() }
    }
}

/// Version, checks, build, push, swap.
pub(super) async fn release(run: &Run, options: &cli::ReleaseOptions) -> Result<Exit, Stop> {
    if options.swap.again && !run.ships() {
        // the image of this version is in the registry: its tag is never given another one
        return super::deploy::deploy(run, &options.without_build()).await;
    }
    run.reporter.phase("Version");
    let Some((version, source)) = run.version(&options.asked).await? else { return Ok(Exit::Done) };
    run.reporter.note(Level::Info, "", format!("{version}, from {source}"));
    run.credentials()?; // half a login is refused before anything else

    run.know_commit(true).await;
    run.look_at_tree(&version, options).await?;
    let github = run.github(&version, true).await;
    github.look_at_tag().await;

    run.reporter.phase("Check the hosts and build");
    let (checking, building) = (pin!(check(run, &version, options, github)), pin!(build(run, &version)));
    // questions to a person are asked before the build; else a refusal ends it
    let first = if ask::is_person_there() {
        Either::Left((checking.await, building))
    } else {
        select(checking, building).await
    };
    let (checked, building) = match first {
        Either::Left((checked, building)) => (checked?, building.left_future()),
        Either::Right((built, checking)) => (checking.await?, ready(built).right_future()),
    };
    let Some(Checked { hosts, seen, mut github }) = checked else { return Ok(Exit::Done) };
    let ended = match building.await {
        Ok(built) => push_and_swap(run, &version, built, &hosts, seen, options).await,
        Err(stop) => Err(stop),
    };
    let ended = github.end_if_ours(ended).await;
    run.unlock();
    ended
}

/// Sees that the hosts can take this version; `None` where it is live already (said so).
async fn check<'a>(
    run: &'a Run,
    version: &Version,
    options: &cli::ReleaseOptions,
    mut github: Told<'a>,
) -> Result<Option<Checked<'a>>, Stop> {
    let hosts = run.until_signal(run.connect()).await??;
    let seen = Snapshot { all: run.until_signal(run.observe(&hosts, &[])).await??, at: Instant::now() };
    let seen = Snapshot { all: run.settled(&hosts, seen.all, version, options.swap.wait).await?, ..seen };
    if run.already_live(&hosts, &seen.all, version, &[], &options.swap).await? {
        if run.live_from(&seen.all).is_none() {
            github.publish().await;
        }
        return Ok(None);
    }
    run.not_frozen(&hosts, &seen.all, options.swap.wait)?;
    if !options.yes && ask::is_person_there() && !ask::yes(&question(version, &hosts)) {
        return Err(Stop::new(Exit::Interrupted(130), "not released; nothing was changed"));
    }
    github.begin(&github.commit()).await;
    Ok(Some(Checked { hosts, seen, github }))
}

/// Builds every image, and reads those that go over SSH.
async fn build(run: &Run, version: &Version) -> Result<Prepared, Stop> {
    let docker = run.docker().await?;
    run.build_all(&docker, version).await?;
    Ok(Prepared { docker, shipment: run.shipment(version, &[]).await? })
}

fn question(version: &Version, hosts: &[Host]) -> String {
    let hosts: Vec<&str> = hosts.iter().map(|host| host.name.as_str()).collect();
    format!("Release {version} to {}?", hosts.join(", "))
}

async fn push_and_swap(
    run: &Run,
    version: &Version,
    Prepared { docker, shipment }: Prepared,
    hosts: &[Host],
    seen: Snapshot,
    options: &cli::ReleaseOptions,
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
    let recent = (seen.at.elapsed() < RECENT).then_some(seen.all);
    let exit = run.swap(hosts, version, &wanted, &options.swap, recent).await?;
    if exit == Exit::Done && moves && run.config.latest == Latest::Confirmed {
        run.if_still_ours(Ok(exit)).await?;
        run.move_latest(&docker, &pushed).await;
    }
    if exit == Exit::Done {
        run.teach(&wanted.shipment).await;
    }
    Ok(exit)
}
