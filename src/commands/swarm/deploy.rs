//! Releases to a stack: `deploy`, `rollback`, `recover`.

use super::desk::{Desk, in_a_job};
use crate::cli;
use crate::commands::hooks::When;
use crate::commands::outcome::failed;
use crate::commands::swap::holder;
use crate::commands::{Exit, Run, Stop, ask};
use crate::release::Version;
use crate::release::build::reference;
use crate::release::digest::Digest;
use crate::release::source::VersionSource;
use crate::release::version::Compared;
use crate::report::outcome::{HostReleased, ReleaseEnd, ServiceReleased};
use crate::report::stop::Reason;
use crate::report::{Level, Outcome};
use crate::swap::history::{self, Owner};
use crate::swarm::judge::drift;
use crate::swarm::plan::{Plan, Release};
use crate::swarm::run::{End, Live, Work};
use crate::swarm::see::Seen;
use std::str::FromStr as _;
use std::sync::PoisonError;
use std::time::Instant;

/// `cutover deploy`: a version that is in the registry.
pub(super) async fn deploy(run: &Run, options: &cli::DeployOptions, stack: &str) -> Result<Exit, Stop> {
    if !options.image.is_empty() {
        return Err(Stop::new(
            Exit::Usage,
            "`--image` does not work with `engine: swarm`: an image comes from a registry",
        ));
    }
    let Some((version, source)) = run.version(&options.asked).await? else { return Ok(Exit::Done) };
    run.reporter.note(Level::Info, "", format!("{version}, from {source}"));
    if !matches!(source, VersionSource::Asked | VersionSource::Input) {
        run.know_commit(false).await;
    }
    let digest = stated(run, &options.digest)?;
    let mut github = run.github(&version, in_a_job()).await;
    github.begin(&github.commit()).await;
    let ended = swap(run, stack, &version, digest, &options.swap).await;
    github.end_if_ours(ended).await
}

/// The digest that was asked for.
fn stated(run: &Run, digests: &[String]) -> Result<Option<String>, Stop> {
    let name = run.config.services[0].name.as_str();
    let [digest] = digests else {
        return if digests.is_empty() {
            Ok(None)
        } else {
            Err(Stop::new(Exit::Usage, "--digest: expected one, of the only service"))
        };
    };
    let text = digest.split_once('=').filter(|(of, _)| *of == name).map_or(digest.as_str(), |(_, digest)| digest);
    let digest = Digest::from_str(text);
    let digest = digest.map_err(|expected| Stop::new(Exit::Usage, format!("--digest {text}: expected {expected}")))?;
    Ok(Some(digest.to_string()))
}

/// Takes a version live: of this digest, else of the one that the registry has for its tag.
pub(super) async fn swap(
    run: &Run,
    stack: &str,
    version: &Version,
    digest: Option<String>,
    options: &cli::SwapOptions,
) -> Result<Exit, Stop> {
    let began = Instant::now();
    run.reporter.phase("Check the hosts");
    let hosts = run.until_signal(run.connect()).await??;
    let holder = holder(&version.to_string());
    let work = async |desk: &Desk<'_>| {
        desk.settle(stack, None).await?;
        let seen = desk.seen(stack).await?;
        if already_live(run, &seen, version, options)? {
            return Ok(Exit::Done);
        }
        let tagged = reference(&run.config.services[0], version);
        let digest = match &digest {
            Some(digest) => digest.clone(),
            None => {
                let found = desk.api.digest(&tagged, desk.auth.as_deref()).await;
                found.map_err(|error| Stop::new(Exit::Refused, format!("{error:#}\nnothing was changed")))?
            }
        };
        let release = Release {
            id: holder.id.clone(),
            by: holder.by.clone(),
            version: version.to_string(),
            commit: run.commit(),
            image: format!("{tagged}@{digest}"),
            rollback: false,
        };
        let plan = Plan::new(&seen, &run.config, release);
        desk.carry_out(&seen, &plan, began).await
    };
    run.at_the_desk(&hosts, stack, &holder, options.wait, work).await
}

/// Whether this version is live (said so); an older one than what is live is refused unless allowed.
pub(super) fn already_live(
    run: &Run,
    seen: &Seen<'_>,
    version: &Version,
    options: &cli::SwapOptions,
) -> Result<bool, Stop> {
    let live = seen.named().and_then(|slot| seen.slots[slot].version(&run.config.services[0]));
    let Some(live) = live.and_then(|live| Version::parse(&live).ok()) else { return Ok(false) };
    match version.compared_to(&live) {
        Compared::Older if !options.allow_downgrade => {
            let what = format!("{version} is older than what is live, {live}; --allow-downgrade lets it");
            Err(Stop::new(Exit::Usage, what))
        }
        _ if version.jumps_from(&live) && !options.allow_jump => {
            let what = format!(
                "{version} leaves out a major version: is it this app's? --allow-jump lets it\n  {live} is live"
            );
            Err(Stop::new(Exit::Usage, what))
        }
        Compared::Same if !options.again => {
            let end = ReleaseEnd::AlreadyLive { version: version.clone(), differing: Vec::new() };
            run.reporter.outcome(&Outcome::Release(end));
            Ok(true)
        }
        _ => Ok(false),
    }
}

/// `cutover rollback`: an earlier release's image, by the same way.
pub(super) async fn rollback(run: &Run, options: &cli::RollbackOptions, stack: &str) -> Result<Exit, Stop> {
    let began = Instant::now();
    let asked = options.version.as_ref().or(options.to.as_ref()).map(|text| Version::parse(text)).transpose()?;
    run.reporter.phase("Check the hosts");
    let hosts = run.until_signal(run.connect()).await??;
    let holder = holder("rolling back");
    let work = async |desk: &Desk<'_>| {
        desk.settle(stack, None).await?;
        let seen = desk.seen(stack).await?;
        let records = desk.store.state().await.history;
        let possible = possible(run, &seen, &records);
        let found = match &asked {
            Some(asked) => possible.iter().find(|(version, _, _)| *version == asked.to_string()),
            None => possible.iter().find(|(_, _, bad)| !bad),
        };
        let Some((version, image, _)) = found else { return Err(nowhere(&possible, asked.as_ref())) };
        run.reporter.about(version);
        if !options.yes && ask::is_person_there() && !ask::yes(&format!("Go back to {version} on the stack {stack}?")) {
            return Err(Stop::new(Exit::Interrupted(130), "not rolled back; nothing was changed"));
        }
        run.reporter.note(Level::Info, "", format!("going back to {version}"));
        let release = Release {
            id: holder.id.clone(),
            by: holder.by.clone(),
            version: version.clone(),
            commit: history::commit_of_version(&records, version).unwrap_or_default().to_owned(),
            image: image.clone(),
            rollback: true,
        };
        let plan = Plan::new(&seen, &run.config, release);
        desk.carry_out(&seen, &plan, began).await
    };
    run.at_the_desk(&hosts, stack, &holder, options.wait, work).await
}

/// What can be gone back to, newest first: version, image, and whether it was rolled back itself. That which is live by the last
/// look is none of it; what no release put there, but the other slot still names, is the last.
pub(super) fn possible(run: &Run, seen: &Seen<'_>, records: &[history::Record]) -> Vec<(String, String, bool)> {
    let settings = &run.config.services[0];
    let named = seen.named().unwrap_or(0);
    let live = seen.slots[named].version(settings);
    let repository = settings.image.familiar();
    let slots = seen.slots.each_ref().map(|slot| slot.called.as_str());
    let owner = Owner { repository: &repository, slots };
    let released = owner.released(records).into_iter();
    let mut all: Vec<(String, String, bool)> = released
        .map(|(record, part)| (record.version.clone(), part.image.clone(), owner.is_bad(records, &record.version)))
        .collect();
    let idle = seen.slots[1 - named].service.image();
    if let Some(version) = crate::swarm::plan::version_of(idle, settings)
        && !records.iter().any(|record| record.version == version)
    {
        all.push((version, idle.to_owned(), false));
    }
    all.retain(|(version, _, _)| Some(version) != live.as_ref());
    all
}

fn nowhere(possible: &[(String, String, bool)], asked: Option<&Version>) -> Stop {
    let names: Vec<&str> = possible.iter().map(|(version, ..)| version.as_str()).collect();
    let names = if names.is_empty() { "nothing".to_owned() } else { names.join(", ") };
    let what = match asked {
        Some(asked) => format!("{asked} is live already, or not in the history; possible: {names}"),
        None => format!("there is no earlier release to go back to; possible: {names}"),
    };
    Stop::advised(
        Exit::Usage,
        what,
        "an image that a registry has goes live with `cutover deploy --version … --allow-downgrade`",
    )
}

/// `cutover recover`: what the next release would do first, and nothing else.
pub(super) async fn recover(run: &Run, options: &cli::RecoverOptions, stack: &str) -> Result<Exit, Stop> {
    let asked = options.way();
    let hosts = run.until_signal(run.connect()).await??;
    let holder = holder("recovering");
    let work = async |desk: &Desk<'_>| desk.settle(stack, asked).await;
    let recovered = run.at_the_desk(&hosts, stack, &holder, options.wait, work).await?;
    run.reporter.outcome(&Outcome::Recover { recovered });
    Ok(Exit::Done)
}

impl<'d> Desk<'d> {
    /// The stack as a release needs it.
    pub(super) async fn seen(&self, stack: &str) -> Result<Seen<'d>, Stop> {
        let (seen, findings) = self.run.until_signal(self.run.see_stack(self.api, stack)).await??;
        let seen = self.run.judged(seen, &findings)?;
        for text in drift(&seen, self.store.state().await.live.as_ref()) {
            self.run.reporter.note(Level::Warning, "", text);
        }
        Ok(seen)
    }

    /// Executes a plan and says how it ended.
    pub(super) async fn carry_out(&self, seen: &Seen<'d>, plan: &Plan, began: Instant) -> Result<Exit, Stop> {
        let values = if plan.rollback { self.values_of_rollback(seen, plan) } else { self.values_given()? };
        {
            let mut told = self.run.hooks.told();
            told.version.clone_from(&plan.version);
            told.previous = plan.from.version.clone().unwrap_or_default();
            told.image.clone_from(&plan.to.image);
        }
        self.run.hook_before(When::BeforeRelease).await?;
        let work = self.work(seen, plan, values);
        match work.execute().await {
            End::Live(live) => {
                self.run.reporter.outcome(&released(&work, &live, began));
                self.run.hooks.told().digest = plan.to.digest().unwrap_or_default().to_owned();
                self.run.hooks.released();
                if live.left.is_empty() { Ok(Exit::Done) } else { Err(unfinished(plan, live.left)) }
            }
            End::Failed(failure) => Err(failed(&plan.version, failure, Vec::new())),
            End::Overtaken(overtaken) => Err(overtaken.into()),
        }
    }
}

/// The version is live, and something is left to do.
fn unfinished(plan: &Plan, mut left: Vec<Reason>) -> Stop {
    let what = format!("{} is live, but its predecessor keeps its tasks: `cutover recover` finishes it", plan.version);
    left.iter_mut().for_each(|reason| reason.why = format!("{what}\n{}", reason.why));
    Stop::Unsettled(left)
}

/// What a release that is live comes to.
fn released(work: &Work<'_, '_>, live: &Live, began: Instant) -> Outcome {
    let plan = work.plan;
    let taken = work.seconds.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let service = ServiceReleased {
        service: plan.name.clone(),
        slot: plan.to.called.clone(),
        previous_slot: Some(plan.from.called.clone()),
        previous_version: plan.from.version.clone(),
        digest: plan.to.digest().map(str::to_owned),
        image: plan.to.image.clone(),
        reference: plan.to.image.split('@').next().map(str::to_owned),
    };
    let host = |(edge, to_live): (&crate::swarm::edge::Edge<'_>, &u32)| HostReleased {
        host: edge.host.name.clone(),
        services: vec![service.clone()],
        drained: live
            .drained
            .iter()
            .find(|(host, _)| *host == edge.host.name)
            .map(|(_, text)| text.clone())
            .unwrap_or_default(),
        seconds: taken.iter().copied().collect(),
        round_trips: edge.host.session.round_trips(),
        round_trips_to_live: *to_live,
        steps: taken.iter().map(|(step, _)| *step).collect(),
    };
    Outcome::Release(ReleaseEnd::Released {
        version: plan.version.clone(),
        live_seconds: (live.at - began).as_secs_f64(),
        seconds: began.elapsed().as_secs_f64(),
        hosts: work.seen.edges.iter().zip(&live.trips).map(host).collect(),
    })
}
