//! The new slots, watched from their start until the old ones are stopped.

use super::execute::HostSwap;
use crate::host::container::Container;
use crate::host::docker::Docker;
use anyhow::Result;
use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Shared};

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
    /// The new slot that ended since it was started, if one certainly did: the old one must not be stopped then.
    pub(super) async fn ended(&self) -> Option<(String, String)> {
        for (number, (service, container)) in self.plan.services.iter().zip(&self.started).enumerate() {
            let how = match self.watches.get(number).map(|watch| watch.clone().now_or_never()) {
                Some(None) => continue,
                Some(Some(Ok(how))) => how,
                // nobody has watched it, or not to the end
                None | Some(Some(Err(_))) => match self.ended_meanwhile(container).await {
                    Some(true) => "ended".to_owned(),
                    _ => continue,
                },
            };
            return Some((self.host.name.clone(), format!("{} {how} after it was confirmed", service.to.slot)));
        }
        None
    }

    /// Whether a container does not run as it did before.
    async fn ended_meanwhile(&self, container: &Container) -> Option<bool> {
        let now = self.host.docker(&self.plan.engine).ok()?.inspect(&container.id).await.ok()?;
        let crashed = now.restart_count.is_some_and(|count| count > container.restart_count);
        let state = now.state?;
        Some(crashed || state.running == Some(false) && state.restarting != Some(true))
    }
}
