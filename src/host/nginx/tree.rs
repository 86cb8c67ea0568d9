//! All files of a configuration as nginx reads them: includes in their place, and every word with its file and line.

use super::{Directive, parse};
use std::collections::BTreeSet;
use std::fmt;

/// Deeper than includes are nested anywhere.
const DEEPEST: usize = 8;

/// Where nginx looks for a relative path, if not beside its main file.
const PREFIX: &str = "/etc/nginx";

/// Where a word stands.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Path of the file, as nginx's container has it.
    pub file: String,
    /// 1-based.
    pub line: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// Bytes of a file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    /// The file and the line.
    pub place: Place,
    /// Offset of the first byte.
    pub start: usize,
    /// Offset behind the last one.
    pub end: usize,
}

/// One file, read.
pub(super) struct Source<'a> {
    path: &'a str,
    text: &'a str,
    directives: Vec<Directive>,
}

/// A directive in its place, with everything included in its block.
pub(super) struct Node<'a> {
    source: &'a Source<'a>,
    directive: &'a Directive,
    /// What stands in its block.
    pub(super) children: Vec<Node<'a>>,
}

impl<'a> Node<'a> {
    pub(super) fn name(&self) -> &'a str {
        self.directive.name()
    }

    pub(super) fn is_block(&self) -> bool {
        self.directive.block.is_some()
    }

    pub(super) fn args(&self) -> Vec<&'a str> {
        self.directive.args().collect()
    }

    pub(super) fn directive(&self) -> &'a Directive {
        self.directive
    }

    pub(super) fn named<'n>(&'n self, name: &'n str) -> impl Iterator<Item = &'n Node<'a>> {
        self.children.iter().filter(move |child| child.name() == name)
    }

    /// Where its first word stands.
    pub(super) fn place(&self) -> Place {
        let first = &self.directive.words[0];
        self.span(first.start, first.end).place
    }

    /// Bytes of the file that it stands in.
    pub(super) fn span(&self, start: usize, end: usize) -> Span {
        let line = 1 + self.source.text.as_bytes()[..start].iter().filter(|byte| **byte == b'\n').count();
        Span { place: Place { file: self.source.path.to_owned(), line }, start, end }
    }
}

/// Reads the files that can be read.
pub(super) fn sources(files: &[(String, String)]) -> Vec<Source<'_>> {
    let read = |(path, text)| parse(text).ok().map(|directives| Source { path, text, directives });
    files.iter().map(|(path, text)| (path.as_str(), text.as_str())).filter_map(read).collect()
}

/// The files that no other one includes, with all that they include in its place.
pub(super) fn expand<'a>(sources: &'a [Source<'a>]) -> Vec<Node<'a>> {
    roots(sources, &mut BTreeSet::new())
}

/// The same; `read` gets the paths of all files on the way.
fn roots<'a>(sources: &'a [Source<'a>], read: &mut BTreeSet<&'a str>) -> Vec<Node<'a>> {
    let main = sources.iter().find(|source| source.directives.iter().any(|d| d.name() == "http"));
    let prefix = main.and_then(|main| main.path.strip_suffix("/nginx.conf")).unwrap_or(PREFIX);
    let all = Whole { sources, prefix };
    let mut included = BTreeSet::new();
    for source in sources {
        all.nodes(source, &source.directives, 0, &mut included);
    }
    let is_root = |source: &&'a Source<'a>| match main {
        Some(main) => std::ptr::eq(*source, main),
        None => !included.contains(source.path) && is_read_by_default(source.path),
    };
    let mut nodes = Vec::new();
    for source in sources.iter().filter(is_root) {
        read.insert(source.path);
        nodes.extend(all.nodes(source, &source.directives, 0, read));
    }
    nodes
}

/// The files that a configuration is made of, as far as it can be read: its main file, or what is read by default, with all
/// that these include.
pub(super) fn read<'a>(sources: &'a [Source<'a>]) -> BTreeSet<&'a str> {
    let mut read = BTreeSet::new();
    roots(sources, &mut read);
    read
}

/// What the images of nginx, and the packages of distributions, include in their own nginx.conf.
fn is_read_by_default(path: &str) -> bool {
    let below = path.strip_prefix(PREFIX).and_then(|rest| rest.strip_prefix("/conf.d/"));
    let is_deeper = below.is_some_and(|below| below.contains('/'));
    (path.ends_with(".conf") && !is_deeper) || path.contains("/sites-")
}

/// All files, and where a relative path among them begins.
struct Whole<'a> {
    sources: &'a [Source<'a>],
    prefix: &'a str,
}

impl<'a> Whole<'a> {
    fn nodes(
        &self,
        source: &'a Source<'a>,
        directives: &'a [Directive],
        depth: usize,
        included: &mut BTreeSet<&'a str>,
    ) -> Vec<Node<'a>> {
        let mut all = Vec::new();
        for directive in directives {
            if directive.name() == "include" && depth < DEEPEST {
                let patterns: Vec<String> = directive.args().map(|path| self.absolute(path)).collect();
                let named = |each: &&'a Source<'a>| patterns.iter().any(|pattern| matches(pattern, each.path));
                for each in self.sources.iter().filter(named) {
                    if !std::ptr::eq(each, source) {
                        included.insert(each.path);
                        all.extend(self.nodes(each, &each.directives, depth + 1, included));
                    }
                }
                continue;
            }
            let block = directive.block.as_deref().unwrap_or_default();
            all.push(Node { source, directive, children: self.nodes(source, block, depth, included) });
        }
        all
    }

    fn absolute(&self, path: &str) -> String {
        if path.starts_with('/') { path.to_owned() } else { format!("{}/{path}", self.prefix) }
    }
}

/// Whether a pattern of glob(7) with `*` and `?` names a path; neither stands for a slash.
fn matches(pattern: &str, path: &str) -> bool {
    let (pattern, path) = (pattern.as_bytes(), path.as_bytes());
    let (mut at, mut from) = (0, 0);
    // where the last `*` stood, and how far it has reached
    let mut star: Option<(usize, usize)> = None;
    while from < path.len() {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, from));
                at += 1;
            }
            Some(b'?') if path[from] != b'/' => (at, from) = (at + 1, from + 1),
            Some(byte) if *byte == path[from] => (at, from) = (at + 1, from + 1),
            _ => match star {
                Some((star_at, reached)) if path[reached] != b'/' => {
                    star = Some((star_at, reached + 1));
                    (at, from) = (star_at + 1, reached + 1);
                }
                _ => return false,
            },
        }
    }
    pattern[at..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_the_shell_has_it() {
        for (pattern, path, is) in [
            ("/e/*.conf", "/e/a.conf", true),
            ("/e/*.conf", "/e/d/a.conf", false),
            ("/e/*/x-?.inc", "/e/d/x-1.inc", true),
            ("/e/a", "/e/ab", false),
            ("/e/a*b*c", "/e/a1b2b3c", true),
            ("/e/a*", "/e/a", true),
        ] {
            assert_eq!(matches(pattern, path), is, "{pattern} {path}");
        }
    }

    #[test]
    fn what_is_included_stands_in_its_place() {
        let files = [
            ("/etc/nginx/nginx.conf", "http {\n include conf.d/*.conf;\n}"),
            ("/etc/nginx/conf.d/a.conf", "server {\n include /etc/nginx/x.inc;\n}"),
            ("/etc/nginx/x.inc", "\nset $a b;"),
            ("/etc/nginx/other.conf", "server { }"),
        ];
        let files = files.map(|(path, text)| (path.to_owned(), text.to_owned()));
        let sources = sources(&files);
        let tree = expand(&sources);
        assert_eq!(tree.len(), 1, "only what nginx.conf leads to");
        let set = &tree[0].children[0].children[0];
        assert_eq!((set.name(), set.place().to_string()), ("set", "/etc/nginx/x.inc:2".to_owned()));
        assert!(tree[0].children[0].is_block() && set.args() == ["$a", "b"]);
        // of an nginx that does not run only the mounted files are known
        let mounted = super::sources(&files[1..3]);
        assert_eq!(expand(&mounted).len(), 1);
    }
}
