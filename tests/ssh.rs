//! Against a real sshd on loopback, and against servers that mean harm.
#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

#[path = "ssh/commands.rs"]
mod commands;
#[path = "ssh/forwards.rs"]
mod forwards;
#[path = "ssh/host_keys.rs"]
mod host_keys;
#[path = "ssh/hostile.rs"]
mod hostile;
#[path = "ssh/link.rs"]
mod link;
#[path = "ssh/login.rs"]
mod login;
#[path = "ssh/shells.rs"]
mod shells;
#[path = "ssh/sshd.rs"]
mod sshd;
