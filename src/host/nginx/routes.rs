//! Where requests go: each location that passes them on, and the words that say whereto.

use super::guards::{Guards, guards};
use super::hosts::{hosts, listens};
use super::tree::{Node, Place, expand, sources};
use super::{Probe, Upstream, edit};
use std::collections::BTreeSet;

/// More values of a variable than anybody means.
const MOST_VALUES: usize = 16;

/// What a configuration does with requests.
#[derive(Debug, Clone, Default)]
pub struct Routes {
    /// Every location that passes requests on, in the order of the files.
    pub passes: Vec<Pass>,
    /// Every upstream, and where each of its `server` lines stands.
    pub upstreams: Vec<(Upstream, Vec<Place>)>,
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

/// What a `proxy_pass` leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// An upstream, or a host without its port.
    pub name: String,
    /// The words that say so: that of the `proxy_pass` first, then those of its variables.
    pub places: Vec<Place>,
}

/// A word of the configuration that names a slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlotWord {
    /// Which slot.
    pub slot: usize,
    /// Where it stands.
    pub place: Place,
    /// The upstream in which it stands, if it does.
    pub upstream: Option<String>,
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

    /// Requests that lead to this upstream: unguarded before guarded, plain HTTP before TLS, short paths before long ones.
    pub fn probes(&self, upstream: &str) -> Vec<Probe> {
        let ours = |pass: &&Pass| pass.targets.iter().any(|target| target.name == upstream);
        let mut probes: Vec<Probe> =
            self.passes.iter().filter(ours).flat_map(|pass| pass.probes.iter().cloned()).collect();
        probes.sort_by_key(|probe| (probe.weight(), probe.tls, probe.path.len()));
        let mut seen = BTreeSet::new();
        probes.retain(|probe| seen.insert((probe.port, probe.tls, probe.host.clone(), probe.path.clone())));
        probes
    }

    /// Every word that names one of the slots, whichever of its names it uses: in upstreams and in what locations pass to.
    pub fn slot_words(&self, slots: &[Vec<String>; 2]) -> Vec<SlotWord> {
        let slot = |name: &str| slots.iter().position(|names| names.iter().any(|known| known == name));
        let mut words = Vec::new();
        for (upstream, places) in &self.upstreams {
            for (server, place) in upstream.servers.iter().zip(places) {
                let upstream = Some(upstream.name.clone());
                words.extend(slot(&server.host).map(|slot| SlotWord { slot, place: place.clone(), upstream }));
            }
        }
        let is_upstream = |name: &str| self.upstreams.iter().any(|(upstream, _)| upstream.name == name);
        for target in self.passes.iter().flat_map(|pass| &pass.targets).filter(|target| !is_upstream(&target.name)) {
            let place = target.places.last().cloned();
            words.extend(slot(&target.name).zip(place).map(|(slot, place)| SlotWord { slot, place, upstream: None }));
        }
        words.dedup();
        words
    }

    /// The slots that a target leads to, each with the words that lead there.
    pub fn leads_to(&self, target: &Target, slots: &[Vec<String>; 2]) -> Vec<(usize, Vec<Place>)> {
        let slot = |name: &str| slots.iter().position(|names| names.iter().any(|known| known == name));
        let Some((upstream, places)) = self.upstreams.iter().find(|(upstream, _)| upstream.name == target.name) else {
            return slot(&target.name).map(|slot| (slot, target.places.clone())).into_iter().collect();
        };
        let servers = upstream.servers.iter().zip(places).filter(|(server, _)| !server.spare);
        let with = |place: &Place| target.places.iter().chain([place]).cloned().collect();
        servers.filter_map(|(server, place)| Some((slot(&server.host)?, with(place)))).collect()
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

fn upstream(node: &Node<'_>) -> (Upstream, Vec<Place>) {
    let servers = node.named("server").filter_map(|each| Some((edit::server(each.directive())?, each.place())));
    let (servers, places) = servers.unzip();
    (Upstream { name: node.args().first().copied().unwrap_or_default().to_owned(), servers }, places)
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
        let url = pass_node.args().first().copied().unwrap_or_default();
        let place = pass_node.place();
        let probes = plain_path(&args).map(|path| at(&path, &written, &place, &guards(above))).unwrap_or_default();
        let targets = targets(url, &place, above);
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

/// What a URL leads to, its variables replaced by every value that they are given.
fn targets(url: &str, place: &Place, above: &[&[Node<'_>]]) -> Vec<Target> {
    let mut done = Vec::new();
    let mut open = vec![(url.to_owned(), vec![place.clone()])];
    while let Some((text, places)) = open.pop() {
        let from = text.find("://").map_or(0, |at| at + 3);
        let end = text[from..].find(['/', '?']).map_or(text.len(), |end| from + end);
        let at = if text.starts_with('$') { Some(0) } else { text[from..end].find('$').map(|at| from + at) };
        let named = at.map(|at| (at, variable(&text[at..])));
        let found = named.map(|(at, (name, length))| (at, length, values(name, above)));
        match found {
            Some((at, length, values)) if !values.is_empty() && places.len() < 6 => {
                for (value, from) in values.into_iter().take(MOST_VALUES) {
                    let places = places.iter().cloned().chain(from).collect();
                    open.push((format!("{}{value}{}", &text[..at], &text[at + length..]), places));
                }
            }
            // what follows the host, such as `$request_uri`
            _ => {
                let host = &text[from.min(at.unwrap_or(end))..at.unwrap_or(end)];
                let name = host.rsplit_once(':').filter(|(_, port)| port.parse::<u16>().is_ok());
                let name = name.map_or(host, |(name, _)| name).to_owned();
                done.extend((!name.is_empty()).then_some(Target { name, places }));
            }
        }
    }
    done.reverse();
    done
}

/// The name of the variable that the text begins with, and its length there.
fn variable(text: &str) -> (&str, usize) {
    if let Some(rest) = text.strip_prefix("${") {
        let end = rest.find('}').unwrap_or(rest.len());
        return (&rest[..end], (end + 3).min(text.len()));
    }
    let rest = &text[1..];
    let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
    (&rest[..end], end + 1)
}

/// The values that a variable can have: by `set`, the nearest level first, else by `map`, `geo` or `split_clients`.
fn values(name: &str, above: &[&[Node<'_>]]) -> Vec<(String, Option<Place>)> {
    if name == "scheme" {
        return vec![("http".to_owned(), None)];
    }
    let is_it = |word: Option<&&str>| word.is_some_and(|word| word.trim_start_matches('$') == name);
    for level in above.iter().rev() {
        let inner = level.iter().filter(|node| node.name() == "if").flat_map(|node| &node.children);
        let sets = level.iter().chain(inner).filter(|node| node.name() == "set" && is_it(node.args().first()));
        let found: Vec<_> =
            sets.filter_map(|set| Some(((*set.args().get(1)?).to_owned(), Some(set.place())))).collect();
        if !found.is_empty() {
            return found;
        }
    }
    let defines = |node: &&Node<'_>| {
        node.is_block() && matches!(node.name(), "map" | "geo" | "split_clients") && is_it(node.args().last())
    };
    let blocks = above.iter().flat_map(|level| level.iter()).filter(defines);
    let lines = blocks.flat_map(|block| &block.children);
    lines.filter_map(|line| Some(((*line.args().first()?).to_owned(), Some(line.place())))).collect()
}

#[cfg(test)]
#[path = "routes_tests.rs"]
mod tests;
