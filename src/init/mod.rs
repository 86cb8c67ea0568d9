//! What a repository tells of itself, and the files that cutover needs in it.

mod files;
mod look;
mod one;
mod pin;

pub use files::{ACTION, Choices, ChosenService, KEEPALIVE, configuration, how_to_go_on, workflow};
pub use look::{Pair, ProjectFound, look};
pub use one::{COMPOSE, CONF, One};
pub use pin::pinned;
