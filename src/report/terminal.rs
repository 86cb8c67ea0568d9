//! A person looks on: a spinner for what is happening now, a bar where bytes or layers move, a line for what is done.

use super::plain::{out, output, word};
use super::text::{inert, one_line};
use super::{Event, Level, StepState};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use std::collections::HashMap;
use std::time::Duration;

pub(super) struct Screen {
    all: MultiProgress,
    running: HashMap<String, ProgressBar>,
}

impl Screen {
    pub(super) fn new() -> Self {
        Screen { all: MultiProgress::new(), running: HashMap::new() }
    }

    pub(super) fn show(&mut self, event: &Event) {
        match event {
            Event::Phase { name } => self.line(&format!("\n\u{1b}[1m{}\u{1b}[0m", one_line(name, 200))),
            Event::StepBegin { host, step, text } => self.begin(host, step, text),
            Event::StepEnd { host, step, state, text, seconds } => {
                if let Some(bar) = self.running.remove(host) {
                    bar.finish_and_clear();
                }
                let mark = match state {
                    StepState::Done => "\u{1b}[32m✔\u{1b}[0m",
                    StepState::Failed => "\u{1b}[31m✘\u{1b}[0m",
                    StepState::Undone => "\u{1b}[33m↺\u{1b}[0m",
                };
                let done = if *state == StepState::Done { String::new() } else { format!(" {}", word(*state)) };
                self.line(&format!("{mark} {:<8}{done} {seconds:>6.2} s  {}{}", step, at(host), inert(text)));
            }
            Event::Progress { host, text, done, total, unit } => self.progress(host, text, *done, *total, unit),
            Event::Note { level, host, text } => {
                let mark = match level {
                    Level::Info => "\u{1b}[36mi\u{1b}[0m",
                    Level::Warning => "\u{1b}[33m!\u{1b}[0m",
                    Level::Error => "\u{1b}[31m✘\u{1b}[0m",
                };
                self.line(&format!("{mark} {}{}", at(host), inert(text)));
            }
            Event::Output { host, source, text } => self.line(&output(host, source, text, 400)),
            Event::Command { host, why, command, seconds } => {
                self.line(&format!("  {}$ {} # {why}, {seconds:.3} s", at(host), one_line(command, 400)));
            }
            Event::Published { kind, id, url } => {
                self.line(&format!("\u{1b}[32m✔\u{1b}[0m GitHubLog {kind} {id} {}", one_line(url, 300)));
            }
            Event::Line { text, label, .. } => self.all.suspend(|| out(&format!("{label}{text}"))),
        }
    }

    /// What a verb was asked for.
    pub(super) fn ended(&mut self, text: &str) {
        for (_, bar) in self.running.drain() {
            bar.finish_and_clear();
        }
        self.all.suspend(|| out(text));
    }

    fn begin(&mut self, host: &str, step: &str, text: &str) {
        let style = ProgressStyle::with_template("{spinner} {elapsed:>4}  {wide_msg}");
        let bar = self.all.add(ProgressBar::new_spinner().with_message(format!(
            "{}{step}: {}",
            at(host),
            one_line(text, 200)
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
            let template = if unit == "bytes" {
                "{spinner} {elapsed:>4}  {wide_msg} [{bar:24}] {bytes}/{total_bytes} {bytes_per_sec} {eta}"
            } else {
                "{spinner} {elapsed:>4}  {wide_msg} [{bar:24}] {pos}/{len}"
            };
            bar.set_style(ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()));
            bar.set_length(total);
            bar.set_position(done);
        }
        bar.set_message(format!("{}{}", at(host), one_line(text, 200)));
    }

    fn line(&self, text: &str) {
        // `println` of a hidden target prints nothing; a terminal is there or this sink is not chosen
        let _ = self.all.println(text);
    }
}

fn at(host: &str) -> String {
    if host.is_empty() { String::new() } else { format!("{host}  ") }
}
