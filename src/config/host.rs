//! Where a host is: `[USER@]NAME[:PORT]`.
use super::names::Name;
use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;

/// A host that the release goes to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct HostSettings {
    /// Where it is.
    pub address: Address,
    /// What it is called in reports; without one, its name.
    pub alias: Option<Name>,
}

impl HostSettings {
    /// What reports call it.
    pub fn label(&self) -> &str {
        self.alias.as_ref().map_or(&self.address.name, Name::as_str)
    }
}

/// `[USER@]NAME[:PORT]`; an IPv6 address stands in brackets when a port follows.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Address {
    /// The user to log in as; `None`: as `~/.ssh/config` says, else the local user.
    pub user: Option<String>,
    /// A DNS name, an address, or a name that `~/.ssh/config` knows. Without brackets.
    pub name: String,
    /// The port; `None`: as `~/.ssh/config` says, else 22.
    pub port: Option<u16>,
}

impl FromStr for Address {
    type Err = String;

    /// The error says what was expected.
    fn from_str(text: &str) -> Result<Self, String> {
        parse(text).ok_or_else(|| "USER@HOST or USER@HOST:PORT, such as deploy@203.0.113.10".to_owned())
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(user) = &self.user {
            write!(f, "{user}@")?;
        }
        match (self.port, self.name.contains(':')) {
            (Some(port), true) => write!(f, "[{}]:{port}", self.name),
            (Some(port), false) => write!(f, "{}:{port}", self.name),
            (None, _) => f.write_str(&self.name),
        }
    }
}

fn parse(text: &str) -> Option<Address> {
    let (user, rest) = match text.rsplit_once('@') {
        Some((user, rest)) => (Some(user), rest),
        None => (None, text),
    };
    if user.is_some_and(|u| !user_is_good(u)) {
        return None;
    }
    let (name, port) = name_and_port(rest)?;
    let port = port.map(|p| p.parse::<u16>().ok().filter(|n| *n > 0 && p.bytes().all(|b| b.is_ascii_digit())));
    if port == Some(None) || !host_is_good(name) {
        return None;
    }
    Some(Address { user: user.map(str::to_owned), name: name.to_owned(), port: port.flatten() })
}

fn name_and_port(rest: &str) -> Option<(&str, Option<&str>)> {
    if let Some(bracketed) = rest.strip_prefix('[') {
        let (name, after) = bracketed.split_once(']')?;
        name.parse::<Ipv6Addr>().ok()?;
        return if after.is_empty() { Some((name, None)) } else { Some((name, Some(after.strip_prefix(':')?))) };
    }
    if rest.parse::<Ipv6Addr>().is_ok() {
        return Some((rest, None));
    }
    match rest.split_once(':') {
        Some((name, port)) => Some((name, Some(port))),
        None => Some((rest, None)),
    }
}

/// What useradd takes, capitals and dots too; never a leading `-`.
fn user_is_good(user: &str) -> bool {
    !user.starts_with('-')
        && !user.is_empty()
        && user.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-' | b'\\' | b'+'))
}

fn host_is_good(name: &str) -> bool {
    name.parse::<Ipv6Addr>().is_ok()
        || (name.len() <= 253
            && name.split('.').all(|label| {
                !label.is_empty()
                    && !label.starts_with('-')
                    && label.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
            }))
}

/// A name for which certbot gets a certificate: of several parts, and no address.
///
/// # Errors
/// What is expected.
pub fn domain(text: &str) -> Result<String, String> {
    let is_name = host_is_good(text) && !text.contains('_') && text.contains('.');
    let is_address = text.rsplit('.').next().is_some_and(|last| last.bytes().all(|byte| byte.is_ascii_digit()));
    match is_name && !is_address {
        true => Ok(text.to_ascii_lowercase()),
        false => Err("expected a name such as shop.example.com".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_domain_is_a_name_of_several_parts() {
        assert_eq!(domain("Shop.example.com").as_deref(), Ok("shop.example.com"));
        for text in [
            "",
            "shop",
            "203.0.113.9",
            "::1",
            "a;b.example",
            "$(id).example",
            "bad domain.example",
            "-a.example",
            "a..b",
        ] {
            domain(text).expect_err(text);
        }
    }

    #[test]
    fn addresses_are_read_and_shown_alike() {
        for text in ["h", "deploy@203.0.113.10", "deploy@example.com:2222", "u@[::1]:22", "u@fe80::1", "prod_1"] {
            assert_eq!(text.parse::<Address>().expect(text).to_string(), text);
        }
        assert_eq!("u@[::1]".parse::<Address>().unwrap().to_string(), "u@::1");
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in [
            "",
            "@h",
            "u@",
            "u@h:",
            "u@h:0",
            "u@h:+1",
            "u@h:99999",
            "-oProxyCommand=id",
            "u@-x",
            "-u@h",
            "ssh://u@h",
            "u@h h",
            "u@h:22:22",
            "a@b@c",
            "h/x",
            "h;id",
            "u@[::1",
            "u@[x]:1",
            "h\n",
            "a..b",
            "deploy:pass@h",
        ] {
            assert!(text.parse::<Address>().is_err(), "{text:?}");
        }
    }
}
