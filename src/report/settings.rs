//! Settings in words and for programs: what holds, and where it comes from.

use super::text::one_line;
use crate::config::{Origin, Setting};
use serde::Serialize;
use serde::ser::Serializer;
use serde_json::Value;

/// The width of the columns of keys and of values; longer ones go over it.
const WIDTHS: (usize, usize) = (28, 34);

/// A line for each.
pub(super) fn of(file: &str, settings: &[Setting]) -> String {
    let line = |one: &Setting| {
        let (key, value) = (one_line(&one.key, 100), one_line(&shown(one), 160));
        format!("{key:<0$}  {value:<1$}  {2}\n", WIDTHS.0, WIDTHS.1, place(file, &one.origin))
    };
    settings.iter().map(line).collect()
}

fn shown(one: &Setting) -> String {
    let set = match one.set {
        Some(true) => " (is set)",
        Some(false) => " (not set)",
        None => "",
    };
    format!("{}{set}", text(&one.value))
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => "–".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(items) => format!("[{}]", items.iter().map(text).collect::<Vec<_>>().join(", ")),
        other => other.to_string(),
    }
}

fn place(file: &str, origin: &Origin) -> String {
    match origin {
        Origin::File(line) => format!("{file}:{line}"),
        Origin::Variable(name) => format!("variable {name}"),
        Origin::Flag(flag) => format!("option {flag}"),
        Origin::Default => "default".to_owned(),
        Origin::Found => "found on the host".to_owned(),
        Origin::Host(hosts) => format!("found on {hosts}"),
    }
}

/// A setting as programs read it.
#[derive(Serialize)]
struct Line<'a> {
    key: &'a str,
    value: &'a Value,
    from: &'static str,
    /// The line, the variable, the option or the host.
    #[serde(skip_serializing_if = "Option::is_none")]
    place: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    set: Option<bool>,
}

/// A list of them.
pub(super) fn to_json<S: Serializer>(settings: &[Setting], to: S) -> Result<S::Ok, S::Error> {
    to.collect_seq(settings.iter().map(|one| {
        let (from, place) = match &one.origin {
            Origin::File(line) => ("file", Some((*line).into())),
            Origin::Variable(name) => ("variable", Some(name.as_str().into())),
            Origin::Flag(flag) => ("option", Some((*flag).into())),
            Origin::Default => ("default", None),
            Origin::Found => ("found", None),
            Origin::Host(hosts) => ("found", Some(hosts.as_str().into())),
        };
        Line { key: &one.key, value: &one.value, from, place, set: one.set }
    }))
}
