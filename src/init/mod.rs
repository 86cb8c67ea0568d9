//! What a repository tells of itself, and the files that cutover needs in it.

mod dockerfile;
mod files;
mod fresh;
mod look;
mod one;
mod pin;
mod place;

pub use dockerfile::{hints as dockerfile_hints, port as dockerfile_port};
pub use files::{ACTION, Choices, ChosenService, KEEPALIVE, configuration, how_to_go_on, workflow};
pub use fresh::{Fresh, SERVER};
pub use look::{Pair, ProjectFound, look};
pub use one::{COMPOSE, CONF, One};
pub use pin::pinned;
