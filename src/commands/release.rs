//! `cutover release`: a commit message goes in, and a new version serves.

use super::{Exit, Run, Stop, ask, build};
use crate::cli;
use crate::config::Latest;
use crate::host::Host;
use crate::release::Version;
use crate::release::docker_cli::DockerCli;
use crate::release::login::Credentials;
use crate::release::push::pinned;
use crate::report::Level;

/// Version, checks, build, push, swap.
pub(super) async fn release(run: &Run, options: &cli::Release) -> Result<Exit, Stop> {
    run.reporter.phase("Version");
    let Some((version, source)) = run.version(&options.asked).await? else { return Ok(Exit::Done) };
    run.reporter.note(Level::Info, "", format!("{version}, from {source}"));
    let credentials = run.credentials()?;

    run.reporter.phase("Check the hosts");
    let hosts = run.until_signal(run.connect()).await??;
    let seen = run.until_signal(run.observe(&hosts, &[])).await??;
    let mut github = run.github(&version, true).await;
    if run.already_live(&hosts, &seen, &version, options.swap.allow_downgrade)? {
        github.publish().await;
        return Ok(Exit::Done);
    }
    if !options.yes && ask::is_person_there() && !ask::yes(&question(&version, &hosts)) {
        return Err(Stop::new(Exit::Interrupted(130), "not released; nothing was changed"));
    }
    github.begin(&github.commit()).await;
    let ended = build_and_swap(run, &version, credentials, &hosts, options).await;
    github.end(&ended).await;
    ended
}

fn question(version: &Version, hosts: &[Host]) -> String {
    let hosts: Vec<&str> = hosts.iter().map(|host| host.name.as_str()).collect();
    format!("Release {version} to {}?", hosts.join(", "))
}

async fn build_and_swap(
    run: &Run,
    version: &Version,
    credentials: Option<Credentials>,
    hosts: &[Host],
    options: &cli::Release,
) -> Result<Exit, Stop> {
    let all = run.config.services.iter().all(|service| service.ship);
    run.reporter.phase(if all { "Build" } else { "Build and push" });
    let mut docker = DockerCli::find().await.map_err(build::failed)?;
    run.build_all(&docker, version).await?;
    if let Some(credentials) = credentials {
        run.until_signal(docker.log_in(credentials)).await?.map_err(build::failed)?;
    }
    let pushed = run.push_all(&docker, version).await?;
    let shipment = run.shipment(version, &[]).await?;
    let moves = version.moves_latest();
    if moves && run.config.latest == Latest::Pushed {
        run.move_latest(&docker, &pushed).await;
    }

    let services = run.config.services.iter().filter(|service| !service.ship);
    let others = services.zip(&pushed).map(|(service, pushed)| pinned(&service.image, &pushed.digest));
    let wanted = run.wanted(shipment, others);
    let exit = run.swap(hosts, version, &wanted, &options.swap).await?;
    if exit == Exit::Done {
        run.teach(&wanted.shipment).await;
    }
    if exit == Exit::Done && moves && run.config.latest == Latest::Confirmed {
        run.move_latest(&docker, &pushed).await;
    }
    Ok(exit)
}
