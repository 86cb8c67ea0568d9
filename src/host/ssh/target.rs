//! Who and where to connect to: `user@host:port`.
use std::fmt;
use std::str::FromStr;

/// A host to connect to. Parts that are not stated come from `~/.ssh/config` or are the defaults of ssh(1).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Target {
    /// Login name; the local user's name when `None`.
    pub user: Option<String>,
    /// Host name or address, as the user typed it, without brackets.
    pub host: String,
    /// TCP port; 22 when `None`.
    pub port: Option<u16>,
}

/// Why a text is not a [`Target`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetError {
    text: String,
    problem: &'static str,
}

impl fmt::Display for TargetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = crate::report::text::one_line(&self.text, 100);
        write!(f, "`{text}` is not an SSH host: {}; expected `user@host` or `user@host:port`", self.problem)
    }
}

impl std::error::Error for TargetError {}

impl FromStr for Target {
    type Err = TargetError;

    /// Reads `host`, `user@host:port`, `user@[::1]:2222`, `::1` or `ssh://user@host:port`.
    fn from_str(text: &str) -> Result<Self, TargetError> {
        parse(text).map_err(|problem| TargetError { text: without_password(text), problem })
    }
}

/// What may be shown of a text that somebody put a password into.
fn without_password(text: &str) -> String {
    match text.rsplit_once('@') {
        Some((before, host)) => {
            let scheme = if before.starts_with("ssh://") { "ssh://" } else { "" };
            let user = before.strip_prefix("ssh://").unwrap_or(before);
            match user.split_once(':') {
                Some((user, _)) => format!("{scheme}{user}:…@{host}"),
                None => text.to_owned(),
            }
        }
        None => text.to_owned(),
    }
}

fn parse(text: &str) -> Result<Target, &'static str> {
    let text = text.trim();
    let rest = text.strip_prefix("ssh://").map(|t| t.strip_suffix('/').unwrap_or(t)).unwrap_or(text);
    if rest.contains("://") {
        return Err("only `ssh://` is known");
    }
    let (user, place) = match rest.rsplit_once('@') {
        Some((user, place)) => (Some(checked_user(user)?), place),
        None => (None, rest),
    };
    let (host, port) = split_port(place)?;
    checked_host(host)?;
    let port = port.map(checked_port).transpose()?;
    Ok(Target { user: user.map(str::to_owned), host: host.to_owned(), port })
}

fn checked_user(user: &str) -> Result<&str, &'static str> {
    match user {
        "" => Err("the user before `@` is missing"),
        u if u.contains(':') => Err("a password cannot be stated here"),
        u if u.starts_with('-') => Err("a user cannot start with `-`"),
        u if u.chars().any(|c| c.is_whitespace() || c.is_control()) => Err("the user has a space in it"),
        u => Ok(u),
    }
}

fn split_port(place: &str) -> Result<(&str, Option<&str>), &'static str> {
    if let Some(rest) = place.strip_prefix('[') {
        let (host, after) = rest.split_once(']').ok_or("the `]` is missing")?;
        return match after.strip_prefix(':') {
            Some(port) => Ok((host, Some(port))),
            None if after.is_empty() => Ok((host, None)),
            None => Err("only `:port` may follow `]`"),
        };
    }
    match place.split_once(':') {
        Some((_, port)) if port.contains(':') => Ok((place, None)),
        Some((host, port)) => Ok((host, Some(port))),
        None => Ok((place, None)),
    }
}

fn checked_host(host: &str) -> Result<(), &'static str> {
    let is_address = host.parse::<std::net::IpAddr>().is_ok();
    match host {
        "" => Err("the host is missing"),
        h if h.starts_with('-') => Err("a host cannot start with `-`"),
        h if h.contains('/') => Err("a path cannot be stated here"),
        h if h.contains(':') && !is_address && !h.contains('%') => Err("this is no IPv6 address"),
        h if h.chars().any(|c| c.is_whitespace() || c.is_control()) => Err("the host has a space in it"),
        h if h.chars().any(|c| "\\'\"`$;&|<>()*?!,@[]{}#".contains(c)) => {
            Err("the host has a character that no host name has")
        }
        _ => Ok(()),
    }
}

fn checked_port(port: &str) -> Result<u16, &'static str> {
    match port.parse::<u16>() {
        Ok(0) | Err(_) => Err("the port must be a number from 1 to 65535"),
        Ok(port) => Ok(port),
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(user) = &self.user {
            write!(f, "{user}@")?;
        }
        match (self.port, self.host.contains(':')) {
            (Some(port), true) => write!(f, "[{}]:{port}", self.host),
            (Some(port), false) => write!(f, "{}:{port}", self.host),
            (None, true) => write!(f, "[{}]", self.host),
            (None, false) => f.write_str(&self.host),
        }
    }
}

/// `host:port`, with brackets around an IPv6 address.
pub(super) fn place(host: &str, port: u16) -> String {
    Target { user: None, host: host.to_owned(), port: Some(port) }.to_string()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn targets_are_read_as_people_write_them() {
        for (text, user, host, port) in [
            ("host", None, "host", None),
            (" deploy@203.0.113.10 ", Some("deploy"), "203.0.113.10", None),
            ("deploy@host:2222", Some("deploy"), "host", Some(2222)),
            ("user@[::1]:2222", Some("user"), "::1", Some(2222)),
            ("[::1]", None, "::1", None),
            ("::1", None, "::1", None),
            ("fe80::1%eth0", None, "fe80::1%eth0", None),
            ("ssh://deploy@host:22/", Some("deploy"), "host", Some(22)),
            ("first.last@host", Some("first.last"), "host", None),
            ("me@corp@host", Some("me@corp"), "host", None),
        ] {
            let target: Target = text.parse().unwrap();
            assert_eq!(target, Target { user: user.map(str::to_owned), host: host.to_owned(), port }, "{text}");
            assert_eq!(target.to_string().parse::<Target>().unwrap(), target, "{text}");
        }
    }

    #[test]
    fn what_is_no_target_says_why() {
        for (text, problem) in [
            ("", "the host is missing"),
            ("@host", "the user before `@` is missing"),
            ("user@", "the host is missing"),
            ("user@host:", "the port must be"),
            ("user@host:0", "the port must be"),
            ("user@host:70000", "the port must be"),
            ("host:ssh", "the port must be"),
            ("[::1", "the `]` is missing"),
            ("[::1]x", "only `:port` may follow"),
            ("a:b:c", "no IPv6 address"),
            ("host/path", "a path"),
            ("ssh://host/path", "a path"),
            ("https://host", "only `ssh://`"),
            ("-oProxyCommand=x", "cannot start with `-`"),
            ("a b", "a space"),
            ("$(id)", "a character that no host name has"),
        ] {
            let said = text.parse::<Target>().unwrap_err().to_string();
            assert!(said.contains(problem), "{text}: {said}");
        }
    }

    #[test]
    fn a_password_in_a_target_is_not_repeated() {
        for text in ["user:hunter2@host", "ssh://user:hunter2@host"] {
            let said = text.parse::<Target>().unwrap_err().to_string();
            assert!(said.contains("a password cannot") && !said.contains("hunter2"), "{said}");
        }
    }
}
