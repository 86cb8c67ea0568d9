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
    let container = slot.container.as_ref()?;
    let address = nginx.and_then(|nginx| container.address_beside(nginx)).or(container.address())?;
    let asked = service.health.host.clone().unwrap_or(format!("{}:{}", slot.host, port));
    Some(host.get(address, port, &asked, &service.health.path, Duration::from_secs(5)).await)
}
