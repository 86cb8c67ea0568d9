//! Whether the new slots still run.

use super::run::HostSwap;
use crate::host::container::Container;
use crate::host::script::Script;
use anyhow::{Context as _, Result};
use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Shared};
use jiff::Timestamp;
use std::future::pending;

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

impl HostSwap<'_> {
    /// Watches the new slots from now on, all in one: each watch holds one of the few sessions of the connection. One that
    /// ended before it was first looked at counts, restarted or not.
    pub(super) fn watch(&mut self) -> Result<()> {
        let since = |container: &Container| -> Result<Timestamp> {
            let since = if container.restart_count > 0 { &container.created } else { &container.state.started_at };
            since.parse().with_context(|| format!("{} was started at {since}", container.id))
        };
        let started =
            self.services.iter().filter_map(|service| Some((&service.plan.to.slot, service.started.as_ref()?)));
        let slots: Vec<_> = started.clone().map(|(slot, new)| (new.id.clone(), slot.clone())).collect();
        let since = started.map(|(_, new)| since(new)).collect::<Result<Vec<_>>>()?;
        let since = since.into_iter().min().unwrap_or_default();
        let docker = self.host.docker(&self.plan.engine)?.clone();
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
        self.watch = Some(watch.boxed().shared());
        Ok(())
    }

    /// Waits until a new slot ends. Not being told how they fare is no proof that one did.
    pub(super) async fn end_of_any(&self) -> End {
        match &self.watch {
            Some(watch) => match watch.clone().await {
                Ok(end) => end,
                Err(_) => pending().await,
            },
            None => pending().await,
        }
    }

    /// The new slot that ended since it was started, if one certainly did: the old one must not be stopped then. The host
    /// is asked, since what a watch has to say may still be on its way.
    pub(super) async fn ended(&self) -> Option<(String, String)> {
        const RUNS: &str = "docker inspect -f '{{.Id}} {{.RestartCount}} {{.State.Status}}' \"$@\"";
        let started = || self.services.iter().filter_map(|service| service.started.as_ref());
        let ids = started().map(|container| &container.id);
        let output = self.host.run(&Script::new("to see that the new slot runs", RUNS).args(ids)).await.ok()?;
        let output = String::from_utf8_lossy(&output).into_owned();
        for service in &self.services {
            let Some(new) = &service.started else { continue };
            let line = output.lines().find_map(|line| line.strip_prefix(&new.id))?;
            let (restarts, status) = line.trim_start().split_once(' ')?;
            let crashed = restarts.parse::<i64>().ok()? > new.restart_count;
            if crashed || !matches!(status, "running" | "restarting" | "paused") {
                let text = format!("{} ended after it was confirmed", service.plan.to.slot);
                return Some((self.host.name.clone(), text));
            }
        }
        None
    }
}
