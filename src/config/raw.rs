//! cutover.yml as it stands: every key optional, every value of its type, every place known. Nothing is decided here.
use super::checks;
use super::error::{At, Wrong};
use super::host::{Address, HostSettings};
use super::image::ImageName;
use super::names::Name;
use super::raw_build::RawBuild;
use super::raw_parts::{RawBake, RawEnvFile, RawGitHub, RawHealth, RawHooks, RawLock, RawNginx, RawRegistry, RawSsh};
use super::read::{self, Entry, Stated};
use super::types::{Latest, PortSetting, SlotSettings, TagForm, VersionPattern, WhenMissing};
use super::yaml::Value;
use std::time::Duration;

/// Laying an environment's settings over the common ones, field by field.
pub(super) trait Over {
    fn over(self, under: Self) -> Self;
}

impl<T> Over for Stated<T> {
    fn over(self, _: Self) -> Self {
        self
    }
}

impl<T: Over> Over for Option<T> {
    fn over(self, under: Self) -> Self {
        match (self, under) {
            (Some(over), Some(under)) => Some(over.over(under)),
            (over, under) => over.or(under),
        }
    }
}

/// A map of cutover.yml: its keys, their reader, and how one lies over another.
macro_rules! raw {
    ($(#[$doc:meta])* $name:ident { $($field:ident: $type:ty = $key:literal $read:expr,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone)]
        pub(super) struct $name {
            /// The place of the map's key.
            pub(super) at: crate::config::error::At,
            $(pub(super) $field: Option<$type>,)+
        }

        impl $name {
            pub(super) const KEYS: &[&str] = &[$($key),+];

            /// Nothing stated.
            #[allow(dead_code)]
            pub(super) fn empty(at: crate::config::error::At) -> Self {
                $name { at, $($field: None,)+ }
            }

            /// Reads a map.
            pub(super) fn read(entry: &crate::config::read::Entry) -> Result<Self, crate::config::error::Wrong> {
                let entries = crate::config::read::table(entry, Self::KEYS)?;
                let find = |key: &str| entries.iter().find(|e| e.key.text == key);
                Ok($name { at: entry.key.at, $($field: find($key).map($read).transpose()?,)+ })
            }
        }

        impl crate::config::raw::Over for $name {
            fn over(self, under: Self) -> Self {
                $name { at: self.at, $($field: self.$field.over(under.$field),)+ }
            }
        }
    };
}

pub(super) use raw;

raw! {
    /// The whole file, or one environment of it.
    Raw {
        image: Stated<ImageName> = "image" read::parsed,
        engine: Stated<bool> = "engine" engine,
        stack: Stated<Name> = "stack" read::parsed,
        tag: Stated<TagForm> = "tag" read::parsed,
        host: Stated<HostSettings> = "host" host,
        hosts: Stated<Vec<Stated<HostSettings>>> = "hosts" hosts,
        directory: Stated<String> = "directory" |e| read::text_as(e, checks::directory),
        compose_file: Stated<Vec<Stated<String>>> = "compose-file" |e| read::one_or_many(e, host_file),
        project: Stated<Name> = "project" |e| read::text_as(e, checks::project),
        services: Services = "services" Services::of,
        build: RawBuild = "build" RawBuild::of,
        slots: Stated<[SlotSettings; 2]> = "slots" slots,
        workers: Stated<Vec<Stated<Name>>> = "workers" |e| read::one_or_many(e, read::parsed),
        upstream: Stated<Name> = "upstream" read::parsed,
        port: Stated<PortSetting> = "port" port,
        health: RawHealth = "health" RawHealth::of,
        stop_timeout: Stated<Duration> = "stop-timeout" read::positive_time,
        nginx: RawNginx = "nginx" RawNginx::of,
        latest: Stated<Latest> = "latest" latest,
        when_missing: Stated<WhenMissing> = "when-missing" when_missing,
        version_from: Stated<bool> = "version-from" version_from,
        version_pattern: Stated<VersionPattern> = "version-pattern" read::parsed,
        registry: RawRegistry = "registry" RawRegistry::of,
        ssh: RawSsh = "ssh" RawSsh::read,
        drain_timeout: Stated<Duration> = "drain-timeout" read::time,
        bake: RawBake = "bake" RawBake::of,
        keep: Stated<u32> = "keep" |e| read::number(e, 1..=1000),
        parallel: Stated<u32> = "parallel" |e| read::number(e, 1..=1000),
        lock: RawLock = "lock" RawLock::read,
        hooks: RawHooks = "hooks" RawHooks::read,
        env_file: RawEnvFile = "env-file" RawEnvFile::read,
        github: RawGitHub = "github" RawGitHub::read,
        environments: Environments = "environments" Environments::of,
    }
}

raw! {
    /// One of `services`.
    RawService {
        image: Stated<ImageName> = "image" read::parsed,
        tag: Stated<TagForm> = "tag" read::parsed,
        build: RawBuild = "build" RawBuild::of,
        slots: Stated<[SlotSettings; 2]> = "slots" slots,
        workers: Stated<Vec<Stated<Name>>> = "workers" |e| read::one_or_many(e, read::parsed),
        upstream: Stated<Name> = "upstream" read::parsed,
        port: Stated<PortSetting> = "port" port,
        health: RawHealth = "health" RawHealth::of,
        stop_timeout: Stated<Duration> = "stop-timeout" read::positive_time,
    }
}

/// `services`, in the order of the file.
#[derive(Debug, Clone)]
pub(super) struct Services {
    pub(super) at: At,
    pub(super) list: Vec<(Stated<Name>, RawService)>,
}

impl Services {
    fn of(entry: &Entry) -> Result<Self, Wrong> {
        let list = named(entry, "a map from a service's name to its settings", RawService::read)?;
        Ok(Services { at: entry.key.at, list })
    }
}

impl Over for Services {
    fn over(self, under: Self) -> Self {
        let mut list = under.list;
        for (name, service) in self.list {
            match list.iter_mut().find(|(known, _)| known.value == name.value) {
                Some((_, known)) => *known = service.over(known.clone()),
                None => list.push((name, service)),
            }
        }
        Services { at: self.at, list }
    }
}

/// `environments`: each is a subset of everything else.
#[derive(Debug, Clone)]
pub(super) struct Environments {
    pub(super) at: At,
    pub(super) list: Vec<(Stated<Name>, Raw)>,
}

impl Environments {
    fn of(entry: &Entry) -> Result<Self, Wrong> {
        let list = named(entry, "a map from an environment's name to its settings", Raw::read)?;
        match list.iter().find_map(|(_, raw)| raw.environments.as_ref()) {
            Some(inner) => Err(Wrong::new(inner.at, "`environments` inside an environment; expected settings")),
            None => Ok(Environments { at: entry.key.at, list }),
        }
    }
}

impl Over for Environments {
    fn over(self, _: Self) -> Self {
        self
    }
}

/// A map whose keys are names.
fn named<T>(
    entry: &Entry,
    expected: &str,
    read: impl Fn(&Entry) -> Result<T, Wrong>,
) -> Result<Vec<(Stated<Name>, T)>, Wrong> {
    let entries = entry.entries(expected)?;
    if entries.is_empty() {
        return Err(entry.wrong(expected));
    }
    let one = |e: &Entry| Ok((name_of_key(e)?, read(e)?));
    entries.iter().map(one).collect()
}

/// The key itself as a name.
pub(super) fn name_of_key(entry: &Entry) -> Result<Stated<Name>, Wrong> {
    let at = entry.key.at;
    let name = entry.key.text.parse().map_err(|expected| {
        let found = crate::report::text::one_line(&entry.key.text, 60);
        Wrong::new(at, format!("found \"{found}\" as a name; expected {expected}"))
    });
    Ok(Stated { key: at, at, value: name? })
}

fn host(entry: &Entry) -> Result<Stated<HostSettings>, Wrong> {
    if !matches!(entry.node.value, super::yaml::Value::Map(_)) {
        let address = read::parsed::<Address>(entry)?;
        return Ok(entry.stated(HostSettings { address: address.value, alias: None }));
    }
    let raw = RawHost::read(entry)?;
    let Some(address) = raw.address else {
        return Err(Wrong::new(entry.node.at, "no `address`; expected `address: USER@HOST`"));
    };
    Ok(Stated {
        at: address.at,
        ..entry.stated(HostSettings { address: address.value, alias: raw.alias.map(|a| a.value) })
    })
}

raw! {
    /// A host with an alias.
    RawHost {
        address: Stated<Address> = "address" read::parsed,
        alias: Stated<Name> = "alias" read::parsed,
    }
}

fn hosts(entry: &Entry) -> Result<Stated<Vec<Stated<HostSettings>>>, Wrong> {
    let hosts: Result<Vec<_>, _> = entry.items("a list of hosts")?.iter().map(host).collect();
    Ok(entry.stated(hosts?))
}

fn host_file(entry: &Entry) -> Result<Stated<String>, Wrong> {
    read::text_as(entry, checks::host_file)
}

fn slots(entry: &Entry) -> Result<Stated<[SlotSettings; 2]>, Wrong> {
    let expected = "two compose services, such as [blue, green]";
    let items = entry.items(expected)?;
    let [first, second] = &items[..] else {
        return Err(entry.wrong(expected));
    };
    let both = [slot(first)?, slot(second)?];
    match &both {
        [one, other] if one == other => {
            let twice = one.service.as_ref().map_or_else(|| "the same".to_owned(), |service| format!("`{service}`"));
            Err(Wrong::new(second.node.at, format!("slots: {twice} twice; expected two different services")))
        }
        _ => Ok(entry.stated(both)),
    }
}

/// A compose service, or a map that says in which project or files it is.
fn slot(entry: &Entry) -> Result<SlotSettings, Wrong> {
    if !matches!(entry.node.value, super::yaml::Value::Map(_)) {
        return Ok(SlotSettings { service: Some(read::parsed::<Name>(entry)?.value), ..SlotSettings::default() });
    }
    let raw = RawSlot::read(entry)?;
    let files = raw.files.into_iter().flat_map(|files| files.value).map(|file| file.value).collect();
    let slot = SlotSettings {
        service: raw.service.map(|name| name.value),
        project: raw.project.map(|name| name.value),
        files,
    };
    if slot == SlotSettings::default() {
        return Err(entry.wrong("`project`, `files` or `service` of a slot"));
    }
    Ok(slot)
}

raw! {
    /// A slot in a project or files of its own.
    RawSlot {
        project: Stated<Name> = "project" |e| read::text_as(e, checks::project),
        files: Stated<Vec<Stated<String>>> = "files" |e| read::one_or_many(e, host_file),
        service: Stated<Name> = "service" read::parsed,
    }
}

/// A port for both slots, or a map with one for each.
fn port(entry: &Entry) -> Result<Stated<PortSetting>, Wrong> {
    let one = |entry: &Entry| {
        let number = read::number(entry, 1..=65_535)?;
        Ok(u16::try_from(number.value).unwrap_or(u16::MAX))
    };
    if !matches!(entry.node.value, Value::Map(_)) {
        return Ok(entry.stated(PortSetting::Same(one(entry)?)));
    }
    let expected = "a port, or one for each slot, such as {blue: 8081, green: 8082}";
    let entries = entry.entries(expected)?;
    let each = entries.iter().map(|each| match each.key.text.parse::<Name>() {
        Ok(name) => Ok((name, one(each)?)),
        Err(_) => Err(each.wrong("a port behind the name of a compose service")),
    });
    let each = each.collect::<Result<Vec<_>, Wrong>>()?;
    if each.len() == 2 { Ok(entry.stated(PortSetting::Each(each))) } else { Err(entry.wrong(expected)) }
}

fn latest(entry: &Entry) -> Result<Stated<Latest>, Wrong> {
    read::choice(entry, &[("confirmed", Latest::Confirmed), ("pushed", Latest::Pushed), ("never", Latest::Never)])
}

fn when_missing(entry: &Entry) -> Result<Stated<WhenMissing>, Wrong> {
    read::choice(entry, &[("skip", WhenMissing::Skip), ("fail", WhenMissing::Fail)])
}

/// Whether it may stand anywhere.
fn version_from(entry: &Entry) -> Result<Stated<bool>, Wrong> {
    read::choice(entry, &[("usual-places", false), ("anywhere", true)])
}

/// Whether it is Docker Swarm.
fn engine(entry: &Entry) -> Result<Stated<bool>, Wrong> {
    read::choice(entry, &[("compose", false), ("swarm", true)])
}
