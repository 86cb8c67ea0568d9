//! Proof that the new version is live: requests through nginx reach the new slots.

use super::execute::HostSwap;
use super::plan::ServicePlan;
use super::probe::Question;
use crate::host::container::Container;
use crate::host::script::sections;
use anyhow::{Result, bail};
use futures_util::future::try_join_all;

/// How often requests are sent before it counts as failed.
const ROUNDS: usize = 3;

/// What the switch left, for the proof.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Switched {
    /// nginx's addresses, as the host reaches it.
    pub nginx: Vec<String>,
    /// Connections that each new slot had accepted, where that could be read; empty where nothing was switched.
    pub opens: Vec<Option<u64>>,
}

impl Switched {
    /// From what the switch printed.
    pub(super) fn read(output: &[u8]) -> Result<Switched> {
        let mut switched = Switched::default();
        for section in sections(output)? {
            match section.name.as_str() {
                "nginx" => switched.nginx = section.text.split_whitespace().map(str::to_owned).collect(),
                "opens" => switched.opens.push(section.text.parse().ok()),
                _ => {}
            }
        }
        Ok(switched)
    }
}

/// Sees a request for every service reach its new slot. nginx's old workers are known to be leaving already. A new slot
/// that has ended meanwhile is known at once: nobody answers at its address, and nginx waits for seconds.
pub(super) async fn confirm(swap: &HostSwap<'_>) -> Result<String> {
    let each = swap.plan.services.iter().zip(&swap.started).enumerate().map(|(number, (service, container))| {
        reached(swap, service, container, swap.switched.opens.get(number).copied().flatten())
    });
    tokio::select! {
        all = try_join_all(each) => Ok(all?.join(", ")),
        end = swap.end_of_any() => bail!(end.text),
    }
}

/// The other slot may receive some all the while: from old workers, for clients whose connections they still have.
async fn reached(
    swap: &HostSwap<'_>,
    service: &ServicePlan,
    container: &Container,
    opens: Option<u64>,
) -> Result<String> {
    let Some(probe) = &service.probe else {
        return Ok(format!("{}: nginx's workers are new; no location could be asked", service.name));
    };
    let pids = [Some(container.state.pid), None];
    let question = Question { host: swap.host, nginx: swap.nginx_addresses()?, probe, pids, port: service.port };
    // without a switch nothing has been counted yet
    let mut before = if opens.is_some() { opens } else { question.received().await?[0].opens };
    for _ in 0..ROUNDS {
        let (status, [after, _]) = question.ask_often().await?;
        if matches!(status, 502..=504) {
            bail!("nginx answers {status} for {}{}", probe.host, probe.path);
        }
        if after.opens.is_none() {
            return Ok(format!("nginx's workers are new and answer {status}"));
        }
        if after.from_nginx > 0 || after.grew_since(before) {
            return Ok(format!("{} answers {status} through nginx", service.to.slot));
        }
        before = after.opens;
    }
    bail!("{}: requests through nginx don't reach {}", service.name, service.to.slot)
}

impl HostSwap<'_> {
    /// Where nginx's container can be reached from the host; at least one address.
    pub(super) fn nginx_addresses(&self) -> Result<&[String]> {
        let addresses = &*self.switched.nginx;
        if addresses.is_empty() { bail!("nginx's container has no address") } else { Ok(addresses) }
    }
}
