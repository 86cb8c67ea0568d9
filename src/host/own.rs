//! Commands of people's own on a host: what they print is shown, and said again where they fail.

use super::Host;
use super::script::Script;
use crate::report::Event;
use anyhow::Result;
use std::collections::VecDeque;
use std::time::Duration;

/// Runs the host's own command, for scripts.
pub(crate) const OWN: &str = include_str!("own.sh");

/// So many of the last lines of a command that failed are said once more.
const LAST: usize = 10;

impl Host {
    /// Runs a script that runs such a command, and shows each of its lines as `source`'s. How it ended, and its last lines.
    pub(crate) async fn show(&self, script: Script, source: &str, timeout: Duration) -> (Result<()>, VecDeque<String>) {
        let script = script.limit(timeout + Duration::from_secs(30));
        let mut last = VecDeque::new();
        let line = |text: &str| {
            if last.len() == LAST {
                last.pop_front();
            }
            last.push_back(text.to_owned());
            let (host, source) = (self.name.clone(), source.to_owned());
            self.reporter.emit(Event::Output { host, source, text: text.to_owned() });
        };
        let ended = self.follow(&script, line).await;
        (ended, last)
    }
}
