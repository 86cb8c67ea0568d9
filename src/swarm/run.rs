//! A release while it runs: the idle slot gets tasks, every nginx is pointed at them, the old slot loses its own. Until every
//! nginx was seen to reach the new slot alone, a failure puts everything back.

use super::edge::Edge;
use super::health::Proof;
use super::objects::{Change, Task};
use super::plan::Plan;
use super::see::Seen;
use super::store::{Phase, Store};
use super::{evidence, slots};
use crate::awake;
use crate::cancel::Cancel;
use crate::host::lock::Overtaken;
use crate::host::script::Fence;
use crate::host::{Kind, Unnamed, kind};
use crate::report::Reporter;
use crate::report::stop::{Reason, by_host};
use crate::secret::Secret;
use crate::see::read::traffic::resolve;
use crate::swap::execute::Failure;
use anyhow::{Result, anyhow, bail};
use futures_util::future::{join_all, try_join_all};
use std::collections::HashSet;
use std::future::Future;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long it may take until every node knows the new tasks by their name.
const KNOWN_WITHIN: Duration = Duration::from_secs(20);

/// What a release has at hand.
pub(crate) struct Work<'w, 'a> {
    pub(crate) seen: &'w Seen<'a>,
    pub(crate) store: &'w Store<'a>,
    pub(crate) plan: &'w Plan,
    pub(crate) fence: &'w Fence,
    pub(crate) cancel: &'w Cancel,
    pub(crate) reporter: &'w Reporter,
    /// The registry's login, as the API has it.
    pub(crate) auth: Option<String>,
    /// What the new tasks get from the env file; `None`: they keep what the slot has.
    pub(crate) values: Option<Vec<(String, Secret)>>,
    /// Where the stack file is on the managers, and what it is called.
    pub(crate) directory: &'w str,
    pub(crate) files: &'w [String],
    /// Step → seconds, of the steps in their order.
    pub(crate) seconds: Mutex<Vec<(&'static str, f64)>>,
}

/// How a release ended.
pub(crate) enum End {
    /// The version is live since then; what could not be tidied.
    Live(Live),
    /// It is not, and what was changed was put back as far as that could be.
    Failed(Failure),
    /// Another run took the lock.
    Overtaken(Overtaken),
}

/// A version that is live.
pub(crate) struct Live {
    pub(crate) at: Instant,
    /// Commands that were sent to each host until then.
    pub(crate) trips: Vec<u32>,
    /// What came of each nginx's old workers, by host.
    pub(crate) drained: Vec<(String, String)>,
    /// What is left to be done by `recover`.
    pub(crate) left: Vec<Reason>,
}

/// Why a phase did not come to its end.
pub(super) struct Failed(pub(super) Vec<Reason>);

impl Work<'_, '_> {
    /// Does it all.
    pub(crate) async fn execute(&self) -> End {
        let mut phase = None;
        match self.until_live(&mut phase).await {
            Ok(at) => self.after(at).await,
            Err(error) => match kind(&error) {
                Kind::Overtaken(overtaken) => End::Overtaken(overtaken.clone()),
                _ => self.put_back(phase, error).await,
            },
        }
    }

    /// Everything until every nginx was seen to reach the new slot alone.
    async fn until_live(&self, phase: &mut Option<Phase>) -> Result<Instant> {
        let Plan { to, replicas, version, .. } = self.plan;
        self.enter(Phase::Start, phase).await?;
        self.reporter.phase("Start the new tasks and wait until they are healthy");
        // one that was left with tasks has nobody's requests: nginx names the other one
        if self.seen.slots[to.slot].tasks.iter().any(|task| !task.is_over()) {
            slots::stop(self.seen.api, &to.service).await?;
        }
        self.release_hook().await?;
        let known = self.seen.api.tasks(&to.service).await?.into_iter().map(|task| task.id).collect();
        let text = format!("{} 0 → {replicas} tasks of {version}", to.called);
        let auth = self.auth.as_deref();
        let change = Change { replicas: *replicas, image: Some(&to.image), values: self.values.as_deref() };
        let start = slots::set(self.seen.api, &to.service, &change, auth);
        self.step("start", text, async { start.await.map(|()| String::new()) }).await?;
        let text = format!("until each of {replicas} tasks answers GET {} on port {}", self.plan.health.path, to.port);
        let mut proved = Vec::new();
        self.step("health", text, self.health(known, &mut proved)).await?;
        self.edges_know(&proved).await?;
        self.host_hook("before-switch", self.plan.before_switch.as_ref()).await?;
        self.enter(Phase::Route, phase).await?;
        self.reporter.phase("Switch nginx on every node");
        self.on_edges("route", format!("point nginx at {}", to.word), async |edge| {
            edge.route(to.slot, self.fence).await
        })
        .await?;
        self.go_on()?;
        self.confirm(proved.clone()).await?;
        self.bake(&proved).await?;
        self.go_on()?;
        self.enter(Phase::Confirmed, phase).await?;
        Ok(Instant::now())
    }

    /// Writes the phase down before anything of it is done.
    async fn enter(&self, phase: Phase, now: &mut Option<Phase>) -> Result<()> {
        self.go_on()?;
        self.store.phase(self.plan, phase).await?;
        *now = Some(phase);
        Ok(())
    }

    pub(super) fn go_on(&self) -> Result<()> {
        match self.cancel.raised() {
            Some(signal) => bail!("stopped by {}", signal.name()),
            None => Ok(()),
        }
    }

    async fn health(&self, known: HashSet<String>, proved: &mut Vec<Task>) -> Result<String> {
        let began = Instant::now();
        let mut proof = Proof::new(self.seen.api, self.plan, self.reporter, known);
        let found = tokio::select! {
            found = proof.find() => found,
            signal = self.cancel.wait() => bail!("stopped by {}", signal.name()),
        };
        let said: String = proof.said.iter().map(|line| format!("\n│ {line}")).collect();
        *proved = found.map_err(|error| anyhow!("{error:#}{said}"))?;
        let nodes: Vec<String> = proved.iter().map(|task| slots::called(&self.seen.nodes, &task.node)).collect();
        let seconds = began.elapsed().as_secs_f64();
        Ok(format!("{} tasks are healthy after {seconds:.1} s, on {}", nodes.len(), nodes.join(", ")))
    }

    /// Every node still answers, and its nginx finds each new task by the name that it is to be pointed at.
    async fn edges_know(&self, proved: &[Task]) -> Result<()> {
        let own: HashSet<String> = proved.iter().flat_map(Task::addresses).collect();
        let each = self.seen.edges.iter().map(|edge| self.edge_knows(edge, &own, proved.len()));
        try_join_all(each).await.map(drop)
    }

    async fn edge_knows(&self, edge: &Edge<'_>, own: &HashSet<String>, wanted: usize) -> Result<()> {
        let (began, word) = (Instant::now(), &self.plan.to.word);
        loop {
            let words = [word.as_str(), self.plan.from.word.as_str()];
            let resolved = resolve(edge.host, &edge.container, &words).await?;
            let means = |name: &str| {
                let of = resolved.iter().filter(|(known, _)| known == name);
                of.flat_map(|(_, addresses)| addresses.clone()).collect::<Vec<String>>()
            };
            let now = means(word);
            if let Some(other) = now.iter().find(|address| !own.contains(*address)) {
                bail!(
                    "{}: in nginx's container {word} means {other} too, which is no task of {}",
                    edge.host.name,
                    self.plan.to.called
                );
            }
            // an image without a program that asks for names: nothing can be said
            let unknown = now.is_empty() && means(&self.plan.from.word).is_empty();
            if now.len() == wanted || unknown {
                return Ok(());
            }
            if began.elapsed() > KNOWN_WITHIN {
                bail!("{}: nginx finds {} of {wanted} tasks by the name {word}", edge.host.name, now.len());
            }
            awake::sleep(Duration::from_millis(200)).await;
        }
    }

    /// Does something on every nginx at the same time; what failed is said together.
    pub(super) async fn on_edges(
        &self,
        step: &'static str,
        text: String,
        each: impl AsyncFn(&Edge<'_>) -> Result<String>,
    ) -> Result<()> {
        let began = Instant::now();
        let all = self.seen.edges.iter().map(|edge| {
            let (running, each) = (self.reporter.step(&edge.host.name, step, text.clone()), &each);
            async move {
                let done = each(edge).await;
                match &done {
                    Ok(text) => running.done(text.clone()),
                    Err(error) => running.failed(Unnamed(error).to_string()),
                };
                done
            }
        });
        let results = join_all(all).await;
        self.took(step, began);
        let failed: Vec<Reason> = self.reasons(&results);
        if let Some(overtaken) = results.into_iter().filter_map(Result::err).find(|error| error.is::<Overtaken>()) {
            return Err(overtaken);
        }
        if failed.is_empty() { Ok(()) } else { Err(Failed(failed).into()) }
    }

    fn reasons<T>(&self, results: &[Result<T>]) -> Vec<Reason> {
        let each = self.seen.edges.iter().zip(results);
        each.filter_map(|(edge, result)| {
            Some(Reason::new(&edge.host.name, Unnamed(result.as_ref().err()?).to_string()))
        })
        .collect()
    }

    async fn confirm(&self, proved: Vec<Task>) -> Result<()> {
        let slot = self.plan.to.slot;
        let text = format!("see requests through each nginx reach {} alone", self.plan.to.called);
        let mut tasks = self.seen.tasks_now().await?;
        tasks[slot] = proved;
        let proof = async {
            let said = evidence::prove(self.seen, slot, &tasks).await?;
            let each = self.seen.edges.iter().zip(said).map(|(edge, said)| format!("{}: {said}", edge.host.name));
            Ok(each.collect::<Vec<_>>().join("; "))
        };
        self.step("confirm", text, proof).await.map(drop)
    }

    /// A step of the whole stack.
    pub(super) async fn step(
        &self,
        step: &'static str,
        text: String,
        work: impl Future<Output = Result<String>>,
    ) -> Result<()> {
        let (began, running) = (Instant::now(), self.reporter.step(&self.seen.stack, step, text));
        let done = work.await;
        self.took(step, began);
        match &done {
            Ok(text) => running.done(text.clone()),
            Err(error) => running.failed(format!("{error:#}")),
        };
        done.map(drop)
    }

    fn took(&self, step: &'static str, began: Instant) {
        let mut seconds = self.seconds.lock().unwrap_or_else(PoisonError::into_inner);
        seconds.push((step, began.elapsed().as_secs_f64()));
    }

    /// What follows once the version is live. What fails here is left to `recover`.
    pub(crate) async fn after(&self, at: Instant) -> End {
        let trips = self.seen.edges.iter().map(|edge| edge.host.session.round_trips()).collect();
        if let Err(overtaken) = self.after_switch().await {
            return End::Overtaken(overtaken);
        }
        let (drained, left) = self.drain().await;
        if !left.is_empty() {
            return End::Live(Live { at, trips, drained, left });
        }
        let left = match self.finish().await {
            Ok(()) => Vec::new(),
            Err(error) => match kind(&error) {
                Kind::Overtaken(overtaken) => return End::Overtaken(overtaken.clone()),
                _ => vec![Reason::new(&self.seen.stack, format!("{error:#}"))],
            },
        };
        End::Live(Live { at, trips, drained, left })
    }

    /// Lets the old workers of every nginx finish; where that can't be seen the old slot must stay.
    pub(crate) async fn drain(&self) -> (Vec<(String, String)>, Vec<Reason>) {
        let (began, timeout) = (Instant::now(), self.plan.drain_timeout);
        let text = format!("let nginx's old workers finish, at most {} s", timeout.as_secs());
        let each = self.seen.edges.iter().map(|edge| {
            let running = self.reporter.step(&edge.host.name, "drain", text.clone());
            async move {
                let done = edge.drain(timeout, self.fence).await.map(|(left, most)| drained(left, most, began));
                match &done {
                    Ok(text) => running.done(text.clone()),
                    Err(error) => running.failed(Unnamed(error).to_string()),
                };
                done
            }
        });
        let results = join_all(each).await;
        self.took("drain", began);
        let left = self.reasons(&results);
        let drained = self.seen.edges.iter().zip(results);
        (drained.filter_map(|(edge, done)| Some((edge.host.name.clone(), done.ok()?))).collect(), left)
    }
}

fn drained(left: u64, most: u64, began: Instant) -> String {
    let seconds = began.elapsed().as_secs_f64();
    match (left, most) {
        (_, 0) => "nginx's old workers had nothing to finish".to_owned(),
        (0, most) => format!("{most} of {most} old nginx workers finished in {seconds:.1} s"),
        (left, most) => format!("{left} of {most} old nginx workers still had requests after {seconds:.1} s"),
    }
}

impl std::fmt::Display for Failed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&by_host(&self.0).join("\n"))
    }
}

impl std::fmt::Debug for Failed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Failed {}
