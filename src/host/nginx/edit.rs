//! Which upstream leads where, and pointing one at another slot.

use super::{Directive, Malformed, Upstream, UpstreamServer, parse};
use std::fmt;

/// Why an upstream could not be pointed at a slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotPointed {
    /// The text cannot be read.
    Malformed(Malformed),
    /// No upstream of that name.
    NoUpstream(String),
    /// The upstream has no `server` line with one of the hosts.
    NoServer {
        /// The upstream looked at.
        upstream: String,
        /// The hosts looked for.
        hosts: Vec<String>,
    },
}

impl fmt::Display for NotPointed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NotPointed::Malformed(why) => why.fmt(f),
            NotPointed::NoUpstream(name) => write!(f, "there is no `upstream {name}`"),
            NotPointed::NoServer { upstream, hosts } => {
                write!(f, "`upstream {upstream}` has no `server` line for {}", hosts.join(" or "))
            }
        }
    }
}

impl std::error::Error for NotPointed {}

/// Every upstream of the text, in blocks of any depth.
pub fn upstreams(text: &str) -> Result<Vec<Upstream>, Malformed> {
    let mut found = Vec::new();
    walk(&parse(text)?, &mut |directive| {
        if directive.name() == "upstream" && directive.block.is_some() {
            found.push(upstream(directive));
        }
    });
    Ok(found)
}

/// The text with `server FROM…` in `upstream` made `server TO…`, for every FROM of `hosts`; port and parameters stay,
/// and so does every other byte. Text that already says so comes back as it is.
pub fn point(text: &str, upstream: &str, hosts: &[&str], to: &str) -> Result<String, NotPointed> {
    let all = upstreams(text).map_err(NotPointed::Malformed)?;
    let upstream =
        all.iter().find(|u| u.name == upstream).ok_or_else(|| NotPointed::NoUpstream(upstream.to_owned()))?;
    let mut out = text.to_owned();
    let mut any = false;
    for server in upstream.servers.iter().rev().filter(|s| hosts.contains(&s.host.as_str()) || s.host == to) {
        out.replace_range(server.host_at.0..server.host_at.1, to);
        any = true;
    }
    if !any {
        let hosts = hosts.iter().map(|host| (*host).to_owned()).collect();
        return Err(NotPointed::NoServer { upstream: upstream.name.clone(), hosts });
    }
    Ok(out)
}

fn walk(tree: &[Directive], visit: &mut dyn FnMut(&Directive)) {
    for directive in tree {
        visit(directive);
        walk(directive.block.as_deref().unwrap_or_default(), visit);
    }
}

fn upstream(directive: &Directive) -> Upstream {
    Upstream {
        name: directive.args().next().unwrap_or_default().to_owned(),
        servers: directive.children("server").filter_map(server).collect(),
    }
}

pub(super) fn server(directive: &Directive) -> Option<UpstreamServer> {
    let word = directive.words.get(1).filter(|word| !word.text.starts_with("unix:"))?;
    let bracketed = word.text.starts_with('[');
    let split = if bracketed { word.text.find("]:").map(|at| at + 1) } else { word.text.rfind(':') };
    let host = &word.text[..split.unwrap_or(word.text.len())];
    let port = split.map_or(Some(80), |at| word.text[at + 1..].parse().ok())?;
    Some(UpstreamServer {
        host: host.to_owned(),
        port,
        spare: directive.args().any(|arg| arg == "down" || arg == "backup"),
        host_at: (word.start, word.start + host.len()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const REFERENCE: &str = "upstream backend-api {\n  server blue:3001; \n}\n\nserver {\n  listen 80;\n  listen [::]:80;\n\n  location / {\n    proxy_pass http://backend-api; # to blue\n  }\n}\n";

    #[test]
    fn only_the_server_address_changes() {
        let green = point(REFERENCE, "backend-api", &["blue", "green"], "green").expect("points");
        assert_eq!(green, REFERENCE.replace("server blue:3001", "server green:3001"));
        assert_eq!(point(&green, "backend-api", &["blue", "green"], "green").expect("points"), green);
        assert_eq!(point(&green, "backend-api", &["blue", "green"], "blue").expect("points"), REFERENCE);
    }

    #[test]
    fn parameters_comments_and_other_upstreams_stay() {
        let text = "upstream a { # blue\n server blue:1 max_fails=0;\n keepalive 8; }\nupstream b { server blue:2; }";
        let expected =
            "upstream a { # blue\n server green:1 max_fails=0;\n keepalive 8; }\nupstream b { server blue:2; }";
        assert_eq!(point(text, "a", &["blue", "green"], "green").as_deref(), Ok(expected));
    }

    #[test]
    fn what_cannot_be_pointed_says_why() {
        let message = |text, upstream| point(text, upstream, &["blue", "green"], "green").expect_err("no").to_string();
        assert_eq!(message(REFERENCE, "other"), "there is no `upstream other`");
        assert_eq!(
            message("upstream a { server evergreen:1; }", "a"),
            "`upstream a` has no `server` line for blue or green"
        );
    }

    #[test]
    fn servers_are_read_with_and_without_a_port() {
        let text =
            "http { upstream a { server blue; server [::1]:81 backup; server unix:/x; server \"green:3\" down; } }";
        let found = upstreams(text).expect("reads").remove(0).servers;
        let found: Vec<_> = found.iter().map(|s| (s.host.as_str(), s.port, s.spare)).collect();
        assert_eq!(found, [("blue", 80, false), ("[::1]", 81, true), ("green", 3, true)]);
    }
}
