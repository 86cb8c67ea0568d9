//! `cutover history`: the releases of every host, oldest first.

use super::session::say_of_history;
use super::{Exit, Run, Stop};
use crate::report::outcome::HostHistory;
use crate::report::{Outcome, finding};

/// Prints them.
pub(super) async fn history(run: &Run) -> Result<Exit, Stop> {
    let (hosts, unreached) = run.until_signal(run.connect_where_possible(&[])).await??;
    let (mut all, mut refusals) = (Vec::new(), Vec::new());
    for (host, (seen, findings)) in hosts.iter().zip(run.until_signal(run.look(&hosts, &[])).await??) {
        say_of_history(run, host, &findings);
        // an empty history is no answer where none could be read
        let Some(records) = seen.map(|seen| seen.history) else {
            refusals.extend(findings.iter().map(|found| format!("{}: {}", host.name, finding(found))));
            continue;
        };
        all.push(HostHistory { host: host.name.clone(), releases: records });
    }
    run.reporter.outcome(&Outcome::History { hosts: all });
    match (unreached.is_empty(), refusals.is_empty()) {
        (true, true) => Ok(Exit::Done),
        (false, _) => Err(Stop::new(Exit::Connection, [unreached, refusals].concat().join("\n"))),
        (true, false) => Err(Stop::new(Exit::Refused, refusals.join("\n"))),
    }
}
