//! Asks a host; nothing is made of the answers here.

pub mod answers;
pub mod files;
pub mod places;
pub mod survey;
pub mod traffic;
