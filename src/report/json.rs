//! One JSON object a line, for programs.

use super::Outcome;
use serde::Serialize;
use serde_json::Value;
use std::io::Write;
use std::time::Duration;

/// What a verb was asked for.
#[derive(Serialize)]
pub(super) struct ResultLine<'a> {
    event: &'static str,
    #[serde(flatten)]
    outcome: &'a Outcome,
}

impl ResultLine<'_> {
    pub(super) fn new(outcome: &Outcome) -> ResultLine<'_> {
        ResultLine { event: "result", outcome }
    }
}

/// Prints a value with `at`, the seconds since the run began. JSON escapes every control character by itself; GitHub's
/// runner would take `##[name]` for a command anywhere in a line. `redact` is asked for what a result has for programs.
pub(super) fn show(event: &impl Serialize, at: Duration, redact: impl FnOnce(&mut Value)) {
    let Ok(mut value) = serde_json::to_value(event) else { return };
    if let Some(data) = value.get_mut("data") {
        redact(data);
    }
    if let Some(object) = value.as_object_mut() {
        object.insert("at".to_owned(), serde_json::json!((at.as_secs_f64() * 1000.0).round() / 1000.0));
    }
    // a reader that went away is no reason to stop a swap
    let _ = writeln!(std::io::stdout().lock(), "{}", value.to_string().replace("##[", "##\\u005b"));
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::release::Version;
    use crate::report::outcome::{Earlier, HostStatus, Pairs, ReleaseEnd, ServiceStatus, VersionEnd};
    use serde_json::json;

    fn of(outcome: &Outcome) -> Value {
        serde_json::to_value(ResultLine::new(outcome)).unwrap()
    }

    #[test]
    fn an_outcome_has_the_keys_that_programs_know() {
        let version = Version::parse("v1.2.0").unwrap();
        let end = ReleaseEnd::AlreadyLive { version: version.clone(), differing: vec!["PORT".to_owned()] };
        let data = json!({ "version": "v1.2.0", "outcome": "already-live", "differing": ["PORT"] });
        assert_eq!(of(&Outcome::Release(end)), json!({ "event": "result", "verb": "release", "data": data }));
        let end = ReleaseEnd::Released { version: "v1".to_owned(), live_seconds: 1.0, seconds: 2.0, hosts: Vec::new() };
        let data = json!({ "version": "v1", "outcome": "released", "live-seconds": 1.0, "seconds": 2.0, "hosts": [] });
        assert_eq!(of(&Outcome::Release(end))["data"], data);
        let end = VersionEnd::Found { version: version.clone(), source: "the tag".to_owned(), prerelease: false };
        let data = json!({ "version": "v1.2.0", "source": "the tag", "prerelease": false });
        assert_eq!(of(&Outcome::Version(end)), json!({ "event": "result", "verb": "version", "data": data }));
        let images = Pairs(vec![("api".to_owned(), "devrank/api:v1.2.0".to_owned())]);
        let data = json!({ "version": "v1.2.0", "images": { "api": "devrank/api:v1.2.0" } });
        assert_eq!(of(&Outcome::Build { version, images })["data"], data);
        let rollback = vec![Earlier { version: "v1.1.0".to_owned(), from: "its container" }];
        let service = ServiceStatus {
            service: "api".to_owned(),
            slot: Some("blue".to_owned()),
            proved: true,
            version: None,
            digest: None,
            since: None,
            health: None,
            also_running: None,
            rollback,
        };
        let hosts =
            vec![HostStatus { host: "web-1".to_owned(), services: vec![service], frozen: None, unfinished: None }];
        let service = json!({
            "service": "api", "slot": "blue", "proved": true, "version": null, "digest": null, "since": null, "health": null,
            "also-running": null, "rollback": ["v1.1.0"],
        });
        let data = json!({ "hosts": [{ "host": "web-1", "services": [service], "frozen": null, "unfinished": null }], "drift": [] });
        assert_eq!(of(&Outcome::Status { hosts, drift: Vec::new() })["data"], data);
    }
}
