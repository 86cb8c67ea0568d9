//! Commands of the project's own around the switch.

use super::execute::HostSwap;
use super::steps::Step;
use crate::config::HostHook;
use crate::host::script::Script;
use crate::report::{Event, Level};
use anyhow::{Context as _, Result};
use std::time::Duration;

impl HostSwap<'_> {
    /// Runs the release's own command in the new image, its output shown line by line.
    pub(super) async fn release_hook(&mut self) -> Result<String> {
        let hook = self.plan.hook.clone().context("no command to run")?;
        let tags = self.tags()?;
        let text = concat!(include_str!("scripts/prelude.sh"), include_str!("scripts/hook.sh"));
        let script = self
            .script("to run the release's own command", text)
            .args([self.plan.compose.word(), &self.plan.directory, &(tags.len() / 2).to_string()])
            .args(tags)
            .args([hook.timeout.as_secs().max(1).to_string(), format!("cutover-hook-{}", hook.slot), hook.slot.clone()])
            .args(&hook.command)
            .stdin(self.journal_line()?);
        self.show(script, "hook", hook.timeout).await
    }

    /// Runs a command on the host itself.
    pub(super) async fn host_hook(&self, step: Step, hook: Option<HostHook>) -> Result<String> {
        let hook = hook.context("no command to run")?;
        let text = concat!(include_str!("scripts/prelude.sh"), include_str!("scripts/host-hook.sh"));
        let script = self
            .script("to run the host's own command", text)
            .args([step.name(), &self.plan.directory, &hook.timeout.as_secs().max(1).to_string(), &self.plan.version])
            .args(&hook.command);
        self.show(script, step.name(), hook.timeout).await
    }

    /// The new version is live: a command that fails now is worth a warning, no more.
    pub(super) async fn after_switch(&self) -> Result<String> {
        if let Err(error) = self.host_hook(Step::AfterSwitch, self.plan.after_switch.clone()).await {
            self.host.reporter.note(Level::Warning, &self.host.name, format!("{error:#}"));
        }
        Ok(String::new())
    }

    async fn show(&self, script: Script, source: &str, timeout: Duration) -> Result<String> {
        let script = script.limit(timeout + Duration::from_secs(30));
        let line = |text: &str| {
            self.host.reporter.emit(Event::Output { source: source.to_owned(), text: text.to_owned() });
        };
        self.host.follow(&script, line).await.map(|()| String::new())
    }
}
