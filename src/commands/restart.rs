//! `cutover restart`: the version that is live through the whole swap once more, for a secret that has changed.

use super::deploy::deploy;
use super::{Exit, Run, Stop};
use crate::cli;

/// Finds out what is live, and deploys it again.
pub(super) async fn restart(run: &Run, options: &cli::Restart) -> Result<Exit, Stop> {
    let version = live(run).await?;
    let asked = cli::VersionAsked { version: Some(version) };
    let swap = cli::SwapOptions { again: true, wait: options.wait, ..cli::SwapOptions::default() };
    deploy(run, &cli::DeployOptions { asked, swap, ..cli::DeployOptions::default() }).await
}

/// The version that is live everywhere.
async fn live(run: &Run) -> Result<String, Stop> {
    let hosts = run.until_signal(run.connect()).await??;
    let seen = run.until_signal(run.observe(&hosts, &[])).await??;
    let (mut versions, mut places) = (Vec::new(), Vec::new());
    for (host, seen) in hosts.iter().zip(&seen) {
        for service in &seen.services {
            let slot = service.live.slot();
            let version = slot.and_then(|slot| service.slots[slot].version.as_deref());
            let runs = version.unwrap_or(if slot.is_some() { "an unknown version" } else { "nothing" });
            places.push(format!("{}: {} runs {runs}", host.name, service.name));
            versions.push(version);
        }
    }
    versions.dedup();
    match versions.as_slice() {
        [Some(version)] => Ok((*version).to_owned()),
        _ => Err(Stop::new(
            Exit::Refused,
            format!(
                "there is not one version that is known and live everywhere; `cutover deploy --version vX.Y.Z --again` \
                 takes one to all\n  {}",
                places.join("\n  ")
            ),
        )),
    }
}
