//! `cutover restart`: the version that is live through the whole swap once more, for a secret that has changed.

use super::deploy::deploy;
use super::{Exit, Run, Stop};
use crate::cli;

/// Finds out what is live, and deploys it again.
pub(super) async fn restart(run: &Run, options: &cli::Restart) -> Result<Exit, Stop> {
    let mut versions = Vec::new();
    {
        let hosts = run.until_signal(run.connect()).await??;
        for (host, seen) in hosts.iter().zip(run.until_signal(run.observe(&hosts, &[])).await??) {
            for service in &seen.services {
                let live = service.live.slot().and_then(|slot| service.slots[slot].version.clone());
                let live = live.unwrap_or_else(|| "an unknown version".to_owned());
                versions.push((live, format!("{}: {}", host.name, service.name)));
            }
        }
    }
    let (version, _) = versions.first().cloned().unwrap_or_default();
    if versions.iter().any(|(other, _)| *other != version) {
        let each: Vec<String> = versions.iter().map(|(version, place)| format!("{place} runs {version}")).collect();
        let message = format!(
            "not one version is live; `cutover deploy --version vX.Y.Z --again` takes one to all\n  {}",
            each.join("\n  ")
        );
        return Err(Stop::new(Exit::Refused, message));
    }
    let asked = cli::VersionAsked { version: Some(version) };
    let swap = cli::SwapOptions { again: true, wait: options.wait.clone(), ..cli::SwapOptions::default() };
    deploy(run, &cli::DeployOptions { asked, swap, ..cli::DeployOptions::default() }).await
}
