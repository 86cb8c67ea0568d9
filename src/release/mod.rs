//! Version, build, tag, push.
pub mod version;
