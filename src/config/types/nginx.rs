//! `nginx`: where requests are moved.

use crate::config::names::EnvName;
use crate::config::names::Name;

/// nginx on the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NginxSettings {
    /// Its compose service.
    pub service: Option<Name>,
    /// Its container, which is none of the compose project.
    pub container: Option<Name>,
    /// It runs on the host itself.
    pub on_host: bool,
    /// The conf file with the upstreams, on the host, relative to `directory` or absolute.
    pub conf: Option<String>,
    /// Whether cutover may add its file with `keepalive_min_timeout`.
    pub keepalive_guard: bool,
    /// How it is asked, where what is found out does not do.
    pub probe: ProbeStated,
}

/// What a request through nginx has beside, or instead of, what is found out.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ProbeStated {
    /// The path.
    pub path: Option<String>,
    /// The Host header, and TLS server name.
    pub host: Option<String>,
    /// The variable that holds more headers, one `Name: value` a line.
    pub headers_env: Option<EnvName>,
}
