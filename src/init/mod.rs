//! What a repository tells of itself, and the files that cutover needs in it.

mod files;
mod look;
mod pin;

pub use files::{ACTION, Answers, KEEPALIVE, Service, configuration, how_to_go_on, workflow};
pub use look::{Found, Pair, look};
pub use pin::pinned;
