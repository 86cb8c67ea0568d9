//! nginx's file as a power cut can leave it where it is mounted alone: half written, so that nothing can be observed.

use super::journal::Journal;
use super::story::Step;
use crate::host::Host;
use crate::host::lock::Holder;
use crate::host::script::CORE;
use crate::host::script::SAY;
use crate::host::script::{Fence, Script, sections};
use crate::router::NGINX;
use anyhow::Result;

/// Makes the file of an unfinished swap what it was before that, if it is torn. Gives its path then. The lock is held.
pub async fn mend(host: &Host, state: &str, holder: &Holder) -> Result<Option<String>> {
    const READ: &str = "cat \"$1/journal.jsonl\" 2>/dev/null; true";
    let text = host.run(&Script::new("to read the journal", READ).arg(state)).await?;
    let journal = Journal::read(&String::from_utf8_lossy(&text));
    if !journal.begun.contains(&Step::Route) {
        return Ok(None);
    }
    let confs = journal.plan.map(|plan| plan.conf).unwrap_or_default();
    let mut mended = None;
    for (number, conf) in confs.iter().enumerate().filter(|(_, conf)| conf.in_place) {
        let fence = Fence { state: state.to_owned(), holder: holder.id.clone() };
        let script = Script::new("to mend a file that was half written", include_str!("step/mend.sh"))
            .with(&[SAY, CORE, NGINX])
            .fenced(&fence)
            .set("file", &conf.path)
            .set("how", conf.how().word())
            .set("n", if number == 0 { String::new() } else { format!(".{}", number + 1) });
        let said = sections(&host.run(&script).await?)?;
        let file = said.into_iter().find(|section| section.name == "mended").map(|section| section.text);
        mended = mended.or(file);
    }
    Ok(mended)
}
