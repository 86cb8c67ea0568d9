//! Commands of the user's own on this side, around a release.

use super::session::variable;
use super::{Exit, Run, Stop};
use crate::child;
use crate::config::LocalHook;
use crate::report::Event;
use crate::secret::Secret;
use crate::swap::plan::Plan;
use crate::swap::run::HostSwap;
use std::fmt;
use std::process::{ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, BufReader};
use tokio::process::{Child, Command};

/// A line that is longer is cut there, and what comes after so many bytes is passed over.
const LONGEST_LINE: u64 = 16 << 10;
const MOST: u64 = 4 << 20;
/// How long the last lines are waited for once a command has ended.
const GRACE: Duration = Duration::from_millis(200);
/// A job that was cancelled is killed 10 seconds after its first signal.
const CANCELLED: Duration = Duration::from_secs(4);

/// When a command runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum When {
    BeforeBuild,
    BeforeRelease,
    AfterRelease,
    OnFailure,
}

impl When {
    fn name(self) -> &'static str {
        match self {
            When::BeforeBuild => "before-build",
            When::BeforeRelease => "before-release",
            When::AfterRelease => "after-release",
            When::OnFailure => "on-failure",
        }
    }
}

/// What a command is told of the release, as far as it is known by then.
#[derive(Debug, Clone, Default)]
pub(super) struct Told {
    pub(super) version: String,
    pub(super) previous: String,
    pub(super) image: String,
    pub(super) digest: String,
    pub(super) outcome: &'static str,
    pub(super) reason: String,
}

/// What the commands of a run are told, and what has been run.
#[derive(Default)]
pub(crate) struct LocalHooks {
    told: Mutex<Told>,
    began: AtomicBool,
    released: AtomicBool,
}

impl LocalHooks {
    /// What they are told; it becomes more while the release goes on.
    pub(super) fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new version is live.
    pub(super) fn released(&self) {
        self.released.store(true, Ordering::Relaxed);
    }
}

/// Why a command did not end well.
enum Failed {
    Start(std::io::Error),
    Ended(ExitStatus),
    Late(Duration),
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failed::Start(error) => write!(f, "it can't be started: {error}"),
            Failed::Ended(status) => write!(f, "it ended with {status}"),
            Failed::Late(limit) => write!(f, "no end after {} s", limit.as_secs()),
        }
    }
}

impl Run {
    /// Runs the command before the build, or before the first host is changed: where it fails, so does the release.
    pub(super) async fn hook_before(&self, when: When) -> Result<(), Stop> {
        // an image that is sent once more is no other release
        if when == When::BeforeRelease && self.hooks.began.swap(true, Ordering::Relaxed) {
            return Ok(());
        }
        let Some(hook) = self.local_hook(when) else { return Ok(()) };
        match self.until_signal(self.run_hook(when, hook, hook.timeout)).await? {
            Ok(()) => Ok(()),
            Err(failed) => {
                let what = format!("hooks.{}: `{}`: {failed}", when.name(), hook.command.join(" "));
                Err(Stop::new(Exit::Refused, format!("{what}\nnothing was changed on any host")))
            }
        }
    }

    /// Runs the command after a release, or after one that failed. What it comes to changes nothing of that.
    pub(super) async fn hook_after(&self, ended: &Result<Exit, Stop>) {
        let (when, outcome, reason) = match ended {
            Ok(Exit::Done) if self.hooks.released.load(Ordering::Relaxed) => {
                (When::AfterRelease, "released", String::new())
            }
            // a person who said no has not seen anything fail
            Err(stop) if matches!(stop.exit(), Exit::Interrupted(_)) && self.cancel.raised().is_none() => return,
            Err(stop) => (When::OnFailure, stop.exit().name(), stop.to_string()),
            Ok(_) => return,
        };
        let Some(hook) = self.local_hook(when) else { return };
        {
            let mut told = self.hooks.told();
            (told.outcome, told.reason) = (outcome, self.reporter.clean(&reason));
        }
        let limit = if self.cancel.raised().is_some() { hook.timeout.min(CANCELLED) } else { hook.timeout };
        if let Err(failed) = self.run_hook(when, hook, limit).await {
            let text = format!(
                "hooks.{}: `{}`: {failed}; the release itself does not depend on it",
                when.name(),
                hook.command.join(" ")
            );
            self.reporter.note(crate::report::Level::Warning, "", text);
        }
    }

    fn local_hook(&self, when: When) -> Option<&LocalHook> {
        let hooks = &self.config.hooks;
        match when {
            When::BeforeBuild => hooks.before_build.as_ref(),
            When::BeforeRelease => hooks.before_release.as_ref(),
            When::AfterRelease => hooks.after_release.as_ref(),
            When::OnFailure => hooks.on_failure.as_ref(),
        }
    }

    async fn run_hook(&self, when: When, hook: &LocalHook, limit: Duration) -> Result<(), Failed> {
        for name in &hook.secrets {
            variable(name.as_str()).iter().for_each(|value| self.reporter.hide(&Secret::new(value)));
        }
        let running = self.reporter.step("", when.name(), format!("run {} here", hook.command.join(" ")));
        let ended = match self.command_of(when, hook).spawn() {
            Ok(child) => self.to_its_end(when, Group(child), limit).await,
            Err(error) => Err(Failed::Start(error)),
        };
        match &ended {
            Ok(()) => running.done(""),
            Err(failed) => running.failed(failed.to_string()),
        };
        ended
    }

    /// The command in the directory of cutover.yml, with what it is told, and no secret but those that it names.
    fn command_of(&self, when: When, hook: &LocalHook) -> Command {
        let given: Vec<String> = hook.secrets.iter().map(ToString::to_string).collect();
        let (program, words) = hook.command.split_first().map_or(("", [].as_slice()), |(first, rest)| (first, rest));
        let mut command = Command::from(child::command(program, &given));
        command.args(words).current_dir(&self.config.root).stdin(Stdio::null());
        let told = self.hooks.told().clone();
        let hosts: Vec<&str> = self.config.hosts.iter().map(|host| host.label()).collect();
        let environment = self.config.environment.as_ref().map_or("", |name| name.as_str());
        let run_url = super::swap::run_url().unwrap_or_default();
        for (name, value) in [
            ("HOOK", when.name()),
            ("VERSION", &told.version),
            ("PREVIOUS_VERSION", &told.previous),
            ("IMAGE", &told.image),
            ("DIGEST", &told.digest),
            ("HOSTS", &hosts.join(" ")),
            ("ENVIRONMENT", environment),
            ("OUTCOME", told.outcome),
            ("REASON", &told.reason.replace('\0', "")),
            ("RUN_URL", &run_url),
        ] {
            command.env(format!("CUTOVER_{name}"), value);
        }
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        command
    }

    async fn to_its_end(&self, when: When, mut group: Group, limit: Duration) -> Result<(), Failed> {
        let (out, err) = (group.0.stdout.take(), group.0.stderr.take());
        let show = |text: String| {
            self.reporter.emit(Event::Output { host: String::new(), source: when.name().to_owned(), text });
        };
        let reading = async { tokio::join!(lines(out, show), lines(err, show)) };
        let whole = async {
            let child = &mut group.0;
            let ended = async {
                let status = child.wait().await;
                // what it leaves behind may hold the pipes open: its own end counts
                tokio::time::sleep(GRACE).await;
                status
            };
            tokio::select! {
                _ = reading => {}
                status = ended => return status,
            }
            group.0.wait().await
        };
        match crate::awake::timeout(limit, whole).await {
            Ok(Ok(status)) if status.success() => Ok(()),
            Ok(Ok(status)) => Err(Failed::Ended(status)),
            Ok(Err(error)) => Err(Failed::Start(error)),
            Err(_) => Err(Failed::Late(limit)),
        }
    }
}

/// Hands on each line that a command prints.
async fn lines(pipe: Option<impl AsyncRead + Unpin>, show: impl Fn(String)) {
    let Some(pipe) = pipe else { return };
    let mut pipe = BufReader::new(pipe.take(MOST));
    let mut line = Vec::new();
    while let Ok(1..) = (&mut pipe).take(LONGEST_LINE).read_until(b'\n', &mut line).await {
        show(String::from_utf8_lossy(&line).trim_end().to_owned());
        line.clear();
    }
    // a command that is not read any more would stand still
    let _ = tokio::io::copy(&mut pipe.into_inner().into_inner(), &mut tokio::io::sink()).await;
}

/// A command and what it has started: ended as one where it is given up.
struct Group(Child);

impl Drop for Group {
    fn drop(&mut self) {
        let group = self.0.id().and_then(|id| rustix::process::Pid::from_raw(id.cast_signed()));
        if let Some(group) = group {
            let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        }
    }
}

impl Run {
    /// What is known of a release before the first host is changed.
    pub(super) fn tell_hooks(&self, plans: &[Plan]) {
        let mut told = self.hooks.told();
        let Some(first) = plans.first() else { return };
        told.version.clone_from(&first.version);
        let old = plans
            .iter()
            .flat_map(|plan| &plan.services)
            .filter_map(|service| Some((service.name.clone(), service.from.as_ref()?.version.clone()?)));
        told.previous = old.map(|(_, version)| version).next().unwrap_or_default();
        told.image = of_each(first.services.iter().map(|service| (service.name.clone(), service.pull.clone())));
    }
}

/// The digests that are live now.
pub(super) fn digests(swaps: &[HostSwap<'_>]) -> String {
    let services = swaps.first().map(|swap| swap.services.as_slice()).unwrap_or_default();
    of_each(services.iter().filter_map(|service| Some((service.plan.name.clone(), service.digest.clone()?))))
}

/// One service: its value. Several: `NAME=VALUE`, separated by commas, as in a job's outputs.
fn of_each(pairs: impl Iterator<Item = (String, String)>) -> String {
    let pairs: Vec<(String, String)> = pairs.collect();
    match pairs.as_slice() {
        [(_, only)] => only.clone(),
        several => several.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(","),
    }
}
