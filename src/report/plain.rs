//! Plain lines for a log.

use super::paint::marks;
use super::text::{inert, one_line, short_digests};
use super::{Event, Level, StepState};
use std::io::Write;
use std::time::Duration;

/// Prints the event.
pub(super) fn show(event: &Event, at: Duration) {
    match event {
        Event::Phase { name } => line(&format!("── {}", one_line(name, 200))),
        Event::Line { text, label, .. } => out(&format!("{label}{text}")),
        other => {
            if let Some(text) = plain_line(other, at) {
                line(&text);
            }
        }
    }
}

/// What is said of an event in a log; nothing of a phase, a result or progress.
pub(super) fn plain_line(event: &Event, at: Duration) -> Option<String> {
    let say = |host: &str, text: &str| {
        let host = if host.is_empty() { String::new() } else { format!("{host} ") };
        Some(format!("{:>7.2}  {host}{text}", at.as_secs_f64()))
    };
    match event {
        Event::StepBegin { host, step, text } => say(host, &format!("{step}: {}", short_digests(&one_line(text, 300)))),
        Event::StepEnd { host, step, state, text, seconds } => {
            let text = if text.is_empty() { String::new() } else { format!(": {}", short_digests(&inert(text))) };
            say(host, &format!("{step} {} in {seconds:.2} s{text}", word(*state)))
        }
        Event::Note { level, host, text } => say(host, &format!("{}{}", weight(*level), inert(text))),
        Event::Output { host, source, text } => Some(output(host, source, text, 2000)),
        Event::Command { host, why, command, seconds } => say(host, &shown_command(why, command, *seconds)),
        Event::Published { kind, id, url } => say("", &format!("GitHub {kind} {id} {}", one_line(url, 300))),
        Event::Phase { .. } | Event::Progress { .. } | Event::Line { .. } => None,
    }
}

/// A command as a person would paste it, below why it ran.
pub(super) fn shown_command(why: &str, command: &str, seconds: f64) -> String {
    format!("# {why}, {seconds:.3} s\n{}", inert(command))
}

/// A line of another program: where it ran, which it is, and what it printed.
pub(super) fn output(host: &str, source: &str, text: &str, limit: usize) -> String {
    let host = if host.is_empty() { String::new() } else { format!("{host} ") };
    format!("  {host}{source} │ {}", one_line(text, limit))
}

pub(super) fn weight(level: Level) -> &'static str {
    match level {
        Level::Info => "",
        Level::Warning => "warning: ",
        Level::Error => "error: ",
    }
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
    whole(&inert(text));
}

/// The same with its marks in colours.
pub(super) fn out_marked(text: &str) {
    whole(&marks(&inert(text)));
}

fn whole(text: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{}", text.trim_end_matches('\n'));
}
