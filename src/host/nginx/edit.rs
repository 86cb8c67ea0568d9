//! Which upstream leads where, and pointing one at another slot.

use super::{Directive, Malformed, Probe, Upstream, UpstreamServer, parse};
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

/// The plainest request that reaches `upstream`: by HTTP before TLS, by the shortest `location` prefix.
///
/// `texts` are all files of the configuration, since the server block may stand in another file than the upstream.
pub fn probe_for(texts: &[&str], upstream: &str) -> Option<Probe> {
    let mut probes = Vec::new();
    for tree in texts.iter().filter_map(|text| parse(text).ok()) {
        walk(&tree, &mut |directive| {
            if directive.name() == "server" && directive.block.is_some() {
                probes.extend(server_probes(directive, upstream));
            }
        });
    }
    probes.into_iter().min_by_key(|probe| (probe.tls, probe.path.len()))
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

fn server(directive: &Directive) -> Option<UpstreamServer> {
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

fn server_probes(server: &Directive, upstream: &str) -> Vec<Probe> {
    let host = server
        .children("server_name")
        .flat_map(Directive::args)
        .find(|name| !name.is_empty() && *name != "_" && !name.contains(['*', '~', '$']) && !name.starts_with('.'))
        .unwrap_or("localhost");
    let paths = paths_to(server, upstream);
    let listens: Vec<_> = server.children("listen").filter_map(listen).collect();
    let listens = if listens.is_empty() { vec![(80, false)] } else { listens };
    let probe = |(port, tls), path: &String| Probe { port, tls, host: host.to_owned(), path: path.clone() };
    listens.into_iter().flat_map(|listen| paths.iter().map(move |path| probe(listen, path))).collect()
}

/// Paths of the locations (nested ones too) whose `proxy_pass` names the upstream. Regex locations can't be asked for.
fn paths_to(block: &Directive, upstream: &str) -> Vec<String> {
    let mut paths = Vec::new();
    for location in block.children("location") {
        let args: Vec<&str> = location.args().collect();
        let path = match args.as_slice() {
            [path] if !path.starts_with(['@', '~']) => *path,
            ["=" | "^~", path] => *path,
            _ => continue,
        };
        if location.children("proxy_pass").any(|pass| passes_to(pass, upstream)) {
            paths.push(path.to_owned());
        }
        paths.extend(paths_to(location, upstream));
    }
    paths
}

fn passes_to(pass: &Directive, upstream: &str) -> bool {
    let Some(url) = pass.args().next() else { return false };
    let rest = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://")).unwrap_or_default();
    rest.split(['/', ':', '$', '?']).next() == Some(upstream)
}

fn listen(directive: &Directive) -> Option<(u16, bool)> {
    let address = directive.args().next()?;
    let tls = directive.args().any(|arg| arg == "ssl");
    let port = match address.rsplit_once(':') {
        Some((_, port)) if !port.ends_with(']') => port.parse().ok()?,
        Some(_) => 80,
        None => address.parse().unwrap_or(80),
    };
    (!directive.args().any(|arg| arg == "proxy_protocol" || arg == "quic")).then_some((port, tls))
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

    #[test]
    fn the_plainest_probe_is_chosen() {
        let tls =
            "server { listen 443 ssl; server_name _ www.example.com; location /api/ { proxy_pass http://api/; } }";
        let tls_probe = Probe { port: 443, tls: true, host: "www.example.com".into(), path: "/api/".into() };
        assert_eq!(probe_for(&[tls], "api"), Some(tls_probe));
        let both = format!(
            "{tls} server {{ listen 127.0.0.1:8080; location ~ x {{ proxy_pass http://api; }}
            location /deep {{ location /deep/er {{ proxy_pass http://api$request_uri; }} }} }}"
        );
        let plain = Probe { port: 8080, tls: false, host: "localhost".into(), path: "/deep/er".into() };
        assert_eq!(probe_for(&[&both], "api"), Some(plain));
        assert_eq!(probe_for(&[REFERENCE], "other"), None);
    }
}
