//! What the answers of a host mean together.

pub mod discover;
pub mod evidence;
mod links;
pub mod making;
mod nginx;
pub(crate) mod places;
pub(crate) mod ports;
pub mod profiles;
pub mod project;
pub mod projects;
pub(crate) mod published;
pub mod services;
pub mod workers;
