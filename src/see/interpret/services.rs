//! What the compose project and nginx's files say together: each service's slots, and the words that route to one of them.

use crate::config::{Config, ProbeStated, ServiceSettings};
use crate::host::container::{Container, Image};
use crate::host::nginx::{Guards, Probe, Routes};
use crate::release::build::version_of;
use crate::router::Router;
use crate::router::words::{Called, Named, Pair, SlotWord, Words};
use crate::see::interpret::evidence::Live;
use crate::see::interpret::evidence::Looked;
use crate::see::interpret::places::{Files, Source};
use crate::see::interpret::ports::{Asked, Wrong};
use crate::see::interpret::project::{Found, Slot};
use crate::see::interpret::projects::Projects;
use crate::see::interpret::published::{self, Doors, called};
use crate::see::judge;
use crate::see::judge::findings::Findings;
use crate::see::read::files::Look;
use crate::see::seen::{ConfSeen, ServiceSeen, SlotSeen};
use crate::swap::history::Owner;
use crate::swap::prune::kept_version;
use std::time::Duration;

pub(crate) struct PutTogether {
    pub(crate) services: Vec<ServiceSeen>,
    pub(crate) confs: Vec<ConfSeen>,
}

/// What services are put together from.
struct Parts<'f, 'a> {
    config: &'f Config,
    projects: &'f Projects<'a>,
    found: &'f Found<'a>,
    look: &'f Look,
    routes: Routes,
}

/// `None` where a finding refuses a release.
pub(crate) fn put_together(
    config: &Config,
    projects: &Projects<'_>,
    found: &Found<'_>,
    look: &Look,
    findings: &mut Findings,
) -> Option<PutTogether> {
    let routes = Routes::of(&found.as_nginx_has_it(look));
    let parts = Parts { config, projects, found, look, routes };
    let mut files = Files { found, look, confs: Vec::new() };
    let mut read: Vec<(String, Source)> = Vec::new();
    let mut services = Vec::new();
    for (number, (service, slots)) in config.services.iter().zip(&found.slots).enumerate() {
        let Some((seen, own)) = parts.service(number, service, slots, &mut files, findings) else { continue };
        services.push(seen);
        read.extend(own);
    }
    if services.len() != config.services.len() {
        return None;
    }
    read.sort_by(|one, other| one.0.cmp(&other.0));
    read.dedup_by(|one, other| one.0 == other.0);
    judge::conf::of_stated(config, found, look, &read, findings)?;
    for (inside, source) in &read {
        let linked = files.confs.iter().any(|conf| Some(&conf.path) == source.link_path());
        judge::conf::of_conf(source, inside, linked, look, findings);
    }
    judge::conf::of_whole(&files.confs, findings);
    Some(PutTogether { services, confs: files.confs })
}

impl Parts<'_, '_> {
    /// One service, and the files in which its words stand.
    fn service(
        &self,
        number: usize,
        service: &ServiceSettings,
        slots: &[Slot<'_>; 2],
        files: &mut Files<'_, '_>,
        findings: &mut Findings,
    ) -> Option<(ServiceSeen, Vec<(String, Source)>)> {
        let names = slots.each_ref().map(|slot| slot.service.as_str());
        let doors = self.doors(slots);
        let pair = Pair::new(doors.as_ref().map_or_else(|| named(slots), |doors| called(doors)), names);
        let words = Words::of(&self.routes, &pair);
        let judging =
            judge::words::Judging { found: self.found, look: self.look, routes: &self.routes, service, names };
        let in_conf = judging.of_words(&words, &pair, findings)?;
        let about = judge::words::about(service, &words);
        let door = doors.and_then(|doors| published::named(&doors, &words));
        let ports = match door {
            Some(door) => of_doors(service, names, door),
            None => {
                let beside = self.beside(&words, files, slots, in_conf);
                let written = slots.each_ref().map(|slot| self.projects.service(&slot.within));
                Asked { settings: service, names, written, in_conf, beside }.ports(&words)
            }
        };
        let ports = ports.map_err(|(what, todo)| findings.refuse(&about, what, todo)).ok()?;
        let text = |word: &SlotWord| [0, 1].map(|slot| pair.text(slot, word, ports[slot]));
        let read = match files.add(number, &words.moving, &pair, text) {
            Ok(read) => read,
            Err(why) => {
                judging.of_unplaced(&why, findings);
                return None;
            }
        };
        let mut seen = self.seen(service, slots, &words, in_conf);
        for (slot, door) in seen.slots.iter_mut().zip(door.iter().flatten()) {
            (slot.host, slot.published) = (published::shown(*door), Some(door.published));
        }
        seen.ports = ports;
        seen.candidates = self.candidates(&words);
        Some((seen, read))
    }

    /// The ports of the host that lead to the slots, where nginx is there.
    fn doors(&self, slots: &[Slot<'_>; 2]) -> Option<Vec<Doors>> {
        (self.found.kind == Router::Host)
            .then(|| published::doors(slots.each_ref().map(|slot| slot.bindings.as_slice())))
    }

    /// The port by which an unread file beside those of the words names the other slot.
    fn beside(&self, words: &Words, files: &Files<'_, '_>, slots: &[Slot<'_>; 2], in_conf: usize) -> Option<u16> {
        let sources = words.moving.iter().filter_map(|word| files.source(&word.place.file)).collect::<Vec<_>>();
        let texts = sources.iter().flat_map(|source| files.unread(source)).map(|(_, text)| text.as_str());
        let mut found: Vec<u16> = texts.flat_map(|text| ports_of(text, &slots[1 - in_conf].names)).collect();
        found.sort_unstable();
        found.dedup();
        match found.as_slice() {
            [one] => Some(*one),
            _ => None,
        }
    }

    fn seen(&self, service: &ServiceSettings, slots: &[Slot<'_>; 2], words: &Words, in_conf: usize) -> ServiceSeen {
        let found = self.found;
        // a slot is called by its service name if the file does so, else by its container name
        let named = words.moving.iter().chain(&words.fixed).find_map(|word| match word.names {
            Named::Host(kind) => Some(kind),
            Named::Upstream(_) => None,
        });
        let kind = named.unwrap_or(0);
        let image = service.image.familiar();
        let of_repository = |reference: &&String| service.image.same_repository(reference);
        let tagged = self.look.images.iter().flat_map(|image| {
            image.repo_tags.iter().flatten().filter(of_repository).map(|tag| (tag.clone(), image.id.clone()))
        });
        let digests = self.look.images.iter().flat_map(|image| {
            image.repo_digests.iter().flatten().filter(of_repository).map(|digest| (digest.clone(), image.id.clone()))
        });
        let owner = Owner { repository: &image, slots: [&slots[0].service, &slots[1].service] };
        let (tagged, digests) = (tagged.collect(), digests.collect());
        let both = slots.each_ref().map(|slot| self.slot(service, slot, kind, owner));
        let grace = slots[in_conf].container.and_then(|container| container.config.stop_timeout);
        let places: Vec<String> = words.moving.iter().map(|word| found.shown(&word.place)).collect();
        let by_name = |word: &&SlotWord| found.kind != Router::Host && matches!(word.names, Named::Host(_));
        ServiceSeen {
            name: service.name.to_string(),
            ship: service.ship,
            tag: service.tag.clone(),
            image,
            slots: both,
            workers: Vec::new(),
            upstream: words.upstream(),
            ports: [0; 2],
            in_conf,
            live: Live::None,
            health: service.health.clone(),
            stop_timeout: service.stop_timeout.or(grace.map(Duration::from_secs)).unwrap_or(Duration::from_secs(10)),
            word: places.join(", "),
            late: found.kind == Router::Host || words.moving.iter().filter(by_name).any(|word| word.variable),
            stays: words.fixed.iter().any(|word| by_name(&word)),
            candidates: Vec::new(),
            looked: Looked::default(),
            health_answer: None,
            tagged,
            digests,
        }
    }

    fn slot(&self, service: &ServiceSettings, slot: &Slot<'_>, kind: usize, owner: Owner<'_>) -> SlotSeen {
        let images = &self.look.images;
        let runs = slot.container.and_then(|container| images.iter().find(|image| image.id == container.image));
        let (version, digest) =
            slot.container.map(|container| known(container, runs, owner, self.found, service)).unwrap_or_default();
        let tagged = images.iter().find(|image| image.is_tagged(&slot.reference));
        SlotSeen {
            service: slot.service.clone(),
            within: slot.within.clone(),
            host: slot.names.get(kind).unwrap_or(&slot.service).clone(),
            published: None,
            reference: slot.reference.clone(),
            reference_image: tagged.map(|image| image.id.clone()),
            container: slot.container.cloned(),
            restart: slot.restart.clone(),
            profiles: slot.profiles.clone(),
            version,
            digest: runs.and_then(|image| image.digest_in(service.image.as_str())).map(str::to_owned).or(digest),
        }
    }

    /// Requests that the words lead: the stated one first, then those that are found, plainest first.
    fn candidates(&self, words: &Words) -> Vec<Probe> {
        let stated = &self.config.nginx.probe;
        let mut all = self.routes.probes(|_, target| words.lead(&self.routes, target));
        for probe in &mut all {
            probe.at = self.found.shown_in(&probe.at);
        }
        if *stated == ProbeStated::default() {
            return all;
        }
        let path = stated.path.as_deref();
        let prefix = |probe: &&Probe| path.is_none_or(|path| path.starts_with(&probe.path));
        let base = all.iter().filter(prefix).max_by_key(|probe| if path.is_some() { probe.path.len() } else { 0 });
        let base = if path.is_some() { base } else { all.first() };
        let mut probe = base.or(all.first()).cloned().unwrap_or_else(plain);
        probe.path = stated.path.clone().unwrap_or(probe.path);
        probe.host = stated.host.clone().unwrap_or(probe.host);
        probe.secret = stated.headers_env.is_some();
        probe.at = format!("{} on {}, as `nginx: {{probe: …}}` has it", probe.path, probe.host);
        probe.guards.closed = false;
        all.insert(0, probe);
        all
    }
}

/// What nginx in a container may call the slots.
fn named(slots: &[Slot<'_>; 2]) -> [Vec<Called>; 2] {
    slots.each_ref().map(|slot| slot.names.iter().map(|name| Called::name(name)).collect())
}

/// The ports that slots behind these doors listen on.
fn of_doors(service: &ServiceSettings, names: [&str; 2], doors: Doors) -> Result<[u16; 2], Wrong> {
    for (name, door) in names.iter().zip(doors) {
        if let Some(stated) = service.port.as_ref().and_then(|port| port.of(name)).filter(|port| *port != door.target) {
            let what = format!(
                "`port: {stated}` in cutover.yml, but by the compose file {} leads to port {} of {name}",
                published::shown(door),
                door.target
            );
            return Err((what, "leave `port` out, or let both say the same".to_owned()));
        }
    }
    Ok(doors.map(|door| door.target))
}

/// A request that nothing is known of.
fn plain() -> Probe {
    Probe {
        port: 80,
        tls: false,
        host: "localhost".to_owned(),
        path: "/".to_owned(),
        at: String::new(),
        guards: Guards::default(),
        secret: false,
    }
}

/// The ports that stand behind one of these names in a text.
fn ports_of(text: &str, names: &[String]) -> Vec<u16> {
    let split = |c: char| c.is_whitespace() || matches!(c, ';' | '/' | '"' | '\'');
    let words = text.lines().map(|line| line.split('#').next().unwrap_or_default()).flat_map(|line| line.split(split));
    let pairs = words.filter_map(|word| word.rsplit_once(':'));
    pairs
        .filter(|(name, _)| names.iter().any(|known| known == name))
        .filter_map(|(_, port)| port.parse().ok())
        .collect()
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
    let versions = tags.iter().filter_map(|tag| version_of(&service.tag, tag.rsplit_once(':')?.1));
    let highest = versions.max_by(|a, b| a.semver().cmp(b.semver())).map(|version| version.to_string());
    (kept.or(highest), None)
}
