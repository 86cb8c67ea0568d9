//! nginx's configuration as files and as its container sees it, and what the slots have received so far.

use crate::host::Host;
use crate::host::container::Image;
use crate::host::nginx::{Directive, parse};
use crate::host::script::{SAY, Script, sections};
use crate::router::TRAFFIC;
use crate::see::read::traffic::{Counts, counts};
use anyhow::Result;
use std::time::Instant;

/// Functions that look at files and at what slots have received, for scripts.
pub(crate) const LOOKING: &str = include_str!("looking.sh");

/// What to look at.
pub struct Ask {
    /// nginx's running container, if it is yet to be looked at.
    pub nginx: Option<String>,
    /// Files and directories of the host that are mounted into it.
    pub paths: Vec<String>,
    /// PID 1 of the running slots, as the host counts.
    pub pids: Vec<i64>,
    /// Images to inspect, by reference or id.
    pub images: Vec<String>,
}

/// What was seen.
#[derive(Debug, Default)]
pub struct Look {
    /// Files on the host: path and text.
    pub files: Vec<(String, String)>,
    /// Links among them: path and what it says.
    pub links: Vec<(String, String)>,
    /// Paths on the host that the user may write.
    pub writable: Vec<String>,
    /// Mounted paths that are not there.
    pub absent: Vec<String>,
    /// nginx is on the host itself.
    pub on_host: bool,
    /// nginx's version.
    pub nginx_version: Option<semver::Version>,
    /// The files that `nginx -T` shows, or its complaint.
    pub dump: Option<Result<Vec<(String, String)>, String>>,
    /// When that was.
    pub since: Option<Instant>,
    /// Process, what it has received so far, signals that it handles (`SigCgt` of proc_pid_status(5),
    /// or `SigBlk`: it waits for them, as an init does).
    received: Vec<(i64, Option<Counts>, Option<u64>)>,
    /// The images that exist.
    pub images: Vec<Image>,
}

/// What nginx says of itself.
#[derive(Debug, Clone)]
pub struct Nginx {
    /// The id of its container.
    pub container: String,
    pub(super) version: Option<semver::Version>,
    pub(super) files: Vec<(String, String)>,
}

impl Nginx {
    /// The files that it reads.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.files.iter().map(|(path, _)| path.as_str())
    }

    /// From what `nginx -v` and then `nginx -T` printed in that container.
    pub fn read(container: String, text: &str) -> Nginx {
        let (first, text) = text.split_once('\n').unwrap_or((text, ""));
        Nginx { container, version: version(first), files: dump(text) }
    }
}

/// What a survey looked at on its own, where it guessed which container is nginx.
#[derive(Debug, Default)]
pub struct Ahead {
    paths: Vec<String>,
    pids: Vec<i64>,
    images: Vec<String>,
    look: Look,
}

impl Ahead {
    /// From its sections; `since`: it began after that.
    pub fn read(output: &[u8], since: Instant) -> Result<Ahead> {
        let of = |name: &str| -> Result<Vec<String>> {
            let section = sections(output)?.into_iter().find(|section| section.name == name);
            Ok(section.map(|section| section.text.lines().map(str::to_owned).collect()).unwrap_or_default())
        };
        let pids = of("of-pids")?.iter().filter_map(|pid| pid.parse().ok()).collect();
        let look = Look { since: Some(since), ..read(output)? };
        Ok(Ahead { paths: of("of-paths")?, pids, images: of("of-images")?, look })
    }

    /// It has looked at all of this.
    fn covers(&self, ask: &Ask) -> bool {
        ask.paths.iter().all(|path| self.paths.contains(path))
            && ask.pids.iter().all(|pid| self.pids.contains(pid))
            && ask.images.iter().all(|image| self.images.contains(image))
    }

    /// That alone which was asked for.
    fn answer(self, ask: &Ask) -> Look {
        let images = self.look.images.into_iter();
        let images = images.filter(|image| ask.images.iter().any(|asked| image.is_called(asked))).collect();
        Look { images, ..self.look }
    }
}

/// Looks; changes nothing. `known` is what nginx has said already, if it was this one, and `ahead` what was looked at with it.
pub async fn look(host: &Host, mut ask: Ask, known: Option<Nginx>, ahead: Option<Ahead>) -> Result<Look> {
    let known = known.filter(|known| ask.nginx.as_ref() == Some(&known.container));
    if let (Some(known), Some(ahead)) = (&known, ahead.filter(|ahead| ahead.covers(&ask))) {
        let (nginx_version, dump) = (known.version.clone(), Some(Ok(known.files.clone())));
        return Ok(Look { nginx_version, dump, ..ahead.answer(&ask) });
    }
    if known.is_some() {
        ask.nginx = None;
    }
    let script = Script::new("to read nginx's configuration", include_str!("files.sh"))
        .with(&[SAY, TRAFFIC, LOOKING])
        .set("nginx", ask.nginx.as_deref().unwrap_or_default())
        .list("slots", ask.pids.iter().map(i64::to_string))
        .args(&ask.paths)
        .arg("--")
        .args(&ask.images);
    let since = Instant::now();
    let mut look = read(&host.run(&script).await?)?;
    look.since = Some(since);
    if let Some(known) = known {
        (look.nginx_version, look.dump) = (known.version, Some(Ok(known.files)));
    }
    Ok(look)
}

fn read(output: &[u8]) -> Result<Look> {
    let mut look = Look::default();
    let mut path = String::new();
    for section in sections(output)? {
        let text = section.text;
        match section.name.as_str() {
            "path" | "link" => path = text,
            "target" => look.links.push((std::mem::take(&mut path), text)),
            "file" => look.files.push((std::mem::take(&mut path), text)),
            "writable" => look.writable.push(text),
            "absent" => look.absent.push(text),
            "nginx-version" => look.nginx_version = version(&text),
            "nginx-dump" => look.dump = Some(if section.status == 0 { Ok(dump(&text)) } else { Err(text) }),
            "received" => look.received.extend(received(&text)),
            "images" => look.images = Image::list(&text)?,
            _ => {}
        }
    }
    Ok(look)
}

/// "nginx version: nginx/1.27.4 (Debian)".
fn version(text: &str) -> Option<semver::Version> {
    let version = text.split("nginx/").nth(1)?;
    semver::Version::parse(version.split_whitespace().next()?).ok()
}

/// Splits what `nginx -T` prints into its files.
fn dump(text: &str) -> Vec<(String, String)> {
    let mut files: Vec<(String, String)> = Vec::new();
    for line in text.split_inclusive('\n') {
        let path = line.strip_prefix("# configuration file ").and_then(|rest| rest.trim_end().strip_suffix(':'));
        match (path, files.last_mut()) {
            (Some(path), _) => files.push((path.to_owned(), String::new())),
            (None, Some((_, text))) => text.push_str(line),
            (None, None) => {}
        }
    }
    files
}

fn received(text: &str) -> Option<(i64, Option<Counts>, Option<u64>)> {
    let (pid, rest) = text.split_once(' ')?;
    let (seen, masks) = rest.rsplit_once(' ')?;
    Some((pid.parse().ok()?, counts(seen), handled(masks)))
}

/// Masks in hexadecimal, together.
fn handled(masks: &str) -> Option<u64> {
    masks.split(',').map(|mask| u64::from_str_radix(mask, 16).ok()).reduce(|a, b| Some(a? | b?))?
}

impl Look {
    /// What a process's network namespace had received.
    pub fn received(&self, pid: i64) -> Option<Counts> {
        self.received.iter().find(|(known, ..)| *known == pid).and_then(|(_, seen, _)| *seen)
    }

    /// Whether a process handles SIGTERM (15). A PID 1 that does not never sees it.
    pub fn handles_sigterm(&self, pid: i64) -> Option<bool> {
        let (.., mask) = self.received.iter().find(|(known, ..)| *known == pid)?;
        mask.map(|mask| mask & (1 << 14) != 0)
    }

    /// Whether any file that nginx reads has this directive.
    pub fn sets(&self, directive: &str) -> bool {
        self.directives().iter().any(|tree| tree.iter().any(|each| mentions(each, directive)))
    }

    /// Directories of which an http block includes every `*.conf`, as nginx has them.
    pub fn included_directories(&self) -> Vec<String> {
        let trees = self.directives();
        let http = trees.iter().flatten().filter(|directive| directive.name() == "http");
        let patterns = http.flat_map(|http| http.children("include")).flat_map(|include| include.args());
        let directories = patterns.filter_map(|pattern| pattern.strip_suffix("/*.conf"));
        let whole = |path: &str| if path.starts_with('/') { path.to_owned() } else { format!("/etc/nginx/{path}") };
        directories.map(whole).collect()
    }

    fn directives(&self) -> Vec<Vec<Directive>> {
        let Some(Ok(files)) = &self.dump else { return Vec::new() };
        files.iter().filter_map(|(_, text)| parse(text).ok()).collect()
    }
}

fn mentions(directive: &Directive, name: &str) -> bool {
    directive.name() == name || directive.block.iter().flatten().any(|child| mentions(child, name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dump_is_split_into_its_files() {
        let text = "nginx: the configuration file /etc/nginx/nginx.conf syntax is ok\n# configuration file /etc/nginx/nginx.conf:\nhttp {\n include conf.d/*.conf;\n}\n\n# configuration file /etc/nginx/conf.d/a.conf:\nkeepalive_min_timeout 1s;\n";
        let look = Look { dump: Some(Ok(dump(text))), ..Look::default() };
        assert!(look.sets("keepalive_min_timeout") && !look.sets("http2"));
        assert_eq!(look.included_directories(), ["/etc/nginx/conf.d"]);
    }

    #[test]
    fn version_and_counters_are_read() {
        assert_eq!(version("nginx version: nginx/1.27.4 (x)"), Some(semver::Version::new(1, 27, 4)));
        assert_eq!(version("sh: nginx: not found"), None);
        let look = Look { received: received("7 42 99 0000000000014002").into_iter().collect(), ..Look::default() };
        let seen = Some(Counts { opens: 42, segments: 99 });
        assert_eq!((look.received(7), look.handles_sigterm(7), look.received(8)), (seen, Some(true), None));
        assert_eq!(received("7 - - -"), Some((7, None, None)));
        let one = Some(Counts { opens: 1, segments: 2 });
        assert_eq!(received("7 1 2 0000000000004000,0000000000000000"), Some((7, one, Some(0x4000))));
    }
}
