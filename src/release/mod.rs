//! Version, build, tag, push.
pub mod build;
pub mod digest;
pub mod docker_cli;
pub mod docker_error;
#[cfg(test)]
mod docker_tests;
mod event;
pub mod grammar;
mod lines;
pub mod local;
pub mod login;
mod login_dir;
mod merge;
mod missing;
pub mod push;
pub mod scan;
pub mod source;
#[cfg(test)]
mod stand_in;
mod subject;
pub mod tree;
pub mod verdict;
pub mod version;
mod words;

pub use build::Built;
pub use digest::Digest;
pub use docker_cli::{DockerCli, DockerLine, DockerStream, OnLine};
pub use docker_error::DockerError;
pub use login::Credentials;
pub use push::Pushed;
pub use source::{Places, Resolved, Rule, VersionSource};
pub use version::{Compared, Version, VersionError};
