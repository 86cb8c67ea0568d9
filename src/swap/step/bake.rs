//! Watching the new version through nginx after the switch; too many failures put the old one back.

use crate::awake;
use crate::cancel::Cancel;
use crate::config::Bake;
use crate::report::{Event, Level};
use crate::see::interpret::evidence::Evidence;
use crate::see::read::traffic;
use crate::swap::health;
use crate::swap::plan::Plan;
use crate::swap::run::{HostSwap, ServiceSwap};
use anyhow::{Result, bail};
use std::time::{Duration, Instant};

/// From one question to the next.
const INTERVAL: Duration = Duration::from_millis(250);

pub(super) fn explain(plan: &Plan) -> String {
    plan.bake
        .as_ref()
        .map_or_else(String::new, |bake| format!("watch the answers through nginx for {} s", bake.duration.as_secs()))
}

/// Asks every service through nginx until the time is over. An answer of 500 or more, or none at all, is a failure; the
/// failing answers are shown. A container that ends is the end.
pub(super) async fn run(swap: &HostSwap<'_>, cancel: &Cancel) -> Result<String> {
    let Some(bake) = &swap.plan.bake else { return Ok(String::new()) };
    tokio::select! {
        asked = ask(swap, bake, cancel) => asked,
        end = swap.end_of_any() => {
            health::show_logs(swap, &end.slot, &end.container).await;
            bail!(end.text)
        }
    }
}

async fn ask(swap: &HostSwap<'_>, bake: &Bake, cancel: &Cancel) -> Result<String> {
    let nginx = swap.nginx_address()?;
    let (began, mut asked, mut failures) = (Instant::now(), 0u32, 0u32);
    let over = tokio::spawn(awake::sleep(bake.duration));
    while !over.is_finished() {
        let tick = tokio::time::sleep(INTERVAL);
        for service in &swap.services {
            asked += 1;
            if let Err(why) = awake::ask(async || look(swap, nginx, service).await).await {
                failures += 1;
                let text = format!("bake: {}: {why}", service.plan.name);
                swap.host.reporter.note(Level::Warning, &swap.host.name, text);
            }
        }
        if failures > bake.max_failures {
            bail!("{failures} of {asked} answers through nginx failed, {} are allowed", bake.max_failures);
        }
        swap.host.reporter.emit(Event::Progress {
            host: swap.host.name.clone(),
            text: format!("bake: {failures} of {asked} answers failed"),
            done: began.elapsed().min(bake.duration).as_secs(),
            total: bake.duration.as_secs(),
            unit: "s",
        });
        tokio::select! {
            () = tick => {}
            signal = cancel.wait() => bail!("stopped by {}", signal.name()),
        }
    }
    Ok(format!("{failures} of {asked} answers failed"))
}

/// Through nginx where a request of ours gets through, else the new slot itself.
async fn look(swap: &HostSwap<'_>, nginx: &str, service: &ServiceSwap<'_>) -> Result<()> {
    let (service, slot) = (service.plan, service.new_slot()?);
    let through = service.probe.as_ref().filter(|_| service.evidence <= Evidence::Other);
    let through = through.filter(|probe| probe.guards.one_every.is_none());
    let path = match through {
        Some(asked) if !service.health.path.starts_with(&asked.path) => &asked.path,
        _ => &service.health.path,
    };
    let answer = match (through, slot.address()) {
        (Some(asked), _) => {
            let asked = crate::host::nginx::Probe { path: path.clone(), ..asked.clone() };
            traffic::ask(swap.host, nginx, &asked).await?
        }
        (None, Some(address)) => health::ask(swap.host, service, address).await?,
        (None, None) => return Ok(()),
    };
    if answer.status >= 500 {
        bail!("GET {} answered {}: {}", path, answer.status, crate::report::text::one_line(&answer.body, 200));
    }
    Ok(())
}
