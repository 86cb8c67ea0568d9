//! How a container is made so that a later `docker compose up` by hand knows it again and leaves it alone.
//!
//! Compose labels each container with a hash of its service's settings, and recreates one whose hash is not what it would
//! write now. `up --no-deps` of compose v2 up to 2.29 takes those services out of `depends_on` that are not named too, and
//! so writes another hash; 1.29 does not. So whoever depends on others is made with these named, none of them touched.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What compose is told when it makes a service's container.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Making {
    /// The services that it depends on.
    pub beside: Vec<String>,
    /// Those of them that have several containers, or none, as `NAME=COUNT`: compose would make that one.
    pub scaled: Vec<String>,
    /// Those of them that have no container.
    pub without: Vec<String>,
    /// Compose has something to do at its start (secrets, configs, hooks), so `docker start` is not enough.
    pub by_compose: bool,
}

/// The two words of the scripts' `make` for services that are made together; `made` have a container by then, or are to
/// keep the one that they get. Empty where nothing needs to be named.
pub(crate) fn words<'a>(
    makings: &BTreeMap<String, Making>,
    services: impl Iterator<Item = &'a String> + Clone,
    made: &[&String],
) -> [String; 2] {
    let each = || services.clone().filter_map(|name| makings.get(name));
    let mut with: Vec<String> = Vec::new();
    let mut without: Vec<String> = Vec::new();
    for making in each() {
        with.extend(making.scaled.iter().map(|scaled| format!("--scale {scaled}")));
        with.extend(making.beside.iter().cloned());
        without.extend(making.without.iter().filter(|name| !made.contains(name)).cloned());
    }
    for words in [&mut with, &mut without] {
        words.sort_unstable();
        words.dedup();
    }
    [with.join(" "), without.join(" ")]
}
