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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::host::nginx::Routes;
    use crate::router::words::{Called, Pair};

    /// The ports by a text of nginx, a compose file's green slot, and more of cutover.yml; or what is wrong.
    fn ports(conf: &str, green: &str, more: &str) -> Result<[u16; 2], String> {
        let text = format!("image: a/b\nhost: a@b.example\ndirectory: /srv/app\n{more}");
        let config = Config::parse(&text, "cutover.yml", None).expect("a configuration");
        let compose = format!(
            "services:\n  blue: {{image: a/b, expose: ['81'], environment: {{PORT: '81'}}}}\n  green: {{image: a/b, {green}}}\n"
        );
        let project = crate::host::compose::Project::parse(&compose).expect("a project");
        let files = [("/etc/nginx/nginx.conf".to_owned(), conf.to_owned())];
        let pair = Pair::new(["blue", "green"].map(|name| vec![Called::name(name)]), ["blue", "green"]);
        let words = Words::of(&Routes::of(&files), &pair);
        let names = ["blue", "green"];
        let written = names.map(|name| project.services.get(name));
        let asked = Asked { settings: &config.services[0], names, written, in_conf: 0, beside: None };
        asked.ports(&words).map_err(|(what, _)| what)
    }

    #[test]
    fn a_slots_port_is_that_of_a_word_else_the_stated_one_else_the_compose_files() {
        let conf = "upstream a { server blue:81; }";
        let both = "upstream blue { server blue:81; } upstream green { server green:84; }";
        for (conf, green, more, found) in [
            (conf, "expose: ['81']", "", [81, 81]),
            (conf, "expose: ['82']", "", [81, 82]),
            (conf, "environment: {PORT: '83'}", "", [81, 83]),
            (conf, "expose: ['82']", "port: {blue: 81, green: 85}\n", [81, 85]),
            (both, "expose: ['82']", "", [81, 84]),
        ] {
            assert_eq!(ports(conf, green, more), Ok(found), "{conf} {green} {more}");
        }
        let wrong = |conf, green, more| ports(conf, green, more).expect_err("wrong");
        assert!(wrong(conf, "", "port: 82\n").contains("nginx sends requests to port 81"));
        assert!(wrong(conf, "expose: ['81'], environment: {PORT: '83'}", "").contains("by `PORT: 83` green listens"));
        assert!(
            wrong("upstream a { server blue; }", "expose: ['82']", "port: {blue: 80, green: 82}\n")
                .contains("has no port")
        );
        assert!(wrong("upstream a { server blue:81; server blue:82; }", "", "").contains("two ports of one slot"));
    }
}
