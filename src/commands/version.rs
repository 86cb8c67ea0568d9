//! `cutover version`: the version that would be released, and from where.

use super::{Exit, Run, Stop};
use crate::cli::Asked;
use crate::config::WhenMissing;
use crate::release::source::{Places, Resolved, Source, resolve};
use crate::release::version::Version;
use crate::report::{Event, Level};
use serde_json::json;

/// Prints it.
pub(super) async fn version(run: &Run, asked: &Asked) -> Result<Exit, Stop> {
    let Some((version, source)) = run.version(asked).await? else { return Ok(Exit::Done) };
    let data =
        json!({ "version": version.to_string(), "source": source.to_string(), "prerelease": version.is_prerelease() });
    run.reporter.emit(Event::Result { verb: "version", data, text: version.to_string() });
    Ok(Exit::Done)
}

impl Run {
    /// The version to release; `None`, already said, where there is nothing to release.
    pub(super) async fn version(&self, asked: &Asked) -> Result<Option<(Version, Source)>, Stop> {
        match resolve(&Places::from_env(asked.version.clone(), &self.config.root)).await? {
            Resolved::Found(version, source) => Ok(Some((version, source))),
            Resolved::Nothing(why) if self.config.when_missing == WhenMissing::Fail => {
                Err(Stop::new(Exit::Usage, format!("{why}, and `when-missing: fail` wants one")))
            }
            Resolved::Nothing(why) => {
                self.reporter.note(Level::Info, "", format!("nothing to release: {why}"));
                let data = json!({ "outcome": "nothing-to-release", "why": why });
                self.reporter.emit(Event::Result { verb: "version", data, text: String::new() });
                Ok(None)
            }
        }
    }
}
