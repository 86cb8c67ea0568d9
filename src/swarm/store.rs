//! The lock, the journal and the history: one object of the swarm, so that every manager has them. Who writes it names the
//! version that he has seen, so of two writers one is refused.
//!
//! The lease needs no clocks that agree: its holder writes every [`BEAT`], and who sees the object stand still for [`LEASE`]
//! of its own time takes over by that version.

use super::api::{Api, refused};
use super::objects::Index;
use super::plan::Plan;
use crate::awake;
use crate::host::lock::{Holder, Overtaken};
use crate::report::text::one_line;
use crate::swap::history::Record;
use anyhow::{Context as _, Result, bail};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::time::{Duration, Instant};
use tokio::sync::Mutex;

/// From one sign of life to the next.
const BEAT: Duration = Duration::from_secs(5);
/// Without one for so long, the holder is gone.
const LEASE: Duration = Duration::from_secs(15);
/// How often is looked meanwhile.
const LOOK: Duration = Duration::from_secs(1);
/// Releases that the history has.
const KEPT: usize = 50;

/// What the object says.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct State {
    /// The run that has the lock; empty: none.
    holder: String,
    /// The same, for people.
    about: String,
    /// The last sign of life: another word each time.
    beat: String,
    /// A release that has not come to its end.
    pub(crate) journal: Option<Journal>,
    /// Earlier releases, oldest first.
    pub(crate) history: Vec<Record>,
    /// What the last release left, for who looks whether that is still so.
    pub(crate) live: Option<Left>,
}

/// A release that is under way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Journal {
    pub(crate) plan: Plan,
    pub(crate) phase: Phase,
}

/// How far a release has come. What a phase does comes after it was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Phase {
    /// The idle slot gets tasks, and no nginx names it.
    Start,
    /// Some nginx may name it.
    Route,
    /// Every nginx was seen to: from here on the new version stays.
    Confirmed,
}

/// What a release left: of each slot its service, image and number of tasks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Left {
    pub(crate) slots: Vec<(String, String, u64)>,
}

/// The lock, which is held.
pub(crate) struct Store<'a> {
    api: &'a Api<'a>,
    stack: String,
    holder: Holder,
    object: Mutex<Object>,
}

#[derive(Debug, Clone)]
struct Object {
    id: String,
    index: u64,
    spec: Value,
    state: State,
}

/// What came of asking for the lock.
pub(crate) enum Taken<'a> {
    Held(Box<Store<'a>>),
    /// Somebody else has it; his own description.
    Busy(String),
}

impl State {
    fn of(labels: &Value) -> Result<State> {
        let text = |name: &str| labels[format!("cutover.{name}")].as_str().unwrap_or_default();
        let what = "is no state that this cutover reads; was it written by a newer one?";
        let journal = Some(text("journal")).filter(|text| !text.is_empty());
        let live = Some(text("live")).filter(|text| !text.is_empty());
        Ok(State {
            holder: text("holder").to_owned(),
            about: text("about").to_owned(),
            beat: text("beat").to_owned(),
            journal: journal.map(serde_json::from_str).transpose().with_context(|| format!("the journal {what}"))?,
            history: crate::swap::history::read(text("history")).0,
            live: live.and_then(|live| serde_json::from_str(live).ok()),
        })
    }

    fn labels(&self) -> Value {
        let line = |record: &Record| serde_json::to_string(record).unwrap_or_default();
        let from = self.history.len().saturating_sub(KEPT);
        let history: Vec<String> = self.history[from..].iter().map(line).collect();
        let json = |value: Option<String>| value.unwrap_or_default();
        let labels = [
            ("holder", self.holder.clone()),
            ("about", self.about.clone()),
            ("beat", self.beat.clone()),
            ("journal", json(self.journal.as_ref().and_then(|journal| serde_json::to_string(journal).ok()))),
            ("history", history.join("\n")),
            ("live", json(self.live.as_ref().and_then(|live| serde_json::to_string(live).ok()))),
        ];
        let labels = labels.into_iter().map(|(name, value)| (format!("cutover.{name}"), json!(value)));
        Value::Object(labels.collect::<Map<_, _>>())
    }
}

impl Object {
    async fn read(api: &Api<'_>, stack: &str) -> Result<Option<Object>> {
        let Some(value) = api.config(&name(stack)).await? else { return Ok(None) };
        let index: Index =
            serde_json::from_value(value["Version"].clone()).context("the swarm's object has no version")?;
        let id = value["ID"].as_str().unwrap_or_default().to_owned();
        let state =
            State::of(&value["Spec"]["Labels"]).with_context(|| format!("the swarm's config {}", name(stack)))?;
        Ok(Some(Object { id, index: index.index, spec: value["Spec"].clone(), state }))
    }
}

fn name(stack: &str) -> String {
    format!("cutover.{stack}")
}

/// What the object says now; nothing where there is none.
pub(crate) async fn read(api: &Api<'_>, stack: &str) -> Result<State> {
    Ok(Object::read(api, stack).await?.map(|object| object.state).unwrap_or_default())
}

impl<'a> Store<'a> {
    /// Asks for the lock. Where somebody has it, his signs of life are waited for: if none comes, it is taken over. `busy`
    /// hears who has it, once.
    pub(crate) async fn take(
        api: &'a Api<'a>,
        stack: &str,
        holder: &Holder,
        wait: Duration,
        busy: impl Fn(&str),
    ) -> Result<Taken<'a>> {
        let (began, mut seen, mut said) = (Instant::now(), None::<(u64, Instant)>, false);
        loop {
            let Some(object) = Object::read(api, stack).await? else {
                let spec = json!({ "Name": name(stack), "Labels": State::default().labels(), "Data": "Y3V0b3Zlcg==" });
                api.make_config(&spec).await.context("the swarm's object for the lock can't be made")?;
                continue;
            };
            let free = object.state.holder.is_empty() || object.state.holder == holder.id;
            let (index, since) = *seen.get_or_insert((object.index, Instant::now()));
            if free || (index == object.index && since.elapsed() >= LEASE) {
                let object = Object { index: object.index, ..object };
                let store = Store { api, stack: stack.to_owned(), holder: holder.clone(), object: Mutex::new(object) };
                match store.first_write().await {
                    Ok(()) => return Ok(Taken::Held(Box::new(store))),
                    // somebody else was faster
                    Err(error) if error.is::<Overtaken>() => seen = None,
                    Err(error) => return Err(error),
                }
                continue;
            }
            if index != object.index {
                if began.elapsed() >= wait {
                    return Ok(Taken::Busy(one_line(&object.state.about, 300)));
                }
                seen = None;
            }
            if !std::mem::replace(&mut said, true) {
                busy(&one_line(&object.state.about, 300));
            }
            awake::sleep(LOOK).await;
        }
    }

    /// What the object says, as this run knows it.
    pub(crate) async fn state(&self) -> State {
        self.object.lock().await.state.clone()
    }

    /// Writes how far a release has come; what follows comes after this.
    pub(crate) async fn phase(&self, plan: &Plan, phase: Phase) -> Result<()> {
        self.write(|state| state.journal = Some(Journal { plan: plan.clone(), phase })).await
    }

    /// Ends the journal, with what is to be remembered.
    pub(crate) async fn close(&self, records: Vec<Record>, live: Option<Left>) -> Result<()> {
        let change = |state: &mut State| {
            state.journal = None;
            state.history.extend(records.iter().cloned());
            state.live = live.clone().or(state.live.take());
        };
        self.write(change).await
    }

    /// Gives the lock back.
    pub(crate) async fn release(&self) -> Result<()> {
        let free = |state: &mut State| {
            state.holder = String::new();
            state.about = String::new();
        };
        self.write(free).await
    }

    /// Gives signs of life, until another run has the lock. Never ends otherwise.
    pub(crate) async fn beat(&self) -> anyhow::Error {
        loop {
            tokio::time::sleep(BEAT).await;
            match self.write(|_| {}).await {
                Err(error) if error.is::<Overtaken>() => return error,
                _ => {}
            }
        }
    }

    async fn first_write(&self) -> Result<()> {
        let theirs = self.object.lock().await.state.holder.clone();
        let take = |state: &mut State| {
            state.holder.clone_from(&self.holder.id);
            state.about = self.holder.about.replace('\n', " ");
        };
        self.write_over(&theirs, take).await
    }

    async fn write(&self, change: impl Fn(&mut State)) -> Result<()> {
        self.write_over(&self.holder.id, change).await
    }

    /// Writes by the version that was seen. Where the answer got lost it is looked whether the write was made.
    async fn write_over(&self, theirs: &str, change: impl Fn(&mut State)) -> Result<()> {
        let mut object = self.object.lock().await;
        for _ in 0..5 {
            let mut state = object.state.clone();
            change(&mut state);
            state.beat = crate::random::some_word();
            let mut spec = object.spec.clone();
            spec["Labels"] = state.labels();
            let error = self.api.update_config(&object.id, object.index, &spec).await.err();
            if error.as_ref().is_some_and(|error| refused(error).is_none()) {
                return Err(error.unwrap_or_else(|| anyhow::anyhow!("no answer")).context("the lock can't be written"));
            }
            let Some(now) = Object::read(self.api, &self.stack).await? else { bail!("the swarm's lock is gone") };
            let written = now.state.holder == state.holder && now.state.beat == state.beat;
            // of what this run wrote itself an answer may have got lost
            let ours = now.state.holder == theirs && (theirs == self.holder.id || now.state.beat == object.state.beat);
            let by = one_line(&now.state.about, 300);
            match (written, ours, error) {
                (true, ..) => {
                    *object = now;
                    return Ok(());
                }
                (false, true, Some(error)) if now.index == object.index => {
                    return Err(error.context("the lock can't be written"));
                }
                (false, true, _) => *object = now,
                (false, false, _) => return Err(Overtaken { host: format!("the stack {}", self.stack), by }.into()),
            }
        }
        bail!("the lock can't be written: it changes all the time")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_read_as_it_was_written() {
        let live = Some(Left { slots: vec![("s_blue".to_owned(), "a@sha256:1".to_owned(), 3)] });
        let state = State { holder: "me".into(), about: "I".into(), beat: "7".into(), live, ..State::default() };
        assert_eq!(State::of(&state.labels()).expect("reads"), state);
        assert_eq!(State::of(&Value::Null).expect("reads"), State::default());
        assert!(State::of(&json!({ "cutover.journal": "{" })).is_err());
    }
}
