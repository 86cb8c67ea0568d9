//! Where requests go: each location that passes them on, and the words that say whereto.

use super::guards::{Guards, guards};
use super::hosts::{hosts, listens};
use super::target::{Target, targets};
use super::tree::{Node, Place, Span, expand, read, sources};
use super::{Probe, Upstream, edit};
use std::collections::BTreeSet;

/// What a configuration does with requests.
#[derive(Debug, Clone, Default)]
pub struct Routes {
    /// Every location that passes requests on, in the order of the files.
    pub passes: Vec<Pass>,
    /// Every upstream, and where the address of each of its `server` lines stands.
    pub upstreams: Vec<(Upstream, Vec<Span>)>,
}

/// A location that passes requests on.
#[derive(Debug, Clone)]
pub struct Pass {
    /// As it is written: `location /api/`.
    pub location: String,
    /// Where its `proxy_pass` or alike stands.
    pub place: Place,
    /// Whereto; several where a variable has several values, none where that can't be told.
    pub targets: Vec<Target>,
    /// How it can be asked for, plainest first; none for a regex that has no plain beginning.
    pub probes: Vec<Probe>,
}

impl Routes {
    /// Reads all files of a configuration: path as nginx has it, and text.
    pub fn of(files: &[(String, String)]) -> Routes {
        let sources = sources(files);
        let tree = expand(&sources);
        let mut routes = Routes::default();
        visit(&tree, &mut vec![&tree], &mut routes);
        routes
    }

    /// Requests that lead where `leads` says: unguarded before guarded, plain HTTP before TLS, short paths before long ones.
    pub fn probes(&self, leads: impl Fn(&Pass, &Target) -> bool) -> Vec<Probe> {
        let ours = |pass: &&Pass| pass.targets.iter().any(|target| leads(pass, target));
        let mut probes: Vec<Probe> =
            self.passes.iter().filter(ours).flat_map(|pass| pass.probes.iter().cloned()).collect();
        probes.sort_by_key(|probe| (probe.weight(), probe.tls, probe.path.len()));
        let mut seen = BTreeSet::new();
        probes.retain(|probe| seen.insert((probe.port, probe.tls, probe.host.clone(), probe.path.clone())));
        probes
    }

    /// Whether a configuration of these files reads the one of this path.
    pub fn reads(files: &[(String, String)], path: &str) -> bool {
        read(&sources(files)).contains(path)
    }

    /// The upstream of this name.
    pub fn upstream(&self, name: &str) -> Option<&(Upstream, Vec<Span>)> {
        self.upstreams.iter().find(|(upstream, _)| upstream.name == name)
    }
}

/// Walks to the upstreams and server blocks; `above` are the levels around, outermost first.
fn visit<'n, 'a>(level: &'n [Node<'a>], above: &mut Vec<&'n [Node<'a>]>, routes: &mut Routes) {
    for node in level.iter().filter(|node| node.is_block()) {
        match node.name() {
            "stream" | "mail" => {}
            "upstream" => routes.upstreams.push(upstream(node)),
            "server" => {
                above.push(&node.children);
                server(node, above, routes);
                above.pop();
            }
            _ => {
                above.push(&node.children);
                visit(&node.children, above, routes);
                above.pop();
            }
        }
    }
}

fn upstream(node: &Node<'_>) -> (Upstream, Vec<Span>) {
    let servers = node.named("server").filter_map(|each| {
        let server = edit::server(each.directive())?;
        let (start, end) = server.address_at;
        Some((server, each.span(start, end)))
    });
    let (servers, spans) = servers.unzip();
    (Upstream { name: node.args().first().copied().unwrap_or_default().to_owned(), servers }, spans)
}

fn server<'n, 'a>(node: &'n Node<'a>, above: &mut Vec<&'n [Node<'a>]>, routes: &mut Routes) {
    let (hosts, listens) = (hosts(node), listens(node));
    let at = |path: &str, location: &str, place: &Place, guards: &Guards| {
        let one = |(port, tls): (u16, bool), host: &String| Probe {
            port,
            tls,
            host: host.clone(),
            path: path.to_owned(),
            at: format!("{location} ({place})"),
            guards: guards.clone(),
            secret: false,
        };
        listens.iter().flat_map(|listen| hosts.iter().map(|host| one(*listen, host))).collect::<Vec<_>>()
    };
    locations(node, node, above, &mut |location, pass_node, above| {
        let args = location.args();
        let written = format!("location {}", args.join(" "));
        let place = pass_node.place();
        let probes = plain_path(&args).map(|path| at(&path, &written, &place, &guards(above))).unwrap_or_default();
        let targets = targets(pass_node, above);
        routes.passes.push(Pass { location: written, place, targets, probes });
    });
}

type Found<'f, 'n, 'a> = &'f mut dyn FnMut(&'n Node<'a>, &'n Node<'a>, &[&'n [Node<'a>]]);

/// Gives each location, nested ones too, with each directive in it that passes requests on.
fn locations<'n, 'a>(
    server: &'n Node<'a>,
    block: &'n Node<'a>,
    above: &mut Vec<&'n [Node<'a>]>,
    found: Found<'_, 'n, 'a>,
) {
    for location in block.named("location") {
        above.push(&location.children);
        for pass in passes(location) {
            found(location, pass, above);
        }
        // what leads on to a named location is asked for here
        for named in server.named("location").filter(|each| leads_on(location, each)) {
            above.push(&named.children);
            for pass in passes(named) {
                found(location, pass, above);
            }
            above.pop();
        }
        locations(server, location, above, found);
        above.pop();
    }
}

fn leads_on(location: &Node<'_>, named: &Node<'_>) -> bool {
    let Some(name) = named.args().first().copied().filter(|name| name.starts_with('@')) else { return false };
    let on = location.named("try_files").chain(location.named("error_page"));
    on.into_iter().any(|directive| directive.args().last() == Some(&name))
}

fn passes<'n, 'a>(block: &'n Node<'a>) -> Vec<&'n Node<'a>> {
    let mut all: Vec<&Node<'_>> = block.children.iter().filter(|child| is_pass(child.name())).collect();
    for inner in block.named("if").chain(block.named("limit_except")) {
        all.extend(inner.children.iter().filter(|child| is_pass(child.name())));
    }
    all
}

fn is_pass(name: &str) -> bool {
    matches!(name, "proxy_pass" | "grpc_pass" | "fastcgi_pass" | "uwsgi_pass" | "scgi_pass")
}

/// A path that this location takes: its prefix, or what a regex begins with.
fn plain_path(args: &[&str]) -> Option<String> {
    match args {
        [path] | ["=" | "^~", path] if path.starts_with('/') => Some((*path).to_owned()),
        ["~" | "~*", regex] => {
            let rest = regex.strip_prefix('^')?;
            let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && !"/_-".contains(c)).unwrap_or(rest.len());
            rest.starts_with('/').then(|| rest[..end].to_owned())
        }
        _ => None,
    }
}

#[cfg(test)]
#[path = "routes_tests.rs"]
mod tests;
