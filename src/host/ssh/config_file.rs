//! ssh_config(5), as far as a deploy from a laptop needs it. Pure but for `Include`.
use std::path::{Path, PathBuf};

use super::known_hosts::glob;

/// `Include` in `Include`.
const DEEPEST: u8 = 8;

/// What the file says about one host. As in ssh(1), the first value that is found counts; identity files add up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostBlock {
    /// `HostName`: what to connect to, and to look for in known_hosts.
    pub host_name: Option<String>,
    /// `HostKeyAlias`: the name to look for in known_hosts instead.
    pub host_key_alias: Option<String>,
    /// `User`.
    pub user: Option<String>,
    /// `Port`.
    pub port: Option<u16>,
    /// `IdentityFile`, in order.
    pub identity_files: Vec<PathBuf>,
    /// `IdentitiesOnly yes`.
    pub identities_only: bool,
    /// `ProxyJump`, as written; `none` is kept.
    pub proxy_jump: Option<String>,
    /// `UserKnownHostsFile`.
    pub known_hosts_files: Vec<PathBuf>,
    /// Settings that would change how to connect and that are not followed, such as `ProxyCommand`.
    pub not_followed: Vec<String>,
    seen_only: bool,
}

/// Reads what `text` says about the host that the user calls `host`. `home` is what `~` means.
///
/// `Match` sections other than `Match all` are passed over: their conditions may run commands.
pub fn lookup(text: &str, host: &str, home: &Path) -> HostBlock {
    let mut config = HostBlock::default();
    ConfigReader { host, home }.read(text, &mut config, true, 0);
    config
}

struct ConfigReader<'a> {
    host: &'a str,
    home: &'a Path,
}

impl ConfigReader<'_> {
    fn read(&self, text: &str, config: &mut HostBlock, mut applies: bool, depth: u8) {
        for line in text.lines() {
            let Some((keyword, values)) = split(line) else { continue };
            match keyword.as_str() {
                "host" => applies = self.host_matches(&values),
                "match" => applies = values.len() == 1 && values[0].eq_ignore_ascii_case("all"),
                "include" if applies && depth < DEEPEST => self.include(&values, config, depth),
                _ if applies => self.set(&keyword, &values, config),
                _ => {}
            }
        }
    }

    fn host_matches(&self, patterns: &[String]) -> bool {
        let mut matched = false;
        for pattern in patterns {
            match pattern.strip_prefix('!') {
                Some(not) if glob(not, self.host) => return false,
                Some(_) => {}
                None => matched |= glob(pattern, self.host),
            }
        }
        matched
    }

    fn include(&self, values: &[String], config: &mut HostBlock, depth: u8) {
        for value in values {
            let path = self.path(value, config);
            let path = if path.is_absolute() { path } else { self.home.join(".ssh").join(path) };
            for file in files_like(&path) {
                if let Some(Ok(text)) = std::fs::read(file).ok().map(crate::text::of_file) {
                    self.read(&text, config, true, depth + 1);
                }
            }
        }
    }

    fn set(&self, keyword: &str, values: &[String], config: &mut HostBlock) {
        let Some(first) = values.first() else { return };
        match keyword {
            "hostname" => set_once(&mut config.host_name, first.replace("%h", self.host)),
            "hostkeyalias" => set_once(&mut config.host_key_alias, first.clone()),
            "user" => set_once(&mut config.user, first.clone()),
            "proxyjump" => set_once(&mut config.proxy_jump, first.clone()),
            "port" => config.port = config.port.or_else(|| first.parse().ok()),
            "identityfile" if !first.eq_ignore_ascii_case("none") => {
                let path = self.path(first, config);
                config.identity_files.push(path);
            }
            "identitiesonly" if !config.seen_only => {
                config.identities_only = first.eq_ignore_ascii_case("yes");
                config.seen_only = true;
            }
            "userknownhostsfile" if config.known_hosts_files.is_empty() => {
                config.known_hosts_files = values.iter().map(|v| self.path(v, config)).collect();
            }
            "proxycommand" if !first.eq_ignore_ascii_case("none") => config.not_followed.push("ProxyCommand".into()),
            _ => {}
        }
    }

    /// A path with `~`, `%d`, `%h`, `%n`, `%r` and `%%` replaced.
    fn path(&self, value: &str, config: &HostBlock) -> PathBuf {
        let home = self.home.to_string_lossy();
        let text = match value.strip_prefix("~/") {
            Some(rest) => format!("{home}/{rest}"),
            None => value.to_owned(),
        };
        let host = config.host_name.as_deref().unwrap_or(self.host);
        let user = config.user.as_deref().unwrap_or_default();
        let mut out = String::new();
        let mut rest = text.chars();
        while let Some(c) = rest.next() {
            match (c, if c == '%' { rest.next() } else { None }) {
                ('%', Some('d')) => out.push_str(&home),
                ('%', Some('h')) => out.push_str(host),
                ('%', Some('n')) => out.push_str(self.host),
                ('%', Some('r')) => out.push_str(user),
                ('%', Some('%')) => out.push('%'),
                ('%', Some(other)) => out.extend(['%', other]),
                (c, _) => out.push(c),
            }
        }
        PathBuf::from(out)
    }
}

fn set_once(place: &mut Option<String>, value: String) {
    place.get_or_insert(value);
}

/// Keyword in small letters, and its values; `None` for nothing or a comment.
fn split(line: &str) -> Option<(String, Vec<String>)> {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return None;
    }
    let end = line.find(|c: char| c.is_whitespace() || c == '=')?;
    let (keyword, rest) = line.split_at(end);
    let rest = rest.trim_start();
    let rest = rest.strip_prefix('=').unwrap_or(rest);
    Some((keyword.to_lowercase(), words(rest)))
}

/// Words, some of them in double quotes; a `#` that begins a word ends the line.
fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() && !rest.starts_with('#') {
        let (word, after) = match rest.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').unwrap_or((quoted, "")),
            None => rest.split_once(char::is_whitespace).unwrap_or((rest, "")),
        };
        words.push(word.to_owned());
        rest = after.trim_start();
    }
    words
}

/// The file, or with `*` or `?` in its name the files of its directory that are like it.
fn files_like(path: &Path) -> Vec<PathBuf> {
    let (Some(directory), Some(name)) = (path.parent(), path.file_name().and_then(|n| n.to_str())) else {
        return Vec::new();
    };
    if !name.contains(['*', '?']) {
        return vec![path.to_owned()];
    }
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let mut files: Vec<PathBuf> =
        entries.filter(|e| glob(name, &e.file_name().to_string_lossy())).map(|e| e.path()).collect();
    files.sort();
    files
}

#[cfg(test)]
#[path = "config_file_tests.rs"]
mod tests;
