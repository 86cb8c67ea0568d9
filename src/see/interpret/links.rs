//! Which of the host's files nginx reads: by their own path in its container, or through a link such as those of
//! `sites-enabled`.

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

impl Found<'_> {
    /// The names by which nginx may read a file of the host: its path in the container, and the links that lead there.
    pub(crate) fn names_inside(&self, path: &str, look: &Look) -> Vec<String> {
        let Some((inside, _)) = self.inside(path) else { return Vec::new() };
        let links = look.links.iter().filter_map(|(link, target)| Some((self.inside(link)?.0, target)));
        let through: Vec<String> =
            links.filter(|(link, target)| leads_to(link, target) == inside).map(|(link, _)| link).collect();
        std::iter::once(inside).chain(through).collect()
    }

    /// The files of the host; links to others of them are none of their own.
    pub(crate) fn files(&self, look: &Look) -> Vec<(String, String)> {
        look.files.iter().filter(|(path, _)| self.behind(path, look) == path).cloned().collect()
    }

    /// The files of the host that nginx shows as read; all of them, where it shows nothing.
    pub(crate) fn read_by_nginx(&self, look: &Look) -> Vec<(String, String)> {
        let files = self.files(look);
        let Some(Ok(dump)) = &look.dump else { return files };
        let is_read = |(path, _): &(String, String)| {
            self.names_inside(path, look).iter().any(|name| dump.iter().any(|(read, _)| read == name))
        };
        files.into_iter().filter(is_read).collect()
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
}
