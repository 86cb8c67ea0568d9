//! The upstreams of a text, and what a text says whatever its spaces and comments are.

use super::{Directive, Malformed, Upstream, UpstreamServer, parse};

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

/// What a text says: its directives, without comments and with one space between words. `None`: it can't be read.
pub fn says(text: &str) -> Option<String> {
    fn one(directive: &Directive) -> String {
        let words: Vec<&str> = directive.words.iter().map(|word| word.text.as_str()).collect();
        let block = directive.block.as_ref().map(|block| format!(" {{ {} }}", all(block)));
        format!("{}{}", words.join(" "), block.unwrap_or_else(|| ";".to_owned()))
    }
    fn all(tree: &[Directive]) -> String {
        tree.iter().map(one).collect::<Vec<_>>().join(" ")
    }
    parse(text).ok().map(|tree| all(&tree))
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

/// A port as it is usually written. One that is written in another way (`080`) belongs to no name that a release may change.
pub(super) fn port(text: &str) -> Option<u16> {
    text.parse().ok().filter(|port: &u16| port.to_string() == text)
}

pub(super) fn server(directive: &Directive) -> Option<UpstreamServer> {
    let word = directive.words.get(1).filter(|word| !word.text.starts_with("unix:"))?;
    let bracketed = word.text.starts_with('[');
    let split = if bracketed { word.text.find("]:").map(|at| at + 1) } else { word.text.rfind(':') };
    let split = split.and_then(|at| Some((at, port(&word.text[at + 1..])?)));
    let host = &word.text[..split.map_or(word.text.len(), |(at, _)| at)];
    let port = split.map_or(80, |(_, port)| port);
    Some(UpstreamServer {
        host: host.to_owned(),
        port,
        spare: directive.args().any(|arg| arg == "down" || arg == "backup"),
        has_port: split.is_some(),
        address_at: (word.start, word.end),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_text_says_has_neither_comments_nor_spaces() {
        let text = "# the blue one\nupstream  a {\n server blue:1; # here\n}\n";
        assert_eq!(says(text).as_deref(), Some("upstream a { server blue:1; }"));
        assert_eq!(says("upstream a {"), None);
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
