//! Variables that compose found unset, and took as empty: which services they are used in.

use serde_json::Value;
use std::collections::BTreeMap;

/// A variable that compose took as empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unset {
    /// Its name.
    pub name: String,
    /// The services whose text uses it. None: it stands elsewhere, in an env file for instance.
    pub services: Vec<String>,
}

/// Reads compose's warnings, and `compose config --no-interpolate` for where the variables stand.
pub fn unset(warnings: &str, raw: &str) -> Vec<Unset> {
    let project: Value = super::read(raw).unwrap_or_default();
    let services = project.get("services").and_then(Value::as_object).cloned().unwrap_or_default();
    let texts: BTreeMap<String, String> =
        services.into_iter().map(|(name, service)| (name, service.to_string())).collect();
    let mut found: Vec<Unset> = Vec::new();
    for name in names(warnings) {
        if found.iter().all(|known| known.name != name) {
            let users = texts.iter().filter(|(_, text)| uses(text, name)).map(|(service, _)| service.clone());
            found.push(Unset { name: name.to_owned(), services: users.collect() });
        }
    }
    found
}

/// Compose 1.29: `The NAME variable is not set. Defaulting to a blank string.`; v2 has the name in escaped quotes, within a
/// logger's line.
fn names(warnings: &str) -> impl Iterator<Item = &str> {
    let before = warnings.lines().filter_map(|line| Some(line.split_once(" variable is not set")?.0));
    before.filter_map(|before| before.rsplit(' ').next()).map(|name| name.trim_matches(['\\', '"']))
}

/// Has `$NAME`, `${NAME}` or `${NAME…}`; `$$` is a plain `$`.
fn uses(text: &str, name: &str) -> bool {
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        rest = &rest[at + 1..];
        if let Some(escaped) = rest.strip_prefix('$') {
            rest = escaped;
            continue;
        }
        let behind = rest.strip_prefix('{').unwrap_or(rest).strip_prefix(name);
        if behind.is_some_and(|behind| !behind.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')) {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    const RAW: &str = "services:\n  blue: {image: 'a:${TAG}', environment: {DB: '${DB_PASSWORD}', X: '$$EXTRA ${TAGS}'}}\n  redis: {command: 'x $EXTRA'}\n";

    #[test]
    fn both_composes_name_them() {
        let v1 = "The TAG variable is not set. Defaulting to a blank string.\nThe DB_PASSWORD variable is not set. Defaulting to a blank string.\nThe EXTRA variable is not set. Defaulting to a blank string.\nThe word variable is not set. Defaulting to a blank string.\nThe TAG variable is not set. Defaulting to a blank string.\n";
        let v2: String = ["TAG", "DB_PASSWORD", "EXTRA", "word"]
            .map(|name| format!("time=\"t\" level=warning msg=\"The \\\"{name}\\\" variable is not set. Defaulting to a blank string.\"\n"))
            .concat();
        let expected =
            [("TAG", vec!["blue"]), ("DB_PASSWORD", vec!["blue"]), ("EXTRA", vec!["redis"]), ("word", vec![])];
        let expected = expected.map(|(name, services)| Unset {
            name: name.to_owned(),
            services: services.into_iter().map(str::to_owned).collect(),
        });
        assert_eq!(unset(v1, RAW), expected);
        assert_eq!(unset(&v2, RAW), expected);
        assert_eq!(unset("docker-compose.yml: the attribute `version` is obsolete", RAW), []);
        assert_eq!(unset(v1, "no: [yaml").len(), 4);
    }
}
