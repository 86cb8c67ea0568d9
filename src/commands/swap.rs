//! What `release` and `deploy` share: the lock, the plan from what is true now, the swap, and what is said at the end.

use super::hooks::{When, digests};
use super::lock::Locked;
use super::outcome::{failed, finished};
use super::session::variable;
use super::ship::ToRelease;
use super::{Exit, Run, Stop};
use crate::cli;
use crate::host::docker::Login;
use crate::host::lock::Holder;
use crate::host::{Host, Kind, Unnamed, kind};
use crate::parallel;
use crate::release::version::{Compared, Version};
use crate::report::outcome::ReleaseEnd;
use crate::report::stop::Reason;
use crate::report::{Level, Outcome};
use crate::see::{Observation, state_paths};
use crate::swap::deliver::Shipment;
use crate::swap::execute::{Unreleased, execute};
use crate::swap::history;
use crate::swap::plan::Plan;
use crate::swap::planning::{Release, ReleaseImage};
use crate::swap::recover::{self, Way};
use crate::swap::run::HostSwap;
use crate::swap::step::serves;
use crate::swap::story::Step;
use futures_util::future::join_all;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// The question before old code comes back to what a migration has left.
const UNSAFE: &str = "The release's own command ran and is marked irreversible: the old version may not work with what it \
                      did.\nPut the old version back all the same?";

/// For so long after a step on the host its lock need not be asked for.
const RECENT: Duration = Duration::from_secs(5);

/// How long is waited for the lock that this run itself had before its connection broke.
const OWN_LOCK: Duration = Duration::from_secs(60);

/// How often an image is sent where the connection breaks.
const SENDINGS: usize = 4;

/// What came of an attempt.
pub(super) enum Tried {
    /// It has come to its end.
    Exit(Exit),
    /// A connection broke while an image was on its way; nothing has changed on any host.
    Cut(Stop),
}

impl Tried {
    /// The end, if there is no other attempt.
    pub(super) fn exit(self) -> Result<Exit, Stop> {
        match self {
            Tried::Exit(exit) => Ok(exit),
            Tried::Cut(stop) => Err(stop),
        }
    }
}

/// The connection broke while an image was on its way to this host.
fn was_cut(swap: &HostSwap<'_>) -> bool {
    swap.host.session.is_closed() && swap.begun == [Step::Pull] && swap.plan.services.iter().any(|service| service.ship)
}

impl Run {
    /// Whether this version is live everywhere (said so, and what differs from what it would be released with now) and that
    /// is enough; an older one than what is live is refused unless allowed. `images` are what it would be released from.
    pub(super) async fn already_live(
        &self,
        hosts: &[Host],
        seen: &[Observation],
        version: &Version,
        images: &[String],
        options: &cli::SwapOptions,
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
        if !newer.is_empty() && !options.allow_downgrade {
            let message =
                format!("{version} is older than what is live; --allow-downgrade lets it\n  {}", newer.join("\n  "));
            return Err(Stop::new(Exit::Usage, message));
        }
        self.no_jump(hosts, seen, version, options)?;
        if everywhere && options.again {
            self.reporter.note(Level::Info, "", format!("{version} is live already, and goes live once more"));
            return Ok(false);
        }
        if everywhere && self.say_live_from_elsewhere(seen, version) {
            return Ok(true);
        }
        if everywhere {
            let differing = self.differing(hosts, seen, version, images).await?;
            if !differing.is_empty() {
                let job = variable("GITHUB_ACTIONS").map_or("", |_| " (in a job: `args: --again`)");
                let what = format!(
                    "{version} is live, but not with what it would be released with now: {} differ. `cutover deploy \
                     --version {version} --again`{job} takes it live with that, in the other slot",
                    differing.join(", ")
                );
                self.reporter.note(Level::Warning, "", what);
            }
            let end = ReleaseEnd::AlreadyLive { version: version.clone(), differing };
            self.reporter.outcome(&Outcome::Release(end));
        }
        Ok(everywhere)
    }

    /// Locks the hosts, puts right what an earlier run left, observes, plans, swaps. `seen` is what was observed a moment
    /// ago. Where a connection breaks while an
    /// image is on its way, so that nothing has changed anywhere, it is all done once more, on new connections.
    pub(super) async fn swap(
        &self,
        hosts: &[Host],
        version: &Version,
        wanted: &ToRelease,
        options: &cli::SwapOptions,
        seen: Option<Vec<Observation>>,
    ) -> Result<Exit, Stop> {
        let began = Instant::now();
        let mut ended = self.swap_once(hosts, version, wanted, options, seen, began).await?;
        for _ in 1..SENDINGS {
            let Tried::Cut(_) = &ended else { break };
            self.reporter.note(
                Level::Warning,
                "",
                "the connection broke while the image was sent; connecting once more",
            );
            let hosts = self.until_signal(self.connect()).await??;
            let options = cli::SwapOptions { wait: options.wait.or(Some(OWN_LOCK)), ..options.clone() };
            ended = self.swap_once(&hosts, version, wanted, &options, None, began).await?;
        }
        ended.exit()
    }

    async fn swap_once(
        &self,
        hosts: &[Host],
        version: &Version,
        wanted: &ToRelease,
        options: &cli::SwapOptions,
        seen: Option<Vec<Observation>>,
        began: Instant,
    ) -> Result<Tried, Stop> {
        let images = wanted.references.clone();
        let holder = holder(&version.to_string());
        let locking = self.lock_and_observe(hosts, &holder, options.wait, &images, seen);
        let both = async { tokio::join!(locking, wanted.shipment.ask_ahead(hosts, &self.config)) };
        let (locked, ()) = self.until_signal(both).await?;
        let Locked { seen, at_once } = locked?;
        if !at_once {
            wanted.shipment.forget();
        }
        let seen = match self.recover(hosts, seen, &holder, None).await? {
            (true, _) => self.observe(hosts, &images).await?,
            (false, seen) => seen,
        };
        if self.already_live(hosts, &seen, version, &images, options).await? {
            return Ok(Tried::Exit(Exit::Done));
        }
        let release = Release {
            id: holder.id.clone(),
            version: version.to_string(),
            commit: self.commit(),
            images: self.release_images(images, &wanted.shipment),
            rollback: false,
        };
        let plans = self.plans(&seen, &release)?;
        self.carry_out(hosts, &plans, &wanted.shipment, &holder, began).await
    }

    /// What each service shall run, of references in the order of the configuration.
    pub(super) fn release_images(
        &self,
        references: impl IntoIterator<Item = String>,
        shipment: &Shipment,
    ) -> BTreeMap<String, ReleaseImage> {
        let names = self.config.services.iter().map(|service| service.name.to_string());
        let images = names.zip(references).map(|(name, reference)| {
            let ids = shipment.ids(&name);
            (name, ReleaseImage { reference, ids })
        });
        images.collect()
    }

    /// A plan for every host. The first one runs the release's own command.
    pub(super) fn plans(&self, seen: &[Observation], release: &Release) -> Result<Vec<Plan>, Stop> {
        let plan = |(number, seen)| Plan::new(&self.config, seen, release, number == 0);
        let plans: anyhow::Result<Vec<Plan>> = seen.iter().enumerate().map(plan).collect();
        plans.map_err(|error| Stop::new(Exit::Refused, format!("{error:#}")))
    }

    /// Executes the plans and says how it ended. A host whose connection broke is connected to once more and put right.
    pub(super) async fn carry_out(
        &self,
        hosts: &[Host],
        plans: &[Plan],
        shipment: &Shipment,
        holder: &Holder,
        began: Instant,
    ) -> Result<Tried, Stop> {
        let version = plans.first().map(|plan| plan.version.clone()).unwrap_or_default();
        self.tell_hooks(plans);
        self.hook_before(When::BeforeRelease).await?;
        let login = self.credentials()?.map(|c| Login { username: c.username, password: c.password, server: c.server });
        let given = self.env_given(plans.first().is_some_and(|plan| plan.rollback))?;
        let (_, state) = state_paths(&self.config);
        let swap = |(host, plan)| {
            let (login, env_given, shipment) = (login.clone(), given.clone(), shipment.clone());
            HostSwap { login, env_given, shipment, ..HostSwap::new(host, plan, &state, holder) }
        };
        let mut swaps: Vec<HostSwap<'_>> = hosts.iter().zip(plans).map(swap).collect();
        let done = execute(&mut swaps, self.config.parallel, &self.cancel, || !super::ask::yes(UNSAFE)).await;
        let broken: Vec<&Host> = hosts.iter().filter(|host| host.session.is_closed()).collect();
        match done {
            Ok(done) => {
                if !done.tidy {
                    let _ = self.mend(&broken, holder, Way::Finish).await?;
                }
                // a step said a moment ago that the lock is ours, unless this run stood still since
                if swaps.iter().any(|swap| swap.asked.elapsed() > RECENT) {
                    self.if_still_ours(Ok(Exit::Done)).await?;
                }
                self.reporter.outcome(&finished(&swaps, done.live - began, began.elapsed()));
                self.hooks.released();
                self.hooks.told().digest = digests(&swaps);
                let used = swaps.iter().filter_map(|swap| Some(Reason::new(&swap.host.name, swap.still_used.clone()?)));
                match used.collect::<Vec<_>>() {
                    used if used.is_empty() => Ok(Tried::Exit(Exit::Done)),
                    used => Err(Stop::BothServe { version, used }),
                }
            }
            Err(Unreleased::Overtaken(overtaken)) => Err(overtaken.into()),
            Err(Unreleased::Failed(mut failure)) => {
                let cut = failure.left.is_empty() && failure.signal.is_none() && swaps.iter().any(was_cut);
                if cut {
                    return Ok(Tried::Cut(failed(&version, failure, Vec::new())));
                }
                if !broken.is_empty() {
                    failure.left.retain(|left| !broken.iter().any(|broken| broken.name == left.host));
                    failure.left.extend(self.mend(&broken, holder, Way::PutBack).await?);
                }
                let hurried = failure.signal.is_some();
                let seen =
                    swaps.iter().filter(|_| !hurried).map(async |swap| (swap.host.name.clone(), serves(swap).await));
                Err(failed(&version, failure, join_all(seen).await))
            }
        }
    }

    /// Connects once more to hosts whose connection broke, and puts them right. What could not be done comes back; where
    /// another run has taken over, it ends with that.
    async fn mend(&self, broken: &[&Host], holder: &Holder, way: Way) -> Result<Vec<Reason>, Stop> {
        let mut left = Vec::new();
        for host in broken {
            self.reporter.note(Level::Warning, &host.name, "the connection broke; connecting once more");
            if let Err(stop) = self.mend_one(host, holder, way).await {
                if let Stop::Overtaken(_) = stop {
                    return Err(stop);
                }
                let why = format!("{stop}\nrun `cutover recover` when the host can be reached");
                left.push(Reason::new(&host.name, why));
            }
        }
        Ok(left)
    }

    async fn mend_one(&self, broken: &Host, holder: &Holder, way: Way) -> Result<(), Stop> {
        let host = self.connect_again(&broken.name).await?;
        let hosts = std::slice::from_ref(&host);
        self.lock(hosts, holder, Some(OWN_LOCK)).await?;
        let seen = self.observe(hosts, &[]).await?;
        self.recover(hosts, seen, holder, Some(way)).await.map(|_| ())
    }

    /// Puts right what an earlier run left unfinished, if one did: says so, and gives the observations back.
    pub(super) async fn recover(
        &self,
        hosts: &[Host],
        seen: Vec<Observation>,
        holder: &Holder,
        asked: Option<Way>,
    ) -> Result<(bool, Vec<Observation>), Stop> {
        let Some(found) = recover::way(&seen) else { return Ok((false, seen)) };
        let way = asked.unwrap_or(found);
        if asked.is_none() && way == Way::PutBack && recover::is_irreversible(&seen) {
            let message = "an earlier release was not finished, and its own command, marked irreversible, has run: decide \
                           with `cutover recover --finish` or `cutover recover --put-back`";
            return Err(Stop::new(Exit::Stuck, message));
        }
        let (_, state) = state_paths(&self.config);
        self.reporter.phase(match way {
            Way::Finish => "Recover: finish the release that an earlier run left",
            Way::PutBack => "Recover: put back the release that an earlier run left",
        });
        let each =
            hosts.iter().zip(&seen).map(|(host, seen)| recover::recover(host, seen, &state, holder, way, &self.cancel));
        let results = parallel::all(self.config.parallel, each).await;
        for error in results.iter().filter_map(|result| result.as_ref().err()) {
            if let Kind::Overtaken(overtaken) = kind(error) {
                return Err(overtaken.clone().into());
            }
        }
        let failed = hosts.iter().zip(results);
        let failed =
            failed.filter_map(|(host, result)| Some(Reason::new(&host.name, Unnamed(&result.err()?).to_string())));
        match failed.collect::<Vec<_>>() {
            failed if failed.is_empty() => Ok((true, seen)),
            failed => Err(Stop::Unsettled(failed)),
        }
    }
}

/// Who this run is, for those who find the host locked.
pub(super) fn holder(what: &str) -> Holder {
    let now = history::now();
    let id = format!("{}-{now}", crate::random::some_word());
    let by = who();
    Holder { id, about: format!("{by}, {what}, since {now}"), by }
}

/// The page of the job that this is a step of.
pub(super) fn run_url() -> Option<String> {
    let (server, repository) = (variable("GITHUB_SERVER_URL")?, variable("GITHUB_REPOSITORY")?);
    Some(format!("{server}/{repository}/actions/runs/{}", variable("GITHUB_RUN_ID")?))
}

/// Who and from where: the job's run URL and commit, or user and machine.
pub(super) fn who() -> String {
    let job = || {
        let run = run_url()?;
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
