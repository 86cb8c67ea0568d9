//! What a job leaves for later steps and for people: outputs in `GITHUB_OUTPUT`, a summary in `GITHUB_STEP_SUMMARY`
//! (docs: "Workflow commands for GitHub Actions", environment files).

use super::facts::{Facts, ServiceFacts};
use super::gantt::Bar;
use super::outcome::Pairs;
use super::{Event, Level, summary};
use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// More bars than a picture can show, more errors than a person reads.
const MOST: usize = 200;

/// Collects what happens; writes at the end.
#[derive(Debug, Default)]
pub(super) struct JobReport {
    outputs: Option<PathBuf>,
    summary: Option<PathBuf>,
    pub(super) bars: Vec<Bar>,
    pub(super) errors: Vec<String>,
    pub(super) warnings: Vec<String>,
    /// What came of the last bake: "0 of 120 answers failed".
    pub(super) watched: Vec<(String, String)>,
    /// The verb of the last result.
    pub(super) verb: &'static str,
    /// What the run is about.
    pub(super) version: String,
    /// What the outcomes say, later ones over earlier ones.
    pub(super) facts: Facts,
    pub(super) release_url: Option<String>,
    pub(super) deployment_id: Option<String>,
    /// The commit that the job is about, and its page.
    pub(super) commit: Option<(String, String)>,
    /// How the run ended, and after how many seconds.
    pub(super) outcome: String,
    pub(super) seconds: f64,
}

impl JobReport {
    /// In a step of a job; elsewhere `None`.
    pub(super) fn from_env() -> Option<JobReport> {
        let file = |name| std::env::var_os(name).filter(|path| !path.is_empty()).map(PathBuf::from);
        let (outputs, summary) = (file("GITHUB_OUTPUT"), file("GITHUB_STEP_SUMMARY"));
        (outputs.is_some() || summary.is_some()).then(|| JobReport {
            outputs,
            summary,
            commit: commit(),
            ..JobReport::default()
        })
    }

    pub(super) fn record(&mut self, event: &Event, at: Duration) {
        match event {
            Event::StepEnd { host, step, state, text, seconds } => {
                let end = at.as_secs_f64();
                let begin = (end - seconds).max(0.0);
                if step == "bake" && !text.is_empty() {
                    self.watched.push((host.clone(), text.clone()));
                }
                if self.bars.len() < MOST {
                    self.bars.push(Bar { host: host.clone(), step: step.clone(), state: *state, begin, end });
                }
            }
            Event::Note { level, host, text } if *level != Level::Info => {
                let list = if *level == Level::Error { &mut self.errors } else { &mut self.warnings };
                if list.len() < MOST {
                    list.push(if host.is_empty() { text.clone() } else { format!("{host}: {text}") });
                }
            }
            Event::Published { kind: "release", url, .. } => self.release_url = Some(url.clone()),
            Event::Published { id, .. } => self.deployment_id = Some(id.clone()),
            _ => {}
        }
    }

    /// A verb has come to this.
    pub(super) fn ended(&mut self, verb: &'static str, facts: Facts) {
        self.verb = verb;
        self.facts.extend(facts);
    }

    /// Writes outputs and summary. `outcome` is how the program ends; a result may say it more exactly.
    pub(super) fn write(&mut self, outcome: &str, took: Duration) -> io::Result<()> {
        let said = self.facts.outcome.filter(|_| outcome == "done");
        self.outcome = said.unwrap_or(outcome).to_owned();
        self.seconds = took.as_secs_f64();
        let outputs = self.outputs.as_ref().map_or(Ok(()), |path| append(path, &file_of(&self.outputs())));
        // a step that only looked at something has nothing to show
        let shown = self.summary.as_ref().filter(|_| self.outcome != "done" || !self.bars.is_empty());
        let summary = shown.map_or(Ok(()), |path| append(path, &summary::markdown(self)));
        outputs.and(summary)
    }

    /// Names and values, every name always there: an empty text where there is nothing to say.
    pub(super) fn outputs(&self) -> Vec<(&'static str, String)> {
        let of_services = |value: fn(&ServiceFacts) -> Option<&String>| joined(&self.services(value));
        let digest = Some(of_services(|service| service.digest.as_ref())).filter(|text| !text.is_empty());
        let image = Some(of_services(|service| service.reference.as_ref())).filter(|text| !text.is_empty());
        let previous = self.services(|service| service.previous_version.as_ref()).pop();
        vec![
            ("version", self.facts.version.clone().unwrap_or_else(|| self.version.clone())),
            ("image", image.unwrap_or_else(|| sorted(self.facts.images.as_ref()))),
            ("digest", digest.unwrap_or_else(|| sorted(self.facts.digests.as_ref()))),
            ("slot", of_services(|service| service.slot.as_ref())),
            ("previous-version", previous.map_or_else(String::new, |(_, value)| value)),
            ("released", (self.outcome == "released").to_string()),
            ("outcome", self.outcome.clone()),
            ("release-url", self.release_url.clone().unwrap_or_default()),
            ("deployment-id", self.deployment_id.clone().unwrap_or_default()),
            ("seconds", format!("{:.2}", self.seconds)),
        ]
    }

    /// A value of every service; where hosts differ in it, all of theirs, as in `blue/green`.
    fn services(&self, value: fn(&ServiceFacts) -> Option<&String>) -> Vec<(String, String)> {
        let mut all: Vec<(String, String)> = Vec::new();
        for service in self.facts.services.iter().flatten() {
            let Some(value) = value(service) else { continue };
            match all.iter_mut().find(|(known, _)| *known == service.service) {
                Some((_, known)) if known.split('/').any(|one| one == value) || known == value => {}
                Some((_, known)) => *known = format!("{known}/{value}"),
                None => all.push((service.service.clone(), value.clone())),
            }
        }
        all
    }
}

/// From the job's environment: the commit, and its page.
fn commit() -> Option<(String, String)> {
    let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    let commit = crate::github::event_commit().or_else(|| variable("GITHUB_SHA"))?;
    let (server, repository) = (variable("GITHUB_SERVER_URL")?, variable("GITHUB_REPOSITORY")?);
    let page = format!("{server}/{repository}/commit/{commit}");
    Some((commit, page))
}

/// The values of services by their names.
fn sorted(pairs: Option<&Pairs>) -> String {
    let mut pairs = pairs.cloned().unwrap_or_default().0;
    pairs.sort();
    joined(&pairs)
}

/// One service: its value. Several: `NAME=VALUE`, separated by commas.
fn joined(pairs: &[(String, String)]) -> String {
    match pairs {
        [(_, only)] => only.clone(),
        several => several.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(","),
    }
}

/// Every value between delimiters that nobody can know beforehand.
fn file_of(outputs: &[(&'static str, String)]) -> String {
    let mut text = String::new();
    for (name, value) in outputs {
        let delimiter = format!("cutover-{}", crate::random::some_word());
        let _ = writeln!(text, "{name}<<{delimiter}\n{value}\n{delimiter}");
    }
    text
}

fn append(path: &Path, text: &str) -> io::Result<()> {
    std::fs::OpenOptions::new().append(true).create(true).open(path)?.write_all(text.as_bytes())
}

#[cfg(test)]
#[path = "job_tests.rs"]
mod tests;
