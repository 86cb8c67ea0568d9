//! From what stands in the file to what it means: defaults, and what does not go together.
use super::checks;
use super::error::{At, Wrong};
use super::names::EnvName;
use super::raw::{Over, Raw};
use super::raw_parts::{RawBake, RawEnvFile, RawGitHub, RawHooks, RawLocalHook, RawNginx, RawRegistry, RawSsh};
use super::read::{self, Stated};
use super::resolve_services;
use super::types::{
    Bake, Config, EnvContent, EnvFile, GitHubSettings, Hooks, HostHook, Latest, LocalHook, NginxSettings, ProbeStated,
    RegistrySettings, ReleaseHook, ServiceSettings, Ssh, VersionFrom, VersionPattern, WhenMissing, WhenReleased,
};
use super::{HostSettings, Name};
use std::path::Path;
use std::time::Duration;

/// The start of the file, for what is missing from it.
pub(super) const START: At = At { line: 1, column: 1 };

/// Lays the environment over the rest and checks the whole.
pub(super) fn config(raw: Raw, root: &Path, environment: Option<&str>) -> Result<Config, Wrong> {
    let (raw, asked) = overlaid(raw, environment)?;
    let missing = Missing { at: asked.as_ref().map_or(START, |name| name.at), hint: hint(&raw, asked.is_some()) };
    let services = resolve_services::services(&raw, root, &missing)?;
    let stack = stack(raw.engine.as_ref(), raw.stack.as_ref())?;
    let has_stack = stack.is_some();
    if has_stack {
        super::swarm::suits(&raw)?;
    }
    let hosts = hosts(&raw, &missing)?;
    let directory = missing.or(raw.directory, "directory", "`directory: /path/on/the/host`")?.value;
    Ok(Config {
        environment: asked.map(|name| name.value),
        root: checks::local(root, "."),
        hooks: hooks(raw.hooks, &services)?,
        services,
        hosts,
        directory,
        compose_files: values(raw.compose_file),
        project: raw.project.map(|p| p.value),
        stack,
        nginx: nginx(raw.nginx),
        latest: raw.latest.map_or(Latest::Confirmed, |l| l.value),
        when_missing: raw.when_missing.map_or(WhenMissing::Skip, |w| w.value),
        version_from: version_from(raw.version_from, raw.version_pattern)?,
        registry: raw.registry.filter(|registry| !is_none(registry)).map(registry).transpose()?,
        ssh: raw.ssh.map(|ssh| self::ssh(ssh, root)).unwrap_or_default(),
        drain_timeout: raw.drain_timeout.map_or(Duration::from_secs(60), |d| d.value),
        bake: raw.bake.map(bake).transpose()?.flatten(),
        keep: raw.keep.map_or(5, |k| k.value as usize),
        parallel: raw.parallel.map(|p| p.value as usize),
        lock_wait: raw.lock.and_then(|l| l.wait).map_or(Duration::ZERO, |w| w.value),
        env_file: raw.env_file.map(|file| env_file(file, has_stack)).transpose()?,
        github: github(raw.github),
    })
}

/// The stack of `engine: swarm`.
fn stack(engine: Option<&Stated<bool>>, stack: Option<&Stated<Name>>) -> Result<Option<Name>, Wrong> {
    match (engine, stack) {
        (Some(engine), None) if engine.value => {
            Err(Wrong::new(engine.at, "`engine: swarm` without `stack`; expected `stack: NAME` with it"))
        }
        (Some(engine), Some(stack)) if engine.value => Ok(Some(stack.value.clone())),
        (_, Some(stack)) => {
            Err(Wrong::new(stack.key, "`stack` without `engine: swarm`; expected both, or `project` of compose"))
        }
        _ => Ok(None),
    }
}

/// Where and how to say that something is missing.
pub(super) struct Missing {
    at: At,
    hint: String,
}

impl Missing {
    pub(super) fn or<T>(&self, value: Option<T>, key: &str, expected: &str) -> Result<T, Wrong> {
        value.ok_or_else(|| Wrong::new(self.at, format!("no `{key}`; expected {expected}{}", self.hint)))
    }
}

/// Without an environment, what is missing may be in one.
fn hint(raw: &Raw, asked: bool) -> String {
    match &raw.environments {
        Some(all) if !asked => {
            let names: Vec<&str> = all.list.iter().map(|(name, _)| name.value.as_str()).collect();
            format!(", or --environment with one of {}", names.join(", "))
        }
        _ => String::new(),
    }
}

fn overlaid(mut raw: Raw, environment: Option<&str>) -> Result<(Raw, Option<Stated<Name>>), Wrong> {
    one_of_host_and_hosts(&raw)?;
    for (_, inner) in raw.environments.iter().flat_map(|all| &all.list) {
        one_of_host_and_hosts(inner)?;
    }
    let Some(asked) = environment else {
        return Ok((raw, None));
    };
    let Some(all) = raw.environments.take() else {
        let asked = crate::report::text::one_line(asked, 60);
        return Err(Wrong::new(
            START,
            format!("no environment `{asked}`; expected `environments:` with it in this file"),
        ));
    };
    let names: Vec<&str> = all.list.iter().map(|(name, _)| name.value.as_str()).collect();
    let unknown = Wrong::new(all.at, format!("no environment {}", read::instead(asked, &names)));
    let (name, over) = all.list.into_iter().find(|(name, _)| name.value == *asked).ok_or(unknown)?;
    if over.host.is_some() || over.hosts.is_some() {
        (raw.host, raw.hosts) = (None, None);
    }
    if over.version_from.is_some() || over.version_pattern.is_some() {
        (raw.version_from, raw.version_pattern) = (None, None);
    }
    if let (Some(under), Some(over)) = (&mut raw.env_file, &over.env_file)
        && (over.from_env.is_some() || over.values.is_some())
    {
        (under.from_env, under.values) = (None, None);
    }
    Ok((over.over(raw), Some(name)))
}

fn one_of_host_and_hosts(raw: &Raw) -> Result<(), Wrong> {
    match (&raw.host, &raw.hosts) {
        (Some(host), Some(hosts)) => {
            Err(Wrong::new(host.key.max(hosts.key), "`host` and `hosts` together; expected one of them"))
        }
        _ => Ok(()),
    }
}

fn hosts(raw: &Raw, missing: &Missing) -> Result<Vec<HostSettings>, Wrong> {
    let all: Vec<Stated<HostSettings>> = match (&raw.host, &raw.hosts) {
        (Some(host), _) => vec![host.clone()],
        (None, hosts) => missing.or(hosts.clone(), "host", "`host: USER@HOST`")?.value,
    };
    for (n, host) in all.iter().enumerate() {
        let same = |other: &&Stated<HostSettings>| {
            other.value.address == host.value.address || same_alias(&other.value, &host.value)
        };
        if let Some(first) = all[..n].iter().find(same) {
            let label = host.value.label();
            return Err(Wrong::new(
                host.at,
                format!("`{label}` is there twice, first in line {}; expected once", first.at.line),
            ));
        }
    }
    Ok(all.into_iter().map(|host| host.value).collect())
}

fn same_alias(one: &HostSettings, other: &HostSettings) -> bool {
    one.alias.is_some() && one.alias == other.alias
}

pub(super) fn values<T>(list: Option<Stated<Vec<Stated<T>>>>) -> Vec<T> {
    list.into_iter().flat_map(|list| list.value).map(|item| item.value).collect()
}

fn version_from(anywhere: Option<Stated<bool>>, pattern: Option<Stated<VersionPattern>>) -> Result<VersionFrom, Wrong> {
    match (anywhere, pattern) {
        (Some(anywhere), Some(pattern)) => {
            let at = anywhere.key.max(pattern.key);
            Err(Wrong::new(at, "`version-from` and `version-pattern` together; expected one of them"))
        }
        (Some(Stated { value: true, .. }), None) => Ok(VersionFrom::Anywhere),
        (_, None) => Ok(VersionFrom::UsualPlaces),
        (None, Some(pattern)) => Ok(VersionFrom::Pattern(pattern.value)),
    }
}

fn nginx(raw: Option<RawNginx>) -> NginxSettings {
    let Some(raw) = raw else {
        let (service, container, conf) = (None, None, None);
        return NginxSettings {
            service,
            container,
            on_host: false,
            conf,
            keepalive_guard: true,
            probe: ProbeStated::default(),
        };
    };
    let probe = raw.probe.map_or_else(ProbeStated::default, |probe| ProbeStated {
        path: probe.path.map(|p| p.value),
        host: probe.host.map(|h| h.value),
        headers_env: probe.headers_env.map(|h| h.value),
    });
    NginxSettings {
        service: raw.service.map(|s| s.value),
        container: raw.container.map(|c| c.value),
        on_host: raw.host.is_some_and(|h| h.value),
        conf: raw.conf.map(|c| c.value),
        keepalive_guard: raw.keepalive_guard.is_none_or(|g| g.value),
        probe,
    }
}

/// The variable of the registry's password, where cutover.yml names no other.
const PASSWORD_ENV: &str = "CUTOVER_REGISTRY_PASSWORD";

/// `registry: none`.
pub(super) fn is_none(raw: &RawRegistry) -> bool {
    raw.server.as_ref().is_some_and(|server| server.value == checks::NO_REGISTRY)
}

fn registry(raw: RawRegistry) -> Result<RegistrySettings, Wrong> {
    let password_env = match raw.password_env {
        Some(name) => name.value,
        None => PASSWORD_ENV.parse::<EnvName>().map_err(|e| Wrong::new(raw.at, e))?,
    };
    Ok(RegistrySettings { server: raw.server.map(|s| s.value), username: raw.username.map(|u| u.value), password_env })
}

fn ssh(raw: RawSsh, root: &Path) -> Ssh {
    use super::KnownHostsSetting;
    let known_hosts = raw.known_hosts.map(|known| match known.value {
        KnownHostsSetting::File(file) => KnownHostsSetting::File(checks::local(root, &file.to_string_lossy())),
        text => text,
    });
    Ssh {
        key_env: raw.key_env.map(|k| k.value),
        key_file: raw.key_file.map(|k| checks::local(root, &k.value)),
        passphrase_env: raw.passphrase_env.map(|p| p.value),
        known_hosts,
        fingerprints: values(raw.fingerprint),
        jump: values(raw.jump),
        connect_timeout: raw.connect_timeout.map(|c| c.value),
        config_file: raw.config_file.map(|c| checks::local(root, &c.value)),
    }
}

/// No time, no watching: an environment can turn it off.
fn bake(raw: RawBake) -> Result<Option<Bake>, Wrong> {
    let Some(duration) = raw.duration else {
        return Err(Wrong::new(raw.at, "`bake` without a time; expected `for: 60s`"));
    };
    let max_failures = raw.max_failures.map_or(0, |m| m.value);
    Ok((!duration.value.is_zero()).then_some(Bake { duration: duration.value, max_failures }))
}

/// The tasks of a stack have no file, but variables.
fn env_file(raw: RawEnvFile, has_stack: bool) -> Result<EnvFile, Wrong> {
    let lacks = |key| {
        let expected = "expected `path: FILE`, and `from-env: NAME` or `values: {KEY: NAME}`";
        Wrong::new(raw.at, format!("`env-file` without `{key}`; {expected}"))
    };
    let path = match raw.path {
        None if has_stack => String::new(),
        path => path.ok_or_else(|| lacks("path"))?.value,
    };
    let content = match (raw.from_env, raw.values) {
        (Some(whole), None) => EnvContent::Whole(whole.value),
        (None, Some(values)) => EnvContent::Values(values.value),
        (None, None) => return Err(lacks("from-env")),
        (Some(whole), Some(values)) => {
            let at = whole.key.max(values.key);
            return Err(Wrong::new(at, "`from-env` and `values` together; expected one of them"));
        }
    };
    Ok(EnvFile { path, content })
}

fn github(raw: Option<RawGitHub>) -> GitHubSettings {
    let Some(raw) = raw else {
        return GitHubSettings { release: WhenReleased::Confirmed, deployments: true, environment_url: None };
    };
    GitHubSettings {
        release: raw.release.map_or(WhenReleased::Confirmed, |r| r.value),
        deployments: raw.deployments.is_none_or(|d| d.value),
        environment_url: raw.environment_url.map(|u| u.value),
    }
}

fn hooks(raw: Option<RawHooks>, services: &[ServiceSettings]) -> Result<Hooks, Wrong> {
    let Some(raw) = raw else {
        return Ok(Hooks::default());
    };
    let host_hook = |hook: super::raw_parts::RawHostHook| -> Result<HostHook, Wrong> {
        let command = hook.command.ok_or_else(|| no_command(hook.at))?.value;
        Ok(HostHook { command, timeout: hook.timeout.map_or(Duration::from_secs(60), |t| t.value) })
    };
    Ok(Hooks {
        release: raw.release.map(|hook| release_hook(hook, services)).transpose()?,
        before_switch: raw.before_switch.map(host_hook).transpose()?,
        after_switch: raw.after_switch.map(host_hook).transpose()?,
        before_build: raw.before_build.map(local_hook).transpose()?,
        before_release: raw.before_release.map(local_hook).transpose()?,
        after_release: raw.after_release.map(local_hook).transpose()?,
        on_failure: raw.on_failure.map(local_hook).transpose()?,
    })
}

fn local_hook(raw: RawLocalHook) -> Result<LocalHook, Wrong> {
    let command = raw.command.ok_or_else(|| no_command(raw.at))?.value;
    let timeout = raw.timeout.map_or(Duration::from_secs(60), |t| t.value);
    Ok(LocalHook { command, timeout, secrets: values(raw.secrets) })
}

fn no_command(at: At) -> Wrong {
    Wrong::new(at, "a hook without `command`; expected `command: [npm, run, migrate]`")
}

fn release_hook(raw: super::raw_parts::RawReleaseHook, services: &[ServiceSettings]) -> Result<ReleaseHook, Wrong> {
    let command = raw.command.ok_or_else(|| no_command(raw.at))?.value;
    let names: Vec<&str> = services.iter().map(|s| s.name.as_str()).collect();
    let service = match (raw.service, services) {
        (Some(named), _) if names.contains(&named.value.as_str()) => named.value,
        (Some(named), _) => {
            return Err(Wrong::new(named.at, format!("no service {}", read::instead(named.value.as_str(), &names))));
        }
        (None, [only]) => only.name.clone(),
        (None, _) => {
            return Err(Wrong::new(raw.at, format!("a hook without `service`; expected one of {}", names.join(", "))));
        }
    };
    Ok(ReleaseHook {
        command,
        service,
        timeout: raw.timeout.map_or(Duration::from_secs(300), |t| t.value),
        irreversible: raw.irreversible.is_some_and(|i| i.value),
    })
}
