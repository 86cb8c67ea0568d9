//! What people see of a fleet.
#![allow(clippy::unwrap_used)]
use super::*;
use crate::report::outcome::{Earlier, HealthNow};
use std::collections::BTreeMap;

fn service(version: &str) -> ServiceStatus {
    ServiceStatus {
        service: "api".to_owned(),
        slot: Some("blue".to_owned()),
        proved: true,
        version: Some(version.to_owned()),
        digest: Some(format!("sha256:{}", "0123456789abcdef".repeat(4))),
        since: Some("2026-01-01T08:00:30.5Z".to_owned()),
        health: Some(HealthNow { status: Some(200), seconds: Some(0.0031), healthy: true, error: None }),
        also_running: None,
        rollback: vec![Earlier { version: "v1.0.0".to_owned(), from: "the kept container" }],
    }
}

fn host(name: &str, service: ServiceStatus) -> HostStatus {
    HostStatus { host: name.to_owned(), services: vec![service], frozen: None, unfinished: None }
}

#[test]
fn a_fleet_is_a_line_a_host_and_what_somebody_should_know() {
    let late = ServiceStatus { also_running: Some("green".to_owned()), proved: false, ..service("v1.1.0") };
    let ill = HealthNow { status: None, seconds: None, healthy: false, error: Some("refused".to_owned()) };
    let ill = ServiceStatus { health: Some(ill), ..service("v1.2.0") };
    let gone = ServiceStatus { slot: None, version: None, rollback: Vec::new(), ..service("") };
    let hosts = [host("web-1", service("v1.2.0")), host("web-22", late), host("web-3", ill), host("web-4", gone)];
    let versions = BTreeMap::from([("v1.1.0".to_owned(), vec!["web-22".to_owned()])]);
    let drift = [Drift { service: "api".to_owned(), versions }];
    let expected = "\
✔ web-1   api  v1.2.0 in blue since 2026-01-01 08:00 UTC, 2 h  healthy, 200 in 3 ms  sha256:0123456789ab
✔ web-22  api  v1.1.0 in blue since 2026-01-01 08:00 UTC, 2 h  healthy, 200 in 3 ms  sha256:0123456789ab
✘ web-3   api  v1.2.0 in blue since 2026-01-01 08:00 UTC, 2 h  NOT healthy: refused  sha256:0123456789ab
✘ web-4   api  not running
  web-1: api can be rolled back to: v1.0.0 (the kept container)
  web-22: api can be rolled back to: v1.0.0 (the kept container)
  web-3: api can be rolled back to: v1.0.0 (the kept container)
  web-4: api can be rolled back to: nothing
! web-22: api: both slots run: green does too, and gets no requests
! web-22: api is named by nginx's configuration; not seen to receive requests
! api differs: v1.1.0 on web-22
";
    assert_eq!(status(&hosts, &drift, "2026-01-01T10:00:40Z".parse().unwrap()), expected);
    let same = [host("web-1", service("v1.2.0")), host("web-2", service("v1.2.0"))];
    let text = status(&same, &[], "2026-01-01T08:01:00Z".parse().unwrap());
    assert_eq!(text.matches("can be rolled back to").count(), 1, "{text}");
    assert!(text.contains("UTC, 29 s"), "{text}");
}
