//! `cutover recover`: finish or put back a release that an earlier run left half-way.

use super::lock::Locked;
use super::swap::holder;
use super::{Exit, Run, Stop};
use crate::cli;
use crate::report::Event;
use crate::swap::recover::Way;
use serde_json::json;

/// Does what the next release would do first, and nothing else.
pub(super) async fn recover(run: &Run, options: &cli::Recover) -> Result<Exit, Stop> {
    let asked = match (options.finish, options.put_back) {
        (true, _) => Some(Way::Finish),
        (_, true) => Some(Way::PutBack),
        _ => None,
    };
    let hosts = run.until_signal(run.connect()).await??;
    let holder = holder("recovering");
    let locked = run.lock_and_observe(&hosts, &holder, options.wait.as_deref(), &[], None);
    let Locked { locks: _locks, seen, .. } = run.until_signal(locked).await??;
    let (recovered, _) = run.recover(&hosts, seen, &holder, asked).await?;
    let text = if recovered { "recovered" } else { "nothing is unfinished" };
    run.reporter.emit(Event::Result {
        verb: "recover",
        data: json!({ "recovered": recovered }),
        text: text.to_owned(),
    });
    Ok(Exit::Done)
}
