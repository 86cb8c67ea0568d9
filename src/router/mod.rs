//! What sends requests to the slots: today nginx, a service of the compose project.

/// nginx's workers, its reload and its file, for scripts.
pub(crate) const NGINX: &str = include_str!("nginx.sh");
/// What slots receive, for scripts.
pub(crate) const TRAFFIC: &str = include_str!("traffic.sh");
