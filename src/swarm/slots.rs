//! The two services: how many tasks they have, and of which image.

use super::api::{Api, refused};
use super::objects::{Change, Node, Service, Task};
use crate::awake;
use anyhow::{Context as _, Result, bail};
use std::time::{Duration, Instant};

/// How often is looked how tasks fare.
const LOOK: Duration = Duration::from_millis(300);
/// What a task may take to end beside its own time.
const MORE: Duration = Duration::from_secs(40);

/// Makes a service so. Nothing is done where it is so already.
pub(crate) async fn set(api: &Api<'_>, service: &str, change: &Change<'_>, auth: Option<&str>) -> Result<()> {
    let Change { replicas, image, values } = *change;
    for _ in 0..5 {
        let now = api.service(service).await?;
        let has_image = image.is_none_or(|image| image == now.image());
        let is_so = now.replicas() == Some(replicas) && has_image && values.is_none();
        if is_so {
            return Ok(());
        }
        match api.update(&now.id, now.version.index, &now.with(change), auth).await {
            Ok(()) => return Ok(()),
            // somebody has changed it meanwhile, or an answer got lost: it is looked again
            Err(error) if refused(&error).is_some_and(|refused| refused.message.contains("out of sequence")) => {}
            Err(error) => return Err(error).with_context(|| format!("{service} can't be given {replicas} tasks")),
        }
    }
    bail!("{service} can't be given {replicas} tasks: somebody else changes it all the time")
}

/// Stops all tasks of a service, and waits until none runs. Those of a node that is down can't be waited for: their names.
pub(crate) async fn stop(api: &Api<'_>, service: &str) -> Result<Vec<String>> {
    set(api, service, &Change::default(), None).await?;
    let grace = Duration::from_secs(api.service(service).await?.stop_grace());
    let began = Instant::now();
    loop {
        let (tasks, nodes) = (api.tasks(service).await?, api.nodes().await?);
        let is_up = |task: &&Task| nodes.iter().any(|node| node.id == task.node && node.is_ready());
        let (up, down): (Vec<&Task>, Vec<&Task>) = tasks.iter().filter(|task| !task.is_over()).partition(is_up);
        if up.is_empty() {
            return Ok(down
                .iter()
                .filter(|task| !task.node.is_empty())
                .map(|task| called(&nodes, &task.node))
                .collect());
        }
        if began.elapsed() > grace + MORE {
            let on: Vec<String> = up.iter().map(|task| called(&nodes, &task.node)).collect();
            bail!("{service} still has tasks after {} s, on {}", began.elapsed().as_secs(), on.join(", "));
        }
        awake::sleep(LOOK).await;
    }
}

/// A node by its name, where it has one.
pub(crate) fn called(nodes: &[Node], id: &str) -> String {
    let node = nodes.iter().find(|node| node.id == id);
    node.map_or_else(|| format!("the node {id}"), |node| node.name().to_owned())
}

/// Tasks that run and shall, of a service.
pub(crate) fn serving(tasks: &[Task]) -> Vec<&Task> {
    tasks.iter().filter(|task| task.serves()).collect()
}

/// What a service shall run, for who looks later whether that is still so.
pub(crate) fn left(service: &Service) -> (String, String, u64) {
    (service.name().to_owned(), service.image().to_owned(), service.replicas().unwrap_or(0))
}

/// Waits until so many tasks of a service run.
pub(crate) async fn until_running(api: &Api<'_>, service: &str, replicas: u64) -> Result<()> {
    let began = Instant::now();
    loop {
        let running = serving(&api.tasks(service).await?).len();
        if running as u64 >= replicas {
            return Ok(());
        }
        if began.elapsed() > Duration::from_secs(120) {
            bail!("{service} has {running} of {replicas} tasks running after {} s", began.elapsed().as_secs());
        }
        awake::sleep(LOOK).await;
    }
}
