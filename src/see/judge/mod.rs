//! What stands in the way of a release, or will one day, and what to do about it.

pub mod compose;
pub mod conf;
pub mod findings;
pub mod host;
pub mod neighbours;
pub(crate) mod on_host;
pub mod project;
pub mod route;
pub mod slots;
pub(crate) mod words;
