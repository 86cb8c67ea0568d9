//! The port that each slot listens on: the words that name a slot say it, else cutover.yml, else the compose file.

use crate::config::ServiceSettings;
use crate::host::compose::Service;
use crate::router::words::{Named, SlotWord, Words};

/// Where to look for a slot's port.
pub(crate) struct Asked<'a> {
    /// What is stated.
    pub(crate) settings: &'a ServiceSettings,
    /// The compose services' names.
    pub(crate) names: [&'a str; 2],
    /// What the compose file has of them.
    pub(crate) written: [Option<&'a Service>; 2],
    /// The slot that nginx's files name.
    pub(crate) in_conf: usize,
    /// The port by which an unread file of the other slot names it.
    pub(crate) beside: Option<u16>,
}

/// What was found wrong, and what to do.
pub(crate) type Wrong = (String, String);

impl Asked<'_> {
    /// The port of each slot.
    pub(crate) fn ports(&self, words: &Words) -> Result<[u16; 2], Wrong> {
        let own = named(words, self.in_conf)?.or_else(|| self.stated(self.in_conf)).unwrap_or(80);
        if let Some(stated) = self.stated(self.in_conf).filter(|stated| *stated != own) {
            let what = format!("`port: {stated}` in cutover.yml, but nginx sends requests to port {own}");
            return Err((what, "leave `port` out, or let both say the same".to_owned()));
        }
        let other = 1 - self.in_conf;
        let found = named(words, other)?.or_else(|| self.stated(other)).or(self.beside);
        let other = match found {
            Some(port) => port,
            None => self.written(own)?,
        };
        let apart = |word: &&SlotWord| matches!(word.names, Named::Host(_)) && !word.has_port;
        if let Some(word) = words.moving.iter().find(apart).filter(|_| own != other) {
            let what =
                format!("the slots listen on ports {own} and {other}, and the word at {} has no port", word.place);
            return Err((what, "write the port behind the name, so that both change together".to_owned()));
        }
        Ok(if self.in_conf == 0 { [own, other] } else { [other, own] })
    }

    fn stated(&self, slot: usize) -> Option<u16> {
        self.settings.port.as_ref()?.of(self.names[slot])
    }

    /// The other slot's port by the compose file, where the one that nginx names has `own`.
    fn written(&self, own: u16) -> Result<u16, Wrong> {
        let [Some(live), Some(idle)] = [self.in_conf, 1 - self.in_conf].map(|slot| self.written[slot]) else {
            return Ok(own);
        };
        let (lives, idles) = (live.port_variables(), idle.port_variables());
        let variable = idles.iter().find(|(name, value)| **value != own && lives.get(*name) == Some(&own));
        let exposed = match idle.ports.as_slice() {
            [one] if *one != own && live.ports.contains(&own) => Some(*one),
            _ => None,
        };
        match (variable, exposed) {
            (None, None) => Ok(own),
            (None, Some(port)) => Ok(port),
            (Some((_, port)), exposed) if exposed == Some(*port) || !idle.ports.contains(&own) => Ok(*port),
            (Some((name, port)), _) => {
                let slot = self.names[1 - self.in_conf];
                let what = format!(
                    "by `{name}: {port}` {slot} listens on another port than {own}, which nginx asks and its `expose` or \
                     `ports` names"
                );
                let todo = format!("let both say the same, or state `port: {{{slot}: {port}, …}}` in cutover.yml");
                Err((what, todo))
            }
        }
    }
}

/// The port by which words name a slot.
fn named(words: &Words, slot: usize) -> Result<Option<u16>, Wrong> {
    let of = words.fixed.iter().chain(&words.moving).filter(|word| word.slot == slot);
    let mut of = of.filter(|word| matches!(word.names, Named::Host(_)));
    let Some(first) = of.next() else { return Ok(None) };
    match of.find(|word| word.port != first.port) {
        Some(other) => {
            let what = format!(
                "nginx's words name two ports of one slot: {} at {}, {} at {}",
                first.port, first.place, other.port, other.place
            );
            Err((what, "let all name the same port".to_owned()))
        }
        None => Ok(Some(first.port)),
    }
}
