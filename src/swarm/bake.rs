//! Watching the new version through every nginx after the switch; too many failures put the old one back.

use super::edge::Edge;
use super::objects::Task;
use super::run::Work;
use super::slots::called;
use crate::awake;
use crate::config::Bake;
use crate::host::nginx::Probe;
use crate::report::text::one_line;
use crate::report::{Event, Level};
use crate::see::read::traffic;
use anyhow::{Result, bail};
use futures_util::future::join_all;
use std::time::{Duration, Instant};

/// From one question to the next.
const INTERVAL: Duration = Duration::from_millis(250);
/// How often is looked whether the new tasks still run.
const LOOK: Duration = Duration::from_secs(1);

impl Work<'_, '_> {
    /// Asks through every nginx until the time is over. An answer of 500 or more, or none at all, is a failure. A task that ends
    /// is the end.
    pub(super) async fn bake(&self, proved: &[Task]) -> Result<()> {
        let Some(bake) = &self.plan.bake else { return Ok(()) };
        let text = format!("watch the answers through each nginx for {} s", bake.duration.as_secs());
        let watching = async {
            tokio::select! {
                asked = self.watch(bake) => asked,
                ended = self.task_that_ends(proved) => bail!(ended?),
                signal = self.cancel.wait() => bail!("stopped by {}", signal.name()),
            }
        };
        self.step("bake", text, watching).await
    }

    async fn watch(&self, bake: &Bake) -> Result<String> {
        let (began, mut asked, mut failures) = (Instant::now(), 0usize, 0usize);
        let over = tokio::spawn(awake::sleep(bake.duration));
        while !over.is_finished() {
            let tick = tokio::time::sleep(INTERVAL);
            let answers = join_all(self.seen.edges.iter().map(|edge| awake::ask(async || self.look(edge).await))).await;
            asked += answers.len();
            for (edge, answer) in self.seen.edges.iter().zip(answers) {
                let Err(why) = answer else { continue };
                failures += 1;
                self.reporter.note(Level::Warning, &edge.host.name, format!("bake: {why:#}"));
            }
            if failures > bake.max_failures as usize {
                bail!("{failures} of {asked} answers through nginx failed, {} are allowed", bake.max_failures);
            }
            self.reporter.emit(Event::Progress {
                host: String::new(),
                text: format!("bake: {failures} of {asked} answers failed"),
                done: began.elapsed().min(bake.duration).as_secs(),
                total: bake.duration.as_secs(),
                unit: "s",
            });
            tick.await;
        }
        Ok(format!("{failures} of {asked} answers failed"))
    }

    /// The health check through nginx where that leads there, else what nginx is asked for as a proof.
    async fn look(&self, edge: &Edge<'_>) -> Result<()> {
        let health = &self.plan.health.path;
        let path = if health.starts_with(&edge.probe.path) { health } else { &edge.probe.path };
        let probe = Probe { path: path.clone(), ..edge.probe.clone() };
        let answer = traffic::ask(edge.host, &edge.gateway, &probe).await?;
        if answer.status >= 500 {
            bail!("GET {path} answered {}: {}", answer.status, one_line(&answer.body, 200));
        }
        Ok(())
    }

    /// How a new task ended, once one does.
    async fn task_that_ends(&self, proved: &[Task]) -> Result<String> {
        loop {
            let now = self.seen.api.tasks(&self.plan.to.service).await?;
            let ended = proved.iter().find(|task| !now.iter().any(|now| now.id == task.id && now.serves()));
            if let Some(task) = ended {
                let state = now.iter().find(|now| now.id == task.id).map_or("gone", |now| &now.status.state);
                let node = called(&self.seen.nodes, &task.node);
                return Ok(format!("a task of {} on {node} is {state}", self.plan.to.called));
            }
            awake::sleep(LOOK).await;
        }
    }
}
