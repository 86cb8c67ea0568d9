//! What a slot itself answers.

use crate::host::Host;
use crate::host::container::Container;
use crate::host::http::Answer;
use crate::see::seen::ServiceSeen;
use anyhow::Result;
use std::time::Duration;

/// Asks a slot for its health path, where it has an address.
pub(crate) async fn ask_slot(
    host: &Host,
    service: &ServiceSeen,
    slot: usize,
    nginx: Option<&Container>,
) -> Option<Result<Answer>> {
    let (port, slot) = (service.ports[slot], &service.slots[slot]);
    let (address, port) = slot.asked(port, nginx)?;
    let called = if slot.published.is_some() { slot.host.clone() } else { format!("{}:{port}", slot.host) };
    let called = service.health.host.clone().unwrap_or(called);
    Some(host.get_there(&address, port, &called, &service.health.path, Duration::from_secs(5)).await)
}
