//! A person looks on: a spinner for what is happening now, a bar where bytes or layers move, a line for what is done.

use super::paint::{Colour, painted};
use super::plain::{out, out_marked, output, shown_command, weight, word};
use super::text::{inert, one_line, short_digests};
use super::{Event, Level, StepState};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use std::collections::HashMap;
use std::io::Write as _;
use std::time::Duration;

pub(super) struct Screen {
    all: MultiProgress,
    running: HashMap<String, ProgressBar>,
    /// What the build here has printed: it passes by, and is shown whole where the build fails.
    built: Vec<String>,
    /// Whether all of it is shown as it comes.
    verbose: bool,
}

/// So many lines of a build that fails are shown.
const KEPT: usize = 400;

impl Screen {
    pub(super) fn new(verbose: bool) -> Self {
        Screen { all: MultiProgress::new(), running: HashMap::new(), built: Vec::new(), verbose }
    }

    pub(super) fn show(&mut self, event: &Event) {
        match event {
            Event::Phase { name } => self.line(&format!("\n{}", painted(Colour::Bold, &one_line(name, 200)))),
            Event::StepBegin { host, step, text } => self.begin(host, step, text),
            Event::StepEnd { host, step, state, text, seconds } => {
                if let Some(bar) = self.running.remove(host) {
                    bar.finish_and_clear();
                }
                if host.is_empty() {
                    let built = std::mem::take(&mut self.built);
                    let shown = built.iter().filter(|_| *state == StepState::Failed);
                    shown.for_each(|line| self.line(line));
                }
                let mark = match state {
                    StepState::Done => painted(Colour::Green, "✔"),
                    StepState::Failed => painted(Colour::Red, "✘"),
                    StepState::Undone => painted(Colour::Yellow, "↺"),
                };
                let done = if *state == StepState::Done { String::new() } else { format!(" {}", word(*state)) };
                self.line(&format!(
                    "{mark} {:<8}{done} {seconds:>6.2} s  {}{}",
                    step,
                    at(host),
                    short_digests(&inert(text))
                ));
            }
            Event::Progress { host, text, done, total, unit } => self.progress(host, text, *done, *total, unit),
            Event::Note { level, host, text } => {
                let mark = match level {
                    Level::Info => painted(Colour::Cyan, "i"),
                    Level::Warning => painted(Colour::Yellow, "!"),
                    Level::Error => painted(Colour::Red, "✘"),
                };
                self.line(&format!("{mark} {}{}{}", at(host), weight(*level), inert(text)));
            }
            Event::Output { host, source, text } if host.is_empty() && source == "build" => self.build(text),
            Event::Output { host, source, text } => self.line(&output(host, source, text, 400)),
            Event::Command { host, why, command, seconds } => {
                self.line(&format!("  {}{}", at(host), shown_command(why, command, *seconds)));
            }
            Event::Published { kind, id, url } => {
                self.line(&format!("{} GitHub {kind} {id} {}", painted(Colour::Green, "✔"), one_line(url, 300)));
            }
            Event::Line { text, label, .. } => self.all.suspend(|| out(&format!("{label}{text}"))),
        }
    }

    /// What a verb was asked for.
    pub(super) fn ended(&mut self, text: &str) {
        for (_, bar) in self.running.drain() {
            bar.finish_and_clear();
        }
        self.all.suspend(|| out_marked(text));
    }

    /// Begins a new screen.
    pub(super) fn clear(&mut self) {
        let _ = self.all.clear();
        let _ = write!(std::io::stdout().lock(), "\u{1b}[H\u{1b}[2J");
    }

    fn begin(&mut self, host: &str, step: &str, text: &str) {
        let style = ProgressStyle::with_template("{spinner} {elapsed:>4}  {wide_msg}");
        let bar = self.all.add(ProgressBar::new_spinner().with_message(format!(
            "{}{step}: {}",
            at(host),
            short_digests(&one_line(text, 200))
        )));
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
        bar.enable_steady_tick(Duration::from_millis(120));
        if let Some(old) = self.running.insert(host.to_owned(), bar) {
            old.finish_and_clear();
        }
    }

    fn progress(&mut self, host: &str, text: &str, done: u64, total: u64, unit: &str) {
        let Some(bar) = self.running.get(host) else { return };
        if total > 0 {
            let counted = if unit == "bytes" {
                "{bytes}/{total_bytes} {bytes_per_sec} {eta}".to_owned()
            } else {
                format!("{{pos}}/{{len}} {unit}")
            };
            let template = format!("{{spinner}} {{elapsed:>4}}  {{wide_msg}} [{{bar:24}}] {counted}");
            bar.set_style(ProgressStyle::with_template(&template).unwrap_or_else(|_| ProgressStyle::default_bar()));
            bar.set_length(total);
            bar.set_position(done);
        }
        bar.set_message(format!("{}{}", at(host), one_line(text, 200)));
    }

    /// A line of the build is the spinner's text until the next one comes.
    fn build(&mut self, text: &str) {
        let line = output("", "build", text, 400);
        let Some(bar) = self.running.get("").filter(|_| !self.verbose) else { return self.line(&line) };
        bar.set_message(one_line(text, 200));
        self.built.push(line);
        let more = self.built.len().saturating_sub(KEPT);
        self.built.drain(..more);
    }

    fn line(&self, text: &str) {
        // `println` of a hidden target prints nothing; a terminal is there or this sink is not chosen
        let _ = self.all.println(text);
    }
}

fn at(host: &str) -> String {
    if host.is_empty() { String::new() } else { format!("{host}  ") }
}
