//! Which images a host keeps. A tag for each release of this project and environment keeps its image; removing the tag
//! takes the image only where nothing else names it, so no project or environment touches another's.

use super::history;
use super::observe::{Observation, ServiceSeen};

/// The tag that keeps a release's image: `IMAGE:cutover-PROJECT[-ENVIRONMENT]-vX.Y.Z`.
pub fn keep_tag(image: &str, prefix: &str, version: &str) -> String {
    format!("{image}:cutover-{prefix}-{}", version.replace('+', "_"))
}

/// Tags that need not be kept once `version` is live: those of all but the last `keep` releases, never the live one.
pub fn unneeded(seen: &Observation, version: &str, keep: usize) -> Vec<String> {
    let version_of = |service: &ServiceSeen| service.slots[service.live.slot()?].version.clone();
    let live: Vec<String> = seen.services.iter().filter_map(version_of).collect();
    let earlier = history::released(&seen.history).into_iter().filter(|record| record.version != version);
    let old = earlier.skip(keep.saturating_sub(1)).filter(|record| !live.contains(&record.version));
    let tags =
        old.flat_map(|record| seen.services.iter().map(|s| keep_tag(&s.image, &seen.keep_prefix, &record.version)));
    tags.collect()
}
