//! The summary of a job, in GitHub's Markdown: what is live now, what was switched where, when, and what to do.

use super::StepState;
use super::gantt::gantt;
use super::job::JobReport;
use std::fmt::Write as _;

/// GitHub takes 1 MiB of all steps together.
const LONGEST: usize = 64 * 1024;

/// The whole text.
pub(super) fn markdown(job: &JobReport) -> String {
    let mut text = format!("### {}\n\n", title(job));
    text += &said("What went wrong", &job.errors);
    if let Some(advice) = advice(&job.outcome) {
        let _ = writeln!(text, "**What to do.** {advice}\n");
    }
    text += &said("Warnings", &job.warnings);
    text += &facts(job);
    text += &switched(job);
    text += &done(job);
    text += &watched(job);
    if !job.bars.is_empty() {
        let _ = writeln!(text, "```mermaid\n{}```\n", gantt(&job.bars));
    }
    text
}

fn title(job: &JobReport) -> String {
    let outputs = job.outputs();
    let version = outputs.iter().find(|(name, value)| *name == "version" && !value.is_empty());
    // a verb that looks at hosts is about no version
    let version = version.map_or_else(|| "cutover".to_owned(), |(_, version)| cell(version));
    match job.outcome.as_str() {
        "released" => format!("✅ {version} is live"),
        "already-live" => format!("✅ {version} was live already"),
        "live-from-another-commit" => format!("⚠️ {version} is live from another commit; this one was not released"),
        "nothing-to-release" => "Nothing to release".to_owned(),
        "done" => format!("✅ {version}: {} done", job.verb),
        "refused" => format!("❌ {version}: refused, and nothing was changed"),
        "put-back" => format!("❌ {version}: failed, and what was changed was put back"),
        "stuck" => format!("🚨 {version}: failed, and could not be put back"),
        "locked" => format!("❌ {version}: locked"),
        "overtaken" => format!("{version}: another run has taken over"),
        "no-connection" => format!("❌ {version}: no connection to the host"),
        "bad-configuration" => format!("❌ {version}: cannot start like this"),
        "interrupted" => format!("❌ {version}: stopped, and what was changed was put back"),
        _ => format!("❌ {version}: failed"),
    }
}

fn advice(outcome: &str) -> Option<&'static str> {
    Some(match outcome {
        "refused" => {
            "Fix the error above and run the job again; `cutover check` looks at the hosts and changes nothing."
        }
        "put-back" => {
            "Fix the error above and run the job again; `cutover check` looks at the hosts and changes nothing, \
             `cutover status` says what serves."
        }
        "live-from-another-commit" => {
            "Release this commit with a version of its own, as in `vX.Y.Z: what is new`. `cutover history` says which \
             commit is live."
        }
        "stuck" => {
            "Look at the host now: what is said above was left as it is. `cutover status` says what serves; `cutover \
             recover` finishes the release or puts it back."
        }
        "locked" => "Wait until what is named above is over, or let this run wait for it: `args: --wait 10m`.",
        "overtaken" => {
            "Look at the other run: it finishes what this one had begun, or puts it back. `cutover status` says what serves."
        }
        "no-connection" => {
            "The message above says which of address, host key and login is refused, and what to set. If the connection \
             broke in the middle of a release, the next run finishes it or puts it back."
        }
        "bad-configuration" => "Nothing was changed on any host. The message above says where, and what was expected.",
        "interrupted" => "What was changed on the hosts was put back; run the job again when you want the release.",
        "unexpected" => "`cutover status` says what serves; the next run finishes what this one began or puts it back.",
        _ => return None,
    })
}

/// The small table at the top; its first row is its head.
fn facts(job: &JobReport) -> String {
    let mut rows = Vec::new();
    for (name, value) in job.outputs() {
        let label = match name {
            "version" => "Version",
            "image" => "Image",
            "digest" => "Digest",
            "previous-version" => "Before",
            "release-url" => "Release",
            "deployment-id" => "Deployment",
            "seconds" => "Seconds",
            _ => continue,
        };
        if !value.is_empty() {
            let shown = if name == "release-url" { link(&value, "its page") } else { code(&value) };
            rows.push(format!("| {label} | {shown} |\n"));
        }
        if let (Some((commit, page)), "version") = (&job.commit, name) {
            rows.push(format!("| Commit | {} |\n", link(page, &commit.chars().take(7).collect::<String>())));
        }
    }
    rows.insert(1.min(rows.len()), "| --- | --- |\n".to_owned());
    rows.concat() + "\n"
}

/// A value as code, short enough for a narrow window.
fn code(value: &str) -> String {
    format!("`{}`", cell(&super::text::short_digests(value)))
}

/// A link, where the address is one that Markdown takes as it is.
fn link(address: &str, text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._~:/?#@%+=&".contains(c);
    match address.starts_with("https://") && address.chars().all(plain) {
        true => format!("[{}]({address})", cell(text)),
        false => cell(address),
    }
}

/// What was done on each host by a run that failed: its steps, and what became of them.
fn done(job: &JobReport) -> String {
    let mut hosts: Vec<&str> = Vec::new();
    for bar in job.bars.iter().filter(|bar| !bar.host.is_empty()) {
        if !hosts.contains(&bar.host.as_str()) {
            hosts.push(&bar.host);
        }
    }
    if hosts.is_empty() || !job.bars.iter().any(|bar| bar.state != StepState::Done) {
        return String::new();
    }
    let steps = |host: &str, state: StepState| {
        let names = job.bars.iter().filter(|bar| bar.host == host && bar.state == state).map(|bar| cell(&bar.step));
        let names = names.collect::<Vec<_>>().join(", ");
        if names.is_empty() { "–".to_owned() } else { names }
    };
    let states = [StepState::Done, StepState::Failed, StepState::Undone];
    let rows = hosts.iter().map(|host| {
        let [done, failed, back] = states.map(|state| steps(host, state));
        format!("| {} | {done} | {failed} | {back} |\n", cell(host))
    });
    format!("| Host | Done | Failed | Put back |\n| --- | --- | --- | --- |\n{}\n", rows.collect::<String>())
}

/// What was switched where.
fn switched(job: &JobReport) -> String {
    let mut rows = String::new();
    let text = |text: &Option<String>| text.as_deref().map_or_else(|| "–".to_owned(), cell);
    for service in job.facts.services.iter().flatten() {
        let Some(to) = &service.slot else { continue };
        let (old, from) = (text(&service.previous_version), text(&service.previous_slot));
        let (host, name) = (cell(&service.host), cell(&service.service));
        let _ = writeln!(rows, "| {host} | {name} | {from} ({old}) | {} |", cell(to));
    }
    if rows.is_empty() || job.outcome != "released" {
        return String::new();
    }
    format!("| Host | Service | From | To |\n| --- | --- | --- | --- |\n{rows}\n")
}

fn watched(job: &JobReport) -> String {
    let rows: String = job.watched.iter().map(|(host, text)| format!("- {}: {}\n", cell(host), cell(text))).collect();
    if rows.is_empty() { rows } else { format!("Requests through nginx while it was watched:\n\n{rows}\n") }
}

/// Foreign text in a fence that it cannot close.
fn said(title: &str, texts: &[String]) -> String {
    if texts.is_empty() {
        return String::new();
    }
    let text = super::text::inert(&texts.join("\n"));
    let end = text.char_indices().map(|(at, _)| at).take_while(|at| *at <= LONGEST).last().unwrap_or(0);
    let text = if text.len() > LONGEST { &text[..end] } else { &text };
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    format!("**{title}.**\n\n{fence}text\n{text}\n{fence}\n\n")
}

/// Text inside a table: no markup, one line.
fn cell(text: &str) -> String {
    let flat = super::text::one_line(text, 300);
    let mut safe = String::new();
    for c in flat.chars() {
        match c {
            '|' => safe.push_str("&#124;"),
            '<' => safe.push_str("&lt;"),
            '`' => safe.push('\''),
            '&' => safe.push_str("&amp;"),
            '[' | ']' | '*' | '!' | '\\' => safe.push_str(&format!("&#{};", u32::from(c))),
            c => safe.push(c),
        }
    }
    safe
}
