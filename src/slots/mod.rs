//! What the slots are: today two services of one compose project.

pub mod making;

/// Containers and images of the compose project, for scripts.
pub(crate) const COMPOSE: &str = include_str!("compose.sh");
