//! From a node of the tree to a typed value, or to one message with its place.
use super::duration;
use super::error::{At, Wrong};
use super::names::EnvName;
use super::yaml::{Key, Value, YamlNode};
use crate::report::text::one_line;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

/// A key with its value. The items of a list are entries under the list's key.
#[derive(Clone, Copy)]
pub(super) struct Entry<'a> {
    pub(super) key: &'a Key,
    pub(super) node: &'a YamlNode,
}

/// A value that the file states, and where.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Stated<T> {
    /// The place of its key.
    pub(super) key: At,
    /// The place of the value.
    pub(super) at: At,
    pub(super) value: T,
}

impl<'a> Entry<'a> {
    /// "KEY: found …; expected …", at the value; at the key when there is none.
    pub(super) fn wrong(&self, expected: &str) -> Wrong {
        self.found(&self.node.describe(), expected)
    }

    fn found(&self, found: &str, expected: &str) -> Wrong {
        let key = one_line(&self.key.text, 60);
        let at = if self.node.value == Value::Null { self.key.at } else { self.node.at };
        Wrong::new(at, format!("{key}: found {found}; expected {expected}"))
    }

    pub(super) fn stated<T>(&self, value: T) -> Stated<T> {
        Stated { key: self.key.at, at: self.node.at, value }
    }

    fn item(&self, node: &'a YamlNode) -> Entry<'a> {
        Entry { key: self.key, node }
    }

    /// The text, or what was expected instead.
    fn as_text(&self, expected: &str) -> Result<&'a str, Wrong> {
        match &self.node.value {
            Value::Text(text) => Ok(text),
            Value::Number(_) | Value::Bool(_) => {
                Err(self.wrong(&format!("{expected} (in quotes if this is meant as text)")))
            }
            _ => Err(self.wrong(expected)),
        }
    }

    pub(super) fn entries(&self, expected: &str) -> Result<Vec<Entry<'a>>, Wrong> {
        match &self.node.value {
            Value::Map(entries) => Ok(entries.iter().map(|(key, node)| Entry { key, node }).collect()),
            _ => Err(self.wrong(expected)),
        }
    }

    pub(super) fn items(&self, expected: &str) -> Result<Vec<Entry<'a>>, Wrong> {
        match &self.node.value {
            Value::List(items) if !items.is_empty() => Ok(items.iter().map(|node| self.item(node)).collect()),
            Value::List(_) => {
                Err(Wrong::new(self.node.at, format!("{}: an empty list; expected {expected}", self.key.text)))
            }
            _ => Err(self.wrong(expected)),
        }
    }
}

/// The entries of a map whose keys are all known.
pub(super) fn table<'a>(entry: &Entry<'a>, keys: &[&str]) -> Result<Vec<Entry<'a>>, Wrong> {
    let entries = entry.entries(&format!("a map with {}", keys.join(", ")))?;
    match entries.iter().find(|e| !keys.contains(&e.key.text.as_str())) {
        Some(unknown) => Err(Wrong::new(unknown.key.at, format!("unknown key {}", instead(&unknown.key.text, keys)))),
        None => Ok(entries),
    }
}

/// "`NAME`; did you mean …?", or all that is known.
pub(super) fn instead(name: &str, known: &[&str]) -> String {
    let plain = name.to_lowercase().replace('_', "-");
    let nearest = known.iter().map(|k| (strsim::damerau_levenshtein(&plain, k), *k)).min();
    let name = one_line(name, 60);
    match nearest {
        Some((distance, key)) if distance <= (key.len() / 3).max(1) => format!("`{name}`; did you mean `{key}`?"),
        _ => format!("`{name}`; expected one of {}", known.join(", ")),
    }
}

/// A text that its type accepts; the type's own error says what was expected.
pub(super) fn parsed<T: FromStr<Err = String>>(entry: &Entry) -> Result<Stated<T>, Wrong> {
    text_as(entry, T::from_str)
}

/// The name of an environment variable. What stands there instead may be the secret itself, so it is not shown.
pub(super) fn variable(entry: &Entry) -> Result<Stated<EnvName>, Wrong> {
    parsed(entry).map_err(|wrong| match (&entry.node.value, EnvName::from_str("")) {
        (Value::Text(_), Err(expected)) => entry.found("a text that is no name", &expected),
        _ => wrong,
    })
}

/// A text that `parse` accepts; its error says what was expected.
pub(super) fn text_as<T>(entry: &Entry, parse: impl Fn(&str) -> Result<T, String>) -> Result<Stated<T>, Wrong> {
    let text = match &entry.node.value {
        Value::Text(text) => text.as_str(),
        _ => return Err(expected_of(entry, parse)),
    };
    parse(text).map(|value| entry.stated(value)).map_err(|expected| entry.wrong(&expected))
}

/// The message for a value that is no text at all: what `parse` expects, asked with the empty text.
fn expected_of<T>(entry: &Entry, parse: impl Fn(&str) -> Result<T, String>) -> Wrong {
    let expected = parse("").err().unwrap_or_else(|| "text".to_owned());
    match entry.as_text(&expected) {
        Err(wrong) => wrong,
        Ok(_) => entry.wrong(&expected),
    }
}

/// A text that is not empty, on one line.
pub(super) fn line(text: &str) -> Result<String, String> {
    if text.is_empty() || text.chars().any(char::is_control) {
        return Err("a text on one line".to_owned());
    }
    Ok(text.to_owned())
}

pub(super) fn text(entry: &Entry) -> Result<Stated<String>, Wrong> {
    text_as(entry, line)
}

pub(super) fn boolean(entry: &Entry) -> Result<Stated<bool>, Wrong> {
    match entry.node.value {
        Value::Bool(truth) => Ok(entry.stated(truth)),
        _ => Err(entry.wrong("true or false")),
    }
}

/// A whole number within the range.
pub(super) fn number(entry: &Entry, range: RangeInclusive<u32>) -> Result<Stated<u32>, Wrong> {
    let number = match &entry.node.value {
        Value::Number(text) => text.parse::<u32>().ok().filter(|n| range.contains(n)),
        _ => None,
    };
    let expected = || entry.wrong(&format!("a whole number from {} to {}", range.start(), range.end()));
    number.map(|n| entry.stated(n)).ok_or_else(expected)
}

/// A length of time that may be zero.
pub(super) fn time(entry: &Entry) -> Result<Stated<Duration>, Wrong> {
    match &entry.node.value {
        Value::Number(_) => Err(entry.wrong(&duration::parse("").err().unwrap_or_default())),
        _ => text_as(entry, duration::parse),
    }
}

/// A length of time that is not zero.
pub(super) fn positive_time(entry: &Entry) -> Result<Stated<Duration>, Wrong> {
    let stated = time(entry)?;
    if stated.value.is_zero() { Err(entry.wrong("a time longer than zero")) } else { Ok(stated) }
}

/// One of some words.
pub(super) fn choice<T: Copy>(entry: &Entry, choices: &[(&str, T)]) -> Result<Stated<T>, Wrong> {
    let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
    let found = match &entry.node.value {
        Value::Text(text) => choices.iter().find(|(word, _)| word == text),
        _ => None,
    };
    found.map(|(_, value)| entry.stated(*value)).ok_or_else(|| entry.wrong(&format!("one of {}", words.join(", "))))
}

/// One value, or a list of them, each once.
pub(super) fn one_or_many<T: PartialEq>(
    entry: &Entry,
    one: impl Fn(&Entry) -> Result<Stated<T>, Wrong>,
) -> Result<Stated<Vec<Stated<T>>>, Wrong> {
    let items = match entry.node.value {
        Value::List(_) => entry.items("at least one value")?,
        _ => vec![*entry],
    };
    let values = items.iter().map(one).collect::<Result<Vec<Stated<T>>, _>>()?;
    let is_there = |number: usize| values[..number].iter().any(|before| before.value == values[number].value);
    match (0..values.len()).find(|number| is_there(*number)) {
        Some(twice) => Err(items[twice].found(&format!("{} twice", items[twice].node.describe()), "each once")),
        None => Ok(entry.stated(values)),
    }
}

/// A list of words: a command, never a line for a shell.
pub(super) fn words(entry: &Entry) -> Result<Stated<Vec<String>>, Wrong> {
    let expected = "a list of words, such as [npm, run, migrate]";
    let words = entry.items(expected)?;
    let word = |e: &Entry| text_as(e, |t| if t.contains('\0') { Err("a word".to_owned()) } else { Ok(t.to_owned()) });
    let words: Result<Vec<String>, Wrong> = words.iter().map(|e| Ok(word(e)?.value)).collect();
    Ok(entry.stated(words?))
}
