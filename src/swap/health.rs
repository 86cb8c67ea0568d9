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

/// Where the host's own ports are asked.
pub(super) const LOOPBACK: &str = "127.0.0.1";

/// Asks a new slot for its health path, from where nginx would: at this address, or where the host has a port that leads to
/// it, there.
pub(super) async fn ask(host: &Host, service: &ServicePlan, address: &str) -> Result<Answer> {
    let (address, port) = service.to.published.map_or((address, service.port), |published| (LOOPBACK, published));
    host.get(address, port, &host_header(service), &service.health.path, Duration::from_secs(5)).await
}

/// The Host header of its health check.
pub(super) fn host_header(service: &ServicePlan) -> String {
    let ServicePlan { to, health, port, .. } = service;
    let called = || if to.published.is_some() { to.host.clone() } else { format!("{}:{port}", to.host) };
    health.host.clone().unwrap_or_else(called)
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
