//! The services: one at the top of the file, or several under `services`.
use super::checks;
use super::error::{At, Wrong};
use super::raw::{Over, Raw, RawService};
use super::raw_build::RawBuild;
use super::raw_parts::RawHealth;
use super::read::Stated;
use super::resolve::{Missing, START, is_none, values};
use super::types::{Build, BuildSecret, HealthSettings, SecretSource, ServiceSettings};
use super::{ImageName, Name};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A service before it is compared with the others.
struct Placed {
    name: Stated<Name>,
    raw: RawService,
    image: ImageName,
}

pub(super) fn services(raw: &Raw, root: &Path, missing: &Missing) -> Result<Vec<ServiceSettings>, Wrong> {
    let placed = match &raw.services {
        Some(services) => several(raw, &services.list)?,
        None => vec![single(raw, missing)?],
    };
    for (n, service) in placed.iter().enumerate() {
        for earlier in &placed[..n] {
            differ(earlier, service)?;
        }
    }
    let none = raw.registry.as_ref().map(is_none);
    let resolved: Vec<ServiceSettings> = placed.iter().map(|service| resolve(service, root, none)).collect();
    for (n, service) in resolved.iter().enumerate() {
        let clash = |other: &&ServiceSettings| other.image == service.image && other.build != service.build;
        if let Some(other) = resolved[..n].iter().find(clash) {
            let message = format!(
                "one image, built in two ways for `{}` and `{}`; expected one `build`",
                other.name, service.name
            );
            return Err(Wrong::new(placed[n].name.at, message));
        }
    }
    Ok(resolved)
}

/// The keys at the top of the file are the only service.
fn single(raw: &Raw, missing: &Missing) -> Result<Placed, Wrong> {
    let image = missing.or(raw.image.clone(), "image", "`image: NAME`, such as devrank/backend-api")?;
    let name: Name = image.value.last_part().parse().map_err(|expected| {
        Wrong::new(image.at, format!("image: its last part names the service; expected {expected}, or `services:`"))
    })?;
    let service = RawService {
        at: image.key,
        image: raw.image.clone(),
        tag: raw.tag.clone(),
        build: raw.build.clone(),
        slots: raw.slots.clone(),
        workers: raw.workers.clone(),
        upstream: raw.upstream.clone(),
        port: raw.port.clone(),
        health: raw.health.clone(),
        stop_timeout: raw.stop_timeout.clone(),
    };
    Ok(Placed { name: Stated { key: image.key, at: image.at, value: name }, raw: service, image: image.value })
}

/// `health` and `stop-timeout` at the top hold for every service that does not say otherwise; the other keys of a
/// service have no meaning there.
fn several(raw: &Raw, list: &[(Stated<Name>, RawService)]) -> Result<Vec<Placed>, Wrong> {
    let stray = [
        ("image", raw.image.as_ref().map(|s| s.key)),
        ("tag", raw.tag.as_ref().map(|s| s.key)),
        ("build", raw.build.as_ref().map(|s| s.settings.at)),
        ("slots", raw.slots.as_ref().map(|s| s.key)),
        ("workers", raw.workers.as_ref().map(|s| s.key)),
        ("upstream", raw.upstream.as_ref().map(|s| s.key)),
        ("port", raw.port.as_ref().map(|s| s.key)),
    ];
    if let Some((key, at)) = stray.iter().find_map(|(key, at)| at.map(|at| (key, at))) {
        return Err(Wrong::new(at, format!("`{key}` next to `services`; expected it inside each service")));
    }
    list.iter().map(|(name, service)| one_of_several(raw, name, service)).collect()
}

fn one_of_several(top: &Raw, name: &Stated<Name>, service: &RawService) -> Result<Placed, Wrong> {
    let Some(image) = service.image.clone() else {
        return Err(Wrong::new(name.at, format!("service `{}` has no `image`; expected `image: NAME`", name.value)));
    };
    let common =
        RawService { health: top.health.clone(), stop_timeout: top.stop_timeout.clone(), ..RawService::empty(START) };
    Ok(Placed { name: name.clone(), raw: service.clone().over(common), image: image.value })
}

/// Two services share neither a slot nor an upstream.
fn differ(one: &Placed, other: &Placed) -> Result<(), Wrong> {
    if let (Some(a), Some(b)) = (&one.raw.slots, &other.raw.slots)
        && let Some(shared) = b.value.iter().find(|slot| a.value.contains(slot))
    {
        let name = shared.service.as_ref().or(shared.project.as_ref()).map(Name::as_str);
        return Err(shared_by(one, "slot", name.unwrap_or("of these files"), b.at));
    }
    if let (Some(a), Some(b)) = (&one.raw.upstream, &other.raw.upstream)
        && a.value == b.value
    {
        return Err(shared_by(one, "upstream", b.value.as_str(), b.at));
    }
    Ok(())
}

fn shared_by(one: &Placed, what: &str, name: &str, at: At) -> Wrong {
    Wrong::new(at, format!("{what} `{name}` belongs to service `{}`; expected one of its own", one.name.value))
}

/// `none`: whether the file says that there is no registry; `None` where it says nothing about one.
fn resolve(placed: &Placed, root: &Path, none: Option<bool>) -> ServiceSettings {
    let raw = placed.raw.clone();
    let build = build(raw.build, root);
    ServiceSettings {
        name: placed.name.value.clone(),
        image: placed.image.clone(),
        tag: raw.tag.map(|t| t.value).unwrap_or_default(),
        ship: none.unwrap_or_else(|| build.is_some() && placed.image.is_official()),
        build,
        slots: raw.slots.map(|s| s.value),
        workers: values(raw.workers),
        upstream: raw.upstream.map(|u| u.value),
        port: raw.port.map(|p| p.value),
        health: health(raw.health),
        stop_timeout: raw.stop_timeout.map(|s| s.value),
    }
}

/// From `.` when nothing is said.
fn build(raw: Option<RawBuild>, root: &Path) -> Option<Build> {
    let Some(raw) = raw else {
        return Some(empty_build(checks::local(root, ".")));
    };
    let settings = raw.settings;
    let text = settings.context.map_or_else(|| ".".to_owned(), |c| c.value);
    let remote = checks::is_remote(&text);
    let context = if remote { PathBuf::from(&text) } else { checks::local(root, &text) };
    let dockerfile =
        settings.dockerfile.map(|d| if remote { PathBuf::from(d.value) } else { checks::local(&context, &d.value) });
    raw.wanted.then(|| Build {
        dockerfile,
        target: settings.target.map(|t| t.value),
        platform: settings.platform.map(|p| p.value),
        args: settings.args.map(|a| a.value).unwrap_or_default(),
        secrets: settings.secrets.into_iter().flat_map(|s| s.value).map(|s| local_secret(s, root)).collect(),
        cache_from: values(settings.cache_from),
        cache_to: values(settings.cache_to),
        context,
    })
}

fn empty_build(context: PathBuf) -> Build {
    Build {
        context,
        dockerfile: None,
        target: None,
        platform: None,
        args: Vec::new(),
        secrets: Vec::new(),
        cache_from: Vec::new(),
        cache_to: Vec::new(),
    }
}

fn local_secret(secret: BuildSecret, root: &Path) -> BuildSecret {
    let source = match secret.source {
        SecretSource::File(file) => SecretSource::File(checks::local(root, &file.to_string_lossy())),
        env => env,
    };
    BuildSecret { id: secret.id, source }
}

fn health(raw: Option<RawHealth>) -> HealthSettings {
    let raw = raw.unwrap_or_else(|| RawHealth::empty(START));
    let status = values(raw.status);
    HealthSettings {
        path: raw.path.map_or_else(|| "/".to_owned(), |p| p.value),
        host: raw.host.map(|h| h.value),
        status: if status.is_empty() { vec![200..=299] } else { status },
        timeout: raw.timeout.map_or(Duration::from_secs(60), |t| t.value),
        interval: raw.interval.map_or(Duration::from_millis(50), |i| i.value),
        successes: raw.successes.map_or(2, |s| s.value),
    }
}
