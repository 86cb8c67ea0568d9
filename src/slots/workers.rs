//! What runs a service's image and gets no requests: workers, schedulers.

use serde::{Deserialize, Serialize};

/// A compose service that runs on the image of the service that it belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Worker {
    /// Its compose service, in nginx's project.
    pub service: String,
    /// The image reference in the compose file.
    pub reference: String,
    /// The image that the reference names now.
    pub reference_image: Option<String>,
    /// The image that its containers run.
    pub image: String,
    /// How many of them run; none: it is left as it is.
    pub running: usize,
    /// Seconds from SIGTERM to SIGKILL.
    pub grace: u64,
}
