//! nginx of one node: where its files name a slot, and how it is pointed at the other one.

use crate::host::Host;
use crate::host::container::Container;
use crate::host::nginx::{Probe, Routes};
use crate::host::script::{CORE, Fence, SAY, Script, sections};
use crate::report::Event;
use crate::router::words::{Called, Named, Pair, SlotWord, Words};
use crate::router::{NGINX, TRAFFIC};
use crate::see::judge::findings::Findings;
use crate::see::read::files::{Ask, Look, look};
use crate::swap::step::{DRAIN, ROUTE};
use crate::text::digest;
use anyhow::Result;
use std::time::Duration;

/// How long nginx may take to take a configuration.
const RELOAD: Duration = Duration::from_secs(15);

/// nginx of one node.
pub(crate) struct Edge<'a> {
    pub(crate) host: &'a Host,
    /// The node that the host is.
    pub(crate) node: String,
    pub(crate) container: String,
    /// PID 1 of its container, as the host counts.
    pub(crate) pid: i64,
    /// Its address as the host reaches it.
    pub(crate) gateway: String,
    /// Its addresses on the swarm's networks.
    pub(crate) addresses: Vec<String>,
    confs: Vec<Conf>,
    /// The slot that its files name.
    pub(crate) named: usize,
    words: [String; 2],
    /// A request that leads to the slots.
    pub(crate) probe: Probe,
    /// The port of the tasks.
    pub(crate) port: u16,
}

/// From and to which byte, and what stands there for either slot.
type Change = (usize, usize, [String; 2]);

/// A file with words that name a slot.
#[derive(Debug)]
pub(crate) struct Conf {
    pub(crate) path: String,
    text: String,
    changes: Vec<Change>,
}

impl Conf {
    /// What it says for a slot.
    pub(crate) fn says(&self, slot: usize) -> String {
        let mut text = self.text.clone();
        for (start, end, words) in self.changes.iter().rev() {
            text.replace_range(*start..*end, &words[slot]);
        }
        text
    }
}

/// What is asked of every host about its nginx.
pub(crate) struct Sought<'s> {
    /// The services of the slots, as the swarm calls them, and without the stack.
    pub(crate) services: [&'s str; 2],
    pub(crate) called: [&'s str; 2],
}

impl Sought<'_> {
    /// What nginx may call each slot.
    fn pair(&self) -> Pair {
        let names = |slot: usize| {
            let (whole, short) = (self.services[slot], self.called[slot]);
            [format!("tasks.{whole}"), whole.to_owned(), format!("tasks.{short}"), short.to_owned()]
                .map(|name| Called::name(&name))
                .to_vec()
        };
        Pair::new([names(0), names(1)], self.services)
    }
}

impl<'a> Edge<'a> {
    /// Reads nginx's files on a host. What stands in the way becomes a finding.
    pub(crate) async fn see(
        host: &'a Host,
        node: &str,
        container: &Container,
        gateway: &str,
        sought: &Sought<'_>,
        findings: &mut Findings,
    ) -> Result<Option<Edge<'a>>> {
        let about = format!("nginx on {}", host.name);
        let mounts: Vec<(String, String)> = container
            .mounts
            .iter()
            .filter(|mount| mount.destination.starts_with("/etc/nginx"))
            .map(|mount| (mount.source.clone(), mount.destination.clone()))
            .collect();
        let paths = mounts.iter().map(|(source, _)| source.clone()).collect();
        let ask = Ask { nginx: Some(container.id.clone()), paths, pids: Vec::new(), images: Vec::new() };
        let seen = look(host, ask, None, None).await?;
        let dump = match &seen.dump {
            Some(Ok(dump)) => dump,
            Some(Err(why)) => {
                let why = crate::report::text::one_line(why, 300);
                findings.refuse(about, format!("its configuration is not good now: {why}"), "mend it first");
                return Ok(None);
            }
            None => {
                findings.refuse(about, "its configuration can't be read", "`nginx -T` must run in its container");
                return Ok(None);
            }
        };
        let files: Vec<(String, String)> =
            dump.iter().map(|(path, text)| (path.clone(), of_host(path, text, &mounts, &seen))).collect();
        super::judge::of_conf(&about, &files, seen.nginx_version.as_ref(), findings);
        let found = Found { files, mounts, look: &seen, about: &about };
        let Some((words, confs)) = found.words(&sought.pair(), findings) else { return Ok(None) };
        let routes = Routes::of(&found.files);
        let probes = routes.probes(|_, target| words.lead(&routes, target));
        let probe = probes.iter().find(|probe| probe.weight() == 0).or(probes.first());
        let (Some(probe), Some(first)) = (probe, words.moving.first()) else {
            findings.refuse(about, "no location leads to the slots", "cutover needs one that it can ask for");
            return Ok(None);
        };
        let kind = if let Named::Host(kind) = first.names { kind } else { 0 };
        let word = |slot: usize| name(&sought.pair(), slot, kind);
        Ok(Some(Edge {
            host,
            node: node.to_owned(),
            container: container.id.clone(),
            pid: container.state.pid,
            gateway: gateway.to_owned(),
            addresses: container.addresses(),
            named: first.slot,
            words: [word(0), word(1)],
            probe: probe.clone(),
            port: first.port,
            confs,
        }))
    }

    /// What nginx calls a slot.
    pub(crate) fn word(&self, slot: usize) -> String {
        self.words[slot].clone()
    }

    /// The files that a release changes, as they are and as they would be.
    pub(crate) fn changes(&self, slot: usize) -> Vec<(String, String, String)> {
        self.confs.iter().map(|conf| (conf.path.clone(), conf.text.clone(), conf.says(slot))).collect()
    }

    /// Points nginx at a slot: its files say so, and every worker that takes requests has read them. Where they say so
    /// already, nginx is reloaded all the same: who wrote them may not have come so far.
    pub(crate) async fn route(&self, slot: usize, fence: &Fence) -> Result<String> {
        let file = |conf: &Conf| {
            let (to, from) = (conf.says(slot), [conf.says(0), conf.says(1)].map(|text| digest(&text)).join(" "));
            let size = crate::text::to_bytes(&to).len();
            format!("rename|{size} {} {from}|{}", digest(&to), conf.path)
        };
        let script = fenced("to point nginx at the new slot", ROUTE, fence)
            .with(&[NGINX, TRAFFIC])
            .set("step", "route")
            .list("files", self.confs.iter().map(file))
            .set("nginx", &self.container)
            .set("seconds", RELOAD.as_secs().to_string())
            .set("back", "")
            .set("slots", "")
            .stdin(self.confs.iter().map(|conf| conf.says(slot)).collect::<String>());
        let output = self.host.run(&script).await?;
        let reloaded = sections(&output)?.into_iter().find(|section| section.name == "reloaded");
        let workers = reloaded.and_then(|section| {
            section.text.lines().find_map(|line| line.strip_prefix("@workers ").map(str::to_owned))
        });
        Ok(format!("nginx names {}; {} new workers", self.words[slot], workers.unwrap_or_else(|| "its".to_owned())))
    }

    /// Waits for the workers of before a switch: how many were left at the end, and how many there were.
    pub(crate) async fn drain(&self, timeout: Duration, fence: &Fence) -> Result<(u64, u64)> {
        let script = fenced("to let old requests finish", DRAIN, fence)
            .with(&[NGINX])
            .set("nginx", &self.container)
            .set("seconds", timeout.as_secs().to_string())
            .set("how", "")
            .limit(timeout + Duration::from_secs(30));
        let (mut left, mut most) = (0u64, 0u64);
        let began = std::time::Instant::now();
        let line = |line: &str| {
            left = line.trim().parse().unwrap_or(left);
            most = most.max(left);
            self.host.reporter.emit(Event::Progress {
                host: self.host.name.clone(),
                text: format!("drain: {left} old workers left"),
                done: began.elapsed().as_secs(),
                total: timeout.as_secs(),
                unit: "s",
            });
        };
        self.host.follow(&script, line).await?;
        Ok((left, most))
    }
}

/// Removes what a switch keeps on a host for as long as it is not over.
pub(crate) async fn tidy(host: &Host, fence: &Fence) -> Result<()> {
    host.run(&fenced("to remove what the switch kept", include_str!("tidy.sh"), fence)).await.map(drop)
}

pub(super) fn fenced(why: &'static str, text: &'static str, fence: &Fence) -> Script {
    Script::new(why, text).with(&[SAY, CORE]).fenced(fence).limit(Duration::from_secs(180))
}

/// A file as the host has it, where it is mounted from there and says the same: offsets are those of the host's bytes.
fn of_host(path: &str, text: &str, mounts: &[(String, String)], look: &Look) -> String {
    let own = outside(mounts, path).and_then(|path| look.files.iter().find(|(known, _)| *known == path));
    own.filter(|(_, own)| own.trim_end() == text.trim_end()).map_or_else(|| text.to_owned(), |(_, own)| own.clone())
}

/// The host's path of a file in nginx's container.
fn outside(mounts: &[(String, String)], path: &str) -> Option<String> {
    mounts.iter().find_map(|(from, to)| {
        let rest = path.strip_prefix(to.trim_end_matches('/'))?.strip_prefix('/')?;
        Some(format!("{}/{rest}", from.trim_end_matches('/')))
    })
}

/// One of the names of a slot.
fn name(pair: &Pair, slot: usize, kind: usize) -> String {
    pair.called[slot].get(kind).map_or_else(String::new, |called| called.host.clone())
}

/// What was read of one nginx.
struct Found<'f> {
    files: Vec<(String, String)>,
    mounts: Vec<(String, String)>,
    look: &'f Look,
    about: &'f str,
}

impl Found<'_> {
    /// The words that a release changes, and the files that they stand in.
    fn words(&self, pair: &Pair, findings: &mut Findings) -> Option<(Words, Vec<Conf>)> {
        let words = Words::of(&Routes::of(&self.files), pair);
        let about = self.about;
        let Some(first) = words.moving.first() else {
            let names = [name(pair, 0, 0), name(pair, 1, 0)].join(" or ");
            findings.refuse(
                about,
                format!("no word of its configuration names {names}"),
                "write `set $slot tasks.STACK_blue;` and `proxy_pass http://$slot:PORT;`, see docs/swarm.md",
            );
            return None;
        };
        if let Some(other) = words.moving.iter().find(|word| word.slot != first.slot) {
            let what = format!("its words name both slots: {} and {}", first.place, other.place);
            findings.refuse(about, what, "let all of them name the slot that serves");
            return None;
        }
        if let Some(word) = words.moving.iter().find(|word| !word.variable) {
            findings.refuse(
                about,
                format!(
                    "{} names the slot outside a variable: nginx keeps the addresses that it had at its start",
                    word.place
                ),
                "tasks move: write `set $slot …;` and `proxy_pass http://$slot:PORT;`, see docs/swarm.md",
            );
            return None;
        }
        let mut confs: Vec<Conf> = Vec::new();
        for word in &words.moving {
            match self.change(word, pair) {
                Ok((path, text, change)) => match confs.iter_mut().find(|conf| conf.path == path) {
                    Some(conf) => conf.changes.push(change),
                    None => confs.push(Conf { path, text, changes: vec![change] }),
                },
                Err(why) => {
                    findings.refuse(about, format!("{}: {why}", word.place), "see docs/swarm.md for what nginx needs");
                    return None;
                }
            }
        }
        confs.iter_mut().for_each(|conf| conf.changes.sort());
        Some((words, confs))
    }

    fn change(&self, word: &SlotWord, pair: &Pair) -> Result<(String, String, Change), String> {
        let span = word.span.as_ref().ok_or("the name is put together of several words")?;
        let Named::Host(_) = word.names else { return Err("it names an upstream of the slot's own".to_owned()) };
        let path = outside(&self.mounts, &span.place.file)
            .ok_or("the file is no part of a directory that is mounted from the node")?;
        let text = self.look.files.iter().find(|(known, _)| *known == path).map(|(_, text)| text.clone());
        let text = text.ok_or("the file can't be read on the node")?;
        let inside = self.files.iter().find(|(known, _)| *known == span.place.file).map(|(_, text)| text);
        if inside != Some(&text) {
            return Err("nginx has another text than the node's file: is the file mounted by itself?".to_owned());
        }
        let directory = path.rsplit_once('/').map_or("", |(directory, _)| directory);
        if !self.look.writable.iter().any(|known| known.trim_end_matches('/') == directory) {
            return Err(format!("{directory} can't be written by this user"));
        }
        Ok((path, text, (span.start, span.end, [0, 1].map(|slot| pair.text(slot, word, word.port)))))
    }
}
