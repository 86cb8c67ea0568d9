//! The words of nginx's files that say which slot serves: a route is the set of them.

use crate::host::nginx::{Pass, Place, Routes, Span, Target, Upstream};

/// What nginx may call a slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Called {
    /// A name, or an address.
    pub host: String,
    /// The port that belongs to it, where the name alone does not tell the slots apart.
    pub port: Option<u16>,
}

/// A word of the configuration that names a slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlotWord {
    /// Which slot.
    pub slot: usize,
    /// Where it stands.
    pub place: Place,
    /// The bytes to change; `None`: it is put together of several words.
    pub span: Option<Span>,
    /// The upstream in which it stands, if it does.
    pub upstream: Option<String>,
    /// What it names.
    pub names: Named,
    /// The port that it names, where it names one or means nginx's 80.
    pub port: u16,
    /// The port stands in the bytes to change.
    pub has_port: bool,
    /// Nothing but the port does.
    pub port_alone: bool,
    /// It is the value of a variable: nginx looks a name in it up at each request.
    pub variable: bool,
    /// It has `backup` or `down` behind it.
    pub spare: bool,
}

/// How a word names a slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Named {
    /// By a name of the slot: which of them.
    Host(usize),
    /// By an upstream of the slot's own: those of both slots.
    Upstream([String; 2]),
}

/// All words that name a service's slots.
#[derive(Debug, Clone, Default)]
pub struct Words {
    /// Those that a release changes.
    pub moving: Vec<SlotWord>,
    /// Those that name one slot for good: in an upstream of its own, or in a location that is called like it.
    pub fixed: Vec<SlotWord>,
}

/// Two slots, as nginx and people call them.
#[derive(Debug, Clone)]
pub struct Pair {
    /// What nginx may call each.
    pub called: [Vec<Called>; 2],
    /// What tells their names apart: `blue` and `green`.
    pub apart: [String; 2],
}

impl Called {
    /// A name alone.
    pub fn name(host: &str) -> Called {
        Called { host: host.to_owned(), port: None }
    }
}

impl Pair {
    /// Of slots that are called so, and whose compose services are these.
    pub fn new(called: [Vec<Called>; 2], services: [&str; 2]) -> Pair {
        Pair { called, apart: apart(services[0], services[1]) }
    }

    /// What stands in the place of a word where it names this slot, which listens on `port`.
    pub fn text(&self, slot: usize, word: &SlotWord, port: u16) -> String {
        let kind = match &word.names {
            Named::Upstream(names) => return names[slot].clone(),
            Named::Host(kind) => *kind,
        };
        let called = self.called[slot].get(kind).or(self.called[slot].first());
        let host = called.map_or("", |called| called.host.as_str());
        let port = called.and_then(|called| called.port).unwrap_or(port);
        match (word.port_alone, word.has_port) {
            (true, _) => port.to_string(),
            (false, true) => format!("{host}:{port}"),
            (false, false) => host.to_owned(),
        }
    }

    /// Two files that are called after the slots, as `slots/blue.conf` and `slots/green.conf` are.
    pub(crate) fn are_files(&self, paths: [&str; 2]) -> bool {
        let apart = apart(paths[0], paths[1]);
        apart == self.apart || apart == ["blue", "green"] || apart == ["green", "blue"]
    }

    /// The slot that this names, and by which of its names.
    fn slot(&self, host: &str, port: u16) -> Option<(usize, usize)> {
        let is_it = |called: &Called| called.host == host && called.port.is_none_or(|own| own == port);
        self.called.iter().enumerate().find_map(|(slot, all)| Some((slot, all.iter().position(is_it)?)))
    }

    /// An upstream whose servers are one slot and nothing else.
    fn only(&self, upstream: &Upstream) -> Option<usize> {
        let mut slots = upstream.servers.iter().map(|server| Some(self.slot(&server.host, server.port)?.0));
        let first = slots.next()??;
        slots.all(|slot| slot == Some(first)).then_some(first)
    }

    /// Upstreams of which each slot has its own: their names differ as the slots' do, or there are no others.
    fn upstreams(&self, routes: &Routes) -> Vec<[String; 2]> {
        let of = |slot: usize| {
            let own = routes.upstreams.iter().filter(move |(upstream, _)| self.only(upstream) == Some(slot));
            own.map(|(upstream, _)| upstream.name.clone()).collect::<Vec<_>>()
        };
        let (first, second) = (of(0), of(1));
        let alike = |one: &String, two: &String| apart(one, two) == self.apart;
        let pairs = first.iter().flat_map(|one| second.iter().map(move |two| [one.clone(), two.clone()]));
        let pairs: Vec<_> = pairs.filter(|[one, two]| alike(one, two)).collect();
        match (pairs.is_empty(), first.as_slice(), second.as_slice()) {
            (true, [one], [two]) => vec![[one.clone(), two.clone()]],
            _ => pairs,
        }
    }

    /// A location whose own path names the slot that it leads to, such as `/health/blue`.
    fn is_own(&self, pass: &Pass, target: &Target, slot: usize) -> bool {
        let is_it = |word: &str| word == target.name || word == self.apart[slot];
        let mut words = pass.location.split(|c: char| !c.is_ascii_alphanumeric());
        !target.variable && (words.any(is_it) || pass.location.split('/').any(is_it))
    }
}

impl Words {
    /// Finds them in a whole configuration.
    pub fn of(routes: &Routes, pair: &Pair) -> Words {
        let pairs = pair.upstreams(routes);
        let mut words = Words::default();
        for (upstream, spans) in &routes.upstreams {
            let is_fixed = pairs.iter().flatten().any(|name| *name == upstream.name);
            for (server, span) in upstream.servers.iter().zip(spans) {
                let Some((slot, kind)) = pair.slot(&server.host, server.port) else { continue };
                words.add(
                    is_fixed,
                    SlotWord {
                        slot,
                        place: span.place.clone(),
                        span: Some(span.clone()),
                        upstream: Some(upstream.name.clone()),
                        names: Named::Host(kind),
                        port: server.port,
                        has_port: server.has_port,
                        port_alone: false,
                        variable: false,
                        spare: server.spare,
                    },
                );
            }
        }
        for pass in &routes.passes {
            for target in &pass.targets {
                if let Some(word) = word(routes, pair, &pairs, target) {
                    words.add(pair.is_own(pass, target, word.slot), word);
                }
            }
        }
        words
    }

    fn add(&mut self, is_fixed: bool, word: SlotWord) {
        let list = if is_fixed { &mut self.fixed } else { &mut self.moving };
        if !list.iter().any(|known| (&known.place, &known.span) == (&word.place, &word.span)) {
            list.push(word);
        }
    }

    /// Whether a location is led by one of the words that a release changes.
    pub fn lead(&self, routes: &Routes, target: &Target) -> bool {
        let by_upstream = |word: &SlotWord| word.upstream.as_ref() == Some(&target.name);
        let by_itself = |word: &SlotWord| {
            let span = if word.port_alone { &target.port_span } else { &target.span };
            word.upstream.is_none() && span.is_some() && word.span == *span
        };
        let known = routes.upstream(&target.name).is_some();
        self.moving.iter().any(|word| (known && by_upstream(word)) || by_itself(word))
    }

    /// The upstream that a release changes, where its words stand in one alone; else what they name.
    pub fn upstream(&self) -> String {
        let mut names: Vec<String> = self.moving.iter().filter_map(|word| word.upstream.clone()).collect();
        names.dedup();
        names.into_iter().next().unwrap_or_default()
    }
}

/// A word that names a slot and stands in no upstream.
fn word(routes: &Routes, pair: &Pair, pairs: &[[String; 2]], target: &Target) -> Option<SlotWord> {
    let own = pairs.iter().find_map(|names| Some((names, names.iter().position(|name| *name == target.name)?)));
    let port = target.port.unwrap_or(80);
    let (slot, names) = match own {
        Some((names, slot)) => (slot, Named::Upstream(names.clone())),
        None if routes.upstream(&target.name).is_some() => return None,
        None => pair.slot(&target.name, port).map(|(slot, kind)| (slot, Named::Host(kind)))?,
    };
    let long = target.span.as_ref().is_some_and(|span| span.end - span.start > target.name.len());
    // slots that only their ports tell apart
    let by_port = matches!(names, Named::Host(kind) if pair.called[slot][kind].port.is_some());
    let port_alone = by_port && !long;
    let has_port = target.port.is_some() && (long || port_alone);
    let span = if port_alone { target.port_span.clone() } else { target.span.clone() };
    let place = span.as_ref().map(|span| span.place.clone()).or_else(|| target.places.last().cloned())?;
    let variable = target.variable;
    Some(SlotWord { slot, place, span, upstream: None, names, port, has_port, port_alone, variable, spare: false })
}

/// What is left of two names without what both begin and end with, whole words of them.
pub(crate) fn apart(one: &str, two: &str) -> [String; 2] {
    let split = |c: char| !c.is_ascii_alphanumeric();
    let (a, b): (Vec<&str>, Vec<&str>) = (one.split(split).collect(), two.split(split).collect());
    let front = a.iter().zip(&b).take_while(|(a, b)| a == b).count();
    let most = a.len().min(b.len()) - front.min(a.len().min(b.len()));
    let back = a.iter().rev().zip(b.iter().rev()).take(most).take_while(|(a, b)| a == b).count();
    [&a, &b].map(|words| words[front..words.len() - back].join("-"))
}

#[cfg(test)]
#[path = "words_tests.rs"]
mod tests;
