//! Which images and env files a host keeps. A tag for each release of this project and environment keeps its image;
//! removing the tag takes the image only where nothing else names it, so no project or environment touches another's.

use super::history::Outcome;
use crate::see::seen::{Observation, ServiceSeen};

/// The tag that keeps a release's image: `IMAGE:cutover-PROJECT[-ENVIRONMENT]-vX.Y.Z`.
pub fn keep_tag(image: &str, prefix: &str, version: &str) -> String {
    format!("{image}:cutover-{prefix}-{}", version.replace('+', "_"))
}

/// The version of a tag that keeps a release's image.
pub fn kept_version(tag: &str, image: &str, prefix: &str) -> Option<String> {
    let version = tag.strip_prefix(image)?.strip_prefix(":cutover-")?.strip_prefix(prefix)?.strip_prefix('-')?;
    Some(crate::release::version::Version::from_tag(version)?.to_string())
}

/// What a host keeps once a version is live: of each service that version, the one before it, and those of its last releases.
pub struct Keep<'a> {
    seen: &'a Observation,
    version: &'a str,
    count: usize,
}

impl<'a> Keep<'a> {
    /// With `version` live, `count` releases are kept, and what runs now in any case.
    pub fn new(seen: &'a Observation, version: &'a str, count: usize) -> Self {
        Keep { seen, version, count }
    }

    fn of(&self, service: &ServiceSeen) -> Vec<String> {
        let earlier = service.released(self.seen).into_iter().map(|(record, _)| record.version.clone());
        let earlier = earlier.filter(|earlier| earlier != self.version).take(self.count.saturating_sub(1));
        let live = service.live_version().map(str::to_owned);
        std::iter::once(self.version.to_owned()).chain(live).chain(earlier).collect()
    }

    /// Tags of releases that need not be kept.
    pub fn unneeded(&self) -> Vec<String> {
        let of_service = |service: &ServiceSeen| -> Vec<String> {
            let (kept, released) = (self.of(service), service.released(self.seen));
            let old = released.iter().map(|(record, _)| &record.version).filter(|version| !kept.contains(version));
            old.map(|version| keep_tag(&service.image, &self.seen.keep_prefix, version)).collect()
        };
        self.seen.services.iter().flat_map(of_service).collect()
    }

    /// The versions whose env files are kept: also those of services that another configuration releases here.
    pub fn versions(&self) -> Vec<String> {
        let ours = |service: &ServiceSeen| self.of(service);
        let mut versions: Vec<String> = self.seen.services.iter().flat_map(ours).collect();
        let owners: Vec<_> = self.seen.services.iter().map(ServiceSeen::owner).collect();
        let released = self.seen.history.iter().rev().filter(|record| record.outcome == Outcome::Released);
        let mut others: Vec<&String> = Vec::new();
        for record in released.filter(|record| owners.iter().all(|owner| owner.part(record).is_none())) {
            if !others.contains(&&record.version) {
                others.push(&record.version);
            }
        }
        versions.extend(others.into_iter().take(self.count.max(2)).cloned());
        versions.sort_unstable();
        versions.dedup();
        versions
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_that_keeps_an_image_tells_its_version() {
        let tag = keep_tag("127.0.0.1:5000/a/b", "shop-staging", "v1.2.0-rc.1+7");
        assert_eq!(kept_version(&tag, "127.0.0.1:5000/a/b", "shop-staging").as_deref(), Some("v1.2.0-rc.1+7"));
        assert_eq!(kept_version(&tag, "127.0.0.1:5000/a/b", "shop"), None, "another environment's");
        assert_eq!(kept_version("a/b:cutover-shop-latest", "a/b", "shop"), None);
    }
}
