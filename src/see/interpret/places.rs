//! The files in which a route's words stand, and what a release makes of them.

use crate::host::nginx::{Place, says};
use crate::router::words::{Pair, SlotWord};
use crate::see::interpret::links::relative;
use crate::see::interpret::project::Found;
use crate::see::read::files::Look;
use crate::see::seen::{Change, ConfSeen};
use crate::swap::plan::How;

/// The files of all services' words.
pub(crate) struct Files<'f, 'a> {
    pub(crate) found: &'f Found<'a>,
    pub(crate) look: &'f Look,
    pub(crate) confs: Vec<ConfSeen>,
}

/// A file of the host that nginx reads.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    /// Its path on the host; that of the file itself where nginx reads it through a link.
    pub(crate) path: String,
    pub(crate) text: String,
    /// Mounted alone.
    pub(crate) in_place: bool,
    /// The link through which nginx reads it: its path on the host, and what it says.
    pub(crate) link: Option<(String, String)>,
}

impl Source {
    /// Path of the link through which nginx reads it.
    pub(crate) fn link_path(&self) -> Option<&String> {
        self.link.as_ref().map(|(path, _)| path)
    }
}

/// Why words can't be changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Unplaced {
    /// The file is not one of the host's: its path as nginx has it.
    NotOnHost(String),
    /// What stands there is not what nginx has read.
    Other(String),
    /// The word is put together of several.
    InParts(Place),
}

impl Files<'_, '_> {
    /// The file of the host that nginx reads by this path.
    pub(crate) fn source(&self, inside: &str) -> Option<Source> {
        let named = |path: &str| self.found.inside(path).is_some_and(|(name, _)| name == inside);
        let link = self.look.links.iter().find(|(path, _)| named(path));
        let own = || self.look.files.iter().map(|(path, _)| path.as_str()).find(|path| named(path));
        let path = match link {
            Some((path, _)) => self.found.behind(path, self.look),
            None => own()?,
        };
        let text = self.look.files.iter().find(|(known, _)| known == path)?.1.clone();
        let (_, in_place) = self.found.inside(path)?;
        let link = link.filter(|(link, _)| link != path).cloned();
        Some(Source { path: path.to_owned(), text, in_place, link })
    }

    /// Adds the words of a service. `texts` are what stands there for either slot. Gives the files, by their paths for nginx.
    pub(crate) fn add(
        &mut self,
        service: usize,
        words: &[SlotWord],
        pair: &Pair,
        texts: impl Fn(&SlotWord) -> [String; 2],
    ) -> Result<Vec<(String, Source)>, Unplaced> {
        let mut files: Vec<(String, Source)> = Vec::new();
        for word in words {
            let file = &word.place.file;
            if !files.iter().any(|(known, _)| known == file) {
                let source = self.source(file).ok_or_else(|| Unplaced::NotOnHost(file.clone()))?;
                files.push((file.clone(), source));
            }
        }
        for (file, source) in &files {
            let mut changes = Vec::new();
            for word in words.iter().filter(|word| word.place.file == *file) {
                let at = word.span.as_ref().ok_or_else(|| Unplaced::InParts(word.place.clone()))?;
                let texts = texts(word);
                if source.text.get(at.start..at.end) != Some(&texts[word.slot]) {
                    return Err(Unplaced::Other(source.path.clone()));
                }
                changes.push(Change { service, at: (at.start, at.end), texts });
            }
            self.place(source, changes, pair, words[0].slot);
        }
        Ok(files)
    }

    /// Where there is a file for either slot, a link is led to the other one, and a copy becomes one of the other; else the
    /// words are changed.
    fn place(&mut self, source: &Source, changes: Vec<Change>, pair: &Pair, slot: usize) {
        let service = changes.first().map_or(0, |change| change.service);
        let how = if source.in_place { How::InPlace } else { How::Rename };
        let plain = ConfSeen { path: source.path.clone(), text: source.text.clone(), how, changes };
        let after = plain.with(|_| Some(1 - slot));
        let whole = |path: &str, how, mut texts: [String; 2]| {
            texts.rotate_left(slot);
            let text = texts[slot].clone();
            let changes = vec![Change { service, at: (0, text.len()), texts }];
            ConfSeen { path: path.to_owned(), text, how, changes }
        };
        let of = match source.link {
            Some(_) => Some(source.path.as_str()),
            None => self.twin(source),
        };
        let ordered =
            |other: &str| of.is_some_and(|of| pair.are_files(if slot == 0 { [of, other] } else { [other, of] }));
        let sibling = self.sibling(source, &after).filter(|(other, _)| ordered(other));
        let conf = match (&source.link, sibling) {
            (Some((link, target)), Some((other, _))) => match self.led_to(link, target, &other) {
                Some(to) => whole(link, How::Link, [target.clone(), to]),
                None => plain,
            },
            (None, Some((_, text))) => whole(&source.path, how, [source.text.clone(), text]),
            (_, None) => plain,
        };
        match self.confs.iter_mut().find(|known| known.path == conf.path) {
            Some(known) => known.changes.extend(conf.changes),
            None => self.confs.push(conf),
        }
    }

    /// Files of the host that nginx does not read by themselves, beside this one.
    pub(crate) fn unread<'s>(&'s self, source: &'s Source) -> impl Iterator<Item = &'s (String, String)> {
        let is_read = |path: &str| self.found.reads(path, self.look);
        let own = self.look.files.iter().filter(|(path, _)| self.found.behind(path, self.look) == path);
        own.filter(move |(path, _)| *path != source.path && !is_read(path))
    }

    /// An unread file that has the same text, so that this one is a copy of it.
    fn twin<'s>(&'s self, source: &'s Source) -> Option<&'s str> {
        self.unread(source).find(|(_, text)| *text == source.text).map(|(path, _)| path.as_str())
    }

    /// An unread file that says what this one shall say: its path and text.
    fn sibling(&self, source: &Source, after: &str) -> Option<(String, String)> {
        let wanted = says(after)?;
        self.unread(source).find(|(_, text)| says(text).as_ref() == Some(&wanted)).cloned()
    }

    /// What a link has to say to lead to another file of the host, in the way in which it says it now.
    fn led_to(&self, link: &str, target: &str, other: &str) -> Option<String> {
        let ((link, _), (other, _)) = (self.found.inside(link)?, self.found.inside(other)?);
        Some(if target.starts_with('/') { other } else { relative(&link, &other) })
    }
}

impl ConfSeen {
    /// Its text with every service's words at the slot that `which` says; `None`: as they are.
    pub(crate) fn with(&self, which: impl Fn(usize) -> Option<usize>) -> String {
        let mut text = self.text.clone();
        let mut changes: Vec<_> = self.changes.iter().collect();
        changes.sort_by_key(|change| std::cmp::Reverse(change.at));
        for change in changes {
            if let Some(slot) = which(change.service) {
                text.replace_range(change.at.0..change.at.1, &change.texts[slot]);
            }
        }
        text
    }
}
