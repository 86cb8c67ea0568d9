//! What is live.

use crate::host::freeze::Frozen;
use serde::{Serialize, Serializer};
use std::collections::BTreeMap;

/// What is live on a host.
#[derive(Debug, Clone, Serialize)]
pub struct HostStatus {
    /// The host.
    pub host: String,
    /// Its services.
    pub services: Vec<ServiceStatus>,
    /// A person has frozen releases.
    pub frozen: Option<Frozen>,
    /// A swap that has not come to its end.
    pub unfinished: Option<Unfinished>,
}

/// What is live of a service.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct ServiceStatus {
    /// The service.
    pub service: String,
    /// The live slot.
    pub slot: Option<String>,
    /// It was seen to receive requests.
    pub proved: bool,
    /// Its version.
    pub version: Option<String>,
    /// Its image.
    pub digest: Option<String>,
    /// When it was started, in RFC 3339.
    pub since: Option<String>,
    /// What the live slot answers to the health check now.
    pub health: Option<HealthNow>,
    /// The other slot, where it runs too.
    pub also_running: Option<String>,
    /// What it can be rolled back to.
    pub rollback: Vec<Earlier>,
}

/// What a slot answered to the health check.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HealthNow {
    /// The HTTP status.
    pub status: Option<u16>,
    /// How long it took, in seconds.
    pub seconds: Option<f64>,
    /// It is one that counts as healthy.
    pub healthy: bool,
    /// Why there is no status.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// A service that is not the same on all hosts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Drift {
    /// The service.
    pub service: String,
    /// Version → hosts; with the start of its digest where one version is two images.
    pub versions: BTreeMap<String, Vec<String>>,
}

/// A version to go back to; its text in JSON.
#[derive(Debug, Clone)]
pub struct Earlier {
    /// The version.
    pub version: String,
    /// Where it comes from, for people.
    pub from: &'static str,
}

impl Serialize for Earlier {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.version)
    }
}

/// A swap that has not come to its end.
#[derive(Debug, Clone, Serialize)]
pub struct Unfinished {
    /// Its version, where that is known.
    pub version: Option<String>,
    /// The new version was confirmed: the next run finishes it, else it puts it back.
    pub confirmed: bool,
}
