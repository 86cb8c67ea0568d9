//! The locks of a fleet, and what is seen under them.

use super::{Exit, Run, Stop};
use crate::host::freeze::Held;
use crate::host::lock::{Asked, Holder, Lock, Wish};
use crate::host::{Host, Kind, kind};
use crate::report::Level;
use crate::see::{Observation, state_paths};
use crate::swap::torn::mend;
use futures_util::future::join_all;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Hosts that are locked.
pub(super) struct Locked {
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
        wait: Option<Duration>,
        wanted: &[String],
        seen: Option<Vec<Observation>>,
    ) -> Result<Locked, Stop> {
        let looking = async {
            match seen {
                Some(seen) => Ok(seen.into_iter().map(|seen| (Some(seen), Vec::new())).collect()),
                None => self.look(hosts, wanted).await,
            }
        };
        // a lock that can't be taken at all has a reason that was seen meanwhile, such as whose directory it is
        let locking = async {
            match self.lock(hosts, holder, wait).await {
                Err(stop) if stop.exit() == Exit::Unexpected => Ok(Err(stop)),
                other => other.map(Ok),
            }
        };
        let (locked, looked) = tokio::try_join!(locking, looking)?;
        if let Err(stop) = locked {
            return Err(self.judge(hosts, looked).err().unwrap_or(stop));
        }
        let stamps: HashMap<String, Option<String>> =
            self.locks.lock().iter().map(|lock| (lock.host.clone(), lock.stamp.clone())).collect();
        let at_once = hosts.iter().zip(&looked).all(|(host, (seen, _))| {
            let stamp = stamps.get(&host.name).and_then(Option::as_ref);
            seen.as_ref().is_some_and(|seen| stamp == Some(&seen.stamp) && seen.journal.is_none())
        });
        let seen = match at_once {
            true => self.judge(hosts, looked)?,
            false => match self.observe(hosts, wanted).await {
                Err(stop) if stop.exit() == Exit::Refused && self.mend_torn(hosts, holder).await? => {
                    self.observe(hosts, wanted).await?
                }
                seen => seen?,
            },
        };
        Ok(Locked { seen, at_once })
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
    /// wait for each other. They are held until [`Run::unlock`] or the end of the run.
    pub(super) async fn lock(&self, hosts: &[Host], holder: &Holder, wait: Option<Duration>) -> Result<(), Stop> {
        let wait = wait.unwrap_or(self.config.lock_wait);
        let mut order: Vec<&Host> = hosts.iter().collect();
        order.sort_by(|a, b| a.name.cmp(&b.name));
        let Some((first, others)) = order.split_first() else { return Ok(()) };
        self.lock_one(first, holder, wait).await?;
        let each = others.iter().map(|host| self.lock_one(host, holder, Duration::ZERO));
        let at_once: Result<Vec<()>, Stop> = join_all(each).await.into_iter().collect();
        match at_once {
            Ok(_) => {}
            Err(stop) if wait.is_zero() || stop.exit() != Exit::Locked => return Err(stop),
            Err(_) => {
                self.locks.lock().retain(|lock| lock.host == first.name);
                for host in others {
                    self.lock_one(host, holder, wait).await?;
                }
            }
        }
        Ok(())
    }

    async fn lock_one(&self, host: &Host, holder: &Holder, wait: Duration) -> Result<(), Stop> {
        let (_, state) = state_paths(&self.config);
        let again = self.locks.lock().iter().any(|lock| lock.host == host.name && lock.holder == holder.id);
        if !again {
            self.locks.lock().retain(|lock| lock.host != host.name);
        }
        let waiting = |held: &Held| {
            if !wait.is_zero() {
                let text = format!("{held}; waiting up to {} s", wait.as_secs());
                self.reporter.note(Level::Info, &host.name, text);
            }
        };
        let said = AtomicBool::new(false);
        let step = || {
            if !said.swap(true, Ordering::Relaxed) {
                let text = "a step of the run before is still under way; it is waited for until its time is over";
                self.reporter.note(Level::Info, &host.name, text);
            }
        };
        match Lock::ask(host, Wish { state: &state, holder, wait, again }, waiting, step).await? {
            Asked::Held(lock) => {
                // once the host is surveyed, its slot and nginx are asked at once
                host.session.ready_for_two();
                let mut locks = self.locks.lock();
                locks.retain(|known| known.host != lock.host);
                locks.push(lock);
                Ok(())
            }
            Asked::Overtaken(overtaken) => Err(overtaken.into()),
            Asked::Busy(by) => Err(Stop::Locked { host: host.name.clone(), by }),
        }
    }

    /// Refuses what would be refused at the locks, before anything is built for it: a person has frozen a host, and nobody
    /// wants to wait.
    pub(super) fn not_frozen(&self, hosts: &[Host], seen: &[Observation], wait: Option<Duration>) -> Result<(), Stop> {
        if !wait.unwrap_or(self.config.lock_wait).is_zero() {
            return Ok(());
        }
        let each = hosts.iter().zip(seen);
        let frozen = each.filter_map(|(host, seen)| Some((host, Held::Person(seen.frozen.clone()?))));
        let said: Vec<String> =
            frozen.map(|(host, by)| Stop::Locked { host: host.name.clone(), by }.to_string()).collect();
        if said.is_empty() { Ok(()) } else { Err(Stop::new(Exit::Locked, said.join("\n"))) }
    }

    /// Gives the locks back.
    pub(super) fn unlock(&self) {
        self.locks.lock().clear();
    }

    /// An end that went well, if nobody has taken a lock of this run since: to be asked before anything is said or moved
    /// elsewhere on the strength of it. A host that can't be asked is connected to once more.
    pub(super) async fn if_still_ours(&self, ended: Result<Exit, Stop>) -> Result<Exit, Stop> {
        let locks = std::mem::take(&mut *self.locks.lock());
        let checked = if matches!(ended, Ok(Exit::Done)) { self.check_all(&locks).await } else { Ok(()) };
        self.locks.lock().extend(locks);
        checked.and(ended)
    }

    async fn check_all(&self, locks: &[Lock]) -> Result<(), Stop> {
        for checked in join_all(locks.iter().map(Lock::check)).await {
            checked.map_err(|error| match kind(&error) {
                Kind::Overtaken(overtaken) => Stop::from(overtaken.clone()),
                Kind::Lost => Stop::advised(Exit::Connection, format!("{error:#}"), UNSEEN),
                Kind::Other => Stop::advised(Exit::Unexpected, format!("{error:#}"), UNSEEN),
            })?;
        }
        Ok(())
    }
}

/// What is said where a host could not be asked for the lock at the end.
const UNSEEN: &str = "the version is live, but whether another run has taken over can't be seen: nothing else was told or \
                      moved. Run it again: it finishes what is left there";

/// The locks that a run holds.
#[derive(Default)]
pub(crate) struct Locks(Mutex<Vec<Lock>>);

impl Locks {
    fn lock(&self) -> MutexGuard<'_, Vec<Lock>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
