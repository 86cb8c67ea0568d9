//! Zero-downtime releases of a web service to a team's own server.
#![warn(missing_docs)]
pub mod awake;
pub mod cancel;
pub mod child;
pub mod cli;
pub mod commands;
pub mod config;
pub mod github;
pub mod host;
pub mod init;
pub mod parallel;
mod random;
pub mod release;
pub mod report;
pub mod router;
pub mod secret;
pub mod see;
pub mod ship;
pub mod slots;
pub mod swap;
mod swarm;
pub mod text;
