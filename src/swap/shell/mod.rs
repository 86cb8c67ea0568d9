//! What the scripts of a swap share.

pub(super) use crate::host::script::SAY;

/// The fence, the journal, and files that are written whole.
pub(super) const CORE: &str = include_str!("core.sh");
/// Containers and images of the compose project.
pub(super) const COMPOSE: &str = include_str!("compose.sh");
/// nginx's workers, its reload and its file.
pub(super) const NGINX: &str = include_str!("nginx.sh");
/// What slots receive.
pub(super) const TRAFFIC: &str = include_str!("traffic.sh");
