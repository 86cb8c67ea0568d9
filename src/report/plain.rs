//! Plain lines for a log; in GitHub Actions, a group a phase and workflow commands for errors and warnings.

use super::text::{inert, one_line};
use super::{Event, Level, StepState};
use std::io::Write;
use std::time::Duration;

pub(super) struct Plain {
    github: bool,
    in_group: bool,
}

impl Plain {
    pub(super) fn new(github: bool) -> Self {
        Plain { github, in_group: false }
    }

    pub(super) fn show(&mut self, event: &Event, at: Duration) {
        match event {
            Event::Phase { name } if self.github => {
                self.end_group();
                self.in_group = true;
                line(&format!("::group::{}", one_line(name, 200)));
            }
            Event::Phase { name } => line(&format!("── {}", one_line(name, 200))),
            Event::StepBegin { host, step, text } => {
                self.say(at, host, &format!("{step}: {}", one_line(text, 300)));
            }
            Event::StepEnd { host, step, state, text, seconds } => {
                let text = if text.is_empty() { String::new() } else { format!(": {}", inert(text)) };
                self.say(at, host, &format!("{step} {} in {seconds:.2} s{text}", word(*state)));
            }
            Event::Progress { .. } => {}
            Event::Note { level: Level::Info, host, text } => self.say(at, host, &inert(text)),
            Event::Note { level, host, text } => self.alarm(*level, host, text, at),
            Event::Output { source, text } => line(&format!("  {source} │ {}", one_line(text, 2000))),
            Event::Command { host, why, command, seconds } => {
                self.say(at, host, &format!("$ {} # {why}, {seconds:.3} s", one_line(command, 400)));
            }
            Event::Result { text, .. } => {
                self.end_group();
                out(text);
            }
        }
    }

    fn say(&self, at: Duration, host: &str, text: &str) {
        let host = if host.is_empty() { String::new() } else { format!("{host} ") };
        line(&format!("{:>7.2}  {host}{text}", at.as_secs_f64()));
    }

    fn alarm(&mut self, level: Level, host: &str, text: &str, at: Duration) {
        let name = if level == Level::Error { "error" } else { "warning" };
        if !self.github {
            return self.say(at, host, &format!("{name}: {}", inert(text)));
        }
        self.end_group();
        let host = if host.is_empty() { String::new() } else { format!("{host}: ") };
        line(&format!("::{name} title=cutover::{}", escaped(&format!("{host}{}", inert(text)))));
    }

    /// In GitHub Actions, an annotation at a place in a file; elsewhere `false`: say it as any error.
    pub(super) fn mark(&mut self, file: &str, at: usize, column: usize, text: &str) -> bool {
        if self.github {
            self.end_group();
            let file = escaped(file).replace(':', "%3A").replace(',', "%2C");
            line(&format!("::error title=cutover,file={file},line={at},col={column}::{}", escaped(&inert(text))));
        }
        self.github
    }

    fn end_group(&mut self) {
        if std::mem::take(&mut self.in_group) {
            line("::endgroup::");
        }
    }
}

/// Data of a workflow command (GitHub's runner, `ActionCommand`): `%`, CR and LF are percent-encoded.
fn escaped(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

pub(super) fn word(state: StepState) -> &'static str {
    match state {
        StepState::Done => "done",
        StepState::Failed => "failed",
        StepState::Undone => "put back",
    }
}

fn line(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// What a verb was asked for goes to stdout, so that it can be piped.
pub(super) fn out(text: &str) {
    let text = inert(text);
    let _ = writeln!(std::io::stdout().lock(), "{}", text.trim_end_matches('\n'));
}
