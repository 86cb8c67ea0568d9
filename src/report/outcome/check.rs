//! What stands in the way of a release, and what was found.

use crate::see::interpret::evidence::Evidence;
use crate::see::judge::findings::Finding;
use serde::Serialize;

/// What stands in the way of a release on a host.
#[derive(Debug, Clone, Serialize)]
pub struct HostCheck {
    /// The host.
    pub host: String,
    /// Nothing does.
    pub ready: bool,
    /// What does, and what will one day.
    pub findings: Vec<Finding>,
    /// The services that were found.
    pub services: Vec<ServiceCheck>,
    /// `USER@HOST:PORT`.
    #[serde(skip)]
    pub login: String,
    /// Of its host key.
    #[serde(skip)]
    pub fingerprint: String,
}

/// A service as it was found.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct ServiceCheck {
    /// The service.
    pub service: String,
    /// Its slots.
    pub slots: [String; 2],
    /// What is particular about where they are, for people; empty where nothing is.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub about: String,
    /// The one that is live.
    pub live: Option<String>,
    /// Where nginx runs: its compose service or container, or `on the host`.
    pub nginx: String,
    /// The upstream that names them; empty where the words stand in none.
    pub upstream: String,
    /// Where those words stand.
    pub place: String,
    /// The port of the slot that they name.
    pub port: u16,
    /// The port of the other one.
    pub other_port: u16,
    /// The status that the health check answers.
    pub health: Option<u16>,
    /// What would prove that a version serves.
    pub evidence: Evidence,
    /// The same, for people.
    pub evidence_text: String,
    /// The host in the upstream.
    #[serde(skip)]
    pub named: String,
    /// What was asked and what came back.
    #[serde(skip)]
    pub health_text: String,
}
