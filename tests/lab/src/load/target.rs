//! Where load may go: an `http://` URL whose address is the lab's own or loopback; anything else is refused.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use anyhow::{Context, Result, bail};

/// A parsed and permitted target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    /// Where to connect.
    pub(crate) address: SocketAddr,
    /// The `Host` header.
    pub(crate) host: String,
    /// The path, at least `/`.
    pub(crate) path: String,
}

impl Target {
    /// Parses `http://IP[:PORT][/PATH]`; `localhost` is 127.0.0.1.
    pub(crate) fn parse(url: &str) -> Result<Target> {
        let rest = url.strip_prefix("http://").with_context(|| format!("not an http:// URL: {url}"))?;
        let (host, path) = rest.find('/').map_or((rest, "/"), |at| rest.split_at(at));
        let address = parse_address(host).with_context(|| format!("no address in {url}"))?;
        if !is_permitted(address.ip()) {
            bail!("{} is not an address of the lab: load goes to 198.18.0.0/15 and loopback only", address.ip());
        }
        Ok(Target { address, host: host.to_owned(), path: path.to_owned() })
    }
}

fn parse_address(host: &str) -> Option<SocketAddr> {
    let host = host.replace("localhost", "127.0.0.1");
    let ip = || host.trim_matches(['[', ']']).parse::<IpAddr>().ok().map(|ip| SocketAddr::new(ip, 80));
    host.parse().ok().or_else(ip)
}

fn is_permitted(ip: IpAddr) -> bool {
    let lab = |ip: Ipv4Addr| ip.octets()[0] == 198 && matches!(ip.octets()[1], 18 | 19);
    ip.is_loopback() || matches!(ip, IpAddr::V4(ip) if lab(ip))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lab_and_loopback_addresses_are_permitted() {
        let target = Target::parse("http://198.18.0.10/api/").expect("permitted");
        assert_eq!((target.address.to_string().as_str(), target.path.as_str()), ("198.18.0.10:80", "/api/"));
        for url in ["http://127.0.0.1:8080", "http://localhost:1", "http://[::1]:80/", "http://198.19.255.255"] {
            Target::parse(url).expect(url);
        }
    }

    #[test]
    fn every_other_address_is_refused() {
        for url in ["http://198.20.0.1", "http://192.0.2.1:80/", "http://example.com", "https://127.0.0.1", "http://"] {
            Target::parse(url).expect_err(url);
        }
    }
}
