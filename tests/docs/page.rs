//! A page of Markdown: its headings, links, blocks, and the commands that it names.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The repository.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// How a page of the site names another file of the repository.
pub(crate) const HERE: &str = concat!(env!("CARGO_PKG_REPOSITORY"), "/blob/main/");

pub(crate) struct Page {
    /// From the repository's root.
    pub(crate) path: String,
    pub(crate) text: String,
}

/// A block between fences.
pub(crate) struct Block {
    pub(crate) language: String,
    pub(crate) text: String,
    /// 1-based, of its first line.
    pub(crate) line: usize,
    /// The file that it shows, as the comment before it says.
    pub(crate) file: Option<String>,
    /// The file that it is a part of, as its first line says, where that is no cutover.yml.
    pub(crate) other: Option<String>,
}

impl Page {
    /// README, the other pages of the root, and all of docs.
    pub(crate) fn all() -> Vec<Page> {
        let mut paths: Vec<PathBuf> = Vec::new();
        find(&root().join("docs"), &mut paths);
        let beside = std::fs::read_dir(root()).unwrap().map(|entry| entry.unwrap().path());
        paths.extend(beside.filter(|path| path.extension().is_some_and(|kind| kind == "md")));
        paths.sort();
        paths
            .into_iter()
            .map(|path| Page { text: std::fs::read_to_string(&path).unwrap(), path: shown(&path) })
            .collect()
    }

    /// What lies at this relative path.
    pub(crate) fn beside(&self, path: &str) -> String {
        let mut parts: Vec<&str> = self.path.split('/').collect();
        parts.pop();
        for part in path.split('/') {
            match part {
                ".." => drop(parts.pop()),
                "." | "" => {}
                part => parts.push(part),
            }
        }
        parts.join("/")
    }

    /// File and anchor, of a link that leads into this repository.
    pub(crate) fn resolve(&self, link: &str) -> Option<(String, Option<String>)> {
        let (path, anchor) = match link.split_once('#') {
            Some((path, anchor)) => (path, Some(anchor.to_owned())),
            None => (link, None),
        };
        match path.strip_prefix(HERE) {
            Some(path) => Some((path.to_owned(), anchor)),
            None if path.contains(':') => None,
            None if path.is_empty() => Some((self.path.clone(), anchor)),
            None => Some((self.beside(path), anchor)),
        }
    }

    /// Lines with their 1-based number, and whether they are inside a block.
    fn lines(&self) -> impl Iterator<Item = (usize, &str, bool)> {
        let mut inside = false;
        self.text.lines().enumerate().map(move |(number, line)| {
            let fence = line.trim_start().starts_with("```");
            let within = inside || fence;
            inside ^= fence;
            (number + 1, line, within)
        })
    }

    /// The anchors of the headings, as GitHub and mdBook make them.
    pub(crate) fn anchors(&self) -> BTreeSet<String> {
        let mut seen: BTreeMap<String, usize> = BTreeMap::new();
        let headings = self.lines().filter(|(_, line, inside)| !inside && line.starts_with('#'));
        let anchors = headings.map(|(_, line, _)| {
            let slug = slug(line.trim_start_matches('#').trim());
            let count = seen.entry(slug.clone()).or_default();
            *count += 1;
            if *count == 1 { slug } else { format!("{slug}-{}", *count - 1) }
        });
        anchors.collect()
    }

    /// From the heading to the next one of the same or a higher level.
    pub(crate) fn section(&self, title: &str) -> Option<String> {
        let level = |line: &str| line.bytes().take_while(|byte| *byte == b'#').count();
        let mut lines =
            self.lines().skip_while(|(_, line, inside)| *inside || line.trim_start_matches('#').trim() != title);
        let (_, first, _) = lines.next()?;
        let until = level(first);
        let body = lines.take_while(|(_, line, inside)| *inside || !(1..=until).contains(&level(line)));
        Some(body.map(|(_, line, _)| format!("\n{line}")).collect())
    }

    /// Where links lead, outside of code.
    pub(crate) fn links(&self) -> Vec<String> {
        let mut links = Vec::new();
        for (_, line, _) in self.lines().filter(|(_, _, inside)| !inside) {
            let text: String = line.split('`').step_by(2).collect::<Vec<_>>().join("`");
            let targets = text.split("](").skip(1).filter_map(|rest| rest.split_once(')'));
            links.extend(targets.map(|(target, _)| target.to_owned()));
        }
        links
    }

    pub(crate) fn blocks(&self) -> Vec<Block> {
        let (mut blocks, mut open, mut before) = (Vec::new(), None::<(usize, Block)>, "");
        for (number, line) in self.text.lines().enumerate() {
            let indent = line.len() - line.trim_start().len();
            match (&mut open, line.trim_start().strip_prefix("```")) {
                (None, Some(language)) => {
                    let file = before.trim().strip_prefix("<!-- ").and_then(|rest| rest.strip_suffix(" -->"));
                    let block = Block {
                        language: language.to_owned(),
                        text: String::new(),
                        line: number + 2,
                        file: file.map(str::to_owned),
                        other: None,
                    };
                    open = Some((indent, block));
                }
                (Some(_), Some(_)) => blocks.extend(open.take().map(|(_, block)| block.known())),
                (Some((indent, block)), None) => {
                    block.text += line.get(*indent..).unwrap_or(line.trim_start());
                    block.text.push('\n');
                }
                (None, None) => before = line,
            }
        }
        blocks
    }

    /// The command lines of cutover in blocks and in code, each as its words.
    pub(crate) fn commands(&self) -> Vec<Vec<String>> {
        let mut found = Vec::new();
        for (_, line, inside) in self.lines() {
            // a block is fenced or indented; a line with options in brackets says how a command is called
            if inside || line.starts_with("    ") && !line.contains('[') {
                let line = ["$ ", "- ", "run: "].iter().fold(line.trim(), |line, sign| line.trim_start_matches(sign));
                found.extend(words(line));
            } else {
                found.extend(line.split('`').skip(1).step_by(2).filter_map(words));
            }
        }
        found
    }
}

impl Block {
    fn known(mut self) -> Block {
        let first = self.text.lines().next().unwrap_or_default();
        let named = first.strip_prefix("# ").map(|name| name.split([' ', ',', ':']).next().unwrap_or_default());
        self.other = named.filter(|name| name.contains('.') && *name != "cutover.yml").map(str::to_owned);
        self
    }

    /// Whether it is a cutover.yml, or some keys of one.
    pub(crate) fn is_configuration(&self) -> bool {
        self.language == "yaml" && self.file.is_none() && self.other.is_none()
    }

    /// With the keys that every cutover.yml has, where it shows only others.
    pub(crate) fn whole(&self) -> String {
        let has = |keys: &[&str]| self.text.lines().any(|line| keys.iter().any(|key| line.starts_with(key)));
        let mut text = String::new();
        for (keys, line) in [
            (&["image:", "services:"][..], "image: devrank/backend-api\n"),
            (&["host:", "hosts:"], "host: deploy@203.0.113.10\n"),
            (&["directory:"], "directory: /home/deploy/app\n"),
        ] {
            text += if has(keys) { "" } else { line };
        }
        text + &self.text
    }

    /// The names of its environments.
    pub(crate) fn environments(&self) -> Vec<String> {
        let lines = self.text.lines().skip_while(|line| !line.starts_with("environments:")).skip(1);
        let inner = lines.take_while(|line| line.starts_with(' '));
        let names = inner.filter(|line| !line.starts_with("   ")).filter_map(|line| line.trim().split(':').next());
        names.map(str::to_owned).collect()
    }
}

fn find(directory: &Path, into: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            find(&path, into);
        } else if path.extension().is_some_and(|kind| kind == "md") {
            into.push(path);
        }
    }
}

fn shown(path: &Path) -> String {
    path.strip_prefix(root()).unwrap().to_string_lossy().into_owned()
}

fn slug(heading: &str) -> String {
    let kept = heading.to_lowercase();
    let kept = kept.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

/// The words of a command line that starts cutover; what comes behind them – a comment, a pipe – is left out.
fn words(line: &str) -> Option<Vec<String>> {
    let rest = line.strip_prefix("~/.local/bin/").unwrap_or(line);
    if !rest.starts_with("cutover ") {
        return None;
    }
    let (mut words, mut word, mut quote, mut any) = (Vec::new(), String::new(), None, false);
    for c in rest.chars().chain([' ']) {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (Some(_), c) => word.push(c),
            (None, '\'' | '"') => (quote, any) = (Some(c), true),
            (None, ' ') if !word.is_empty() || any => {
                words.push(std::mem::take(&mut word));
                any = false;
            }
            (None, ' ') => {}
            (None, '#' | '|' | '&' | '<' | '>' | ';') if word.is_empty() => break,
            (None, c) => word.push(c),
        }
    }
    Some(words)
}

/// The code in a line, between one backtick or two.
pub(crate) fn codes(line: &str) -> Vec<String> {
    let (mut found, mut rest) = (Vec::new(), line);
    while let Some(at) = rest.find('`') {
        rest = &rest[at..];
        let fence = if rest.starts_with("``") { "``" } else { "`" };
        rest = &rest[fence.len()..];
        let Some(end) = rest.find(fence) else { break };
        found.push(rest[..end].trim().to_owned());
        rest = &rest[end + fence.len()..];
    }
    found
}

/// All that the program is written in, a text that goes over several lines in one.
pub(crate) fn program() -> String {
    let mut paths = Vec::new();
    sources(&root().join("src"), &mut paths);
    let texts = paths.iter().map(|path| std::fs::read_to_string(path).unwrap());
    let joined = |text: String| {
        let mut parts = text.split("\\\n");
        let first = parts.next().unwrap_or_default().to_owned();
        parts.fold(first, |text, part| text + part.trim_start()).replace("\\\"", "\"")
    };
    texts.map(joined).collect()
}

fn sources(directory: &Path, into: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => sources(&path, into),
            false => {
                into.extend(path.extension().is_some_and(|kind| kind == "rs" || kind == "sh").then_some(path.clone()))
            }
        }
    }
}
