//! One SSH connection to one host, and what is said over it.

pub mod ssh;
