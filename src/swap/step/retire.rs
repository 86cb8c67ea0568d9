//! The old slot is stopped and kept down; it stays for a rollback.

use super::record;
use crate::host::script::{Script, Section, sections};
use crate::report::Level;
use crate::router::NGINX;
use crate::router::TRAFFIC;
use crate::slots::COMPOSE;
use crate::swap::plan::{OldSlot, Plan};
use crate::swap::run::{HostSwap, RELOAD_SECONDS};
use anyhow::Result;
use std::time::Duration;

/// What the script says of an old slot that nginx still uses.
const STILL_USED: &str = "nginx still sends requests to";

/// How long nothing may come to an old slot once nginx's old workers are gone.
const QUIET: Duration = Duration::from_millis(250);

pub(super) fn explain(plan: &Plan) -> String {
    let from = plan.services.iter().filter(|service| !service.stays).filter_map(|service| service.from.as_ref());
    let from = from.map(|old| match &old.version {
        Some(version) => format!("{} ({version})", old.slot),
        None => old.slot.clone(),
    });
    let from = from.collect::<Vec<_>>().join(", ");
    match plan.remove_old {
        true => format!("stop and remove {from}; the image stays for a rollback"),
        false => format!("stop {from} and keep it for a rollback"),
    }
}

pub(super) async fn run(swap: &mut HostSwap<'_>) -> Result<String> {
    if let Some(drained) = &swap.drained {
        tokio::time::sleep(QUIET.saturating_sub(drained.at.elapsed())).await;
    }
    let mut scripts = vec![script(swap), record::ahead(swap)];
    if swap.alone {
        scripts.insert(0, swap.runs());
    }
    let mut chain = swap.host.chain(scripts).await?;
    if swap.alone
        && let Err(error) = chain.next().await
    {
        swap.gone = swap.which_ended(&error);
        return Err(error);
    }
    let output = chain.next().await.inspect_err(|error| {
        let text = format!("{error:#}");
        swap.still_used = text.contains(STILL_USED).then_some(text);
    })?;
    swap.ahead = Some(chain);
    let mut stopped = Vec::new();
    for Section { name, status: code, text: slot } in sections(&output)? {
        if name != "stopped" {
            continue;
        }
        if code == 137 {
            let text = format!(
                "{slot} was killed: it did not stop within {} s of SIGTERM. Does its PID 1 handle SIGTERM, and is \
                 `stop_grace_period` long enough?",
                swap.stop_timeout().as_secs()
            );
            swap.host.reporter.note(Level::Warning, &swap.host.name, text);
        }
        stopped.push(format!("{slot} ended with {code}"));
    }
    Ok(stopped.join(", "))
}

fn script(swap: &HostSwap<'_>) -> Script {
    let services = || swap.plan.services.iter().filter(|service| !service.stays);
    let old = || services().filter_map(|service| Some((service.from.as_ref()?, service.old_port())));
    let new = swap.services.iter().filter_map(|service| service.started.as_ref());
    let drained = swap.drained.as_ref();
    let since = drained.map_or(Duration::ZERO, |drained| drained.at.elapsed());
    let timeout = swap.stop_timeout();
    swap.script("to stop the old slot", include_str!("retire.sh"))
        .with(&[COMPOSE, NGINX, TRAFFIC])
        .set("at", swap.nginx.place.as_nginx())
        .list("old", old().map(|(old, port): (&OldSlot, u16)| old.place().as_slot(port, &old.slot)))
        .set("since", (since.as_millis() / 10).to_string())
        .set("drained", if drained.is_some_and(|drained| drained.left == 0) { "drained" } else { "" })
        .set("grace", timeout.as_secs().to_string())
        .set("fate", if swap.plan.remove_old { "remove" } else { "keep" })
        .set("nginx", swap.nginx.container.as_deref().unwrap_or_default())
        .set("seconds", RELOAD_SECONDS.to_string())
        .list("new", new.map(|new| format!("{}|{}", new.id, new.address().unwrap_or("-"))))
        .args(old().map(|(old, _)| &old.container))
        .limit(timeout + Duration::from_secs(60))
}
