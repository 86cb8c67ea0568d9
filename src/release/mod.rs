//! Version, build, tag, push.
pub mod source;
pub mod version;
