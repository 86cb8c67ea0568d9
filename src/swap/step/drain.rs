//! nginx's old workers finish the requests that they have.

use crate::cancel::{Cancel, Signal};
use crate::report::{Event, Level};
use crate::router::NGINX;
use crate::swap::plan::Plan;
use crate::swap::run::{Drained, HostSwap};
use anyhow::{Context as _, Result, bail};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// The text of the script.
pub(crate) const DRAIN: &str = include_str!("drain.sh");

pub(super) fn explain(plan: &Plan) -> String {
    format!("let nginx's old workers finish, at most {} s", plan.drain_timeout.as_secs())
}

pub(super) async fn run(swap: &mut HostSwap<'_>, cancel: &Cancel) -> Result<String> {
    let nginx = swap.nginx.container.clone().context("nginx does not run")?;
    let (began, timeout) = (Instant::now(), swap.drain_timeout());
    let (left, most) = tokio::select! {
        drained = workers(swap, &nginx, timeout, false) => drained?,
        signal = after_signal(cancel) => bail!("{} during the drain: the old slot was left running", signal.name()),
    };
    if left > 0 {
        let text = format!(
            "{left} of nginx's old workers still had requests after {} s (WebSockets or streams?); their slot is stopped \
             all the same. `worker_shutdown_timeout` in nginx.conf bounds them.",
            timeout.as_secs()
        );
        swap.host.reporter.note(Level::Warning, &swap.host.name, text);
    }
    let seconds = began.elapsed().as_secs_f64();
    let text = match most {
        0 => "nginx's old workers had nothing to finish".to_owned(),
        _ => format!("{} of {most} old nginx workers finished in {seconds:.1} s", most - left),
    };
    swap.drained = Some(Drained { text: text.clone(), at: Instant::now(), left });
    Ok(text)
}

/// Waits for nginx's old workers: how many were left at the end, and how many there were. `back`: while putting back.
pub(super) async fn workers(swap: &HostSwap<'_>, nginx: &str, timeout: Duration, back: bool) -> Result<(u64, u64)> {
    let how = match (back, swap.is_written()) {
        (true, _) => "back",
        (false, true) => "",
        (false, false) => "confirm",
    };
    let script = swap
        .script("to let old requests finish", DRAIN)
        .with(&[NGINX])
        .set("nginx", nginx)
        .set("seconds", timeout.as_secs().to_string())
        .set("how", how)
        .limit(timeout + Duration::from_secs(30));
    let (mut left, mut most) = (0u64, 0u64);
    let began = Instant::now();
    let line = |line: &str| {
        swap.written.fetch_or(line == "confirmed", Ordering::Relaxed);
        left = line.trim().parse().unwrap_or(left);
        most = most.max(left);
        swap.host.reporter.emit(Event::Progress {
            host: swap.host.name.clone(),
            text: format!("drain: {left} old workers left"),
            done: began.elapsed().as_secs(),
            total: timeout.as_secs(),
            unit: "s",
        });
    };
    swap.host.follow(&script, line).await?;
    Ok((left, most))
}

/// Gives a drain that is under way a few seconds more once a signal has come.
async fn after_signal(cancel: &Cancel) -> Signal {
    let signal = cancel.wait().await;
    tokio::time::sleep(Duration::from_secs(4)).await;
    signal
}
