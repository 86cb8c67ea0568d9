//! What sends requests to the slots: nginx, in the compose project, in another container, or on the host itself.

pub mod words;

use serde::{Deserialize, Serialize};

/// nginx's workers, its reload and its files, for scripts.
pub(crate) const NGINX: &str = include_str!("nginx.sh");
/// What slots receive, for scripts.
pub(crate) const TRAFFIC: &str = include_str!("traffic.sh");

/// Where nginx runs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Router {
    /// As a service of the compose project: started where it does not run, and never made anew.
    #[default]
    Compose,
    /// In a container of somebody else's: neither started nor made anew.
    Container,
    /// On the host itself.
    Host,
}
