//! `cutover check`: what stands in the way of a release, or will one day, and what to do. Changes nothing.

use super::session::said;
use super::{Exit, Run, Stop};
use crate::report::Event;
use crate::swap::findings::{Finding, Weight};
use serde_json::json;

/// Sessions that a release has open at the same time, one of them kept for putting back. Where sshd opens fewer on one
/// connection, it makes further ones.
const SESSIONS: usize = 6;

/// Prints every finding; refusals make the exit code 3, as a release would end.
pub(super) async fn check(run: &Run) -> Result<Exit, Stop> {
    let hosts = run.until_signal(run.connect()).await??;
    let (mut text, mut data, mut refused) = (String::new(), Vec::new(), false);
    for (host, (seen, mut findings)) in hosts.iter().zip(run.until_signal(run.look(&hosts, &[])).await??) {
        text += &format!(
            "{}: {}@{}, host key {}\n",
            host.name,
            host.session.user(),
            host.session.place(),
            host.session.fingerprint()
        );
        findings.extend(of_sessions(run.until_signal(host.session.sessions(SESSIONS)).await?));
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

fn of_sessions(sessions: usize) -> Option<Finding> {
    (sessions < SESSIONS).then(|| Finding {
        weight: Weight::Advice,
        about: "ssh".to_owned(),
        what: format!(
            "sshd opens {sessions} sessions on one connection (MaxSessions), so a release makes further connections"
        ),
        todo: "that works; `MaxSessions 10` in sshd_config, which is its default, saves their time".to_owned(),
    })
}
