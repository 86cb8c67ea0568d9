//! `cutover lock` and `cutover unlock`: a person freezes the releases of every host, and lets them go on.

use super::swap::who;
use super::{Exit, Run, Stop};
use crate::cli;
use crate::host::freeze::{Freezing, Frozen, thaw};
use crate::parallel;
use crate::report::Outcome;
use crate::report::outcome::{HostLock, HostUnlock};
use crate::see::state_paths;
use crate::swap::history;

/// Freezes them.
pub(super) async fn lock(run: &Run, options: &cli::LockOptions) -> Result<Exit, Stop> {
    let hosts = run.until_signal(run.connect()).await??;
    let (root, _) = state_paths(&run.config);
    let mine = Frozen { by: who(), since: history::now(), reason: options.reason.trim().to_owned() };
    let each = hosts.iter().map(|host| mine.freeze(host, &root));
    let mut all = Vec::new();
    for (host, freezing) in hosts.iter().zip(run.until_signal(parallel::all(run.config.parallel, each)).await?) {
        let (frozen, already, under_way) = match freezing? {
            Freezing::Done(run) => (mine.clone(), false, run),
            Freezing::Already(frozen) => (frozen, true, None),
        };
        all.push(HostLock { host: host.name.clone(), frozen, already, under_way });
    }
    let others: Vec<&str> = all.iter().filter(|host| host.already).map(|host| host.host.as_str()).collect();
    let others = others.join(", ");
    run.reporter.outcome(&Outcome::Lock { hosts: all });
    if others.is_empty() {
        return Ok(Exit::Done);
    }
    let what = format!("{others}: frozen before, by whom and why stays; `cutover unlock` takes it away");
    Err(Stop::new(Exit::Locked, what))
}

/// Lets them go on.
pub(super) async fn unlock(run: &Run) -> Result<Exit, Stop> {
    let hosts = run.until_signal(run.connect()).await??;
    let (root, _) = state_paths(&run.config);
    let each = hosts.iter().map(|host| thaw(host, &root));
    let mut all = Vec::new();
    for (host, was) in hosts.iter().zip(run.until_signal(parallel::all(run.config.parallel, each)).await?) {
        all.push(HostUnlock { host: host.name.clone(), was: was? });
    }
    run.reporter.outcome(&Outcome::Unlock { hosts: all });
    Ok(Exit::Done)
}
