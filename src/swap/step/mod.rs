//! A step, a room: what each is going to do, does, and undoes, with its shell beside it.

mod bake;
mod confirm;
mod drain;
mod env_file;
mod guard;
mod health;
mod hook;
mod host_hook;
mod nginx_up;
pub(super) mod pull;
pub(super) mod record;
mod retire;
mod route;
mod start;
mod workers;

use super::plan::Plan;
use super::run::HostSwap;
use super::story::Step;
use crate::cancel::Cancel;
use crate::host::Unnamed;
use anyhow::Result;
use std::time::Instant;

pub use confirm::serves;
pub(crate) use drain::DRAIN;
pub(crate) use route::ROUTE;

/// What a step will do on this host and why, for people.
pub fn explain(plan: &Plan, step: Step) -> String {
    match step {
        Step::Pull => pull::explain(plan),
        Step::EnvFile => env_file::explain(plan),
        Step::Hook => hook::explain(plan),
        Step::Start => start::explain(plan),
        Step::Guard => guard::explain(),
        Step::Health => health::explain(plan),
        Step::BeforeSwitch => host_hook::explain(plan.before_switch.as_ref()),
        Step::Route => route::explain(plan),
        Step::NginxUp => nginx_up::explain(plan),
        Step::Confirm => confirm::explain(plan),
        Step::Workers => workers::explain(plan),
        Step::Bake => bake::explain(plan),
        Step::AfterSwitch => host_hook::explain(plan.after_switch.as_ref()),
        Step::Drain => drain::explain(plan),
        Step::Retire => retire::explain(plan),
        Step::Record => record::explain(),
    }
}

/// Does one step and reports it.
pub async fn take(swap: &mut HostSwap<'_>, step: Step, cancel: &Cancel) -> Result<()> {
    let running = swap.host.reporter.step(&swap.host.name, step.name(), explain(swap.plan, step));
    swap.begun.push(step);
    swap.asked = Instant::now();
    let result = run(swap, step, cancel).await;
    let took = match &result {
        Ok(text) => running.done(text),
        Err(error) => running.failed(Unnamed(error).to_string()),
    };
    swap.seconds.insert(step.name(), took.as_secs_f64());
    result.map(|_| ())
}

async fn run(swap: &mut HostSwap<'_>, step: Step, cancel: &Cancel) -> Result<String> {
    match step {
        Step::Pull => pull::run(swap, cancel).await,
        Step::EnvFile => env_file::run(swap).await,
        Step::Hook => hook::run(swap).await,
        Step::Start => start::run(swap).await,
        Step::Guard => guard::run(swap).await,
        Step::Health => health::run(swap, cancel).await,
        Step::BeforeSwitch => host_hook::before(swap).await,
        Step::Route => route::run(swap).await,
        Step::NginxUp => nginx_up::run(swap).await,
        Step::Confirm => confirm::run(swap).await,
        Step::Workers => workers::run(swap).await,
        Step::Bake => bake::run(swap, cancel).await,
        Step::AfterSwitch => host_hook::after(swap).await,
        Step::Drain => drain::run(swap, cancel).await,
        Step::Retire => retire::run(swap).await,
        Step::Record => record::run(swap).await,
    }
}

/// Undoes one step of those that the story has something to undo of.
pub(super) async fn undo(swap: &HostSwap<'_>, step: Step) -> Result<()> {
    match step {
        Step::EnvFile => env_file::undo(swap).await,
        Step::Start | Step::Hook => start::undo(swap).await,
        Step::Guard => guard::undo(swap).await,
        Step::Route => route::undo(swap).await,
        Step::NginxUp => nginx_up::undo(swap).await,
        Step::Workers => workers::undo(swap).await,
        Step::Pull | Step::Health | Step::BeforeSwitch | Step::Confirm | Step::Bake => Ok(()),
        Step::AfterSwitch | Step::Drain | Step::Retire | Step::Record => Ok(()),
    }
}
