//! Version, build, tag, push.
pub mod build;
pub mod digest;
pub mod docker_cli;
pub mod docker_error;
#[cfg(test)]
mod docker_tests;
pub mod local;
pub mod login;
mod login_dir;
pub mod push;
pub mod source;
#[cfg(test)]
mod stand_in;
pub mod version;

pub use build::Built;
pub use digest::Digest;
pub use docker_cli::{DockerCli, Line, OnLine, Stream};
pub use docker_error::DockerError;
pub use login::Credentials;
pub use push::Pushed;
pub use source::{Places, Resolved, Source};
pub use version::{Compared, Version, VersionError};
