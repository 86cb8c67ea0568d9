//! YAML text → a tree that knows the line and column of every key and value.
use super::error::{At, Wrong};
use crate::report::text::one_line;
use serde_saphyr::granit_parser::{Event, Marker, Parser, ScalarStyle, ScanError};
use std::collections::HashMap;

/// A value and its place.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct YamlNode {
    pub(super) at: At,
    pub(super) value: Value,
}

/// A value as YAML's core schema has it; scalars keep the text that stood there.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Null,
    Bool(bool),
    Number(String),
    Text(String),
    List(Vec<YamlNode>),
    Map(Vec<(Key, YamlNode)>),
}

/// A key of a map.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Key {
    pub(super) at: At,
    pub(super) text: String,
}

impl YamlNode {
    /// What it is, for a message: "found …".
    pub(super) fn describe(&self) -> String {
        match &self.value {
            Value::Null => "nothing".to_owned(),
            Value::Bool(truth) => truth.to_string(),
            Value::Number(text) => format!("the number {}", one_line(text, 40)),
            Value::Text(text) => format!("\"{}\"", one_line(text, 60)),
            Value::List(items) => format!("a list of {}", items.len()),
            Value::Map(entries) if entries.is_empty() => "an empty map".to_owned(),
            Value::Map(_) => "a map".to_owned(),
        }
    }
}

/// Reads one document. `None`: there is nothing in it but comments.
pub(super) fn read(text: &str) -> Result<Option<YamlNode>, Wrong> {
    let parser = Parser::new_from_str(text.strip_prefix('\u{feff}').unwrap_or(text));
    let mut reader = YamlReader { parser, text, anchors: HashMap::new(), read: YamlSize::default() };
    let mut root = None;
    while let Some((event, at)) = reader.next()? {
        match event {
            Event::DocumentStart(..) if root.is_some() => {
                return Err(Wrong::new(at, "a second document; expected only one in this file"));
            }
            Event::StreamStart | Event::StreamEnd | Event::DocumentStart(..) | Event::DocumentEnd => {}
            event => root = Some(reader.node(event, at, 0)?),
        }
    }
    Ok(root.filter(|node| node.value != Value::Null))
}

/// More than any cutover.yml needs; aliases of aliases can ask for any number, and for any number of bytes.
const MOST_NODES: usize = 20_000;
const MOST_BYTES: usize = 4 << 20;
const DEEPEST: usize = 32;

/// Of values, and what their texts take.
#[derive(Clone, Copy, Default)]
struct YamlSize {
    nodes: usize,
    bytes: usize,
}

struct YamlReader<'a, I: serde_saphyr::granit_parser::BorrowedInput<'a>> {
    parser: Parser<'a, I>,
    text: &'a str,
    /// Each with its size.
    anchors: HashMap<usize, (YamlNode, YamlSize)>,
    read: YamlSize,
}

impl<'a, I: serde_saphyr::granit_parser::BorrowedInput<'a>> YamlReader<'a, I> {
    fn next(&mut self) -> Result<Option<(Event<'a>, At)>, Wrong> {
        match self.parser.next_event() {
            None => Ok(None),
            Some(Ok((event, span))) => Ok(Some((event, place(&span.start)))),
            Some(Err(error)) => Err(unreadable(self.text, &error)),
        }
    }

    fn next_inside(&mut self) -> Result<(Event<'a>, At), Wrong> {
        self.next()?.ok_or_else(|| Wrong::new(At { line: 1, column: 1 }, "the file ends too early"))
    }

    fn node(&mut self, event: Event<'a>, at: At, depth: usize) -> Result<YamlNode, Wrong> {
        self.count(YamlSize { nodes: 1, bytes: 0 }, at)?;
        if depth > DEEPEST {
            return Err(Wrong::new(at, format!("nested too deep; expected at most {DEEPEST} levels")));
        }
        let before = self.read;
        let (anchor, tag, value) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                self.count(YamlSize { nodes: 0, bytes: text.len() }, at)?;
                (anchor, tag, scalar(&text, style))
            }
            Event::SequenceStart(_, anchor, tag) => (anchor, tag, self.list(depth)?),
            Event::MappingStart(_, anchor, tag) => (anchor, tag, self.map(depth)?),
            Event::Alias(anchor) => return self.alias(anchor, at),
            other => return Err(Wrong::new(at, format!("unexpected YAML: {other:?}"))),
        };
        if tag.is_some() {
            return Err(Wrong::new(at, "a YAML tag; expected a value without one"));
        }
        let node = YamlNode { at, value };
        if anchor > 0 {
            // itself, as it is kept once more
            let size = YamlSize { nodes: self.read.nodes - before.nodes + 1, bytes: self.read.bytes - before.bytes };
            self.count(YamlSize { nodes: 0, bytes: size.bytes }, at)?;
            self.anchors.insert(anchor, (node.clone(), size));
        }
        Ok(node)
    }

    /// Counts before anything is copied.
    fn count(&mut self, more: YamlSize, at: At) -> Result<(), Wrong> {
        self.read.nodes += more.nodes;
        self.read.bytes += more.bytes;
        if self.read.nodes > MOST_NODES {
            return Err(Wrong::new(at, format!("too much; expected at most {MOST_NODES} values in this file")));
        }
        if self.read.bytes > MOST_BYTES {
            let what = format!("too much; expected at most {MOST_BYTES} bytes of text, those of aliases included");
            return Err(Wrong::new(at, what));
        }
        Ok(())
    }

    fn alias(&mut self, anchor: usize, at: At) -> Result<YamlNode, Wrong> {
        let wrong = || Wrong::new(at, "an alias of what it stands in; expected an alias of an earlier value");
        let size = self.anchors.get(&anchor).ok_or_else(wrong)?.1;
        self.count(size, at)?;
        self.anchors.get(&anchor).map(|(node, _)| node.clone()).ok_or_else(wrong)
    }

    fn list(&mut self, depth: usize) -> Result<Value, Wrong> {
        let mut items = Vec::new();
        loop {
            match self.next_inside()? {
                (Event::SequenceEnd, _) => return Ok(Value::List(items)),
                (event, at) => items.push(self.node(event, at, depth + 1)?),
            }
        }
    }

    fn map(&mut self, depth: usize) -> Result<Value, Wrong> {
        let mut entries: Vec<(Key, YamlNode)> = Vec::new();
        loop {
            let key = match self.next_inside()? {
                (Event::MappingEnd, _) => return Ok(Value::Map(entries)),
                (Event::Scalar(text, ..), at) => {
                    self.count(YamlSize { nodes: 0, bytes: text.len() }, at)?;
                    Key { at, text: text.into_owned() }
                }
                (_, at) => return Err(Wrong::new(at, "a key that is no text; expected a name and a colon")),
            };
            if let Some((first, _)) = entries.iter().find(|(k, _)| k.text == key.text) {
                let name = one_line(&key.text, 60);
                let line = first.at.line;
                return Err(Wrong::new(
                    key.at,
                    format!("`{name}` is there twice, first in line {line}; expected once"),
                ));
            }
            let (event, at) = self.next_inside()?;
            let node = self.node(event, at, depth + 1)?;
            entries.push((key, node));
        }
    }
}

fn place(mark: &Marker) -> At {
    At { line: mark.line(), column: mark.col() + 1 }
}

fn scalar(text: &str, style: ScalarStyle) -> Value {
    if style != ScalarStyle::Plain {
        return Value::Text(text.to_owned());
    }
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" | "True" | "TRUE" => Value::Bool(true),
        "false" | "False" | "FALSE" => Value::Bool(false),
        _ if is_number(text) => Value::Number(text.to_owned()),
        _ => Value::Text(text.to_owned()),
    }
}

/// YAML 1.2, 10.3.2: the core schema's integers and floats.
fn is_number(text: &str) -> bool {
    let body = text.trim_start_matches(['-', '+']);
    let digit_first = body.trim_start_matches('.').starts_with(|c: char| c.is_ascii_digit());
    body.len() + 1 >= text.len()
        && (body.parse::<f64>().is_ok() && digit_first
            || body.strip_prefix("0x").is_some_and(|h| u64::from_str_radix(h, 16).is_ok())
            || body.strip_prefix("0o").is_some_and(|o| u64::from_str_radix(o, 8).is_ok()))
}

/// A syntax error; a tab in the indentation is named as such, wherever the parser stumbled over it.
fn unreadable(text: &str, error: &ScanError) -> Wrong {
    let at = place(error.marker());
    for (number, line) in text.lines().enumerate().take(at.line + 1) {
        let indent = line.len() - line.trim_start_matches([' ', '\t']).len();
        if let Some(column) = line[..indent].find('\t') {
            let at = At { line: number + 1, column: column + 1 };
            return Wrong::new(at, "a tab in the indentation; expected spaces");
        }
    }
    Wrong::new(at, format!("not YAML: {}; expected `key: value` lines", one_line(&error.info(), 200)))
}
