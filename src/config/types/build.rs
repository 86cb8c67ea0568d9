//! `build`: how the image is made.

use crate::config::names::EnvName;
use crate::config::names::Name;
use std::path::PathBuf;

/// How an image is built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Build {
    /// A directory, absolute or relative to the working directory; or a URL that docker takes as a context.
    pub context: PathBuf,
    /// The Dockerfile, in the same terms as `context` (cutover.yml has it relative to the context, as compose does).
    pub dockerfile: Option<PathBuf>,
    /// The stage to build.
    pub target: Option<String>,
    /// `OS/ARCHITECTURE[/VARIANT]`.
    pub platform: Option<String>,
    /// Build arguments, in the order of the file; no value: taken from the environment.
    pub args: Vec<(String, Option<String>)>,
    /// Build secrets.
    pub secrets: Vec<BuildSecret>,
    /// `--cache-from`, as docker takes it.
    pub cache_from: Vec<String>,
    /// `--cache-to`, as docker takes it; needs buildx.
    pub cache_to: Vec<String>,
}

/// A secret that one `RUN --mount=type=secret` of the Dockerfile sees; never part of the image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuildSecret {
    /// The id in the Dockerfile.
    pub id: Name,
    /// Where it comes from.
    pub source: SecretSource,
}

/// Where a build secret comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretSource {
    /// An environment variable.
    Env(EnvName),
    /// A file, absolute or relative to the working directory.
    File(PathBuf),
}
