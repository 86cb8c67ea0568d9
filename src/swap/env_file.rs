//! The env file: secrets from here on the host, where compose reads them back byte for byte.

use super::plan::Plan;
use crate::host::compose::Compose;
use crate::secret::Secret;
use crate::text::digest;
use std::collections::{BTreeMap, BTreeSet};

/// Between these lines are the values from here. They come last in the file, since the last value of a key counts.
pub(super) const BEGIN: &str = "# cutover: values from here on are written at each release";
pub(super) const END: &str = "# cutover: end of values";

/// What the env file gets.
#[derive(Debug, Clone, Default)]
pub enum Given {
    /// Nothing from here: a rollback takes what the version had.
    #[default]
    Nothing,
    /// The whole content.
    Whole(Secret),
    /// Keys and their values; the rest of the file stays.
    Values(Vec<(String, Secret)>),
}

/// The name by which the state directory keeps the env file of a version. Two configurations of one directory may have
/// files of their own, and versions with the same name.
pub fn key(directory: &str, file: &str, version: &str) -> String {
    if file.strip_prefix(directory) == Some("/.env") {
        return version.to_owned();
    }
    format!("{version}~{}", &digest(file)[..8])
}

impl Plan {
    /// The name by which the state directory keeps this plan's env file of a version.
    pub(super) fn env_key(&self, version: &str) -> String {
        self.env_file.as_ref().map_or_else(|| version.to_owned(), |file| key(&self.directory, file, version))
    }
}

/// Keys whose values a release would change in the file that was there: their names alone. The file's own name where it
/// differs in more than keys.
pub fn differing(given: &Given, there: &Secret, path: &str, compose: Compose) -> Vec<String> {
    let there = there.expose();
    match given {
        Given::Nothing => Vec::new(),
        Given::Whole(content) => {
            let (new, old) = (entries(content.expose()), entries(there));
            let keys: BTreeSet<&str> = new.keys().chain(old.keys()).map(String::as_str).collect();
            let differing = keys.into_iter().filter(|key| new.get(*key) != old.get(*key));
            let named = |key: &str| if key.is_empty() { path.to_owned() } else { key.to_owned() };
            differing.map(named).collect()
        }
        Given::Values(values) => {
            let ours = there.split_once(&format!("{BEGIN}\n")).map_or("", |(_, rest)| rest);
            let ours = format!("\n{}", ours.split_once(END).map_or(ours, |(ours, _)| ours));
            let same = |(key, value): &&(String, Secret)| {
                ours.contains(&format!("\n{key}={}\n", quoted(value.expose(), compose)))
            };
            values.iter().filter(|value| !same(value)).map(|(key, _)| key.clone()).collect()
        }
    }
}

/// What a file gives each key, as compose reads it, but for `${…}`. The error is the number of a line that
/// gives nothing: what stands there may be a part of a secret.
pub(crate) fn pairs(text: &str) -> Result<Vec<(String, Secret)>, usize> {
    let all = entries(text);
    if let Some(lines) = all.get("") {
        let first = lines.lines().next().unwrap_or_default();
        return Err(text.lines().position(|line| line.trim().ends_with(first)).map_or(1, |at| at + 1));
    }
    Ok(all.into_iter().map(|(key, value)| (key, Secret::new(plain(&value)))).collect())
}

/// A value without its quotes, or what stands behind it.
fn plain(value: &str) -> String {
    let mut all = value.chars();
    match all.next() {
        Some('\'') => all.take_while(|c| *c != '\'').collect(),
        Some('"') => {
            let mut text = String::new();
            while let Some(c) = all.next().filter(|c| *c != '"') {
                text.push(match c {
                    '\\' => match all.next() {
                        Some('n') => '\n',
                        Some('r') => '\r',
                        Some('t') => '\t',
                        other => other.unwrap_or('\\'),
                    },
                    c => c,
                });
            }
            text
        }
        _ => value.split_once(" #").map_or(value, |(value, _)| value).trim_end().to_owned(),
    }
}

/// What a file says of each key, as it is written; what belongs to no key is under an empty one, without comments.
fn entries(text: &str) -> BTreeMap<String, String> {
    let mut found: BTreeMap<String, String> = BTreeMap::new();
    let mut open: Option<(String, char)> = None;
    for line in text.lines() {
        if let Some((key, quote)) = &open {
            let last = found.entry(key.clone()).or_default();
            *last += &format!("\n{line}");
            if closes(line, *quote) {
                open = None;
            }
            continue;
        }
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (key, value) = line.split_once('=').unwrap_or(("", line));
        let key = key.trim().strip_prefix("export ").unwrap_or(key).trim();
        let is_name = |key: &str| key.chars().all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c));
        let (key, value) = if is_name(key) { (key, value.trim()) } else { ("", line) };
        let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''));
        open = quote.filter(|quote| !closes(&value[1..], *quote)).map(|quote| (key.to_owned(), quote));
        // the last value of a key counts
        if key.is_empty() {
            *found.entry(String::new()).or_default() += &format!("{value}\n");
        } else {
            found.insert(key.to_owned(), value.to_owned());
        }
    }
    found
}

/// Whether a quoted value ends on this line.
fn closes(line: &str, quote: char) -> bool {
    let mut escaped = false;
    for c in line.chars() {
        if c == quote && !escaped {
            return true;
        }
        escaped = c == '\\' && !escaped && quote == '"';
    }
    false
}

/// The values between their lines.
pub(super) fn block(values: &[(String, Secret)], compose: Compose) -> String {
    let lines = values.iter().map(|(key, value)| format!("{key}={}\n", quoted(value.expose(), compose)));
    format!("{BEGIN}\n{}{END}\n", lines.collect::<String>())
}

/// A value as both composes read it: in single quotes nothing means anything, but they disagree on `\` and `'` there.
///
/// In double quotes compose v2 reads `\$` as `$` (compose-go, dotenv/parser.go); 1.29 knows no escape for it and
/// replaces `${…}` anywhere, even in single quotes, with a default if one is given (python-dotenv, variables.py). Nor can a
/// text end with a backslash there.
fn quoted(value: &str, compose: Compose) -> String {
    let plain = !value.contains(['\\', '\'', '\r'])
        && !value.contains("${")
        && ![BEGIN, END].iter().any(|line| value.contains(line));
    if plain {
        return format!("'{value}'");
    }
    let value = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n").replace('\r', "\\r");
    match compose {
        Compose::V1 => {
            let end = if value.ends_with('\\') { "${:-}" } else { "" };
            format!("\"{}{end}\"", value.replace("${", "${:-$}{"))
        }
        Compose::V2 => format!("\"{}\"", value.replace('$', "\\$")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(new: &str, old: &str) -> Vec<String> {
        differing(&Given::Whole(Secret::new(new)), &Secret::new(old), ".env", Compose::V2)
    }

    #[test]
    fn keys_that_differ_are_named_and_nothing_else_is() {
        assert_eq!(whole("A=1\nB=2\n", "# other words\nB=2\r\n\nA=1"), [] as [&str; 0]);
        assert_eq!(whole("A=1\nB=3\nC=4", "A=1\nB=2\nD=5"), ["B", "C", "D"]);
        let key = "KEY=\"-----BEGIN\nline=1\n-----END\"\n";
        assert_eq!(whole(key, key), [] as [&str; 0]);
        assert_eq!(whole(key, &key.replace("line=1", "line=2")), ["KEY"]);
        assert_eq!(whole("{\"a\": 1}", "{\"a\": 2}"), [".env"]);
    }

    #[test]
    fn a_file_gives_each_key_the_value_that_it_was_quoted_from() {
        let own = ["it's", "a \"b\" $c\\n", "two\nlines", "pa$1wor$D"];
        let given: Vec<(String, Secret)> =
            own.iter().enumerate().map(|(n, value)| (format!("K{n}"), Secret::new(*value))).collect();
        assert_eq!(pairs(&block(&given, Compose::V2)), Ok(given));
        let text = "export A=b c # words\n# B=1\nEMPTY=\n";
        let expected = [("A", "b c"), ("EMPTY", "")].map(|(key, value)| (key.to_owned(), Secret::new(value)));
        assert_eq!(pairs(text), Ok(expected.to_vec()));
        assert_eq!(pairs("A=1\nno line of a file"), Err(2));
    }

    #[test]
    fn of_single_values_only_those_are_compared() {
        let values =
            |value: &str| Given::Values(vec![("A".into(), Secret::new("it's")), ("B".into(), Secret::new(value))]);
        let Given::Values(pairs) = values("x\ny") else { return };
        let there = format!("OTHER=1\n{}", block(&pairs, Compose::V2));
        let compared = |given: &Given, there: &str| differing(given, &Secret::new(there), ".env", Compose::V2);
        assert_eq!(compared(&values("x\ny"), &there), [] as [&str; 0]);
        assert_eq!(compared(&values("x\nz"), &there), ["B"]);
        assert_eq!(compared(&values("x\ny"), "A='it'"), ["A", "B"]);
    }

    #[test]
    fn only_the_file_that_is_called_env_is_kept_by_its_version_alone() {
        assert_eq!(key("/srv/app", "/srv/app/.env", "v1.0.0"), "v1.0.0");
        let other = key("/srv/app", "/srv/app/web.env", "v1.0.0");
        assert!(other.starts_with("v1.0.0~") && other != key("/srv/app", "/srv/app/api.env", "v1.0.0"), "{other}");
    }
}
