//! Events in; terminal, plain, GitHub and JSON out. Nothing else writes to stdout or stderr.

mod facts;
mod fleet;
mod gantt;
mod github;
mod job;
mod json;
mod mask;
pub mod outcome;
mod paint;
mod plain;
mod redact;
mod settings;
mod stack;
mod step;
pub mod stop;
mod summary;
mod terminal;
pub mod text;
mod words;

pub use outcome::Outcome;
pub use step::Running;
pub use stop::{Exit, Stop};
pub use words::finding;

use crate::secret::Secret;
use serde::Serialize;
use std::collections::HashSet;
use std::io::{self, IsTerminal};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// Something that happened. Texts may be foreign: a sink makes them harmless before it shows them.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// A phase of the run begins: connect, check, build, push, swap, …
    Phase {
        /// What it does, as a title.
        name: String,
    },
    /// A step begins on a host.
    StepBegin {
        /// The host as the configuration calls it; empty for the runner itself.
        host: String,
        /// The step's name.
        step: String,
        /// What it will do.
        text: String,
    },
    /// A step has ended.
    StepEnd {
        /// The host as the configuration calls it.
        host: String,
        /// The step's name.
        step: String,
        /// How it ended.
        state: StepState,
        /// What came of it.
        text: String,
        /// How long it took, in seconds.
        seconds: f64,
    },
    /// Bytes or layers have moved, or seconds have passed, in the current step of a host.
    Progress {
        /// The host as the configuration calls it; empty for the runner itself.
        host: String,
        /// What is moving.
        text: String,
        /// How many are done.
        done: u64,
        /// Of how many; 0 where that is not known.
        total: u64,
        /// "bytes", "layers" or "s".
        unit: &'static str,
    },
    /// A remark of cutover's own.
    Note {
        /// How serious it is.
        level: Level,
        /// The host it is about; may be empty.
        host: String,
        /// The remark.
        text: String,
    },
    /// A line that another program printed: a build, a container's log, a remote command.
    Output {
        /// The host that it ran on; empty for the runner itself.
        #[serde(skip_serializing_if = "String::is_empty")]
        host: String,
        /// Who printed it.
        source: String,
        /// The line.
        text: String,
    },
    /// A line that somebody asked to see: a container's log, or what a command in it prints.
    Line {
        /// The host.
        host: String,
        /// The slot.
        source: String,
        /// The line.
        text: String,
        /// What comes before it for people, who see the lines of several side by side.
        #[serde(skip)]
        label: String,
    },
    /// A command was run on a host (shown with `-v`).
    Command {
        /// The host.
        host: String,
        /// Why it ran.
        why: String,
        /// Its words.
        command: String,
        /// How long it took, in seconds.
        seconds: f64,
    },
    /// Something was written to GitHub.
    Published {
        /// "release" or "deployment".
        kind: &'static str,
        /// Its id.
        id: String,
        /// Its page.
        url: String,
    },
}

/// How a step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum StepState {
    /// It did what it says.
    Done,
    /// It failed.
    Failed,
    /// It was put back.
    Undone,
}

/// How serious a note is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// Good to know.
    Info,
    /// Somebody should look at it some day.
    Warning,
    /// It failed.
    Error,
}

/// How to report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// A person looks on: spinners and bars.
    Terminal,
    /// A log: plain lines.
    Plain,
    /// A GitHub Actions log: plain lines in groups, workflow commands for errors.
    GitHub,
    /// One JSON object a line, on stdout.
    Json,
}

impl Format {
    /// JSON if asked for; else what the surroundings can show.
    pub fn choose(json: bool) -> Format {
        if json {
            Format::Json
        } else if std::env::var_os("GITHUB_ACTIONS").is_some_and(|value| value == "true") {
            Format::GitHub
        } else if io::stderr().is_terminal() && std::env::var_os("CI").is_none() {
            Format::Terminal
        } else {
            Format::Plain
        }
    }
}

enum Sink {
    Terminal(terminal::Screen),
    Plain,
    GitHub(github::GitHubLog),
    Json,
}

struct ReporterInner {
    sink: Mutex<Sink>,
    redaction: Mutex<redact::Redaction>,
    job: Option<Mutex<job::JobReport>>,
    /// Warnings that were said: each is said once.
    warned: Mutex<HashSet<String>>,
    verbose: bool,
    started: Instant,
}

/// Where events go. Clones report to the same place.
#[derive(Clone)]
pub struct Reporter(Arc<ReporterInner>);

impl Reporter {
    /// A reporter in this format; `verbose` shows every remote command.
    pub fn new(format: Format, verbose: bool) -> Self {
        let sink = match format {
            Format::Terminal => Sink::Terminal(terminal::Screen::new(verbose)),
            Format::Plain => Sink::Plain,
            Format::GitHub => Sink::GitHub(github::GitHubLog::new(Box::new(io::stderr()))),
            Format::Json => Sink::Json,
        };
        let (sink, redaction) = (Mutex::new(sink), Mutex::default());
        let job = job::JobReport::from_env().map(Mutex::new);
        Reporter(Arc::new(ReporterInner {
            sink,
            redaction,
            job,
            warned: Mutex::default(),
            verbose,
            started: Instant::now(),
        }))
    }

    /// From now on `secret` is shown as `***`, each of its lines too, in base64 and URL-encoded as well. A version is no secret.
    pub fn hide(&self, secret: &Secret) {
        let forms = lock(&self.0.redaction).hide(secret);
        if let Sink::GitHub(github) = &mut *lock(&self.0.sink) {
            github.mask(&forms);
        }
    }

    /// These words are in reports anyway, and stay readable although a secret may say the same.
    pub fn publish(&self, words: impl IntoIterator<Item = String>) {
        lock(&self.0.redaction).publish(words);
    }

    /// From now on no report shows this env file, nor a value of it that is long enough to be a secret.
    pub fn hide_values(&self, file: &Secret) {
        self.hide(file);
        for line in file.expose().lines() {
            let value = line.split_once('=').map_or(line, |(_, value)| value).trim();
            let value = value.trim_matches(['"', '\'']);
            if value.len() >= 8 {
                self.hide(&Secret::new(value));
            }
        }
    }

    /// Reports an event.
    pub fn emit(&self, event: Event) {
        if matches!(event, Event::Command { .. }) && !self.0.verbose {
            return;
        }
        let (event, at) = (self.redacted(event), self.0.started.elapsed());
        if let Event::Note { level: Level::Warning, host, text } = &event
            && !lock(&self.0.warned).insert(format!("{host}\n{text}"))
        {
            return;
        }
        if let Some(job) = &self.0.job {
            lock(job).record(&event, at);
        }
        match &mut *lock(&self.0.sink) {
            Sink::Terminal(terminal) => terminal.show(&event),
            Sink::Plain => plain::show(&event, at),
            Sink::GitHub(github) => github.show(&event, at),
            Sink::Json => json::show(&event, at, |_| {}),
        }
    }

    /// What a verb was asked for: to stdout, so that it can be piped.
    pub fn outcome(&self, outcome: &Outcome) {
        let at = self.0.started.elapsed();
        if let Some(job) = &self.0.job {
            let mut facts = outcome.facts();
            facts.texts().for_each(|text| lock(&self.0.redaction).word(text));
            lock(job).ended(outcome.verb(), facts);
        }
        let mut sink = lock(&self.0.sink);
        let text = || self.clean(&words::of(outcome));
        match &mut *sink {
            Sink::Terminal(terminal) => terminal.ended(&text()),
            Sink::Plain => plain::out(&text()),
            Sink::GitHub(github) => github.ended(&text()),
            Sink::Json => json::show(&json::ResultLine::new(outcome), at, |data| lock(&self.0.redaction).value(data)),
        }
    }

    /// What comes now is a new screen: on a terminal what was there goes, in a log the time stands before it.
    pub fn screen(&self) {
        match &mut *lock(&self.0.sink) {
            Sink::Terminal(terminal) if io::stdout().is_terminal() => return terminal.clear(),
            Sink::Json => return,
            _ => {}
        }
        self.phase(crate::swap::history::now());
    }

    /// What this run is about, for the job's outputs and summary, however it ends.
    pub fn about(&self, version: &str) {
        if let Some(job) = &self.0.job {
            lock(job).version = version.to_owned();
        }
    }

    /// The run has ended so: a job's outputs and summary are written.
    pub fn finish(&self, outcome: &'static str) {
        let written = self.0.job.as_ref().map(|job| lock(job).write(outcome, self.0.started.elapsed()));
        if let Some(Err(error)) = written {
            self.note(Level::Warning, "", format!("the job's outputs or summary could not be written: {error}"));
        }
        if let Sink::GitHub(github) = &mut *lock(&self.0.sink) {
            github.finish();
        }
    }

    /// A phase begins.
    pub fn phase(&self, name: impl Into<String>) {
        self.emit(Event::Phase { name: name.into() });
    }

    /// A remark about a host (or about none: an empty name).
    pub fn note(&self, level: Level, host: &str, text: impl Into<String>) {
        self.emit(Event::Note { level, host: host.to_owned(), text: text.into() });
    }

    /// Why a verb stopped early.
    pub fn stopped(&self, stop: &Stop) {
        match stop.place() {
            Some(place) => self.misplaced(&place.file, place.line, place.column, &stop.to_string()),
            None => self.note(Level::Error, "", stop.to_string()),
        }
    }

    /// An error at a place in a file: GitHub marks the line.
    fn misplaced(&self, file: &str, line: usize, column: usize, text: &str) {
        let event = self.redacted(Event::Note { level: Level::Error, host: String::new(), text: text.to_owned() });
        if let (Sink::GitHub(github), Event::Note { text, .. }) = (&mut *lock(&self.0.sink), &event) {
            if let Some(job) = &self.0.job {
                lock(job).record(&event, self.0.started.elapsed());
            }
            return github.mark(file, line, column, text);
        }
        self.emit(event);
    }

    /// A step begins; the value that comes back says how it ended.
    pub fn step(&self, host: &str, step: &str, text: impl Into<String>) -> Running {
        self.emit(Event::StepBegin { host: host.to_owned(), step: step.to_owned(), text: text.into() });
        Running::new(self, host, step)
    }

    /// A text that goes elsewhere than into a report, such as into a host's history, without the secrets that are hidden.
    pub fn clean(&self, text: &str) -> String {
        let mut text = text.to_owned();
        lock(&self.0.redaction).text(&mut text);
        text
    }

    fn redacted(&self, event: Event) -> Event {
        lock(&self.0.redaction).event(event)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
