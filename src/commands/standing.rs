//! How a version stands to what is live: a leap that nobody meant, and the same version of another commit.

use super::{Exit, Run, Stop};
use crate::cli;
use crate::host::Host;
use crate::release::Version;
use crate::report::outcome::ReleaseEnd;
use crate::report::{Level, Outcome};
use crate::see::{Observation, ServiceSeen};

impl Run {
    /// Refuses a version that leaves out a major one, unless that is allowed: it is hardly this app's.
    pub(super) fn no_jump(
        &self,
        hosts: &[Host],
        seen: &[Observation],
        version: &Version,
        options: &cli::SwapOptions,
    ) -> Result<(), Stop> {
        let each = hosts.iter().zip(seen).flat_map(|(host, seen)| seen.services.iter().map(move |one| (host, one)));
        let jumps = each.filter_map(|(host, service)| {
            let live = Version::parse(service.slots[service.live.slot()?].version.as_ref()?).ok()?;
            version.jumps_from(&live).then(|| format!("\n  {}: {} runs {live}", host.name, service.name))
        });
        let jumps: String = jumps.collect();
        if jumps.is_empty() || options.allow_jump {
            return Ok(());
        }
        let what = "leaves out a major version: is it this app's? --allow-jump lets it";
        Err(Stop::new(Exit::Usage, format!("{version} {what}{jumps}")))
    }

    /// The commit of the version that is live, where that is known and is another one than this run's.
    pub(super) fn live_from(&self, seen: &[Observation]) -> Option<String> {
        let here = self.commit();
        let of = |service: &ServiceSeen, seen: &Observation| {
            let container = service.slots[service.live.slot()?].container.as_ref()?;
            let owner = service.owner();
            let (record, _) = owner.of_container(&seen.history, &container.id, &container.image)?;
            Some(record.commit.clone()).filter(|commit| !commit.is_empty())
        };
        let all = seen.iter().flat_map(|seen| seen.services.iter().filter_map(|service| of(service, seen)));
        all.into_iter().find(|commit| !here.is_empty() && *commit != here)
    }

    /// Whether the version that is live everywhere is another commit's than this run's: said, and no success.
    pub(super) fn say_live_from_elsewhere(&self, seen: &[Observation], version: &Version) -> bool {
        let Some(other) = self.live_from(seen) else { return false };
        let (here, other) = (short(&self.commit()), short(&other));
        let text = format!("{version} is live from another commit, {other}; this one, {here}, was not released");
        let todo = "a commit that shall be released needs a version of its own";
        self.reporter.note(Level::Warning, "", format!("{text}\n{todo}"));
        let end = ReleaseEnd::LiveFromAnotherCommit { version: version.clone(), commit: other, here };
        self.reporter.outcome(&Outcome::Release(end));
        true
    }
}

fn short(commit: &str) -> String {
    commit.chars().take(7).collect()
}
