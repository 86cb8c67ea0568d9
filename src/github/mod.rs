//! GitHub's REST API: the release of a version, and the deployments of an environment (docs.github.com/rest).
//!
//! Everything here may fail without harm: a caller warns, and the swap stands.

mod client;
mod deployment;
mod error;
mod place;
mod release;

pub use client::GitHub;
pub use deployment::{Deployment, Ended};
pub use error::Trouble;
pub use place::{Job, Repository, event_commit};
pub use release::{Published, Wanted, tag_remark};
