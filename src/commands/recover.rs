//! `cutover recover`: finish or put back a release that an earlier run left half-way.

use super::lock::Locked;
use super::swap::holder;
use super::{Exit, Run, Stop};
use crate::cli;
use crate::host::Host;
use crate::release::Version;
use crate::report::Outcome;
use crate::see::{Observation, ServiceSeen};
use crate::swap::recover::{Way, way};
use std::time::Duration;

impl Run {
    /// What is on the hosts. A version that is live already is not called so before what an earlier run left unfinished is
    /// finished or put back.
    pub(super) async fn settled(
        &self,
        hosts: &[Host],
        seen: Vec<Observation>,
        version: &Version,
        wait: Option<Duration>,
    ) -> Result<Vec<Observation>, Stop> {
        let version = version.to_string();
        let is_live = |service: &ServiceSeen| {
            let live = service.live.slot().and_then(|slot| service.slots[slot].version.as_ref());
            live == Some(&version)
        };
        let is_live = seen.iter().flat_map(|seen| &seen.services).all(is_live);
        if !is_live || way(&seen).is_none() {
            return Ok(seen);
        }
        let holder = holder("recovering");
        let locked = self.lock_and_observe(hosts, &holder, wait, &[], None);
        let Locked { seen, .. } = self.until_signal(locked).await??;
        let (recovered, seen) = self.recover(hosts, seen, &holder, None).await?;
        let seen = if recovered { self.observe(hosts, &[]).await? } else { seen };
        self.unlock();
        Ok(seen)
    }
}

impl cli::RecoverOptions {
    /// The way that was asked for.
    pub(super) fn way(&self) -> Option<Way> {
        match (self.finish, self.put_back) {
            (true, _) => Some(Way::Finish),
            (_, true) => Some(Way::PutBack),
            _ => None,
        }
    }
}

/// Does what the next release would do first, and nothing else.
pub(super) async fn recover(run: &Run, options: &cli::RecoverOptions) -> Result<Exit, Stop> {
    let asked = options.way();
    let hosts = run.until_signal(run.connect()).await??;
    let holder = holder("recovering");
    let locked = run.lock_and_observe(&hosts, &holder, options.wait, &[], None);
    let Locked { seen, .. } = run.until_signal(locked).await??;
    let (recovered, _) = run.recover(&hosts, seen, &holder, asked).await?;
    run.reporter.outcome(&Outcome::Recover { recovered });
    Ok(Exit::Done)
}
