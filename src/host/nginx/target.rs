//! What a `proxy_pass` leads to: its words, variables replaced by what they are given, each byte with where it stands.

use super::tree::{Node, Place, Span};

/// More values of a variable than anybody means.
const MOST_VALUES: usize = 16;

/// What a `proxy_pass` leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// An upstream, or a host without its port.
    pub name: String,
    /// The port behind it, where one is written.
    pub port: Option<u16>,
    /// The words that say so: that of the `proxy_pass` first, then those of its variables.
    pub places: Vec<Place>,
    /// Where the name stands, with its port where that stands behind it; `None`: it is put together of several words.
    pub span: Option<Span>,
    /// Where the port stands, if that is one word of its own, such as the value of a variable.
    pub port_span: Option<Span>,
    /// The name comes from a variable, so that nginx looks it up at each request.
    pub variable: bool,
}

/// A part of a text, and where it stands.
#[derive(Clone)]
struct Piece {
    text: String,
    at: Option<Span>,
}

impl Piece {
    /// Bytes of it.
    fn cut(&self, from: usize, to: usize) -> Piece {
        let at = self.at.as_ref().map(|at| Span { start: at.start + from, end: at.start + to, ..at.clone() });
        Piece { text: self.text[from..to].to_owned(), at }
    }
}

/// A text made of pieces.
#[derive(Clone)]
struct Traced(Vec<Piece>);

impl Traced {
    fn text(&self) -> String {
        self.0.iter().map(|piece| piece.text.as_str()).collect()
    }

    /// The pieces between two offsets.
    fn cut(&self, from: usize, to: usize) -> Vec<Piece> {
        let (mut at, mut all) = (0, Vec::new());
        for piece in &self.0 {
            let (begin, end) = (at, at + piece.text.len());
            let (first, last) = (from.max(begin), to.min(end));
            if first < last {
                all.push(piece.cut(first - begin, last - begin));
            }
            at = end;
        }
        all
    }

    /// The same with another piece between two offsets.
    fn with(&self, from: usize, to: usize, value: Piece) -> Traced {
        let mut all = self.cut(0, from);
        all.push(value);
        all.extend(self.cut(to, usize::MAX));
        Traced(all)
    }

    /// Where the text between two offsets stands, if that is in one word.
    fn span(&self, from: usize, to: usize) -> Option<Span> {
        match self.cut(from, to).as_slice() {
            [one] => one.at.clone(),
            _ => None,
        }
    }
}

/// What a directive leads to, its variables replaced by every value that they are given.
pub(super) fn targets(pass: &Node<'_>, above: &[&[Node<'_>]]) -> Vec<Target> {
    let Some(word) = pass.directive().words.get(1) else { return Vec::new() };
    let whole = Piece { text: word.text.clone(), at: Some(pass.span(word.start, word.end)) };
    let mut done = Vec::new();
    let mut open = vec![(Traced(vec![whole]), vec![pass.place()])];
    while let Some((traced, places)) = open.pop() {
        let text = traced.text();
        let from = text.find("://").map_or(0, |at| at + 3);
        let end = text[from..].find(['/', '?']).map_or(text.len(), |end| from + end);
        let at = if text.starts_with('$') { Some(0) } else { text[from..end].find('$').map(|at| from + at) };
        let named = at.map(|at| (at, variable(&text[at..])));
        let found = named.map(|(at, (name, length))| (at, length, values(name, above)));
        match found {
            Some((at, length, values)) if !values.is_empty() && places.len() < 6 => {
                for (value, from) in values.into_iter().take(MOST_VALUES) {
                    let places = places.iter().cloned().chain(from).collect();
                    open.push((traced.with(at, at + length, value), places));
                }
            }
            // what follows the host, such as `$request_uri`
            _ => done.extend(target(&traced, from.min(at.unwrap_or(end)), at.unwrap_or(end), places)),
        }
    }
    done.reverse();
    done
}

/// The host between two offsets of a text, with or without its port.
fn target(traced: &Traced, from: usize, end: usize, places: Vec<Place>) -> Option<Target> {
    let text = traced.text();
    let host = &text[from..end];
    let split = host.rsplit_once(':').and_then(|(name, port)| Some((name, super::edit::port(port)?)));
    let (name, port) = split.map_or((host, None), |(name, port)| (name, Some(port)));
    let span = traced.span(from, end).or_else(|| traced.span(from, from + name.len()));
    let port_span = port.and_then(|_| traced.span(from + name.len() + 1, end));
    let variable = places.len() > 1;
    (!name.is_empty()).then(|| Target { name: name.to_owned(), port, places, span, port_span, variable })
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
fn values(name: &str, above: &[&[Node<'_>]]) -> Vec<(Piece, Option<Place>)> {
    if name == "scheme" {
        return vec![(Piece { text: "http".to_owned(), at: None }, None)];
    }
    let is_it = |word: Option<&&str>| word.is_some_and(|word| word.trim_start_matches('$') == name);
    for level in above.iter().rev() {
        let inner = level.iter().filter(|node| node.name() == "if").flat_map(|node| &node.children);
        let sets = level.iter().chain(inner).filter(|node| node.name() == "set" && is_it(node.args().first()));
        let found: Vec<_> = sets.filter_map(|set| value(set, 2)).collect();
        if !found.is_empty() {
            return found;
        }
    }
    let defines = |node: &&Node<'_>| {
        node.is_block() && matches!(node.name(), "map" | "geo" | "split_clients") && is_it(node.args().last())
    };
    let blocks = above.iter().flat_map(|level| level.iter()).filter(defines);
    blocks.flat_map(|block| &block.children).filter_map(|line| value(line, 1)).collect()
}

/// A word of a directive, and where the directive stands.
fn value(node: &Node<'_>, number: usize) -> Option<(Piece, Option<Place>)> {
    let word = node.directive().words.get(number)?;
    let at = Some(node.span(word.start, word.end));
    Some((Piece { text: word.text.clone(), at }, Some(node.place())))
}
