//! Proof that the new version is live: requests through nginx reach the new slots.

use super::execute::HostSwap;
use super::health;
use super::plan::ServicePlan;
use super::probe::Question;
use crate::host::container::Container;
use anyhow::{Context as _, Result, bail};
use futures_util::future::try_join_all;

/// How often requests are sent before it counts as failed.
const ROUNDS: usize = 3;

/// Sees a request for every service reach its new slot. nginx's old workers are known to be leaving already.
pub(super) async fn confirm(swap: &HostSwap<'_>) -> Result<String> {
    let each = swap.plan.services.iter().zip(&swap.started).map(|(service, container)| one(swap, service, container));
    Ok(try_join_all(each).await?.join(", "))
}

/// A new slot that has ended meanwhile is known at once: nobody answers at its address, and nginx waits for seconds.
async fn one(swap: &HostSwap<'_>, service: &ServicePlan, container: &Container) -> Result<String> {
    tokio::select! {
        reached = reached(swap, service, container) => reached,
        how = ended_certainly(swap, container) => bail!("{} {how}", service.to.slot),
    }
}

/// Not being told how the slot fares is no proof that it ended.
async fn ended_certainly(swap: &HostSwap<'_>, container: &Container) -> String {
    match health::ended(swap.host, &swap.plan.engine, container).await {
        Ok(how) => how,
        Err(_) => std::future::pending().await,
    }
}

/// The other slot may receive some all the while: from old workers, for clients whose connections they still have.
async fn reached(swap: &HostSwap<'_>, service: &ServicePlan, container: &Container) -> Result<String> {
    let Some(probe) = &service.probe else {
        return Ok(format!("{}: nginx's workers are new; no location could be asked", service.name));
    };
    let pids = [Some(container.state.pid), None];
    let mut question = Question { host: swap.host, nginx: &[], probe, pids, port: service.port };
    let (nginx, [mut before, _]) = tokio::try_join!(swap.nginx_addresses(), question.received())?;
    question.nginx = &nginx;
    for _ in 0..ROUNDS {
        let (status, [after, _]) = question.ask_often().await?;
        if matches!(status, 502..=504) {
            bail!("nginx answers {status} for {}{}", probe.host, probe.path);
        }
        if after.opens.is_none() {
            return Ok(format!("nginx's workers are new and answer {status}"));
        }
        if after.from_nginx > 0 || after.grew_since(before.opens) {
            return Ok(format!("{} answers {status} through nginx", service.to.slot));
        }
        before = after;
    }
    bail!("{}: requests through nginx don't reach {}", service.name, service.to.slot)
}

impl HostSwap<'_> {
    /// Where nginx's container can be reached from the host; at least one address.
    pub(super) async fn nginx_addresses(&self) -> Result<Vec<String>> {
        let nginx = self.nginx.as_deref().context("nginx does not run")?;
        let nginx = self.host.docker(&self.plan.engine)?.inspect(nginx).await?;
        let networks = nginx.network_settings.and_then(|settings| settings.networks).unwrap_or_default();
        let v4 = networks.values().map(|network| network.ip_address.clone());
        let all = v4.chain(networks.values().map(|network| network.global_ipv6_address.clone()));
        let all: Vec<String> = all.flatten().filter(|address| !address.is_empty()).collect();
        if all.is_empty() {
            bail!("nginx's container has no address");
        }
        Ok(all)
    }
}
