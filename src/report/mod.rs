//! Events in; terminal, plain, GitHub and JSON out. Nothing else writes to stdout or stderr.

pub mod text;
