//! Commands around the switch: the release's own one in a task of the new image, those of the hosts on every node with nginx.

use super::api::refused;
use super::edge::{Edge, fenced};
use super::objects::{Change, Task};
use super::run::Work;
use super::slots::called;
use crate::awake;
use crate::config::HostHook;
use crate::host::lock::Overtaken;
use crate::host::own::OWN;
use crate::host::{Kind, Unnamed, kind};
use crate::report::text::one_line;
use crate::report::{Event, Level};
use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// From one look at the task to the next.
const LOOK: Duration = Duration::from_millis(300);
/// Swarm may take so long to find a node and to have the image there.
const PLACING: Duration = Duration::from_secs(600);
/// Lines of a task that are shown.
const LOG_LINES: usize = 200;
/// Lines that are said with a failure.
const LAST: usize = 10;

impl Work<'_, '_> {
    /// The service of the release's own command: a job of one task.
    fn hook_name(&self) -> String {
        format!("{}_cutover-hook", self.seen.stack)
    }

    /// Runs the release's own command once, with the settings of the slot that gets the version.
    pub(super) async fn release_hook(&self) -> Result<()> {
        let Some(hook) = &self.plan.hook else { return Ok(()) };
        let text =
            format!("run {} in a task of the new image, at most {} s", hook.command.join(" "), hook.timeout.as_secs());
        let running = async {
            // of a run that was killed
            self.remove_hook().await?;
            let ended = tokio::select! {
                ended = self.job(&hook.command, hook.timeout) => ended,
                signal = self.cancel.wait() => bail!("stopped by {}", signal.name()),
            };
            let removed = self.remove_hook().await;
            ended.and_then(|text| removed.map(|()| text))
        };
        self.step("hook", text, running).await
    }

    /// Removes the job with all that it runs.
    pub(super) async fn remove_hook(&self) -> Result<()> {
        if self.plan.hook.is_none() {
            return Ok(());
        }
        self.seen.api.remove(&self.hook_name()).await.context("the job of the release's command can't be removed")
    }

    async fn job(&self, command: &[String], timeout: Duration) -> Result<String> {
        let (api, to) = (self.seen.api, &self.plan.to);
        let change = Change { replicas: 0, image: Some(&to.image), values: self.values.as_deref() };
        let slot = api.service(&to.service).await?.with(&change);
        let spec = job(&self.hook_name(), slot, command);
        let id = match api.create(&spec, self.auth.as_deref()).await {
            // an answer got lost, and it was asked again
            Err(error) if refused(&error).is_some_and(|refused| refused.status == 409) => self.hook_name(),
            made => made.context("the job of the release's command can't be made")?,
        };
        let (began, mut since) = (Instant::now(), None);
        loop {
            let tasks = api.tasks(&id).await?;
            if let Some(task) = tasks.first() {
                if task.is_over() {
                    return self.ended(task).await;
                }
                if task.status.state == "pending" && !task.status.err.is_empty() {
                    bail!("Swarm finds no node for it: {}", one_line(&task.status.err, 300));
                }
                if task.status.state == "running" {
                    since.get_or_insert_with(Instant::now);
                }
            }
            match since {
                Some(since) if since.elapsed() > timeout => bail!("no end after {} s", timeout.as_secs()),
                None if began.elapsed() > PLACING => bail!("it was not started within {} s", PLACING.as_secs()),
                _ => awake::sleep(LOOK).await,
            }
        }
    }

    /// Shows what it printed, and says how it ended.
    async fn ended(&self, task: &Task) -> Result<String> {
        let node = called(&self.seen.nodes, &task.node);
        let lines = self.logs(task).await;
        let host = self.seen.api.members.iter().find(|member| member.node == task.node);
        for text in &lines {
            let host = host.map_or_else(|| node.clone(), |member| member.host.name.clone());
            self.reporter.emit(Event::Output { host, source: "hook".to_owned(), text: text.clone() });
        }
        if task.status.state == "complete" {
            return Ok(format!("it ran on {node}"));
        }
        let last = said(&lines[lines.len().saturating_sub(LAST)..]);
        bail!("it ended on {node} as {}: {}{last}", task.status.state, one_line(&task.status.err, 300));
    }

    async fn logs(&self, task: &Task) -> Vec<String> {
        let member = self.seen.api.members.iter().find(|member| member.node == task.node);
        let (Some(member), Some(container)) = (member, task.container()) else { return Vec::new() };
        let Ok(docker) = member.host.docker(&member.version) else { return Vec::new() };
        docker.logs(&container.id, LOG_LINES).await.unwrap_or_default()
    }

    /// Runs a command of the hosts' own on every node with nginx.
    pub(super) async fn host_hook(&self, step: &'static str, hook: Option<&HostHook>) -> Result<()> {
        let Some(hook) = hook else { return Ok(()) };
        self.go_on()?;
        let text = format!("run {} on the host, at most {} s", hook.command.join(" "), hook.timeout.as_secs());
        self.on_edges(step, text, async |edge| self.on_host(edge, step, hook).await).await
    }

    /// The new version is live: a command that fails now is worth a warning, no more.
    pub(super) async fn after_switch(&self) -> Result<(), Overtaken> {
        let Err(error) = self.host_hook("after-switch", self.plan.after_switch.as_ref()).await else { return Ok(()) };
        if let Kind::Overtaken(overtaken) = kind(&error) {
            return Err(overtaken.clone());
        }
        self.reporter.note(Level::Warning, "", format!("after-switch: {error:#}"));
        Ok(())
    }

    async fn on_host(&self, edge: &Edge<'_>, step: &'static str, hook: &HostHook) -> Result<String> {
        let script = fenced("to run the host's own command", include_str!("host_hook.sh"), self.fence)
            .with(&[OWN])
            .set("directory", self.directory)
            .set("seconds", hook.timeout.as_secs().max(1).to_string())
            .set("version", &self.plan.version)
            .args(&hook.command);
        match edge.host.show(script, step, hook.timeout).await {
            (Ok(()), _) => Ok(String::new()),
            (Err(error), _) if matches!(kind(&error), Kind::Overtaken(_)) => Err(error),
            (Err(error), last) => bail!("{}{}", Unnamed(&error), said(&last)),
        }
    }
}

/// The last lines of what failed.
fn said<'l>(lines: impl IntoIterator<Item = &'l String>) -> String {
    lines.into_iter().map(|line| format!("\n│ {}", one_line(line, 400))).collect()
}

/// A job of one task, with what the slot's tasks have, that runs this command instead of theirs.
fn job(name: &str, slot: Value, command: &[String]) -> Value {
    let mut template = slot["TaskTemplate"].clone();
    let (program, words) = command.split_first().map_or(("", [].as_slice()), |(first, rest)| (first, rest));
    template["ContainerSpec"]["Command"] = json!([program]);
    template["ContainerSpec"]["Args"] = json!(words);
    template["RestartPolicy"] = json!({ "Condition": "none" });
    let mode = json!({ "ReplicatedJob": { "MaxConcurrent": 1, "TotalCompletions": 1 } });
    json!({ "Name": name, "TaskTemplate": template, "Mode": mode, "Networks": slot["Networks"] })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_has_the_settings_of_the_slot_and_a_command_of_its_own() {
        let slot = json!({ "Name": "s_green", "Labels": { "com.docker.stack.namespace": "s" }, "Mode": {}, "TaskTemplate": {
            "ContainerSpec": { "Image": "a", "Env": ["A=1"], "Args": ["serve"] }, "Networks": [{ "Target": "n" }] } });
        let made = job("s_cutover-hook", slot, &["npm".to_owned(), "run".to_owned()]);
        let container = json!({ "Image": "a", "Env": ["A=1"], "Command": ["npm"], "Args": ["run"] });
        assert_eq!(made["TaskTemplate"]["ContainerSpec"], container);
        assert_eq!((&made["TaskTemplate"]["Networks"][0]["Target"], &made["Labels"]), (&json!("n"), &Value::Null));
    }
}
