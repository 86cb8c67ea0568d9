//! Version, build, tag, push.
