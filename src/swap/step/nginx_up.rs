//! nginx is started where it was not running.

use super::{guard, start};
use crate::host::container::Container;
use crate::router::NGINX;
use crate::see::read::traffic::Place;
use crate::slots::COMPOSE;
use crate::slots::making;
use crate::swap::plan::Plan;
use crate::swap::run::{HostSwap, RELOAD_SECONDS};
use crate::swap::story::Step;
use anyhow::Result;

pub(super) fn explain(plan: &Plan) -> String {
    format!("start {}", plan.nginx.service)
}

pub(super) async fn run(swap: &mut HostSwap<'_>) -> Result<String> {
    let plan = swap.plan;
    let made: Vec<&String> = plan.services.iter().map(|service| &service.to.slot).collect();
    let [named, missing] = making::words(&plan.makings, std::iter::once(&plan.nginx.service), &made);
    let script = swap
        .script("to start nginx", include_str!("nginx_up.sh"))
        .with(&[COMPOSE, NGINX])
        .set("compose", plan.compose.word())
        .set("directory", &plan.directory)
        .set("service", &plan.nginx.service)
        .set("seconds", RELOAD_SECONDS.to_string())
        .set("named", named)
        .set("missing", missing);
    let containers = start::containers(swap, &swap.host.run(&script).await?)?;
    swap.nginx.container = containers.first().map(|container: &Container| container.id.clone());
    swap.nginx.place = containers.first().map(Place::of).unwrap_or_default();
    if plan.nginx.guard.is_none() {
        return Ok(plan.nginx.service.clone());
    }
    // while nobody is connected yet, nobody can lose a connection to the guard's own reload
    swap.begun.push(Step::Guard);
    let guard = guard::run(swap).await?;
    Ok(format!("{}, guard: {guard}", plan.nginx.service))
}

pub(super) async fn undo(swap: &HostSwap<'_>) -> Result<()> {
    let script = swap.script("to stop nginx again", include_str!("nginx_up_back.sh")).with(&[COMPOSE]);
    swap.run(script.set("service", &swap.plan.nginx.service)).await
}
