//! The settings of the larger maps of cutover.yml.

use super::explain::{Settings, text, time};
use super::origin::Origin;
use super::{Build, HealthSettings, Hooks, HostHook, KnownHostsSetting, LocalHook, NginxSettings, SecretSource, Ssh};
use crate::host::ssh::Options;
use serde_json::{Value, json};
use std::path::Path;

/// Says a setting of a service: its key, what holds, and where that comes from if the file does not state it.
pub(super) type Say<'a> = &'a mut dyn FnMut(&str, Value, Origin);

pub(super) fn build(say: Say<'_>, build: Option<&Build>, ship: bool) {
    let mut say = |key: &str, value: Value| say(key, value, Origin::Default);
    let Some(Build { context, dockerfile, target, platform, args, secrets, cache_from, cache_to }) = build else {
        let source = if ship { "the local Docker" } else { "the registry" };
        return say("build", json!(format!("false: the image comes from {source}")));
    };
    say("build.context", json!(quiet(&context.to_string_lossy())));
    say("build.dockerfile", shown(dockerfile.as_deref()));
    say("build.target", json!(target));
    say("build.platform", json!(platform));
    // of arguments the names only: somebody may pass a secret in one
    say("build.args", names(args.iter().map(|(name, _)| name.clone())));
    let secret = |source: &SecretSource| match source {
        SecretSource::Env(name) => format!("the variable {name}"),
        SecretSource::File(path) => format!("the file {}", path.display()),
    };
    say("build.secrets", names(secrets.iter().map(|one| format!("{} = {}", one.id, secret(&one.source)))));
    say("build.cache-from", names(cache_from.iter().map(|text| quiet(text))));
    say("build.cache-to", names(cache_to.iter().map(|text| quiet(text))));
}

pub(super) fn health(say: Say<'_>, health: &HealthSettings) {
    let mut say = |key: &str, value: Value| say(key, value, Origin::Default);
    let HealthSettings { path, host, status, timeout, interval, successes } = health;
    say("health.path", json!(path));
    say("health.host", json!(host));
    let range = |range: &std::ops::RangeInclusive<u16>| match (range.start(), range.end()) {
        (first, last) if first == last => first.to_string(),
        (first, last) => format!("{first}-{last}"),
    };
    say("health.status", status.iter().map(range).collect());
    say("health.timeout", time(*timeout));
    say("health.interval", time(*interval));
    say("health.successes", json!(successes));
}

pub(super) fn nginx(to: &mut Settings<'_>, nginx: &NginxSettings) {
    to.found("nginx.service", text(nginx.service.as_ref()));
    to.found("nginx.container", text(nginx.container.as_ref()));
    to.add("nginx.host", json!(nginx.on_host));
    to.found("nginx.conf", json!(nginx.conf));
    to.add("nginx.keepalive-guard", json!(nginx.keepalive_guard));
    to.found("nginx.probe.path", json!(nginx.probe.path));
    to.found("nginx.probe.host", json!(nginx.probe.host));
    if let Some(name) = &nginx.probe.headers_env {
        to.secret("nginx.probe.headers-env", name.as_str());
    }
}

pub(super) fn ssh(to: &mut Settings<'_>, ssh: &Ssh) {
    let Ssh { key_env, key_file, passphrase_env, known_hosts, fingerprints, jump, connect_timeout, config_file } = ssh;
    to.secret("ssh.key-env", key_env.as_ref().map_or("CUTOVER_SSH_KEY", |name| name.as_str()));
    to.add("ssh.key-file", shown(key_file.as_deref()));
    to.secret("ssh.passphrase-env", passphrase_env.as_ref().map_or("CUTOVER_SSH_KEY_PASSPHRASE", |name| name.as_str()));
    let known = match known_hosts {
        Some(KnownHostsSetting::Text(text)) => json!(text.trim()),
        Some(KnownHostsSetting::File(path)) => shown(Some(path)),
        None => Value::Null,
    };
    let given = !known.is_null();
    let given = to.or_variable("ssh.known-hosts", known, "CUTOVER_KNOWN_HOSTS", "~/.ssh/known_hosts") || given;
    let prints = names(fingerprints.iter().cloned());
    match given {
        true => to.add("ssh.fingerprint", prints),
        false => drop(to.or_variable("ssh.fingerprint", prints, "CUTOVER_HOST_FINGERPRINT", "")),
    }
    to.add("ssh.jump", names(jump.iter().map(ToString::to_string)));
    to.add("ssh.connect-timeout", time(connect_timeout.unwrap_or(Options::default().connect_timeout)));
    let usual = Path::new("~/.ssh/config");
    to.add("ssh.config-file", shown(Some(config_file.as_deref().unwrap_or(usual))));
}

pub(super) fn hooks(to: &mut Settings<'_>, hooks: &Hooks) {
    let Hooks { release, before_switch, after_switch, before_build, before_release, after_release, on_failure } = hooks;
    to.add("hooks.release.command", json!(release.as_ref().map(|hook| &hook.command)));
    if let Some(hook) = release {
        to.add("hooks.release.service", text(Some(&hook.service)));
        to.add("hooks.release.timeout", time(hook.timeout));
        to.add("hooks.release.irreversible", json!(hook.irreversible));
    }
    of_host(to, "before-switch", before_switch.as_ref());
    of_host(to, "after-switch", after_switch.as_ref());
    local(to, "before-build", before_build.as_ref());
    local(to, "before-release", before_release.as_ref());
    local(to, "after-release", after_release.as_ref());
    local(to, "on-failure", on_failure.as_ref());
}

fn of_host(to: &mut Settings<'_>, name: &str, hook: Option<&HostHook>) {
    to.add(&format!("hooks.{name}.command"), json!(hook.map(|hook| &hook.command)));
    if let Some(hook) = hook {
        to.add(&format!("hooks.{name}.timeout"), time(hook.timeout));
    }
}

fn local(to: &mut Settings<'_>, name: &str, hook: Option<&LocalHook>) {
    to.add(&format!("hooks.{name}.command"), json!(hook.map(|hook| &hook.command)));
    if let Some(hook) = hook {
        to.add(&format!("hooks.{name}.timeout"), time(hook.timeout));
        to.add(&format!("hooks.{name}.secrets"), names(hook.secrets.iter().map(ToString::to_string)));
    }
}

/// A path.
fn shown(path: Option<&Path>) -> Value {
    json!(path.map(|path| path.display().to_string()))
}

/// A list; null where there is nothing in it.
fn names(all: impl Iterator<Item = String>) -> Value {
    let all: Vec<String> = all.collect();
    if all.is_empty() { Value::Null } else { json!(all) }
}

/// Without what may be a login: the user's part of a URL, and values of keys that speak of a secret.
fn quiet(text: &str) -> String {
    let secret = |key: &str| ["token", "secret", "password", "access_key"].iter().any(|word| key.contains(word));
    let part = |part: &str| match (part.split_once("://"), part.split_once('=')) {
        (Some((scheme, rest)), _) if rest.split('/').next().is_some_and(|host| host.contains('@')) => {
            format!("{scheme}://***@{}", rest.split_once('@').map_or("", |(_, rest)| rest))
        }
        (_, Some((key, _))) if secret(&key.to_lowercase()) => format!("{key}=***"),
        _ => part.to_owned(),
    };
    text.split(',').map(part).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_within_a_text_is_not_shown() {
        assert_eq!(quiet("https://me:x@example.com/a.git"), "https://***@example.com/a.git");
        assert_eq!(quiet("type=gha,token=abc,mode=max"), "type=gha,token=***,mode=max");
        assert_eq!(quiet("type=s3,secret_access_key=abc"), "type=s3,secret_access_key=***");
        assert_eq!(quiet("../backend"), "../backend");
    }
}
