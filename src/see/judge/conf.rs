//! nginx as it runs, and its configuration file.

use super::findings::Findings;
use crate::report::text::one_line;
use crate::see::read::files::Look;

/// nginx as it runs, before anything is looked for in its files. `down` are names of slots that don't run.
pub(crate) fn of_nginx(look: &Look, running: bool, down: &[&str], findings: &mut Findings) {
    if let Some(Err(said)) = &look.dump {
        if let Some(slot) = missing_host(said).filter(|host| down.contains(host)) {
            let what = format!("its file names {slot}, which does not run: nginx could not be reloaded or started now");
            findings.advise("nginx", what, "a release starts the slot that does not serve");
        } else {
            let what = format!("`nginx -t` fails as things are: {}", one_line(last_lines(said), 500));
            findings.refuse("nginx", what, "correct nginx's configuration; nothing was changed");
        }
    }
    if !running {
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

/// The configuration file with the upstreams: `inside` is its path in the container.
pub(crate) fn of_conf(path: &str, text: &str, inside: &str, in_place: bool, look: &Look, findings: &mut Findings) {
    if let Some(Ok(files)) = &look.dump {
        match files.iter().find(|(name, _)| name == inside) {
            None if inside.starts_with("/etc/nginx/templates/") => {
                let name = inside.trim_start_matches("/etc/nginx/templates/").trim_end_matches(".template");
                let what = format!(
                    "{path} is a template: nginx reads /etc/nginx/conf.d/{name}, which its container makes of it when it \
                     starts and which is not on the host"
                );
                let todo = format!(
                    "mount a directory with {name} itself at /etc/nginx/conf.d (docker exec NGINX cat \
                     /etc/nginx/conf.d/{name} has its text), and leave the template out"
                );
                findings.refuse("conf", what, todo);
            }
            None => {
                let what = format!("nginx does not read {inside}, which is {path} on the host");
                findings.refuse(
                    "conf",
                    what,
                    "include it in nginx.conf, or name the right file with `nginx: {conf: …}`",
                );
            }
            Some((_, seen)) if seen.trim_end() != text.trim_end() => {
                let what = format!("nginx's container sees another {inside} than the host has in {path}");
                let todo = "the file was replaced while it is mounted alone: restart nginx's container once, or mount its directory";
                findings.refuse("conf", what, todo);
            }
            Some(_) => {}
        }
    }
    if look.links.iter().any(|(link, _)| link == path) {
        let todo = "put a plain file in its place, or name the file with `nginx: {conf: …}`";
        findings.refuse("conf", format!("{path} is a link, which is not followed when it is written"), todo);
    }
    let directory = path.rsplit_once('/').map_or("/", |(directory, _)| directory);
    let needed = if in_place { path } else { directory };
    if !look.writable.iter().any(|path| path == needed) {
        let todo = format!("sudo chown the path to the user that cutover logs in as: {needed}");
        findings.refuse("conf", format!("{needed} can't be written"), todo);
    }
    if in_place {
        let what = format!("{path} is mounted alone, so it is rewritten in place and not replaced as a whole");
        findings.advise("conf", what, "mount its directory instead, so that a crash can never leave half a file");
    }
}
