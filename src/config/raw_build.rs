//! `build` as it stands.
use super::checks;
use super::error::Wrong;
use super::names::EnvName;
use super::raw::{Over, name_of_key, raw};
use super::read::{self, Entry, Stated};
use super::types::{BuildSecret, SecretSource};
use super::yaml::Value;
use std::path::PathBuf;

/// Build arguments: name and value.
type Args = Vec<(String, Option<String>)>;

/// `build`: a context, a map, or `false` for an image that is built elsewhere.
#[derive(Debug, Clone)]
pub(super) struct RawBuild {
    /// Whether to build at all.
    pub(super) wanted: bool,
    pub(super) settings: BuildSettings,
}

raw! {
    /// `build` as a map.
    BuildSettings {
        context: Stated<String> = "context" read::text,
        dockerfile: Stated<String> = "dockerfile" read::text,
        target: Stated<String> = "target" read::text,
        platform: Stated<String> = "platform" |e| read::text_as(e, checks::platform),
        args: Stated<Args> = "args" args,
        secrets: Stated<Vec<BuildSecret>> = "secrets" secrets,
        cache_from: Stated<Vec<Stated<String>>> = "cache-from" |e| read::one_or_many(e, read::text),
        cache_to: Stated<Vec<Stated<String>>> = "cache-to" |e| read::one_or_many(e, read::text),
    }
}

impl RawBuild {
    pub(super) fn of(entry: &Entry) -> Result<Self, Wrong> {
        let nothing = BuildSettings::empty(entry.key.at);
        match &entry.node.value {
            Value::Bool(wanted) => Ok(RawBuild { wanted: *wanted, settings: nothing }),
            Value::Map(_) => Ok(RawBuild { wanted: true, settings: BuildSettings::read(entry)? }),
            Value::Text(_) => {
                let context = Some(read::text(entry)?);
                Ok(RawBuild { wanted: true, settings: BuildSettings { context, ..nothing } })
            }
            _ => Err(entry.wrong("the build context, a map with `context` and others, or false")),
        }
    }
}

impl Over for RawBuild {
    fn over(self, under: Self) -> Self {
        RawBuild { wanted: self.wanted, settings: self.settings.over(under.settings) }
    }
}

/// Numbers and truth values stand as they are written, as in a compose file; nothing: from the environment.
fn args(entry: &Entry) -> Result<Stated<Args>, Wrong> {
    let one = |e: &Entry| {
        let name = &e.key.text;
        if !checks::is_arg_name(name) {
            return Err(Wrong::new(e.key.at, "a build argument without a name; expected NAME: value"));
        }
        let value = match &e.node.value {
            Value::Null => None,
            Value::Text(text) | Value::Number(text) => Some(text.clone()),
            Value::Bool(truth) => Some(truth.to_string()),
            _ => return Err(e.wrong("a text")),
        };
        Ok((name.clone(), value))
    };
    let args: Result<Vec<_>, _> = entry.entries("a map from name to value")?.iter().map(one).collect();
    Ok(entry.stated(args?))
}

raw! {
    /// One of `secrets`, in a list.
    RawSecret {
        id: Stated<super::names::Name> = "id" read::parsed,
        env: Stated<EnvName> = "env" read::variable,
        file: Stated<String> = "file" read::text,
    }
}

/// `{ID: {env: NAME}}`, or `[{id: ID, file: PATH}]`.
fn secrets(entry: &Entry) -> Result<Stated<Vec<BuildSecret>>, Wrong> {
    let secrets: Result<Vec<_>, _> = match entry.node.value {
        Value::List(_) => entry.items("build secrets")?.iter().map(listed_secret).collect(),
        _ => {
            entry.entries("a map from a secret's id to `env: NAME` or `file: PATH`")?.iter().map(keyed_secret).collect()
        }
    };
    let secrets = secrets?;
    match secrets.iter().enumerate().find(|(n, s)| secrets[..*n].iter().any(|t| t.value.id == s.value.id)) {
        Some((_, twice)) => {
            Err(Wrong::new(twice.at, format!("the build secret `{}` is there twice; expected once", twice.value.id)))
        }
        None => Ok(entry.stated(secrets.into_iter().map(|s| s.value).collect())),
    }
}

fn listed_secret(entry: &Entry) -> Result<Stated<BuildSecret>, Wrong> {
    let raw = RawSecret::read(entry)?;
    let id =
        raw.id.clone().ok_or_else(|| Wrong::new(entry.node.at, "a build secret without `id`; expected `id: NAME`"))?;
    let source = source(entry, raw)?;
    Ok(Stated { at: id.at, ..entry.stated(BuildSecret { id: id.value, source }) })
}

fn keyed_secret(entry: &Entry) -> Result<Stated<BuildSecret>, Wrong> {
    let id = name_of_key(entry)?;
    let raw = RawSecret::read(entry)?;
    if let Some(inner) = &raw.id {
        return Err(Wrong::new(inner.key, "`id` inside a map of ids; expected `env` or `file`"));
    }
    let source = source(entry, raw)?;
    Ok(Stated { at: id.at, ..entry.stated(BuildSecret { id: id.value, source }) })
}

fn source(entry: &Entry, raw: RawSecret) -> Result<SecretSource, Wrong> {
    match (raw.env, raw.file) {
        (Some(env), None) => Ok(SecretSource::Env(env.value)),
        (None, Some(file)) => Ok(SecretSource::File(PathBuf::from(file.value))),
        (Some(_), Some(file)) => Err(Wrong::new(file.key, "`env` and `file` for one secret; expected one of them")),
        (None, None) => {
            Err(Wrong::new(entry.node.at, "a build secret without a source; expected `env: NAME` or `file: PATH`"))
        }
    }
}
