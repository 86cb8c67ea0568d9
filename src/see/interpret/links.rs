//! Which of the host's files nginx reads: by their own path in its container, or through a link such as those of
//! `sites-enabled`.

use crate::host::nginx::Routes;
use crate::see::interpret::project::Found;
use crate::see::read::files::Look;

/// Where a link in nginx's container leads, as a path there: `/etc/nginx/sites-enabled/app` and `../sites-available/app` give
/// `/etc/nginx/sites-available/app`.
fn leads_to(link: &str, target: &str) -> String {
    let directory = link.rsplit_once('/').map_or("", |(directory, _)| directory);
    let whole = if target.starts_with('/') { target.to_owned() } else { format!("{directory}/{target}") };
    let mut parts: Vec<&str> = Vec::new();
    for part in whole.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

/// How a link at this path in nginx's container says that it leads to `to`, from its own directory.
pub(crate) fn relative(link: &str, to: &str) -> String {
    let from: Vec<&str> = link.rsplit_once('/').map_or("", |(directory, _)| directory).split('/').collect();
    let to: Vec<&str> = to.split('/').collect();
    let same = from.iter().zip(&to[..to.len() - 1]).take_while(|(a, b)| a == b).count();
    let up = std::iter::repeat_n("..", from.len() - same);
    up.chain(to[same..].iter().copied()).collect::<Vec<_>>().join("/")
}

impl Found<'_> {
    /// Whether nginx reads a file of the host by its own path; where nginx shows nothing, what it reads by default.
    pub(crate) fn reads(&self, path: &str, look: &Look) -> bool {
        let Some((inside, _)) = self.inside(path) else { return false };
        match &look.dump {
            Some(Ok(dump)) => dump.iter().any(|(read, _)| *read == inside),
            _ => Routes::reads(&self.as_nginx_has_it(look), &inside),
        }
    }

    /// The files of the host; links to others of them are none of their own.
    pub(crate) fn files(&self, look: &Look) -> Vec<(String, String)> {
        look.files.iter().filter(|(path, _)| self.behind(path, look) == path).cloned().collect()
    }

    /// The file of the host that a path means: where a link stands there, what it leads to.
    pub(crate) fn behind<'a>(&self, path: &'a str, look: &'a Look) -> &'a str {
        let Some((_, target)) = look.links.iter().find(|(link, _)| link == path) else { return path };
        let Some((link, _)) = self.inside(path) else { return path };
        let wanted = leads_to(&link, target);
        let real = look.files.iter().find(|(file, _)| self.inside(file).is_some_and(|(inside, _)| inside == wanted));
        real.map_or(path, |(file, _)| file)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_lead_where_the_container_sees_them_lead() {
        let link = "/etc/nginx/sites-enabled/app";
        for target in ["../sites-available/app", "/etc/nginx/sites-available/app", "./../sites-available//app"] {
            assert_eq!(leads_to(link, target), "/etc/nginx/sites-available/app");
        }
        assert_eq!(leads_to(link, "other"), "/etc/nginx/sites-enabled/other");
        assert_eq!(leads_to("/a", "../../b"), "/b");
    }

    #[test]
    fn a_link_says_where_it_leads_from_its_own_directory() {
        assert_eq!(relative("/etc/nginx/conf.d/active.conf", "/etc/nginx/conf.d/slots/green.conf"), "slots/green.conf");
        assert_eq!(relative("/etc/nginx/sites-enabled/app", "/etc/nginx/green/app"), "../green/app");
        assert_eq!(leads_to("/etc/nginx/a/b", &relative("/etc/nginx/a/b", "/srv/c")), "/srv/c");
    }
}
