//! Whether the new slots still run.

use crate::host::container::Container;
use crate::host::docker::Docker;
use anyhow::{Context as _, Result};
use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Shared};
use jiff::Timestamp;

/// The first new slot that ended, once one does. An error says why that can't be known.
pub type Watch = Shared<BoxFuture<'static, Result<End, String>>>;

/// A new slot that ended.
#[derive(Debug, Clone)]
pub struct End {
    /// Its container.
    pub container: String,
    /// Its compose service.
    pub slot: String,
    /// Which slot, and how, such as "blue ended with 1".
    pub text: String,
}

/// Watches these containers, each with its slot, from now on; all in one: each watch holds one of the few sessions of the
/// connection. One that ended before it was first looked at counts, restarted or not.
pub(super) fn watch(docker: Docker, slots: &[(&Container, &str)]) -> Result<Watch> {
    let since = slots.iter().map(|(container, _)| started(container)).collect::<Result<Vec<_>>>()?;
    let since = since.into_iter().min().unwrap_or_default();
    let slots: Vec<_> = slots.iter().map(|(container, slot)| (container.id.clone(), (*slot).to_owned())).collect();
    let watching = tokio::spawn(async move {
        let ids: Vec<&str> = slots.iter().map(|(id, _)| id.as_str()).collect();
        let died = docker.died(&ids, since).await.map_err(|error| format!("{error:#}"))?;
        let slot = slots.into_iter().find(|(id, _)| *id == died.container);
        let slot = slot.map_or_else(|| "a new slot".to_owned(), |(_, slot)| slot);
        let memory = if died.out_of_memory { " for lack of memory" } else { "" };
        let text = format!("{slot} ended with {}{memory}", died.exit_code);
        Ok(End { container: died.container, slot, text })
    });
    let watch = async { watching.await.unwrap_or_else(|error| Err(error.to_string())) };
    Ok(watch.boxed().shared())
}

fn started(container: &Container) -> Result<Timestamp> {
    let since = if container.restart_count > 0 { &container.created } else { &container.state.started_at };
    since.parse().with_context(|| format!("{} was started at {since}", container.id))
}
