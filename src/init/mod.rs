//! What a repository tells of itself, and the files that cutover needs in it.

mod files;
mod look;
mod pin;

pub use files::{ACTION, Choices, ChosenService, KEEPALIVE, configuration, how_to_go_on, workflow};
pub use look::{Pair, ProjectFound, look};
pub use pin::pinned;
