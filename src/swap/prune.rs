//! Which images and env files a host keeps. A tag for each release of this project and environment keeps its image;
//! removing the tag takes the image only where nothing else names it, so no project or environment touches another's.

use super::history;
use super::observe::{Observation, ServiceSeen};

/// The tag that keeps a release's image: `IMAGE:cutover-PROJECT[-ENVIRONMENT]-vX.Y.Z`.
pub fn keep_tag(image: &str, prefix: &str, version: &str) -> String {
    format!("{image}:cutover-{prefix}-{}", version.replace('+', "_"))
}

/// What a host keeps once a version is live: that version, the one before it, and those of the last releases.
pub struct Keep<'a> {
    seen: &'a Observation,
    versions: Vec<String>,
}

impl<'a> Keep<'a> {
    /// With `version` live, `keep` releases are kept, and what runs now in any case.
    pub fn new(seen: &'a Observation, version: &str, keep: usize) -> Self {
        let version_of = |service: &ServiceSeen| service.slots[service.live.slot()?].version.clone();
        let live = seen.services.iter().filter_map(version_of);
        let earlier = history::released(&seen.history).into_iter().map(|record| record.version.clone());
        let earlier = earlier.filter(|earlier| earlier != version).take(keep.saturating_sub(1));
        let mut versions: Vec<String> = std::iter::once(version.to_owned()).chain(live).chain(earlier).collect();
        versions.sort_unstable();
        versions.dedup();
        Keep { seen, versions }
    }

    /// Tags of releases that need not be kept.
    pub fn unneeded(&self) -> Vec<String> {
        let released = history::released(&self.seen.history).into_iter().map(|record| &record.version);
        let old = released.filter(|version| !self.versions.contains(version));
        let tag = |service: &ServiceSeen, version: &str| keep_tag(&service.image, &self.seen.keep_prefix, version);
        old.flat_map(|version| self.seen.services.iter().map(|service| tag(service, version))).collect()
    }

    /// The versions whose env files are kept.
    pub fn versions(self) -> Vec<String> {
        self.versions
    }
}
