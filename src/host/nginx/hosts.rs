//! Under which names and on which ports a server block can be asked.

use super::tree::Node;

/// Names to try: a few are enough, since each costs a request.
const MOST: usize = 3;

/// `Host` headers that a server block takes, most likely first; `localhost` where it names none.
pub(super) fn hosts(server: &Node<'_>) -> Vec<String> {
    let wanted = server.named("if").filter_map(|condition| {
        let text = condition.args().join(" ");
        let text = text.trim_start_matches('(').trim_end_matches(')').trim();
        let rest = text.strip_prefix("$host").or_else(|| text.strip_prefix("$http_host"))?.trim();
        let (sign, value) = rest.split_once(' ')?;
        let value = value.trim().trim_matches(['"', '\'']);
        match sign {
            "!=" => plain(value),
            "!~" | "!~*" => plain(&format!("~{value}")),
            _ => None,
        }
    });
    let named = server.named("server_name").flat_map(|names| names.args()).filter_map(plain);
    let mut all: Vec<String> = Vec::new();
    for host in wanted.chain(named) {
        if !all.contains(&host) && all.len() < MOST {
            all.push(host);
        }
    }
    if all.is_empty() { vec!["localhost".to_owned()] } else { all }
}

/// A host that a name of ngx_http_core_module's `server_name` takes: exact, with a wildcard, or a regex that is simple.
fn plain(name: &str) -> Option<String> {
    let host = if let Some(regex) = name.strip_prefix('~') {
        from_regex(regex)?
    } else if let Some(rest) = name.strip_prefix('.') {
        rest.to_owned()
    } else {
        name.strip_prefix("*.").map_or_else(|| name.to_owned(), |rest| format!("www.{rest}")).replace(".*", ".com")
    };
    let good = |c: char| c.is_ascii_alphanumeric() || ".-:".contains(c);
    (!host.is_empty() && host.chars().all(good) && host != "_").then_some(host)
}

/// A text that the regex takes, where it is made of plain letters, groups and `.+` or alike.
fn from_regex(regex: &str) -> Option<String> {
    let mut rest = regex.trim_start_matches('*').trim_start_matches('^').trim_end_matches('$');
    let mut host = String::new();
    while let Some(c) = rest.chars().next() {
        let taken = match c {
            '\\' => {
                host.push(rest.chars().nth(1).filter(|c| ".-".contains(*c))?);
                2
            }
            '(' => {
                let end = rest.find(')')?;
                let inner = rest[1..end].trim_start_matches("?:");
                let inner = inner.split_once('>').map_or(inner, |(_, inner)| inner);
                let first = inner.split('|').next().unwrap_or_default();
                if !rest[end + 1..].starts_with('?') {
                    host.push_str(&if first.contains(['.', '[', '+', '*']) {
                        "www".to_owned()
                    } else {
                        from_regex(first)?
                    });
                }
                end + 1 + usize::from(rest[end + 1..].starts_with(['?', '+', '*']))
            }
            '[' => {
                let end = rest.find(']')?;
                host.push_str("www");
                end + 1 + usize::from(rest[end + 1..].starts_with(['+', '*']))
            }
            '.' if rest[1..].starts_with(['+', '*']) => {
                host.push_str("www");
                2
            }
            c if c.is_ascii_alphanumeric() || c == '-' => {
                host.push(c);
                1
            }
            _ => return None,
        };
        rest = &rest[taken..];
    }
    Some(host)
}

/// Ports that it listens on, each with whether it speaks TLS; 80 where it says nothing.
pub(super) fn listens(server: &Node<'_>) -> Vec<(u16, bool)> {
    let mut all: Vec<(u16, bool)> = Vec::new();
    let mut any = false;
    for directive in server.named("listen") {
        any = true;
        if let Some(listen) = listen(&directive.args()).filter(|listen| !all.contains(listen)) {
            all.push(listen);
        }
    }
    if any { all } else { vec![(80, false)] }
}

fn listen(args: &[&str]) -> Option<(u16, bool)> {
    let address = args.first()?;
    let port = match address.rsplit_once(':') {
        Some(("unix", _)) => return None,
        Some((_, port)) if !port.ends_with(']') => port.parse().ok()?,
        Some(_) => 80,
        None => address.parse().unwrap_or(80),
    };
    (!args.iter().any(|arg| matches!(*arg, "proxy_protocol" | "quic"))).then_some((port, args.contains(&"ssl")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_becomes_a_host_that_it_takes() {
        for (name, host) in [
            ("shop.example", Some("shop.example")),
            ("*.example.com", Some("www.example.com")),
            (".example.com", Some("example.com")),
            ("www.example.*", Some("www.example.com")),
            (r"~^(?<sub>.+)\.example\.com$", Some("www.example.com")),
            (r"~^(www\.)?shop\.example$", Some("shop.example")),
            (r"~^(a|b)-[0-9]+\.x$", Some("a-www.x")),
            ("_", None),
            ("", None),
            ("$hostname", None),
        ] {
            assert_eq!(plain(name).as_deref(), host, "{name}");
        }
    }
}
