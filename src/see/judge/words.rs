//! The words that name slots in nginx's files: whether they name one, and whether a release can change them.

use super::findings::Findings;
use crate::config::ServiceSettings;
use crate::host::nginx::{Place, Routes};
use crate::router::words::{Called, Pair, SlotWord, Words};
use crate::see::interpret::places::Unplaced;
use crate::see::interpret::project::Found;
use crate::see::read::files::Look;

/// What words are judged by.
pub(crate) struct Judging<'j, 'a> {
    pub(crate) found: &'j Found<'a>,
    pub(crate) look: &'j Look,
    pub(crate) routes: &'j Routes,
    pub(crate) service: &'j ServiceSettings,
    /// The slots' compose services.
    pub(crate) names: [&'j str; 2],
}

/// What a finding is about.
pub(crate) fn about(service: &ServiceSettings, words: &Words) -> String {
    match words.upstream().as_str() {
        "" => format!("conf, service {}", service.name),
        upstream => format!("conf, upstream {upstream}"),
    }
}

impl Judging<'_, '_> {
    /// The slot that all of them name, where a release can change it.
    pub(crate) fn of_words(&self, words: &Words, pair: &Pair, findings: &mut Findings) -> Option<usize> {
        let stated = self.service.upstream.as_ref().map(|name| name.as_str());
        if let Some(stated) =
            stated.filter(|stated| !words.moving.iter().any(|w| w.upstream.as_deref() == Some(stated)))
        {
            self.of_stated(stated, words, findings);
            return None;
        }
        let Some(first) = words.moving.first() else {
            self.of_none(pair, findings);
            return None;
        };
        if words.moving.iter().any(|word| word.slot != first.slot) {
            self.of_both(words, pair, findings);
            return None;
        }
        Some(first.slot)
    }

    /// The upstream of cutover.yml has no word that a release changes.
    fn of_stated(&self, stated: &str, words: &Words, findings: &mut Findings) {
        let about = format!("conf, upstream {stated}");
        let [one, two] = self.names;
        match self.routes.upstream(stated) {
            None => {
                let names: Vec<&str> =
                    self.routes.upstreams.iter().map(|(upstream, _)| upstream.name.as_str()).collect();
                let known = if names.is_empty() { "no upstream at all".to_owned() } else { names.join(", ") };
                findings.refuse(
                    about,
                    format!("there is no upstream of that name in nginx's files, but {known}"),
                    format!("correct `upstream` in cutover.yml; it has a line that names a slot, such as `server {one}:3001;`"),
                );
            }
            Some(_) if words.fixed.iter().any(|word| word.upstream.as_deref() == Some(stated)) => {
                let what = format!(
                    "it names one slot for good; which slot serves is said by {}{}",
                    self.shown(&words.moving),
                    self.users(words).map(|users| format!("; {users}")).unwrap_or_default()
                );
                findings.refuse(about, what, "leave `upstream` out of cutover.yml");
            }
            Some((upstream, _)) => {
                let hosts: Vec<&str> = upstream.servers.iter().map(|server| server.host.as_str()).collect();
                let what = format!("its servers are {}, the slots are {one} and {two}", hosts.join(", "));
                findings.refuse(about, what, format!("let it have `server {one}:PORT;`"));
            }
        }
    }

    /// No word names a slot.
    fn of_none(&self, pair: &Pair, findings: &mut Findings) {
        let about = format!("conf, service {}", self.service.name);
        if let Some((path, inside)) = self.unread(pair) {
            let what = format!("nginx does not read {inside}, which is {path} on the host and names a slot");
            let todo = match path.replace("/sites-available/", "/sites-enabled/") {
                link if link != path => format!("link it: sudo ln -s {path} {link}"),
                _ => "include it in nginx.conf, or name the right file with `nginx: {conf: …}`".to_owned(),
            };
            findings.refuse("conf", what, todo);
            return;
        }
        let names: Vec<&str> = self.routes.upstreams.iter().map(|(upstream, _)| upstream.name.as_str()).collect();
        let mut hosts: Vec<String> = pair.called.iter().flatten().map(|called| called.host.clone()).collect();
        if self.found.on_host.is_some() {
            let first =
                |called: &Vec<Called>| called.first().map(|own| format!("{}:{}", own.host, own.port.unwrap_or(80)));
            hosts = pair.called.iter().filter_map(first).collect();
        }
        let mut what = format!("no upstream has a server {}, and no location passes there", hosts.join(" or "));
        what += &if self.routes.passes.is_empty() && names.is_empty() && self.look.files.is_empty() {
            match self.found.on_host {
                Some(nginx) => format!("; no file of {} can be read", nginx.directory()),
                None => "; no configuration file is mounted into nginx".to_owned(),
            }
        } else if names.is_empty() {
            "; there is no upstream at all".to_owned()
        } else {
            format!("; there are {}", names.join(", "))
        };
        let example = match self.found.on_host {
            Some(_) => hosts.first().map_or("127.0.0.1:8081", String::as_str),
            None => "blue:3001",
        };
        let mut todo =
            format!("the upstream must have one `server` line that names a slot, such as `server {example};`");
        let published = self.found.slots.iter().flatten().all(|slot| !slot.bindings.is_empty());
        if published && self.found.on_host.is_none() {
            todo += "; if it is nginx on the host itself that serves: `nginx: host`";
        }
        findings.refuse(about, what, todo);
    }

    /// A file of the host that nginx does not read, and that names a slot.
    fn unread(&self, pair: &Pair) -> Option<(String, String)> {
        let unread = self.found.files(self.look).into_iter().filter(|(path, _)| !self.found.reads(path, self.look));
        let inside = unread.filter_map(|(path, text)| Some((path.clone(), self.found.inside(&path)?.0, text)));
        let names = |text: &String| {
            // as if it were read
            let routes = Routes::of(&[("/etc/nginx/conf.d/any.conf".to_owned(), text.clone())]);
            !Words::of(&routes, pair).moving.is_empty()
        };
        let mut found = inside.filter(|(.., text)| names(text)).map(|(path, inside, _)| (path, inside));
        found.next()
    }

    /// Some name one slot and some the other one.
    fn of_both(&self, words: &Words, pair: &Pair, findings: &mut Findings) {
        let about = about(self.service, words);
        let of_upstream = words.moving[0].upstream.is_some()
            && words.moving.iter().all(|word| word.upstream == words.moving[0].upstream);
        let spare: Vec<&SlotWord> = words.moving.iter().filter(|word| word.spare).collect();
        let todo = match spare.first() {
            Some(word) => format!(
                "delete the line `server {};` at {}; cutover changes the name in the other one at each release",
                self.written(word, pair),
                self.found.shown(&word.place)
            ),
            None => "let it name one slot only; cutover changes the name at each release".to_owned(),
        };
        if of_upstream && spare.len() + 1 == words.moving.len() {
            let spare: Vec<&str> = spare.iter().map(|word| self.names[word.slot]).collect();
            let what = format!(
                "it names both slots, {} as `backup` or `down`; nginx can't be reloaded while it names a slot that is \
                 stopped, and a release stops the one that does not serve",
                spare.join(", ")
            );
            findings.refuse(about, what, todo);
        } else if of_upstream {
            let what = format!("it names both slots, so requests go to both: {}", self.shown(&words.moving));
            findings.refuse(about, what, todo);
        } else {
            let mut what = format!("words of nginx name both slots: {}", self.shown(&words.moving));
            if let Some(users) = self.users(words) {
                what += &format!("; {users}");
            }
            findings.refuse(about, what, "let all of them name the slot that serves; a release changes all at once");
        }
    }

    /// How a word names its slot.
    fn written(&self, word: &SlotWord, pair: &Pair) -> String {
        match self.found.on_host {
            Some(_) => pair.text(word.slot, word, word.port),
            None => format!("{}…", self.names[word.slot]),
        }
    }

    fn shown(&self, words: &[SlotWord]) -> String {
        let each = words.iter().map(|word| format!("{} at {}", self.names[word.slot], self.found.shown(&word.place)));
        each.collect::<Vec<_>>().join(", ")
    }

    /// Where the plainest location that leads to a slot sends users, with each word on the way.
    fn users(&self, words: &Words) -> Option<String> {
        let passes = self.routes.passes.iter().filter(|pass| !pass.probes.is_empty());
        let led = passes.flat_map(|pass| pass.targets.iter().map(move |target| (pass, target)));
        let led = led.filter(|(_, target)| words.lead(self.routes, target));
        let (pass, target) = led.min_by_key(|(pass, _)| pass.probes.iter().map(|p| p.path.len()).min())?;
        let by = |word: &&SlotWord| word.span == target.span || word.upstream.as_ref() == Some(&target.name);
        let word = words.moving.iter().find(by)?;
        let mut places: Vec<&Place> = target.places.iter().collect();
        places.extend(word.upstream.as_ref().map(|_| &word.place));
        let places = places.into_iter().map(|place| self.found.shown(place)).collect::<Vec<_>>().join(" → ");
        Some(format!("`{}` sends users to {} ({places})", pass.location, self.names[word.slot]))
    }

    /// Words that can't be changed.
    pub(crate) fn of_unplaced(&self, why: &Unplaced, findings: &mut Findings) {
        let about = format!("conf, service {}", self.service.name);
        match why {
            Unplaced::Other(path) => {
                let what = format!("nginx's container sees another text than the host has in {path}");
                let todo = "the file was replaced while it is mounted alone, or nginx has not loaded it: restart nginx's \
                            container once, or mount its directory";
                findings.refuse("conf", what, todo);
            }
            Unplaced::InParts(place) => {
                let what = format!("the word at {} is put together of several", self.found.shown(place));
                findings.refuse(about, what, "write the slot's name as one word, with its port behind it");
            }
            Unplaced::NotOnHost(inside) => self.of_absent(inside, findings),
        }
    }

    /// A file that nginx reads and the host does not have.
    fn of_absent(&self, inside: &str, findings: &mut Findings) {
        if self.found.on_host.is_some() {
            let what = format!("{inside} names the slot, and the login can't read it");
            findings.refuse("conf", what, format!("let it be read: sudo chmod a+r {inside}"));
            return;
        }
        let name = inside.rsplit('/').next().unwrap_or(inside);
        let template = format!("/etc/nginx/templates/{name}.template");
        let is_it = |(path, _): &&(String, String)| self.found.inside(path).is_some_and(|(own, _)| own == template);
        if let Some((path, _)) = self.look.files.iter().find(is_it) {
            let what = format!(
                "{path} is a template: nginx reads {inside}, which its container makes of it when it starts and which is not \
                 on the host"
            );
            let todo = format!(
                "mount a directory with {name} itself at /etc/nginx/conf.d (docker exec NGINX cat {inside} has its text), \
                 and leave the template out"
            );
            findings.refuse("conf", what, todo);
            return;
        }
        let todo = "mount a directory of the host instead, such as ./nginx:/etc/nginx/conf.d, with the file in it";
        let volume =
            self.found.volumes.iter().find(|(_, to)| inside.starts_with(&format!("{}/", to.trim_end_matches('/'))));
        let what = match volume {
            Some((name, to)) => {
                format!("{inside} is in a named volume ({name} at {to}), which only root can write")
            }
            None => format!("{inside}, which names the slot, is in nginx's container and not on the host"),
        };
        findings.refuse(format!("conf, service {}", self.service.name), what, todo);
    }
}
