//! What the slots are: two services of one compose project, or of two.

pub mod making;
pub mod within;
pub mod workers;

/// Containers and images of the compose project, for scripts.
pub(crate) const COMPOSE: &str = include_str!("compose.sh");
