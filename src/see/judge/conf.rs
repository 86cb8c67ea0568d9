//! nginx as it runs, and its configuration file.

use super::findings::Findings;
use crate::config::Config;
use crate::report::text::one_line;
use crate::see::interpret::places::Source;
use crate::see::interpret::project::Found;
use crate::see::read::files::Look;
use crate::see::seen::ConfSeen;

/// nginx as it runs, before anything is looked for in its files. `down` are names of slots that don't run. Where no
/// slot was ever started (`is_new`), it is the first release that brings nginx up, and nothing is amiss.
pub(crate) fn of_nginx(look: &Look, running: bool, down: &[&str], is_new: bool, findings: &mut Findings) {
    if let Some(Err(said)) = &look.dump {
        if let Some(slot) = missing_host(said).filter(|host| down.contains(host)) {
            let what = format!("its file names {slot}, which does not run: nginx could not be reloaded or started now");
            findings.advise("nginx", what, "a release starts the slot that does not serve");
        } else {
            let what = format!("`nginx -t` fails as things are: {}", one_line(last_lines(said), 500));
            findings.refuse("nginx", what, "correct nginx's configuration; nothing was changed");
        }
    }
    if !running && !is_new {
        findings.advise("nginx", "nginx does not run", "a release starts it when the new slot is healthy");
    }
    for path in &look.absent {
        findings.advise("nginx", format!("{path} is mounted into nginx and does not exist"), "create it on the host");
    }
}

/// The name that nginx could not resolve, if that is what it complains about.
fn missing_host(said: &str) -> Option<&str> {
    let (_, rest) = said.split_once("[emerg]")?.1.split_once("host not found in upstream \"")?;
    rest.split(['"', ':']).next()
}

fn last_lines(text: &str) -> &str {
    let text = text.trim_end();
    let start = text.rmatch_indices('\n').nth(2).map_or(0, |(at, _)| at + 1);
    &text[start..]
}

/// The file that cutover.yml names must be mounted, and one of those with the words.
pub(crate) fn of_stated(
    config: &Config,
    found: &Found<'_>,
    look: &Look,
    read: &[(String, Source)],
    findings: &mut Findings,
) -> Option<()> {
    let Some(conf) = &config.nginx.conf else { return Some(()) };
    let stated = if conf.starts_with('/') { conf.clone() } else { format!("{}/{conf}", found.directory) };
    let stated = stated.replace("/./", "/");
    if !look.files.iter().chain(&look.links).any(|(path, _)| *path == stated) {
        let (place, todo) = if look.on_host {
            (
                "that nginx on the host reads",
                "correct `nginx: {conf: …}` in cutover.yml, or include the file in nginx.conf",
            )
        } else {
            ("mounted into nginx", "correct `nginx: {conf: …}` in cutover.yml, or mount the file into nginx")
        };
        findings.refuse("conf", format!("{stated} is not among the files {place}"), todo);
        return None;
    }
    let real = found.behind(&stated, look);
    if read.iter().any(|(_, source)| source.path == real) {
        return Some(());
    }
    let own: Vec<&str> = read.iter().map(|(_, source)| source.path.as_str()).collect();
    let what = format!("{stated} has no word that says which slot serves; {} does", own.join(", "));
    findings.refuse("conf", what, "correct `nginx: {conf: …}` in cutover.yml, or leave it out");
    None
}

/// A file with words that name the slot: `inside` is its path for nginx; `led`: not it is written, but the link to it.
pub(crate) fn of_conf(source: &Source, inside: &str, led: bool, look: &Look, findings: &mut Findings) {
    let path = &source.path;
    if let Some(Ok(files)) = &look.dump
        && files.iter().any(|(name, seen)| name == inside && seen.trim_end() != source.text.trim_end())
    {
        let what = format!("nginx's container sees another {inside} than the host has in {path}");
        let todo =
            "the file was replaced while it is mounted alone: restart nginx's container once, or mount its directory";
        findings.refuse("conf", what, todo);
    }
    let written = if led { source.link_path().unwrap_or(path) } else { path };
    if !led && look.links.iter().any(|(link, _)| link == path) {
        let todo = "put a plain file in its place, or name the file with `nginx: {conf: …}`";
        findings.refuse("conf", format!("{path} is a link, which is not followed when it is written"), todo);
    }
    let directory = written.rsplit_once('/').map_or("/", |(directory, _)| directory);
    let needed = if source.in_place { written } else { directory };
    // who may write where nginx is on the host is said of all its files together
    if !look.on_host && !look.writable.iter().any(|path| path == needed) {
        let todo = format!("sudo chown the path to the user that cutover logs in as: {needed}");
        findings.refuse("conf", format!("{needed} can't be written"), todo);
    }
    if source.in_place {
        let what = format!("{path} is mounted alone, so it is rewritten in place and not replaced as a whole");
        findings.advise("conf", what, "mount its directory instead, so that a crash can never leave half a file");
    }
}

/// A file that is another one for each slot can't have the words of two services.
pub(crate) fn of_whole(confs: &[ConfSeen], findings: &mut Findings) {
    let is_whole =
        |conf: &&ConfSeen| conf.changes.len() > 1 && conf.changes.iter().any(|c| c.at == (0, conf.text.len()));
    for conf in confs.iter().filter(is_whole) {
        let what = format!("{} is exchanged for another one, and names the slots of several services", conf.path);
        findings.refuse("conf", what, "give each service a file of its own");
    }
}
