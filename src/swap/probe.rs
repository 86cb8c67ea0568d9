//! Where nginx really sends a request: what the slots receive while nginx is asked. The configuration file is no
//! evidence, nor is `nginx -T`.

use crate::host::Host;
use crate::host::http::Answer;
use crate::host::nginx::Probe;
use crate::host::script::Script;
use anyhow::{Context as _, Result, bail};
use futures_util::future::join_all;
use std::time::Duration;

/// Requests sent to tell the slots apart: more than a stray connection or health check makes meanwhile.
const REQUESTS: usize = 3;

/// Asks through nginx and says which slot received the requests, `None` where that can't be told.
///
/// `before` are the connections that each slot had accepted before. Where nginx keeps connections to its upstream open,
/// none is made for the requests: then the slot with open connections is the one.
pub async fn who_answers(
    host: &Host,
    nginx: &str,
    probe: &Probe,
    pids: [Option<i64>; 2],
    before: [Option<u64>; 2],
    port: u16,
) -> Result<Option<usize>> {
    if pids.iter().all(Option::is_none) {
        return Ok(None);
    }
    let answers = join_all((0..REQUESTS).map(|_| ask(host, nginx, probe))).await;
    if let Some(failed) = answers.iter().find_map(|answer| answer.as_ref().err()) {
        bail!("nginx can't be asked: {failed:#}");
    }
    let after = received(host, pids, port).await?;
    let grew = |slot: usize| match (before[slot], after[slot].0) {
        (Some(before), Some(after)) => after.saturating_sub(before) >= REQUESTS as u64,
        _ => false,
    };
    Ok(tell([grew(0), grew(1)], [after[0].1, after[1].1]))
}

/// What came of asking for one slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reached {
    /// Status of the worst answer.
    pub status: u16,
    /// Whether the slot received the requests; `None` where the host can't tell.
    pub slot: Option<bool>,
}

/// Asks through nginx and says whether the slot whose PID 1 is `pid` receives it.
///
/// Only the slot itself is looked at: while nginx's old workers drain, the other one still receives requests of theirs.
pub async fn reaches(host: &Host, nginx: &str, probe: &Probe, pid: i64, port: u16) -> Result<Reached> {
    let pids = [Some(pid), None];
    let [(before, _), _] = received(host, pids, port).await?;
    let answers = join_all((0..REQUESTS).map(|_| ask(host, nginx, probe))).await;
    let answers = answers.into_iter().collect::<Result<Vec<_>>>().context("nginx can't be asked")?;
    let [(after, open), _] = received(host, pids, port).await?;
    // nginx may keep connections to its upstream open; none is made for the requests then
    let slot = before.zip(after).map(|(before, after)| after.saturating_sub(before) >= REQUESTS as u64 || open > 0);
    Ok(Reached { status: answers.iter().map(|answer| answer.status).max().unwrap_or(0), slot })
}

/// Exactly one slot grew, or none did and exactly one has open connections.
fn tell(grew: [bool; 2], open: [u64; 2]) -> Option<usize> {
    match (grew, open) {
        ([true, false], _) => Some(0),
        ([false, true], _) => Some(1),
        ([false, false], [open, 0]) if open > 0 => Some(0),
        ([false, false], [0, open]) if open > 0 => Some(1),
        _ => None,
    }
}

/// One request through nginx.
pub async fn ask(host: &Host, nginx: &str, probe: &Probe) -> Result<Answer> {
    let limit = Duration::from_secs(5);
    host.get_maybe_tls(nginx, probe.port, probe.tls, &probe.host, &probe.path, limit).await
}

/// For each slot: connections accepted so far (where that can be read), and connections open now.
pub async fn received(host: &Host, pids: [Option<i64>; 2], port: u16) -> Result<[(Option<u64>, u64); 2]> {
    let script = Script::new("to see which slot receives requests", include_str!("scripts/received.sh"));
    let running: Vec<i64> = pids.iter().flatten().copied().collect();
    let script = running.iter().fold(script, |script, pid| script.args([pid.to_string(), port.to_string()]));
    let output = String::from_utf8_lossy(&host.run(&script).await?).into_owned();
    let line = |pid: Option<i64>| {
        let mut fields = output
            .lines()
            .map(|line| line.split(' '))
            .find_map(|mut fields| (fields.next().and_then(|known| known.parse().ok()) == pid).then_some(fields))?;
        let opens = fields.next().and_then(|opens| opens.parse().ok());
        Some((opens, fields.next().and_then(|open| open.parse().ok()).unwrap_or(0)))
    };
    Ok(pids.map(|pid| pid.and_then(|_| line(pid)).unwrap_or((None, 0))))
}

#[cfg(test)]
mod tests {
    use super::tell;

    #[test]
    fn one_slot_must_stand_out() {
        for (grew, open, slot) in [
            ([true, false], [0, 9], Some(0)),
            ([false, true], [9, 0], Some(1)),
            ([true, true], [9, 9], None),
            ([false, false], [2, 0], Some(0)),
            ([false, false], [2, 1], None),
            ([false, false], [0, 0], None),
        ] {
            assert_eq!(tell(grew, open), slot, "{grew:?} {open:?}");
        }
    }
}
