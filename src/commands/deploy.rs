//! `cutover deploy`: swap every host to a version that is in the registry.

use super::{Exit, Run, Stop};
use crate::cli;
use crate::release::build::reference;
use crate::release::digest::Digest;
use crate::release::push::pinned;
use crate::release::source::VersionSource;
use crate::release::version::Version;
use crate::report::Level;
use std::str::FromStr as _;

/// Swaps.
pub(super) async fn deploy(run: &Run, options: &cli::DeployOptions) -> Result<Exit, Stop> {
    let Some((version, source)) = run.version(&options.asked).await? else { return Ok(Exit::Done) };
    run.reporter.note(Level::Info, "", format!("{version}, from {source}"));
    // an image that is asked for by its version may be of any commit
    if !matches!(source, VersionSource::Asked | VersionSource::Input) {
        run.know_commit(false).await;
    }
    let images = run.images(&version, &options.digest)?;
    run.reporter.phase("Check the hosts");
    let (hosts, shipment) = tokio::join!(run.until_signal(run.connect()), run.shipment(&version, &options.image));
    let (hosts, shipment) = (hosts??, shipment?);
    let others = run.config.services.iter().zip(images).filter(|(service, _)| !service.ship).map(|(_, image)| image);
    let wanted = run.wanted(shipment, others);
    // on a laptop the commit that is checked out need not be the version's
    let mut github = run.github(&version, crate::commands::session::variable("GITHUB_ACTIONS").is_some()).await;
    github.begin(&github.commit()).await;
    let ended = run.swap(&hosts, &version, &wanted, &options.swap, None).await;
    let ended = github.end_if_ours(ended).await;
    run.unlock();
    if matches!(ended, Ok(Exit::Done)) {
        run.teach(&wanted.shipment).await;
    }
    ended
}

impl Run {
    /// What to pull for each service: by digest where one is given, else by the version's tag.
    fn images(&self, version: &Version, digests: &[String]) -> Result<Vec<String>, Stop> {
        let usage = |message: String| Stop::new(Exit::Usage, message);
        let services = &self.config.services;
        let mut images: Vec<String> = services.iter().map(|service| reference(service, version)).collect();
        for text in digests {
            let (name, digest) =
                text.split_once('=').map_or((None, text.as_str()), |(name, digest)| (Some(name), digest));
            let digest =
                Digest::from_str(digest).map_err(|expected| usage(format!("--digest {text}: expected {expected}")))?;
            let at = match name {
                Some(name) => services.iter().position(|service| service.name == *name),
                None if services.len() == 1 => Some(0),
                None => return Err(usage(format!("--digest {text}: say of which service, as in SERVICE={digest}"))),
            };
            let at = at.ok_or_else(|| usage(format!("--digest {text}: cutover.yml has no such service")))?;
            if services[at].ship {
                let what = "goes over SSH, and its digest is that of the image here";
                return Err(usage(format!("--digest {text}: {} {what}", services[at].name)));
            }
            images[at] = pinned(&services[at].image, &digest);
        }
        Ok(images)
    }
}
