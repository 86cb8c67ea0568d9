//! nginx configuration text: read as nginx reads it, changed by as few bytes as possible.

mod edit;
mod parse;

pub use edit::{NotPointed, point, probe_for, upstreams};
pub use parse::{Directive, Malformed, Word, parse};

/// An `upstream NAME { … }` block and the `server` lines in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upstream {
    /// The name behind `upstream`.
    pub name: String,
    /// Its `server` lines, in order.
    pub servers: Vec<UpstreamServer>,
}

/// One `server HOST:PORT …;` line of an upstream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpstreamServer {
    /// Host name or address, without the port.
    pub host: String,
    /// Port; 80 where none is written (ngx_http_upstream_module, `server`).
    pub port: u16,
    /// Has `down` or `backup` behind the address, so takes no traffic normally.
    pub spare: bool,
    /// Byte offsets of `host` in the text.
    pub(crate) host_at: (usize, usize),
}

/// How a request must look to be routed to an upstream: what to connect to and what to ask.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Probe {
    /// Port that nginx listens on in its container.
    pub port: u16,
    /// The port speaks TLS.
    pub tls: bool,
    /// `Host` header (and TLS server name): the first usable `server_name`, else `localhost`.
    pub host: String,
    /// Path prefix of the `location` that passes to the upstream.
    pub path: String,
}
