//! known_hosts, read as sshd(8) "SSH_KNOWN_HOSTS FILE FORMAT" says. Pure: texts in, verdict out.
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use russh::keys::{HashAlg, PublicKey};
use sha1::Sha1;

/// What known_hosts says about a host's key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyVerdict {
    /// A line has this key for this host.
    Trusted {
        /// Line number, from 1.
        line: usize,
    },
    /// No line has a key for this host.
    Unknown,
    /// There are keys for this host, and this is none of them.
    Mismatch {
        /// Those keys.
        expected: Vec<Known>,
    },
    /// The key is marked `@revoked`: this beats every other line.
    Revoked {
        /// Line number, from 1.
        line: usize,
    },
}

/// A key of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// Line number, from 1.
    pub line: usize,
    /// The key.
    pub key: PublicKey,
}

/// What `text` says about `key` for the host that the user calls `host`.
///
/// As in ssh(1), a key that is known for the name without a port is accepted on another port, if that port has no key
/// of its own.
pub fn verdict(text: &str, host: &str, port: u16, key: &PublicKey) -> KeyVerdict {
    if let Some(line) = revoked(text, host, port, key) {
        return KeyVerdict::Revoked { line };
    }
    let (own, bare) = (lookup_name(host, port), lookup_name(host, 22));
    let expected = keys(text, Mark::None, &own);
    if expected.is_empty() && own != bare {
        return match find(&keys(text, Mark::None, &bare), key) {
            Some(line) => KeyVerdict::Trusted { line },
            None => KeyVerdict::Unknown,
        };
    }
    match find(&expected, key) {
        Some(line) => KeyVerdict::Trusted { line },
        None if expected.is_empty() => KeyVerdict::Unknown,
        None => KeyVerdict::Mismatch { expected },
    }
}

/// The keys that `text` has for the host itself, in the order of the lines.
pub fn host_keys(text: &str, host: &str, port: u16) -> Vec<Known> {
    own_or_bare(text, Mark::None, host, port)
}

/// The keys of the authorities (`@cert-authority`) that may sign for the host.
pub fn authorities(text: &str, host: &str, port: u16) -> Vec<Known> {
    own_or_bare(text, Mark::Authority, host, port)
}

/// The line, from 1, that marks the key `@revoked` for this host, by its name with or without the port.
pub fn revoked(text: &str, host: &str, port: u16, key: &PublicKey) -> Option<usize> {
    [lookup_name(host, port), lookup_name(host, 22)].iter().find_map(|name| find(&keys(text, Mark::Revoked, name), key))
}

/// The line that makes `key` known for this host.
pub fn line_for(host: &str, port: u16, key: &PublicKey) -> String {
    let blob = STANDARD.encode(key.to_bytes().unwrap_or_default());
    format!("{} {} {blob}", lookup_name(host, port), key.algorithm().as_str())
}

/// The name that a line must have: `host`, or `[host]:port` if the port is not 22.
fn lookup_name(host: &str, port: u16) -> String {
    let host = host.to_lowercase();
    if port == 22 { host } else { format!("[{host}]:{port}") }
}

fn own_or_bare(text: &str, mark: Mark, host: &str, port: u16) -> Vec<Known> {
    let own = keys(text, mark, &lookup_name(host, port));
    if own.is_empty() { keys(text, mark, &lookup_name(host, 22)) } else { own }
}

fn find(known: &[Known], key: &PublicKey) -> Option<usize> {
    known.iter().find(|k| k.key.key_data() == key.key_data()).map(|k| k.line)
}

fn keys(text: &str, mark: Mark, name: &str) -> Vec<Known> {
    let line = |(at, text)| KnownHostsLine::parse(text).map(|line| (at, line));
    (1..)
        .zip(text.lines())
        .filter_map(line)
        .filter(|(_, line)| line.mark == mark && names_match(line.names, name))
        .filter_map(|(at, line)| Some(Known { line: at, key: line.key()? }))
        .collect()
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mark {
    None,
    Authority,
    Revoked,
}

struct KnownHostsLine<'a> {
    mark: Mark,
    names: &'a str,
    algorithm: &'a str,
    blob: &'a str,
}

impl<'a> KnownHostsLine<'a> {
    /// `None` for an empty line, a comment, and what ssh(1) would skip too.
    fn parse(text: &'a str) -> Option<Self> {
        // a byte order mark is where files that had one were joined, too
        let text = text.trim_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
        if text.starts_with('#') {
            return None;
        }
        let mut words = text.split_whitespace();
        let first = words.next()?;
        let (mark, names) = match first {
            "@cert-authority" => (Mark::Authority, words.next()?),
            "@revoked" => (Mark::Revoked, words.next()?),
            other if other.starts_with('@') => return None,
            names => (Mark::None, names),
        };
        Some(KnownHostsLine { mark, names, algorithm: words.next()?, blob: words.next()? })
    }

    fn key(&self) -> Option<PublicKey> {
        let key = PublicKey::from_bytes(&STANDARD.decode(self.blob).ok()?).ok()?;
        (key.algorithm().as_str() == self.algorithm).then_some(key)
    }
}

fn names_match(names: &str, name: &str) -> bool {
    if let Some(hashed) = names.strip_prefix("|1|") {
        return hash_matches(hashed, name) == Some(true);
    }
    let mut matched = false;
    for pattern in names.split(',') {
        match pattern.strip_prefix('!') {
            Some(not) if glob(not, name) => return false,
            Some(_) => {}
            None => matched |= glob(pattern, name),
        }
    }
    matched
}

fn hash_matches(hashed: &str, name: &str) -> Option<bool> {
    let (salt, hash) = hashed.split_once('|')?;
    let (salt, hash) = (STANDARD.decode(salt).ok()?, STANDARD.decode(hash).ok()?);
    let mut mac = Hmac::<Sha1>::new_from_slice(&salt).ok()?;
    mac.update(name.as_bytes());
    Some(mac.verify_slice(&hash).is_ok())
}

/// `*` and `?` as in ssh_config(5) PATTERNS, letters of either case. Linear in the text for each `*`.
pub(super) fn glob(pattern: &str, text: &str) -> bool {
    let pattern: Vec<char> = pattern.to_lowercase().chars().collect();
    let text: Vec<char> = text.to_lowercase().chars().collect();
    let (mut p, mut t, mut star) = (0, 0, None);
    while t < text.len() {
        if pattern.get(p) == Some(&'*') {
            star = Some((p, t));
            p += 1;
        } else if pattern.get(p).is_some_and(|c| *c == '?' || *c == text[t]) {
            (p, t) = (p + 1, t + 1);
        } else if let Some((at, from)) = star {
            star = Some((at, from + 1));
            (p, t) = (at + 1, from + 1);
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

/// `SHA256:…` as ssh-keygen(1) `-l` prints it.
pub(super) fn fingerprint(key: &PublicKey) -> String {
    key.fingerprint(HashAlg::Sha256).to_string()
}

#[cfg(test)]
#[path = "known_hosts_tests.rs"]
mod tests;
