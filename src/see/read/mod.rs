//! Asks a host; nothing is made of the answers here.

pub mod answers;
pub mod elsewhere;
pub mod files;
pub mod projects;
pub mod sudo;
pub mod survey;
pub mod traffic;
