//! What the compose project and nginx's file say together: each service's slots, and the upstream that routes to it.

use crate::config::{Config, ProbeStated, ServiceSettings};
use crate::host::container::{Container, Image};
use crate::host::nginx::{Guards, Probe, Routes, Upstream};
use crate::release::version::Version;
use crate::see::interpret::discover;
use crate::see::interpret::evidence::Live;
use crate::see::interpret::evidence::Looked;
use crate::see::interpret::project::{Found, Slot};
use crate::see::judge::findings::Findings;
use crate::see::read::files::Look;
use crate::see::seen::{ConfSeen, ServiceSeen, SlotSeen};
use crate::swap::history::Owner;
use crate::swap::prune::kept_version;
use std::time::Duration;

pub(crate) struct PutTogether {
    pub(crate) services: Vec<ServiceSeen>,
    pub(crate) conf: ConfSeen,
}

/// `None` where a finding refuses a release.
pub(crate) fn put_together(
    config: &Config,
    found: &Found<'_>,
    look: &Look,
    findings: &mut Findings,
) -> Option<PutTogether> {
    let stated = config
        .nginx
        .conf
        .as_ref()
        .map(|conf| if conf.starts_with('/') { conf.clone() } else { format!("{}/{conf}", config.directory) })
        .map(|conf| found.behind(&conf, look).to_owned());
    let files: Vec<(String, String)> = match &stated {
        Some(stated) => look.files.iter().filter(|(path, _)| stated == path).cloned().collect(),
        None => found.files(look),
    };
    let read = if stated.is_some() { files.clone() } else { found.read_by_nginx(look) };
    if let (Some(stated), true) = (&stated, files.is_empty()) {
        let todo = "correct `nginx: {conf: …}` in cutover.yml, or mount the file into nginx";
        findings.refuse("conf", format!("{stated} is not among the files mounted into nginx"), todo);
        return None;
    }
    let routes = Routes::of(&found.as_nginx_has_it(look));
    let mut services = Vec::new();
    let mut at_file = None;
    for (service, slots) in config.services.iter().zip(&found.slots) {
        let hosts: Vec<&str> = slots.iter().flat_map(|slot| &slot.names).map(String::as_str).collect();
        // a copy that nginx does not read is no second route; that nothing routes is said of all files
        let upstream = service.upstream.as_ref().map(|name| name.as_str());
        let routed = discover::route(&read, &hosts, upstream).map(|(at, upstream)| (read[at].0.clone(), upstream));
        let routed = routed.or_else(|_| {
            discover::route(&files, &hosts, upstream).map(|(at, upstream)| (files[at].0.clone(), upstream))
        });
        let routed = routed
            .map(|(path, upstream)| (files.iter().position(|(each, _)| *each == path).unwrap_or_default(), upstream));
        let (at, upstream) = match routed {
            Ok(routed) => routed,
            Err(why) if !found.volumes.is_empty() => {
                let volumes: Vec<String> = found.volumes.iter().map(|(name, to)| format!("{name} at {to}")).collect();
                let what = format!(
                    "{why}; nginx's configuration is in a named volume ({}), which only root can write",
                    volumes.join(", ")
                );
                let todo =
                    "mount a directory of the host instead, such as ./nginx:/etc/nginx/conf.d, with the file in it";
                findings.refuse(format!("conf, service {}", service.name), what, todo);
                continue;
            }
            Err(why) => {
                let todo = "the upstream must have one `server` line that names a slot, such as `server blue:3001;`";
                findings.refuse(format!("conf, service {}", service.name), why, todo);
                continue;
            }
        };
        if *at_file.get_or_insert(at) != at {
            let what = format!("{} and {} route different services", files[at_file.unwrap_or(at)].0, files[at].0);
            findings.refuse("conf", what, "put the upstreams of all services into one file: they move in one reload");
            return None;
        }
        let seen = service_seen(service, slots, &upstream, found, look, &routes, findings);
        let candidates = candidates(&config.nginx.probe, &routes, &upstream.name, found);
        services.extend(seen.map(|seen| ServiceSeen { candidates, ..seen }));
    }
    if services.len() != config.services.len() {
        return None;
    }
    let (path, text) = files.into_iter().nth(at_file?)?;
    let (inside, in_place) = found.inside(&path)?;
    let names = found.names_inside(&path, look);
    let read_as = |name: &&String| matches!(&look.dump, Some(Ok(files)) if files.iter().any(|(read, _)| read == *name));
    let inside = names.iter().find(read_as).cloned().unwrap_or(inside);
    crate::see::judge::conf::of_conf(&path, &text, &inside, in_place, look, findings);
    Some(PutTogether { services, conf: ConfSeen { path, text, in_place } })
}

fn service_seen(
    service: &ServiceSettings,
    slots: &[Slot<'_>; 2],
    upstream: &Upstream,
    found: &Found<'_>,
    look: &Look,
    routes: &Routes,
    findings: &mut Findings,
) -> Option<ServiceSeen> {
    let about = format!("conf, upstream {}", upstream.name);
    let ours = |host: &str| slots.iter().position(|slot| slot.names.iter().any(|name| name == host));
    let named: Vec<_> = upstream.servers.iter().filter_map(|server| Some((ours(&server.host)?, server))).collect();
    let (in_conf, server) = match named.as_slice() {
        [one] => *one,
        [] => {
            let hosts: Vec<&str> = upstream.servers.iter().map(|server| server.host.as_str()).collect();
            let [one, two] = [&slots[0].service, &slots[1].service];
            let what = format!("its servers are {}, the slots are {one} and {two}", hosts.join(", "));
            findings.refuse(about, what, format!("let it have `server {one}:PORT;`"));
            return None;
        }
        _ if named.iter().filter(|(_, server)| !server.spare).count() == 1 => {
            let spare = named.iter().filter(|(_, server)| server.spare).map(|(slot, _)| slots[*slot].service.as_str());
            let what = format!(
                "it names both slots, {} as `backup` or `down`; nginx can't be reloaded while it names a slot that is \
                 stopped, and a release stops the one that does not serve",
                spare.collect::<Vec<_>>().join(", ")
            );
            findings.refuse(about, what, "let it name one slot only; cutover changes the name at each release");
            return None;
        }
        _ => {
            let what = "it names both slots, so requests go to both";
            findings.refuse(about, what, "let it name one slot only; cutover changes the name at each release");
            return None;
        }
    };
    let names = slots.each_ref().map(|slot| slot.names.clone());
    crate::see::judge::route::of_words(found, routes, upstream, &names, findings);
    let word = routes.slot_words(&names).into_iter().find(|word| word.upstream.as_ref() == Some(&upstream.name));
    if let Some(stated) = service.port.filter(|stated| *stated != server.port) {
        let what = format!("`port: {stated}` in cutover.yml, but nginx sends requests to port {}", server.port);
        findings.refuse(&about, what, "leave `port` out, or let both say the same");
    }
    // a slot is called by its service name if the file does so, else by its container name
    let kind = slots[in_conf].names.iter().position(|name| *name == server.host).unwrap_or(0);
    let image = service.image.familiar();
    let of_repository = |reference: &&String| service.image.same_repository(reference);
    let tagged = look.images.iter().flat_map(|image| {
        image.repo_tags.iter().flatten().filter(of_repository).map(|tag| (tag.clone(), image.id.clone()))
    });
    let digests = look.images.iter().flat_map(|image| {
        image.repo_digests.iter().flatten().filter(of_repository).map(|digest| (digest.clone(), image.id.clone()))
    });
    let owner = Owner { repository: &image, slots: [&slots[0].service, &slots[1].service] };
    let seen = |slot: &Slot<'_>| {
        let image_of = |test: &dyn Fn(&Image) -> bool| look.images.iter().find(|image| test(image));
        let runs = slot.container.and_then(|container| image_of(&|image| image.id == container.image));
        let (version, digest) =
            slot.container.map(|container| known(container, runs, owner, found, service)).unwrap_or_default();
        SlotSeen {
            service: slot.service.clone(),
            within: slot.within.clone(),
            host: slot.names.get(kind).unwrap_or(&slot.service).clone(),
            reference: slot.reference.clone(),
            reference_image: image_of(&|image| image.is_tagged(&slot.reference)).map(|image| image.id.clone()),
            container: slot.container.cloned(),
            restart: slot.restart.clone(),
            profiles: slot.profiles.clone(),
            version,
            digest: runs.and_then(|image| image.digest_in(service.image.as_str())).map(str::to_owned).or(digest),
        }
    };
    let grace = slots[in_conf].container.and_then(|container| container.config.stop_timeout).map(Duration::from_secs);
    let both = [seen(&slots[0]), seen(&slots[1])];
    Some(ServiceSeen {
        name: service.name.to_string(),
        ship: service.ship,
        image,
        slots: both,
        upstream: upstream.name.clone(),
        port: service.port.unwrap_or(server.port),
        in_conf,
        live: Live::None,
        health: service.health.clone(),
        stop_timeout: service.stop_timeout.or(grace).unwrap_or(Duration::from_secs(10)),
        word: word.map(|word| found.shown(&word.place)).unwrap_or_default(),
        candidates: Vec::new(),
        looked: Looked::default(),
        health_answer: None,
        tagged: tagged.collect(),
        digests: digests.collect(),
    })
}

/// Requests that lead to the upstream: the stated one first, then those that are found, plainest first.
fn candidates(stated: &ProbeStated, routes: &Routes, upstream: &str, found: &Found<'_>) -> Vec<Probe> {
    let mut all = routes.probes(upstream);
    for probe in &mut all {
        probe.at = found.shown_in(&probe.at);
    }
    if *stated == ProbeStated::default() {
        return all;
    }
    let path = stated.path.as_deref();
    let prefix = |probe: &&Probe| path.is_none_or(|path| path.starts_with(&probe.path));
    let base = all.iter().filter(prefix).max_by_key(|probe| if path.is_some() { probe.path.len() } else { 0 });
    let base = if path.is_some() { base } else { all.first() };
    let mut probe = base.or(all.first()).cloned().unwrap_or(Probe {
        port: 80,
        tls: false,
        host: "localhost".to_owned(),
        path: "/".to_owned(),
        at: String::new(),
        guards: Guards::default(),
        secret: false,
    });
    probe.path = stated.path.clone().unwrap_or(probe.path);
    probe.host = stated.host.clone().unwrap_or(probe.host);
    probe.secret = stated.headers_env.is_some();
    probe.at = format!("{} on {}, as `nginx: {{probe: …}}` has it", probe.path, probe.host);
    probe.guards.closed = false;
    all.insert(0, probe);
    all
}

/// The version and digest of what a container runs: as the history has it, by the container or its image, else by the tags
/// of its image: the one that keeps it, else the highest version.
fn known(
    container: &Container,
    image: Option<&Image>,
    owner: Owner<'_>,
    found: &Found<'_>,
    service: &ServiceSettings,
) -> (Option<String>, Option<String>) {
    if let Some((record, part)) = owner.of_container(found.history, &container.id, &container.image) {
        return (Some(record.version.clone()), part.digest.clone());
    }
    let tags = image.iter().flat_map(|image| image.repo_tags.iter().flatten());
    let tags: Vec<&String> = tags.filter(|tag| service.image.same_repository(tag)).collect();
    let kept = tags.iter().find_map(|tag| kept_version(tag, owner.repository, &found.keep_prefix));
    let versions = tags.iter().filter_map(|tag| Version::from_tag(tag.rsplit_once(':')?.1));
    let highest = versions.max_by(|a, b| a.semver().cmp(b.semver())).map(|version| version.to_string());
    (kept.or(highest), None)
}
