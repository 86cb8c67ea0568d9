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

/// Asks a new slot at this address for its health path.
pub(super) async fn ask(host: &Host, service: &ServicePlan, address: &str) -> Result<Answer> {
    let name = service.health.host.clone().unwrap_or_else(|| format!("{}:{}", service.to.host, service.port));
    host.get(address, service.port, &name, &service.health.path, Duration::from_secs(5)).await
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
