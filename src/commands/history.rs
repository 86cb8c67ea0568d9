//! `cutover history`: the releases of every host, oldest first.

use super::session::{said, say_of_history};
use super::{Exit, Run, Stop};
use crate::report::Event;
use crate::swap::history::{Outcome, Record};
use serde_json::json;

/// Prints them.
pub(super) async fn history(run: &Run) -> Result<Exit, Stop> {
    let hosts = run.until_signal(run.connect()).await??;
    let (mut text, mut data, mut refusals) = (String::new(), Vec::new(), Vec::new());
    for (host, (seen, findings)) in hosts.iter().zip(run.until_signal(run.look(&hosts, &[])).await??) {
        say_of_history(run, host, &findings);
        // an empty history is no answer where none could be read
        let Some(records) = seen.map(|seen| seen.history) else {
            refusals.extend(findings.iter().map(|finding| format!("{}: {}", host.name, said(finding))));
            continue;
        };
        text += &format!("{}\n", host.name);
        text += &records.iter().map(line).collect::<String>();
        data.push(json!({ "host": host.name, "releases": records }));
    }
    run.reporter.emit(Event::Result { verb: "history", data: json!({ "hosts": data }), text });
    if refusals.is_empty() { Ok(Exit::Done) } else { Err(Stop::new(Exit::Refused, refusals.join("\n"))) }
}

fn line(record: &Record) -> String {
    let outcome = match record.outcome {
        Outcome::Released => "released",
        Outcome::RolledBack => "rolled back",
        Outcome::PutBack => "failed, put back",
        Outcome::Stuck => "failed, not put back",
    };
    let seconds: f64 = record.seconds.values().sum();
    let reason: String = record.reason.lines().map(|line| format!("\n{:24}{line}", "")).collect();
    format!("  {}  {:<16} {outcome} in {seconds:.1} s by {}{reason}\n", record.at, record.version, record.by)
}
