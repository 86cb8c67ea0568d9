//! Commands of the project's own around the switch.

use super::execute::HostSwap;
use super::story::Step;
use crate::config::HostHook;
use crate::host::lock::Overtaken;
use crate::host::script::Script;
use crate::report::{Event, Level};
use anyhow::{Context as _, Result};
use std::collections::VecDeque;
use std::time::Duration;

/// So many of the last lines of a command that failed are said once more.
const LAST: usize = 10;

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
        self.show(script, Step::Hook, hook.timeout).await
    }

    /// Runs a command on the host itself.
    pub(super) async fn host_hook(&self, step: Step, hook: Option<HostHook>) -> Result<String> {
        let hook = hook.context("no command to run")?;
        let text = concat!(include_str!("scripts/prelude.sh"), include_str!("scripts/host-hook.sh"));
        let script = self
            .script("to run the host's own command", text)
            .args([step.name(), &self.plan.directory, &hook.timeout.as_secs().max(1).to_string(), &self.plan.version])
            .args(&hook.command);
        self.show(script, step, hook.timeout).await
    }

    /// The new version is live: a command that fails now is worth a warning, no more.
    pub(super) async fn after_switch(&self) -> Result<String> {
        if let Err(error) = self.host_hook(Step::AfterSwitch, self.plan.after_switch.clone()).await {
            if error.downcast_ref::<Overtaken>().is_some() {
                return Err(error);
            }
            self.host.reporter.note(Level::Warning, &self.host.name, self.why(&error));
            self.keep_said([]);
        }
        Ok(String::new())
    }

    /// Runs it and shows each line; the last ones of a command that fails are kept, to be said with the failure.
    async fn show(&self, script: Script, step: Step, timeout: Duration) -> Result<String> {
        let script = script.limit(timeout + Duration::from_secs(30));
        let mut last = VecDeque::new();
        let line = |text: &str| {
            last.truncate(LAST - 1);
            last.push_front(text.to_owned());
            let (host, source) = (self.host.name.clone(), step.name().to_owned());
            self.host.reporter.emit(Event::Output { host, source, text: text.to_owned() });
        };
        let ended = self.host.follow(&script, line).await;
        if ended.is_err() {
            self.keep_said(last.into_iter().rev());
        }
        ended.map(|()| String::new())
    }
}
