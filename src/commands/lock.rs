//! The locks of a fleet, and what is seen under them.

use super::{Exit, Run, Stop, cli_duration};
use crate::host::Host;
use crate::host::lock::{Asked, Holder, Lock};
use crate::report::Level;
use crate::swap::observe::{Observation, state_paths};
use crate::swap::torn::mend;
use futures_util::future::join_all;
use std::time::Duration;

/// Hosts that are locked.
pub(super) struct Locked {
    /// The locks: dropped, they are free.
    pub(super) locks: Vec<Lock>,
    /// What is on each host.
    pub(super) seen: Vec<Observation>,
    /// Nobody has released between the first look at the hosts and the locks.
    pub(super) at_once: bool,
}

impl Run {
    /// Takes the locks and observes the hosts, both at once: what was seen before a lock was ours counts where no release
    /// came between and none is unfinished. `seen`, of a moment ago, counts by the same rule.
    pub(super) async fn lock_and_observe(
        &self,
        hosts: &[Host],
        holder: &Holder,
        wait: Option<&str>,
        wanted: &[String],
        seen: Option<Vec<Observation>>,
    ) -> Result<Locked, Stop> {
        let looking = async {
            match seen {
                Some(seen) => Ok(seen.into_iter().map(|seen| (Some(seen), Vec::new())).collect()),
                None => self.look(hosts, wanted).await,
            }
        };
        let (locks, looked) = tokio::try_join!(self.lock(hosts, holder, wait), looking)?;
        let at_once = hosts.iter().zip(&looked).all(|(host, (seen, _))| {
            let stamp = locks.iter().find(|lock| lock.host == host.name).and_then(|lock| lock.stamp.as_ref());
            seen.as_ref().is_some_and(|seen| stamp == Some(&seen.stamp) && seen.journal.is_none())
        });
        let seen = match at_once {
            true => self.judge(hosts, looked)?,
            false => match self.observe(hosts, wanted).await {
                Err(stop) if stop.exit == Exit::PutBack && self.mend_torn(hosts, holder).await? => {
                    self.observe(hosts, wanted).await?
                }
                seen => seen?,
            },
        };
        Ok(Locked { locks, seen, at_once })
    }

    /// Mends files that a power cut tore under an earlier run; whether there was one.
    async fn mend_torn(&self, hosts: &[Host], holder: &Holder) -> Result<bool, Stop> {
        let (_, state) = state_paths(&self.config);
        let mut mended = false;
        for host in hosts {
            if let Some(path) = mend(host, &state, holder).await? {
                let text =
                    format!("{path} was half written by a run that ended in the middle; it is what it was before");
                self.reporter.note(Level::Warning, &host.name, text);
                mended = true;
            }
        }
        Ok(mended)
    }

    /// Takes the lock of every host: the first by name, which decides between two releases to the same hosts, then all
    /// others at once. If one is held and may be waited for, one after the other by name, so that two releases never
    /// wait for each other.
    pub(super) async fn lock(&self, hosts: &[Host], holder: &Holder, wait: Option<&str>) -> Result<Vec<Lock>, Stop> {
        let wait = wait.map(cli_duration).transpose()?.unwrap_or(self.config.lock_wait);
        let mut order: Vec<&Host> = hosts.iter().collect();
        order.sort_by(|a, b| a.name.cmp(&b.name));
        let Some((first, others)) = order.split_first() else { return Ok(Vec::new()) };
        let mut locks = vec![self.lock_one(first, holder, wait).await?];
        let each = others.iter().map(|host| self.lock_one(host, holder, Duration::ZERO));
        let at_once: Result<Vec<Lock>, Stop> = join_all(each).await.into_iter().collect();
        match at_once {
            Ok(others) => locks.extend(others),
            Err(stop) if wait.is_zero() => return Err(stop),
            Err(_) => {
                for host in others {
                    locks.push(self.lock_one(host, holder, wait).await?);
                }
            }
        }
        Ok(locks)
    }

    async fn lock_one(&self, host: &Host, holder: &Holder, wait: Duration) -> Result<Lock, Stop> {
        let (root, _) = state_paths(&self.config);
        let waiting = |about: &str| {
            if !wait.is_zero() {
                let text = format!("locked by {about}; waiting up to {} s", wait.as_secs());
                self.reporter.note(Level::Info, &host.name, text);
            }
        };
        match Lock::ask(host, &root, holder, wait, waiting).await? {
            Asked::Held(lock) => Ok(lock),
            Asked::Busy(about) => {
                let message = format!("{} is locked by another run: {about}\nwait for it with --wait 10m", host.name);
                Err(Stop::new(Exit::Locked, message))
            }
        }
    }
}
