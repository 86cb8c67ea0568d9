//! `github`: what GitHub is told.

/// What GitHub is told of a release, where there is a token for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GitHubSettings {
    /// When the tag and the release are made.
    pub release: WhenReleased,
    /// Whether a deployment of the environment is written.
    pub deployments: bool,
    /// Where the environment is to be seen.
    pub environment_url: Option<String>,
}

/// When the tag and the release on GitHub are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhenReleased {
    /// Before anything is built.
    Before,
    /// When the swap is confirmed.
    Confirmed,
    /// Never.
    Never,
}
