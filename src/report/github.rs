//! A GitHub Actions log: a group a phase, workflow commands for errors, warnings and secrets; what other programs
//! print goes between `::stop-commands::` markers (docs: "Workflow commands for GitHub Actions").

use super::plain::{out, plain_line};
use super::text::{inert, one_line};
use super::{Event, Level};
use std::collections::HashSet;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

pub(super) struct GitHubLog {
    log: Box<dyn Write + Send>,
    in_group: bool,
    /// The word that lets the runner read commands again.
    stopped: Option<String>,
    masked: HashSet<String>,
}

impl GitHubLog {
    /// Writes to `log`: the runner reads stderr as it reads stdout, and a step may want stdout for itself.
    pub(super) fn new(log: Box<dyn Write + Send>) -> Self {
        GitHubLog { log, in_group: false, stopped: None, masked: HashSet::new() }
    }

    pub(super) fn show(&mut self, event: &Event, at: Duration) {
        if matches!(event, Event::Output { .. } | Event::Line { .. } | Event::Command { .. }) {
            self.stop_commands();
        } else {
            self.resume_commands();
        }
        match event {
            Event::Phase { name } => {
                self.end_group();
                self.in_group = true;
                self.line(&format!("::group::{}", escaped(&one_line(name, 200))));
            }
            Event::Note { level: level @ (Level::Error | Level::Warning), host, text } => {
                self.end_group();
                let name = if *level == Level::Error { "error" } else { "warning" };
                let host = if host.is_empty() { String::new() } else { format!("{host}: ") };
                self.line(&format!("::{name} title=cutover::{}", escaped(&format!("{host}{}", inert(text)))));
            }
            Event::Line { text, label, .. } => out(&format!("{label}{text}")),
            other => {
                if let Some(text) = plain_line(other, at) {
                    self.line(&text);
                }
            }
        }
    }

    /// What a verb was asked for.
    pub(super) fn ended(&mut self, text: &str) {
        self.resume_commands();
        self.end_group();
        out(text);
    }

    /// From now on the runner shows these as `***`, whoever prints them.
    pub(super) fn mask(&mut self, forms: &[String]) {
        self.resume_commands();
        for form in forms {
            if self.masked.insert(form.clone()) {
                self.line(&format!("::add-mask::{}", escaped(form)));
            }
        }
    }

    /// An error at a place in a file; line 0 is the file as a whole.
    pub(super) fn mark(&mut self, file: &str, line: usize, column: usize, text: &str) {
        self.resume_commands();
        self.end_group();
        let file = escaped(&in_workspace(file)).replace(':', "%3A").replace(',', "%2C");
        let place = if line == 0 { String::new() } else { format!(",line={line},col={column}") };
        self.line(&format!("::error title=cutover,file={file}{place}::{}", escaped(&inert(text))));
    }

    /// Leaves the log as later steps expect it.
    pub(super) fn finish(&mut self) {
        self.resume_commands();
        self.end_group();
    }

    fn stop_commands(&mut self) {
        if self.stopped.is_none() {
            let token = crate::random::some_word();
            self.line(&format!("::stop-commands::{token}"));
            self.stopped = Some(token);
        }
    }

    fn resume_commands(&mut self) {
        if let Some(token) = self.stopped.take() {
            self.line(&format!("::{token}::"));
        }
    }

    fn end_group(&mut self) {
        if std::mem::take(&mut self.in_group) {
            self.line("::endgroup::");
        }
    }

    fn line(&mut self, text: &str) {
        // a log that nobody reads any more is no reason to stop a swap
        let _ = writeln!(self.log, "{text}");
    }
}

/// Data of a workflow command (GitHub's runner, `ActionCommand`): `%`, CR and LF are percent-encoded.
fn escaped(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// The file as GitHub knows it: from the repository's root.
fn in_workspace(file: &str) -> String {
    let whole = std::path::absolute(file).unwrap_or_else(|_| Path::new(file).to_owned());
    let root = std::env::var_os("GITHUB_WORKSPACE").unwrap_or_default();
    let inside = if root.is_empty() { None } else { whole.strip_prefix(root).ok() };
    inside.map_or_else(|| file.to_owned(), |inside| inside.to_string_lossy().into_owned())
}

#[cfg(test)]
#[path = "github_tests.rs"]
mod tests;
