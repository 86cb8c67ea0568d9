//! The lease on a host: held by a command that reads a heartbeat on an open channel, so it ends with this process.

use super::Host;
use super::freeze::{Frozen, Held};
use super::script::{Fence, Script};
use super::ssh::{self, Child, Limits, Lines, Session};
use crate::awake;
use crate::report::text::{inert, one_line};
use anyhow::{Context as _, Result, anyhow, bail};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWriteExt as _};
use tokio::task::JoinHandle;

/// Silence after which the host lets others have the lock. A connection that is silent is given up before that: whoever may
/// have lost the lock has stood still, or knows that it is cut off.
const LEASE: Duration = Duration::from_secs(ssh::SILENCE.as_secs() + 5);
/// From one heartbeat to the next.
const BEAT: Duration = Duration::from_secs(LEASE.as_secs() / 5);
/// How long a host may think before it says how the lock stands.
const ANSWER: Duration = Duration::from_secs(30);
/// How long a step of an earlier run is waited for at most, whatever the host says of it.
const STEP: Duration = Duration::from_secs(2 * 3600);
/// What the host may say of it: a line a second while a step is waited for.
const MOST: usize = 64 << 10;

/// Exit status of a step whose run does not hold the lock any more, since another one took it (`fence.sh`).
pub(crate) const OVERTAKEN: u32 = 76;

/// Another run took the lock of a host that this one had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overtaken {
    /// The host's name.
    pub host: String,
    /// Its own description of itself, made inert; empty where it gave none.
    pub by: String,
}

impl fmt::Display for Overtaken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let by = if self.by.is_empty() { "another run" } else { &self.by };
        write!(f, "{} was taken over by {by}", self.host)
    }
}

impl std::error::Error for Overtaken {}

/// A lock that is held, and taken again where its lease lapsed and nobody else took it. Dropping it frees it.
pub struct Lock {
    /// The host's name.
    pub host: String,
    /// The run's id.
    pub holder: String,
    /// Stamp of what releases had written when it was taken; `None` where somebody else held it first.
    pub stamp: Option<String>,
    lease: Lease,
    keeper: JoinHandle<()>,
}

/// What came of asking for the lock.
pub enum Asked {
    /// It is ours.
    Held(Lock),
    /// Somebody else has it.
    Busy(Held),
    /// It was ours, and somebody else has taken it since.
    Overtaken(Overtaken),
}

/// Who holds a lock: `id` tells runs apart (no newline), `about` is for people.
#[derive(Debug, Clone)]
pub struct Holder {
    /// Random.
    pub id: String,
    /// Who, from where, which commit.
    pub by: String,
    /// The same, with what it does and since when.
    pub about: String,
}

/// How the lock is wanted.
pub struct Wish<'a> {
    /// cutover's state directory on the host: the lock lies in the one above it, which is made if need be.
    pub state: &'a str,
    /// For whom.
    pub holder: &'a Holder,
    /// How long to wait for another run to end.
    pub wait: Duration,
    /// This run has had it before, and wants it only if nobody else has since.
    pub again: bool,
}

/// What it takes to ask for the lock, also once more.
#[derive(Clone)]
struct Lease {
    session: Arc<Session>,
    host: String,
    fence: Fence,
    about: String,
}

/// What the host said.
enum Said {
    Taken(Child, String),
    Busy(Held),
    Overtaken(String),
}

impl Lock {
    /// Asks for the lock. `held_by` hears who has it, if somebody does, and `step` that a step of an earlier run is waited
    /// for.
    pub async fn ask(host: &Host, wish: Wish<'_>, held_by: impl Fn(&Held), step: impl Fn()) -> Result<Asked> {
        let fence = Fence { state: wish.state.to_owned(), holder: wish.holder.id.clone() };
        let about = wish.holder.about.replace('\n', " ");
        let lease = Lease { session: Arc::clone(&host.session), host: host.name.clone(), fence, about };
        Ok(match lease.ask(wish.wait, wish.again, held_by, step).await? {
            Said::Taken(child, stamp) => Asked::Held(Lock {
                host: host.name.clone(),
                holder: wish.holder.id.clone(),
                stamp: Some(stamp).filter(|stamp| stamp != "-"),
                keeper: tokio::spawn(lease.clone().keep(child)),
                lease,
            }),
            Said::Busy(held) => Asked::Busy(held),
            Said::Overtaken(by) => Asked::Overtaken(Overtaken { host: host.name.clone(), by }),
        })
    }

    /// Sees that nobody has taken it meanwhile.
    ///
    /// # Errors
    /// [`Overtaken`], or why that can't be seen.
    pub async fn check(&self) -> Result<()> {
        let Lease { session, host, fence, .. } = &self.lease;
        let script = Script::new("to see that this run still holds the lock", "fence").fenced(fence);
        let command = ssh::Command::new("sh").args(script.shell_words());
        let output = session.exec(&command.line()?, b"", ssh::Limits::within(script.limit)).await;
        let output = output.with_context(|| format!("on {host}, {}", script.why))?;
        let said = one_line(&String::from_utf8_lossy(&output.stderr), 400);
        match output.status {
            0 => Ok(()),
            OVERTAKEN => Err(Overtaken { host: host.clone(), by: said }.into()),
            _ => Err(anyhow!("on {host}, {}: {said}", script.why)),
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        self.keeper.abort();
    }
}

impl Lease {
    async fn ask(&self, wait: Duration, again: bool, held_by: impl Fn(&Held), step: impl Fn()) -> Result<Said> {
        let root = self.fence.state.rsplit_once('/').map_or("", |(root, _)| root);
        let text = concat!(include_str!("alone.sh"), include_str!("lock.sh"));
        let command = ssh::Command::new("sh")
            .args(["-c", text, "cutover", root, &LEASE.as_secs().to_string(), &self.fence.holder, &self.about])
            .arg(wait.as_secs().to_string())
            .arg(if again { "again" } else { "" });
        let mut child = self.session.spawn(&command.line()?).await.context("the lock can't be asked for")?;
        let mut out = Lines::new(&mut child.stdout, Limits { timeout: wait + STEP, max_bytes: MOST });
        let mut busy = None;
        loop {
            let patience = ANSWER + if busy.is_some() { wait } else { Duration::ZERO };
            match line(&mut out, patience).await?.as_deref() {
                Some(word @ ("held" | "frozen")) => {
                    let said = line(&mut out, ANSWER).await?.unwrap_or_default();
                    let held = if word == "held" { Held::Run(said) } else { Held::Person(Frozen::read(&said)) };
                    held_by(&held);
                    busy = Some(held);
                }
                Some("step") => step(),
                Some("locked") => {
                    let stamp = line(&mut out, ANSWER).await?.unwrap_or_default();
                    return Ok(Said::Taken(child, stamp));
                }
                Some("overtaken") => {
                    let by = line(&mut out, ANSWER).await?.unwrap_or_default();
                    return Ok(Said::Overtaken(inert(&by)));
                }
                None => match busy {
                    Some(held) => return Ok(Said::Busy(held)),
                    None => break,
                },
                _ => break,
            }
        }
        let _ = awake::timeout(Duration::from_secs(5), child.wait()).await;
        let said = one_line(&String::from_utf8_lossy(&child.stderr()), 1000);
        bail!("the lock under {root} on {} can't be taken: {said}", self.host)
    }

    /// Keeps the lock until this is dropped, the connection ends, or another run has taken it: the next step is told so.
    async fn keep(self, mut child: Child) {
        loop {
            beat(&mut child).await;
            drop(child);
            child = loop {
                match self.ask(BEAT, true, |_| {}, || {}).await {
                    Ok(Said::Taken(child, _)) => break child,
                    Ok(Said::Overtaken(_)) => return,
                    _ if self.session.is_closed() => return,
                    _ => tokio::time::sleep(Duration::from_secs(1)).await,
                }
            };
        }
    }
}

/// Gives signs of life until the channel ends.
async fn beat(child: &mut Child) {
    let mut tick = tokio::time::interval(BEAT);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = child.wait() => return,
            _ = tick.tick() => {}
        }
        if child.stdin.write_all(b".").await.is_err() || child.stdin.flush().await.is_err() {
            return;
        }
    }
}

/// The next line of what the host prints; `None` at the end.
async fn line(out: &mut Lines<impl AsyncRead + Unpin>, patience: Duration) -> Result<Option<String>> {
    let line = awake::timeout(patience, out.next()).await;
    Ok(line.map_err(|_| anyhow!("the host says nothing of its lock for {} s", patience.as_secs()))??)
}
