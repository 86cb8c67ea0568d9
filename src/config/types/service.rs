//! A service, its slots and its health.

use super::Build;
use super::TagForm;
use crate::config::image::ImageName;
use crate::config::names::Name;
use std::ops::RangeInclusive;
use std::time::Duration;

/// One service: two slots, of which nginx sends traffic to one.
#[derive(Debug, Clone, PartialEq)]
pub struct ServiceSettings {
    /// Its name in cutover.yml; without one, the last part of the image's name.
    pub name: Name,
    /// The image of both slots.
    pub image: ImageName,
    /// What a version's tag in the registry looks like.
    pub tag: TagForm,
    /// The image goes to the hosts over SSH, and through no registry.
    pub ship: bool,
    /// How to build the image; `None` (`build: false`): it is built and pushed elsewhere.
    pub build: Option<Build>,
    /// Where the two slots are, two different ones.
    pub slots: Option<[SlotSettings; 2]>,
    /// Compose services beside nginx that run the image too, and are moved with a release.
    pub workers: Vec<Name>,
    /// The name of nginx's upstream.
    pub upstream: Option<Name>,
    /// The port inside the container.
    pub port: Option<PortSetting>,
    /// When a slot counts as healthy.
    pub health: HealthSettings,
    /// How long a container may take to stop; `None`: compose's `stop_grace_period`.
    pub stop_timeout: Option<Duration>,
}

/// Where a slot is, as far as it is stated.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SlotSettings {
    /// Its compose service; `None`: the one that has the image.
    pub service: Option<Name>,
    /// Its compose project; `None`: that of nginx, or as compose calls its files.
    pub project: Option<Name>,
    /// Its compose files, as `Config::compose_files`; empty: those.
    pub files: Vec<String>,
}

/// The port that a service's slots listen on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PortSetting {
    /// Both listen on this one.
    Same(u16),
    /// Each on its own: compose service and port.
    Each(Vec<(Name, u16)>),
}

impl PortSetting {
    /// The port of a slot, where one is stated.
    pub fn of(&self, slot: &str) -> Option<u16> {
        match self {
            PortSetting::Same(port) => Some(*port),
            PortSetting::Each(all) => all.iter().find(|(name, _)| name.as_str() == slot).map(|(_, port)| *port),
        }
    }
}

/// When a slot counts as healthy.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct HealthSettings {
    /// The path to ask for, with its query.
    pub path: String,
    /// The Host header; `None`: the slot's own name and port.
    pub host: Option<String>,
    /// The statuses that count as healthy.
    pub status: Vec<RangeInclusive<u16>>,
    /// How long it may take until healthy.
    pub timeout: Duration,
    /// From one probe to the next.
    pub interval: Duration,
    /// How many healthy answers in a row.
    pub successes: u32,
}

impl HealthSettings {
    /// Whether this HTTP status counts as healthy.
    pub fn accepts(&self, status: u16) -> bool {
        self.status.iter().any(|range| range.contains(&status))
    }
}
