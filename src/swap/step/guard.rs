//! Idle keep-alive connections outlive nginx's reload.

use crate::report::Level;
use crate::router::NGINX;
use crate::swap::run::{HostSwap, RELOAD_SECONDS};
use anyhow::Result;

pub(super) fn explain() -> String {
    "let idle keep-alive connections outlive a reload of nginx".to_owned()
}

pub(super) async fn run(swap: &HostSwap<'_>) -> Result<String> {
    let (Some(file), Some(nginx)) = (&swap.plan.nginx.guard, &swap.nginx.container) else { return Ok(String::new()) };
    let script = swap
        .script("to let idle connections outlive a reload", include_str!("guard.sh"))
        .with(&[NGINX])
        .set("file", file)
        .set("nginx", nginx)
        .set("seconds", RELOAD_SECONDS.to_string())
        .stdin(include_str!("keepalive.conf"));
    match swap.host.run(&script).await {
        Ok(_) => Ok(format!("wrote {file}")),
        Err(error) if format!("{error:#}").contains(r#"unknown directive "keepalive_min_timeout""#) => {
            Ok("left out: this nginx is older than 1.27.4".to_owned())
        }
        Err(error) => {
            let text =
                format!("nginx did not take {file}, so idle keep-alive connections are cut at the reload: {error:#}");
            swap.host.reporter.note(Level::Warning, &swap.host.name, text);
            Ok("left out".to_owned())
        }
    }
}

pub(super) async fn undo(swap: &HostSwap<'_>) -> Result<()> {
    let (Some(file), Some(nginx)) = (&swap.plan.nginx.guard, &swap.nginx.container) else { return Ok(()) };
    let script = swap
        .script("to remove the guard", include_str!("guard_back.sh"))
        .with(&[NGINX])
        .set("file", file)
        .set("nginx", nginx)
        .set("seconds", RELOAD_SECONDS.to_string());
    swap.run(script).await
}
