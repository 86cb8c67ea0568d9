//! `cutover check`: what stands in the way of a release, or will one day, and what to do. Changes nothing.

use super::session::said;
use super::{Exit, Run, Stop};
use crate::report::Event;
use crate::swap::findings::Weight;
use serde_json::json;

/// Prints every finding; refusals make the exit code 3, as a release would end.
pub(super) async fn check(run: &Run) -> Result<Exit, Stop> {
    let hosts = run.until_signal(run.connect()).await??;
    let (mut text, mut data, mut refused) = (String::new(), Vec::new(), false);
    for (host, (seen, findings)) in hosts.iter().zip(run.until_signal(run.look(&hosts, &[])).await??) {
        text += &format!(
            "{}: {}@{}, host key {}\n",
            host.name,
            host.session.user(),
            host.session.place(),
            host.session.fingerprint()
        );
        for finding in &findings {
            let mark = if finding.weight == Weight::Refusal { "✘" } else { "!" };
            text += &format!("  {mark} {}\n", said(finding));
        }
        refused |= findings.iter().any(|finding| finding.weight == Weight::Refusal);
        if findings.is_empty() {
            text += "  ✔ nothing found: a release can go on\n";
        }
        let ready = seen.is_some() && findings.iter().all(|finding| finding.weight != Weight::Refusal);
        data.push(json!({ "host": host.name, "ready": ready, "findings": findings }));
    }
    run.reporter.emit(Event::Result { verb: "check", data: json!({ "hosts": data }), text });
    Ok(if refused { Exit::PutBack } else { Exit::Done })
}
