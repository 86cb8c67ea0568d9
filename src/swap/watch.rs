//! Whether the new slots still run.

use super::execute::HostSwap;
use crate::host::container::Container;
use crate::host::docker::Docker;
use crate::host::script::Script;
use anyhow::Result;
use futures_util::future::{BoxFuture, Shared};
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt as _, StreamExt as _};
use std::future::pending;

/// How a container ended, such as "ended with 1", once it does. An error says why that can't be known.
pub type Watch = Shared<BoxFuture<'static, Result<String, String>>>;

/// Watches a container. One that ended before it was first looked at counts, restarted or not.
pub(super) fn watch(docker: &Docker, container: &Container) -> Watch {
    let (docker, id) = (docker.clone(), container.id.clone());
    let since = if container.restart_count > 0 { &container.created } else { &container.state.started_at }.clone();
    let watching = tokio::spawn(async move {
        let died = docker.died(&id, &since).await.map_err(|error| format!("{error:#}"))?;
        let memory = if died.out_of_memory { " for lack of memory" } else { "" };
        Ok(format!("ended with {}{memory}", died.exit_code))
    });
    async { watching.await.unwrap_or_else(|error| Err(error.to_string())) }.boxed().shared()
}

impl HostSwap<'_> {
    /// Waits until a new slot ends: which one, and how. Not being told how one fares is no proof that it ended.
    pub(super) async fn end_of_any(&self) -> String {
        let slots = self.plan.services.iter().map(|service| &service.to.slot);
        let certainly = slots.zip(&self.watches).map(async |(slot, watch)| match watch.clone().await {
            Ok(how) => format!("{slot} {how}"),
            Err(_) => pending().await,
        });
        match certainly.collect::<FuturesUnordered<_>>().next().await {
            Some(end) => end,
            None => pending().await,
        }
    }

    /// The new slot that ended since it was started, if one certainly did: the old one must not be stopped then. The host
    /// is asked, since what a watch has to say may still be on its way.
    pub(super) async fn ended(&self) -> Option<(String, String)> {
        const RUNS: &str = "docker inspect -f '{{.RestartCount}} {{.State.Status}}' \"$@\"";
        let ids = self.started.iter().map(|container| &container.id);
        let output = self.host.run(&Script::new("to see that the new slot runs", RUNS).args(ids)).await.ok()?;
        let output = String::from_utf8_lossy(&output).into_owned();
        for ((service, container), line) in self.plan.services.iter().zip(&self.started).zip(output.lines()) {
            let (restarts, status) = line.split_once(' ')?;
            let crashed = restarts.parse::<i64>().ok()? > container.restart_count;
            if crashed || !matches!(status, "running" | "restarting" | "paused") {
                return Some((self.host.name.clone(), format!("{} ended after it was confirmed", service.to.slot)));
            }
        }
        None
    }
}
