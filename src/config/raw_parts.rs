//! The smaller maps of cutover.yml as they stand.
use super::checks;
use super::error::Wrong;
use super::host::Address;
use super::names::{EnvName, Name};
use super::raw::raw;
use super::read::{self, Entry, Stated};
use super::types::{KnownHostsSetting, WhenReleased};
use super::yaml::Value;
use std::ops::RangeInclusive;
use std::time::Duration;

raw! {
    /// `health`; a text is its `path`.
    RawHealth {
        path: Stated<String> = "path" |e| read::text_as(e, checks::url_path),
        host: Stated<String> = "host" |e| read::text_as(e, checks::host_header),
        status: Stated<Vec<Stated<RangeInclusive<u16>>>> = "status" |e| read::one_or_many(e, status),
        timeout: Stated<Duration> = "timeout" read::positive_time,
        interval: Stated<Duration> = "interval" read::positive_time,
        successes: Stated<u32> = "successes" |e| read::number(e, 1..=100),
    }
}

raw! {
    /// `nginx`; the text `host` is its `host`.
    RawNginx {
        service: Stated<Name> = "service" read::parsed,
        container: Stated<Name> = "container" read::parsed,
        host: Stated<bool> = "host" read::boolean,
        conf: Stated<String> = "conf" |e| read::text_as(e, checks::host_file),
        keepalive_guard: Stated<bool> = "keepalive-guard" read::boolean,
        probe: RawProbe = "probe" RawProbe::of,
    }
}

raw! {
    /// `nginx.probe`; a text is its `path`.
    RawProbe {
        path: Stated<String> = "path" |e| read::text_as(e, checks::url_path),
        host: Stated<String> = "host" |e| read::text_as(e, checks::host_header),
        headers_env: Stated<EnvName> = "headers-env" read::variable,
    }
}

raw! {
    /// `registry`; a text is its `server`.
    RawRegistry {
        server: Stated<String> = "server" |e| read::text_as(e, checks::registry),
        username: Stated<String> = "username" read::text,
        password_env: Stated<EnvName> = "password-env" read::variable,
    }
}

raw! {
    /// `ssh`.
    RawSsh {
        key_env: Stated<EnvName> = "key-env" read::variable,
        key_file: Stated<String> = "key-file" read::text,
        passphrase_env: Stated<EnvName> = "passphrase-env" read::variable,
        known_hosts: Stated<KnownHostsSetting> = "known-hosts" |e| read::text_as(e, checks::known_hosts),
        fingerprint: Stated<Vec<Stated<String>>> = "fingerprint" |e| read::one_or_many(e, fingerprint),
        jump: Stated<Vec<Stated<Address>>> = "jump" |e| read::one_or_many(e, read::parsed),
        connect_timeout: Stated<Duration> = "connect-timeout" read::positive_time,
        config_file: Stated<String> = "config-file" read::text,
    }
}

raw! {
    /// `bake`; a time is its `for`.
    RawBake {
        duration: Stated<Duration> = "for" read::time,
        max_failures: Stated<u32> = "max-failures" |e| read::number(e, 0..=1_000_000),
    }
}

raw! {
    /// `lock`.
    RawLock {
        wait: Stated<Duration> = "wait" read::time,
    }
}

raw! {
    /// `hooks`.
    RawHooks {
        release: RawReleaseHook = "release" RawReleaseHook::read,
        before_switch: RawHostHook = "before-switch" RawHostHook::of,
        after_switch: RawHostHook = "after-switch" RawHostHook::of,
        before_build: RawLocalHook = "before-build" RawLocalHook::of,
        before_release: RawLocalHook = "before-release" RawLocalHook::of,
        after_release: RawLocalHook = "after-release" RawLocalHook::of,
        on_failure: RawLocalHook = "on-failure" RawLocalHook::of,
    }
}

raw! {
    /// `hooks.release`.
    RawReleaseHook {
        command: Stated<Vec<String>> = "command" read::words,
        service: Stated<Name> = "service" read::parsed,
        timeout: Stated<Duration> = "timeout" read::positive_time,
        irreversible: Stated<bool> = "irreversible" read::boolean,
    }
}

raw! {
    /// `hooks.before-switch` and `hooks.after-switch`; a list is its `command`.
    RawHostHook {
        command: Stated<Vec<String>> = "command" read::words,
        timeout: Stated<Duration> = "timeout" read::positive_time,
    }
}

raw! {
    /// The hooks on this side; a list is the `command`.
    RawLocalHook {
        command: Stated<Vec<String>> = "command" read::words,
        timeout: Stated<Duration> = "timeout" read::positive_time,
        secrets: Stated<Vec<Stated<EnvName>>> = "secrets" |e| read::one_or_many(e, read::variable),
    }
}

raw! {
    /// `env-file`.
    RawEnvFile {
        path: Stated<String> = "path" |e| read::text_as(e, checks::host_file),
        from_env: Stated<EnvName> = "from-env" read::variable,
        values: Stated<Vec<(EnvName, EnvName)>> = "values" env_values,
    }
}

raw! {
    /// `github`.
    RawGitHub {
        release: Stated<WhenReleased> = "release" when_released,
        deployments: Stated<bool> = "deployments" read::boolean,
        environment_url: Stated<String> = "environment-url" |e| read::text_as(e, checks::web_url),
    }
}

impl RawNginx {
    pub(super) fn of(entry: &Entry) -> Result<Self, Wrong> {
        let raw = match &entry.node.value {
            Value::Text(text) if text == "host" => Self { host: Some(entry.stated(true)), ..Self::empty(entry.key.at) },
            Value::Map(_) => Self::read(entry)?,
            _ => return Err(entry.wrong("`host`, or a map with keys such as `service`, `container` and `conf`")),
        };
        let stated = [raw.service.is_some(), raw.container.is_some(), raw.host.as_ref().is_some_and(|host| host.value)];
        if stated.iter().filter(|stated| **stated).count() > 1 {
            return Err(Wrong::new(
                entry.node.at,
                "nginx: it has one place; expected one of `service`, `container` and `host`".to_owned(),
            ));
        }
        Ok(raw)
    }
}

impl RawHealth {
    pub(super) fn of(entry: &Entry) -> Result<Self, Wrong> {
        if matches!(entry.node.value, Value::Map(_)) {
            return Self::read(entry);
        }
        let path = Some(read::text_as(entry, checks::url_path)?);
        Ok(RawHealth { path, ..Self::empty(entry.key.at) })
    }
}

impl RawProbe {
    fn of(entry: &Entry) -> Result<Self, Wrong> {
        if matches!(entry.node.value, Value::Map(_)) {
            return Self::read(entry);
        }
        let path = Some(read::text_as(entry, checks::url_path)?);
        Ok(RawProbe { path, ..Self::empty(entry.key.at) })
    }
}

impl RawRegistry {
    pub(super) fn of(entry: &Entry) -> Result<Self, Wrong> {
        if matches!(entry.node.value, Value::Map(_)) {
            return Self::read(entry);
        }
        let server = Some(read::text_as(entry, checks::registry_or_none)?);
        Ok(RawRegistry { server, ..Self::empty(entry.key.at) })
    }
}

impl RawBake {
    pub(super) fn of(entry: &Entry) -> Result<Self, Wrong> {
        if matches!(entry.node.value, Value::Map(_)) {
            return Self::read(entry);
        }
        Ok(RawBake { duration: Some(read::time(entry)?), ..Self::empty(entry.key.at) })
    }
}

impl RawHostHook {
    fn of(entry: &Entry) -> Result<Self, Wrong> {
        if matches!(entry.node.value, Value::Map(_)) {
            return Self::read(entry);
        }
        Ok(RawHostHook { command: Some(read::words(entry)?), ..Self::empty(entry.key.at) })
    }
}

impl RawLocalHook {
    fn of(entry: &Entry) -> Result<Self, Wrong> {
        if matches!(entry.node.value, Value::Map(_)) {
            return Self::read(entry);
        }
        Ok(RawLocalHook { command: Some(read::words(entry)?), ..Self::empty(entry.key.at) })
    }
}

/// A map from keys of the file to variables, or a list of variables whose names are the keys.
fn env_values(entry: &Entry) -> Result<Stated<Vec<(EnvName, EnvName)>>, Wrong> {
    let expected = "a map such as {DB_PASSWORD: NAME_OF_A_VARIABLE}, or a list of variables";
    let variable = |e: &Entry| read::variable(e).map(|name| name.value);
    let key = |e: &Entry| {
        let wrong = || format!("{}: found a key that is no name; expected {expected}", entry.key.text);
        e.key.text.parse::<EnvName>().map_err(|_| Wrong::new(e.key.at, wrong()))
    };
    let pairs: Result<Vec<_>, Wrong> = match entry.node.value {
        Value::List(_) => entry.items(expected)?.iter().map(|e| variable(e).map(|name| (name.clone(), name))).collect(),
        _ => entry.entries(expected)?.iter().map(|e| Ok((key(e)?, variable(e)?))).collect(),
    };
    let pairs = pairs?;
    if pairs.is_empty() { Err(entry.wrong(expected)) } else { Ok(entry.stated(pairs)) }
}

/// A status may be a bare number.
fn status(entry: &Entry) -> Result<Stated<RangeInclusive<u16>>, Wrong> {
    match &entry.node.value {
        Value::Number(text) => match checks::status(text) {
            Ok(range) => Ok(entry.stated(range)),
            Err(expected) => Err(entry.wrong(&expected)),
        },
        _ => read::text_as(entry, checks::status),
    }
}

fn when_released(entry: &Entry) -> Result<Stated<WhenReleased>, Wrong> {
    let choices =
        [("before", WhenReleased::Before), ("confirmed", WhenReleased::Confirmed), ("never", WhenReleased::Never)];
    read::choice(entry, &choices)
}

fn fingerprint(entry: &Entry) -> Result<Stated<String>, Wrong> {
    read::text_as(entry, checks::fingerprint)
}
