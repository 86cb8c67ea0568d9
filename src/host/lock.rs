//! The lease on a host: held by a command that reads a heartbeat on an open channel, so it ends with this process.

use super::Host;
use super::ssh::{self, Child, Limits, Lines};
use anyhow::{Context as _, Result, bail};
use std::time::Duration;
use tokio::io::AsyncWriteExt as _;
use tokio::task::JoinHandle;

/// Seconds without a heartbeat after which the host frees the lock.
const LEASE: u64 = 15;
/// What the host may take beyond the wait that was asked for: lock.sh waits for a step of an earlier run.
const PATIENCE: Duration = Duration::from_secs(150);
/// What it may say.
const MOST: usize = 16 << 10;

/// A lock that is held. Dropping it frees it.
pub struct Lock {
    /// The host's name.
    pub host: String,
    /// Stamp of what releases had written when it was taken; `None` where somebody else held it first.
    pub stamp: Option<String>,
    beat: JoinHandle<()>,
}

/// What came of asking for the lock.
pub enum Asked {
    /// It is ours.
    Held(Lock),
    /// Somebody else has it; their own description.
    Busy(String),
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

impl Lock {
    /// Asks for the lock under `root`, a directory on the host that is made if need be, and waits for it at most `wait`.
    /// `held_by` hears who has it, if somebody does.
    pub async fn ask(
        host: &Host,
        root: &str,
        holder: &Holder,
        wait: Duration,
        held_by: impl FnOnce(&str),
    ) -> Result<Asked> {
        let command = ssh::Command::new("sh")
            .args(["-c", include_str!("lock.sh"), "cutover", root, &LEASE.to_string()])
            .arg(format!("{}\n{}", holder.id, holder.about.replace('\n', " ")))
            .arg(wait.as_secs().to_string());
        let mut child = host.session.spawn(&command.line()?).await.context("the lock can't be asked for")?;
        let limits = Limits { timeout: wait + PATIENCE, max_bytes: MOST };
        let mut lines = Lines::new(&mut child.stdout, limits);
        let failed = || format!("the lock under {root} on {} can't be taken", host.name);
        let mut said = lines.next().await.with_context(failed)?;
        let at_once = said.as_deref() != Some("held");
        if said.as_deref() == Some("held") {
            let about = lines.next().await.with_context(failed)?.unwrap_or_default();
            held_by(&about);
            said = lines.next().await.with_context(failed)?;
            if said.is_none() {
                return Ok(Asked::Busy(about));
            }
        }
        if said.as_deref() == Some("locked") {
            let stamp = lines.next().await.with_context(failed)?.filter(|_| at_once);
            return Ok(Asked::Held(Lock { host: host.name.clone(), stamp, beat: tokio::spawn(beat(child)) }));
        }
        let said = String::from_utf8_lossy(&child.stderr()).into_owned();
        bail!("{}: {}", failed(), crate::report::text::one_line(&said, 1000))
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        self.beat.abort();
    }
}

async fn beat(mut child: Child) {
    let mut tick = tokio::time::interval(Duration::from_secs(LEASE / 3));
    loop {
        tick.tick().await;
        if child.stdin.write_all(b".").await.is_err() || child.stdin.flush().await.is_err() {
            return;
        }
    }
}
