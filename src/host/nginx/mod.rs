//! nginx configuration text: read as nginx reads it, changed by as few bytes as possible.

mod edit;
mod guards;
mod hosts;
mod parse;
mod routes;
mod target;
mod tree;

pub use edit::{says, upstreams};
pub use guards::Guards;
pub use parse::{Directive, Malformed, Word, parse};
pub use routes::{Pass, Routes};
pub use target::Target;
pub use tree::{Place, Span};

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
    /// The port is written.
    pub(crate) has_port: bool,
    /// Byte offsets of the whole address in the text.
    pub(crate) address_at: (usize, usize),
}

/// How a request must look to be routed to an upstream: what to connect to and what to ask.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Probe {
    /// Port that nginx listens on in its container.
    pub port: u16,
    /// The port speaks TLS.
    pub tls: bool,
    /// `Host` header (and TLS server name): one that the server block takes, else `localhost`.
    pub host: String,
    /// Path prefix of the `location` that passes to the upstream.
    pub path: String,
    /// The location and where its `proxy_pass` stands, for people.
    #[serde(default)]
    pub at: String,
    /// What nginx may answer by itself there.
    #[serde(default)]
    pub guards: Guards,
    /// It brings the headers along that `nginx: {probe: {headers-env: …}}` names.
    #[serde(default)]
    pub secret: bool,
}

impl Probe {
    /// How likely nginx answers it by itself, 0 being not at all.
    pub fn weight(&self) -> u8 {
        let Guards { closed, one_every, cached, .. } = &self.guards;
        u8::from(*cached) + 2 * u8::from(one_every.is_some()) + 4 * u8::from(*closed)
    }

    /// Headers beside `Host`.
    pub fn headers(&self) -> Vec<(String, String)> {
        self.guards.scheme.iter().map(|scheme| ("X-Forwarded-Proto".to_owned(), scheme.clone())).collect()
    }
}
