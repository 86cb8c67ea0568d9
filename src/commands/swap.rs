//! What `release` and `deploy` share: the lock, the plan from what is true now, the swap, and what is said at the end.

use super::session::variable;
use super::{Exit, Run, Stop, cli_duration};
use crate::cli;
use crate::host::Host;
use crate::host::docker::Login;
use crate::host::lock::{Asked, Holder, Lock};
use crate::release::version::{Compared, Version};
use crate::report::{Event, Level};
use crate::swap::execute::{Failure, HostSwap, execute};
use crate::swap::history::{Outcome, Record, ServiceRecord};
use crate::swap::observe::{Observation, state_paths};
use crate::swap::plan::{Plan, Release};
use serde_json::json;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

impl Run {
    /// Whether this version is live everywhere (said so); an older one than what is live is refused unless allowed.
    pub(super) fn already_live(
        &self,
        hosts: &[Host],
        seen: &[Observation],
        version: &Version,
        downgrade: bool,
    ) -> Result<bool, Stop> {
        let mut everywhere = true;
        let mut newer = Vec::new();
        for (host, seen) in hosts.iter().zip(seen) {
            for service in &seen.services {
                let live = service.live.slot().and_then(|slot| service.slots[slot].version.as_ref());
                let live = live.and_then(|live| Version::parse(live).ok());
                let compared = live.as_ref().map(|live| version.compared_to(live));
                everywhere &= compared == Some(Compared::Same);
                if let (Some(Compared::Older), Some(live)) = (compared, live) {
                    newer.push(format!("{}: {} runs {live}", host.name, service.name));
                }
            }
        }
        if !newer.is_empty() && !downgrade {
            let message =
                format!("{version} is older than what is live; --allow-downgrade lets it\n  {}", newer.join("\n  "));
            return Err(Stop::new(Exit::Usage, message));
        }
        if everywhere {
            let text = format!("{version} is already live");
            let data = json!({ "version": version.to_string(), "outcome": "already-live" });
            self.reporter.emit(Event::Result { verb: "release", data, text });
        }
        Ok(everywhere)
    }

    /// Locks the hosts, observes, plans, swaps.
    pub(super) async fn swap(
        &self,
        hosts: &[Host],
        version: &Version,
        images: Vec<String>,
        options: &cli::Swap,
    ) -> Result<Exit, Stop> {
        let began = Instant::now();
        let wait = options.wait.as_deref().map(cli_duration).transpose()?.unwrap_or(self.config.lock_wait);
        let holder = holder(version);
        let _locks = self.until_signal(self.lock(hosts, &holder, wait)).await??;
        let seen = self.until_signal(self.observe(hosts, &images)).await??;
        if self.already_live(hosts, &seen, version, options.allow_downgrade)? {
            return Ok(Exit::Done);
        }
        let release = Release { version: version.to_string(), images, tag: version.tag() };
        let login = self.credentials()?.map(|c| Login { username: c.username, password: c.password, server: c.server });
        let (_, state) = state_paths(&self.config);
        let mut swaps = Vec::new();
        for (host, seen) in hosts.iter().zip(&seen) {
            let plan = Plan::new(&self.config, seen, &release)
                .map_err(|error| Stop::new(Exit::PutBack, format!("{error:#}")))?;
            swaps.push(HostSwap::new(host, plan, &state, &holder.id, login.clone()));
        }
        let mut live_after = Duration::ZERO;
        let done = execute(&mut swaps, &self.cancel, |swaps| {
            live_after = began.elapsed();
            for swap in swaps {
                swap.record = record(swap, &holder, Outcome::Released);
            }
        });
        match done.await {
            Ok(()) => {
                self.reporter.emit(finished(version, &swaps, live_after, began.elapsed()));
                Ok(Exit::Done)
            }
            Err(failure) => Err(self.failed(version, &failure)),
        }
    }

    /// Takes the lock of every host, in the order of their names, so that two releases never wait for each other.
    async fn lock(&self, hosts: &[Host], holder: &Holder, wait: Duration) -> Result<Vec<Lock>, Stop> {
        let (root, _) = state_paths(&self.config);
        let mut order: Vec<&Host> = hosts.iter().collect();
        order.sort_by(|a, b| a.name.cmp(&b.name));
        let mut locks = Vec::new();
        for host in order {
            let waiting = |about: &str| {
                if !wait.is_zero() {
                    let text = format!("locked by {about}; waiting up to {} s", wait.as_secs());
                    self.reporter.note(Level::Info, &host.name, text);
                }
            };
            match Lock::ask(host, &root, holder, wait, waiting).await? {
                Asked::Held(lock) => locks.push(lock),
                Asked::Busy(about) => {
                    let message =
                        format!("{} is locked by another run: {about}\nwait for it with --wait 10m", host.name);
                    return Err(Stop::new(Exit::Locked, message));
                }
            }
        }
        Ok(locks)
    }

    fn failed(&self, version: &Version, failure: &Failure) -> Stop {
        let lines = |pairs: &[(String, String)]| {
            pairs.iter().map(|(host, why)| format!("\n  {host}: {why}")).collect::<String>()
        };
        let causes = lines(&failure.causes);
        if !failure.left.is_empty() {
            let left = lines(&failure.left);
            let message = format!("{version} failed and could not be put back.{causes}\nA person must look at:{left}");
            return Stop::new(Exit::Stuck, message);
        }
        match failure.signal {
            Some(signal) => {
                let message = format!("stopped by {}; put back, the old version serves", signal.name());
                Stop::new(Exit::Interrupted(signal.exit_code()), message)
            }
            None => {
                Stop::new(Exit::PutBack, format!("{version} failed and was put back, the old version serves.{causes}"))
            }
        }
    }
}

/// Who this run is, for those who find the host locked.
fn holder(version: &Version) -> Holder {
    let mut id = [0u8; 16];
    // a failure of the system's random source leaves zeros; the time keeps runs apart then
    let _ = getrandom::fill(&mut id);
    let now = now();
    let id = format!("{:032x}-{now}", u128::from_be_bytes(id));
    Holder { id, about: format!("{} releasing {version}, since {now}", who()) }
}

/// Who and from where: the job's run URL and commit, or user and machine.
pub(super) fn who() -> String {
    let job = || {
        let (server, repository) = (variable("GITHUB_SERVER_URL")?, variable("GITHUB_REPOSITORY")?);
        let run = format!("{server}/{repository}/actions/runs/{}", variable("GITHUB_RUN_ID")?);
        let commit = variable("GITHUB_SHA").map(|sha| format!(" at {sha}")).unwrap_or_default();
        Some(format!("{} in {run}{commit}", variable("GITHUB_ACTOR").unwrap_or_default()))
    };
    let person = || {
        let user = variable("USER").or_else(|| variable("LOGNAME")).unwrap_or_else(|| "somebody".to_owned());
        let machine = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        let machine = variable("HOSTNAME").unwrap_or_else(|| machine.trim().to_owned());
        if machine.is_empty() { user } else { format!("{user} on {machine}") }
    };
    job().unwrap_or_else(person)
}

fn now() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

fn record(swap: &HostSwap<'_>, _: &Holder, outcome: Outcome) -> String {
    let services = swap.plan.services.iter().zip(&swap.started).map(|(service, container)| ServiceRecord {
        service: service.name.clone(),
        slot: service.to.slot.clone(),
        digest: service.pull.split_once('@').map(|(_, digest)| digest.to_owned()),
        image: container.image.clone(),
        container: container.id.clone(),
    });
    let record = Record {
        at: now(),
        by: who(),
        version: swap.plan.version.clone(),
        outcome,
        reason: String::new(),
        services: services.collect(),
        seconds: swap.seconds.iter().map(|(step, seconds)| ((*step).to_owned(), *seconds)).collect(),
    };
    serde_json::to_string(&record).unwrap_or_default()
}

fn finished(version: &Version, swaps: &[HostSwap<'_>], live: Duration, whole: Duration) -> Event {
    let mut text =
        format!("\n{version} is live after {:.2} s; done after {:.2} s\n", live.as_secs_f64(), whole.as_secs_f64());
    let mut hosts = Vec::new();
    for swap in swaps {
        text += &format!("  {}\n", swap.host.name);
        let mut services = Vec::new();
        for (service, container) in swap.plan.services.iter().zip(&swap.started) {
            let from = service.from.as_ref();
            let old = from.and_then(|old| old.version.clone());
            let digest = service.pull.split_once('@').map(|(_, digest)| digest);
            text += &format!(
                "    {:<16} {} → {}   {} → {version}   {}\n",
                service.name,
                from.map_or("nothing", |old| old.slot.as_str()),
                service.to.slot,
                old.as_deref().unwrap_or("unknown version"),
                digest.unwrap_or(&container.image)
            );
            services.push(json!({
                "service": service.name,
                "slot": service.to.slot,
                "previous-slot": from.map(|old| &old.slot),
                "previous-version": old,
                "digest": digest,
                "image": container.image,
            }));
        }
        let seconds: Vec<String> = swap
            .begun
            .iter()
            .filter_map(|step| Some(format!("{} {:.2}", step.name(), swap.seconds.get(step.name())?)))
            .collect();
        text += &format!("    seconds: {}\n", seconds.join(", "));
        let seconds: BTreeMap<_, _> = swap.seconds.iter().collect();
        hosts.push(json!({ "host": swap.host.name, "services": services, "seconds": seconds }));
    }
    let data = json!({
        "version": version.to_string(),
        "outcome": "released",
        "live-seconds": live.as_secs_f64(),
        "seconds": whole.as_secs_f64(),
        "hosts": hosts,
    });
    Event::Result { verb: "release", data, text }
}
