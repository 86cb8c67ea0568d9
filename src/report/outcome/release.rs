//! How a release ended.

use crate::release::Version;
use serde::Serialize;
use std::collections::BTreeMap;

/// How a release ended that did not fail.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "outcome", rename_all = "kebab-case", rename_all_fields = "kebab-case")]
pub enum ReleaseEnd {
    /// The version is live.
    Released {
        /// Which; one that was deployed by hand need not be a version.
        version: String,
        /// After so many seconds.
        live_seconds: f64,
        /// All was done after so many.
        seconds: f64,
        /// Each host.
        hosts: Vec<HostReleased>,
    },
    /// It was live before.
    AlreadyLive {
        /// Which.
        version: Version,
        /// What it would be released with now and is not live with.
        differing: Vec<String>,
    },
    /// It was live before, from another commit.
    LiveFromAnotherCommit {
        /// Which.
        version: Version,
        /// The commit that is live.
        commit: String,
        /// This run's.
        #[serde(skip)]
        here: String,
    },
}

/// A host on which a version went live.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct HostReleased {
    /// The host.
    pub host: String,
    /// What was switched.
    pub services: Vec<ServiceReleased>,
    /// What came of nginx's old workers.
    pub drained: String,
    /// Step → seconds.
    pub seconds: BTreeMap<&'static str, f64>,
    /// How often the network was waited for, there and back, one after the other.
    pub round_trips: u32,
    /// The same until every host was live.
    pub round_trips_to_live: u32,
    /// The steps in the order in which they were begun.
    #[serde(skip)]
    pub steps: Vec<&'static str>,
}

/// A service that was switched.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct ServiceReleased {
    /// The service.
    pub service: String,
    /// The slot that is live now.
    pub slot: String,
    /// The one that was.
    pub previous_slot: Option<String>,
    /// Its version.
    pub previous_version: Option<String>,
    /// What is live, where a registry knows it.
    pub digest: Option<String>,
    /// The image's id.
    pub image: String,
    /// `REPOSITORY:VERSION`.
    pub reference: Option<String>,
}
