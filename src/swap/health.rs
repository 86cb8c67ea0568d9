//! What a slot answers to its health check, and its last lines where it does not.

use super::plan::ServicePlan;
use super::run::HostSwap;
use crate::host::Host;
use crate::host::http::Answer;
use crate::report::Event;
use anyhow::Result;
use std::time::Duration;

/// How many of a failed container's last lines are shown.
const LOG_LINES: usize = 20;

/// Asks a new slot for its health path, from where nginx would: at this address, or where the host has a port that leads to
/// it, there.
pub(super) async fn ask(host: &Host, service: &ServicePlan, address: &str) -> Result<Answer> {
    let ServicePlan { to, health, .. } = service;
    let (address, port, called) = match to.published {
        Some(published) => ("127.0.0.1", published, to.host.clone()),
        None => (address, service.port, format!("{}:{}", to.host, service.port)),
    };
    let called = health.host.clone().unwrap_or(called);
    host.get(address, port, &called, &health.path, Duration::from_secs(5)).await
}

/// Shows a container's last lines, and keeps them to be said with the failure.
pub(super) async fn show_logs(swap: &HostSwap<'_>, slot: &str, container: &str) {
    let Ok(docker) = swap.host.docker(&swap.plan.engine) else { return };
    let lines = docker.logs(container, LOG_LINES).await.unwrap_or_default();
    for text in &lines {
        let (host, source) = (swap.host.name.clone(), slot.to_owned());
        swap.host.reporter.emit(Event::Output { host, source, text: text.clone() });
    }
    swap.keep_said(lines);
}
