//! Looks at the compose file, nginx's conf and the Dockerfiles of a repository.

use super::one::{self, One};
use crate::config::tidy;
use crate::host::compose::{Project, Service};
use crate::host::nginx::upstreams;
use std::fs;
use std::path::{Path, PathBuf};

/// Two compose services that take turns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pair {
    /// The two services, the one that nginx's conf names first.
    pub slots: [String; 2],
    /// The upstream that leads to one of them, where a conf was found.
    pub upstream: Option<String>,
    /// Their image, without its tag; empty where each is built under a name of its own.
    pub image: String,
}

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProjectFound {
    /// The compose file.
    pub compose: Option<PathBuf>,
    /// The conf file with the upstreams.
    pub conf: Option<PathBuf>,
    /// The directory that nginx reads `*.conf` from.
    pub conf_directory: Option<PathBuf>,
    /// The services that can be released.
    pub pairs: Vec<Pair>,
    /// A service that has no second slot, where there is no pair.
    pub one: Option<One>,
    /// Directories with a Dockerfile, from the root.
    pub contexts: Vec<PathBuf>,
    /// The branch that is checked out.
    pub branch: Option<String>,
    /// What stands in the way.
    pub remarks: Vec<String>,
}

const COMPOSE: [&str; 4] = ["compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml"];
/// How far below the root a project may be.
const DEPTH: usize = 2;

/// Looks. What cannot be read is a remark.
pub fn look(root: &Path) -> ProjectFound {
    let directories = directories(root);
    let mut found = ProjectFound { branch: branch(root), ..ProjectFound::default() };
    let has_dockerfile = |directory: &&PathBuf| root.join(directory).join("Dockerfile").is_file();
    found.contexts = directories.iter().filter(has_dockerfile).cloned().collect();
    let files = directories.iter().flat_map(|directory| COMPOSE.map(|name| directory.join(name)));
    let files: Vec<PathBuf> = files.filter(|file| root.join(file).is_file()).collect();
    for file in &files {
        if found.compose.is_none() {
            compose(root, file, &mut found);
        }
    }
    for file in &files {
        if found.compose.is_none() {
            without_nginx(root, file, &mut found);
        }
    }
    if let (None, Some(file)) = (&found.compose, files.first()) {
        let text = fs::read_to_string(root.join(file)).unwrap_or_default();
        found.one = Project::parse(&text).ok().and_then(|project| one::find(&project, file, None));
    }
    if found.compose.is_none() && found.one.is_none() {
        found
            .remarks
            .push("no compose file with an nginx service was found here; `cutover init --new` writes one".to_owned());
    }
    found
}

/// The root and what is below it, nearest first.
fn directories(root: &Path) -> Vec<PathBuf> {
    let mut all = vec![PathBuf::new()];
    let mut level = all.clone();
    for _ in 0..DEPTH {
        let mut next: Vec<PathBuf> = level.iter().flat_map(|directory| below(root, directory)).collect();
        next.sort();
        all.extend(next.clone());
        level = next;
    }
    all
}

fn below(root: &Path, directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(root.join(directory)).into_iter().flatten().flatten();
    let real = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    let names = real.map(|entry| entry.file_name());
    let wanted = names.filter(|name| {
        let name = name.to_string_lossy();
        !name.starts_with('.') && !matches!(&*name, "node_modules" | "target" | "vendor" | "dist")
    });
    wanted.map(|name| directory.join(name)).collect()
}

/// Takes the file if it has an nginx service.
fn compose(root: &Path, file: &Path, found: &mut ProjectFound) {
    let text = fs::read_to_string(root.join(file)).unwrap_or_default();
    let project = match Project::parse(&text) {
        Ok(project) => project,
        Err(error) => return found.remarks.push(format!("{} can't be read: {error:#}", file.display())),
    };
    let is_nginx = |image: &str| repository(image).rsplit('/').next().is_some_and(|name| name.contains("nginx"));
    let nginx = project.services.iter().find(|(_, service)| service.image.as_deref().is_some_and(is_nginx));
    let Some((name, nginx)) = nginx else { return };
    found.compose = Some(file.to_owned());
    let base = file.parent().unwrap_or(Path::new(""));
    let mut read = Vec::new();
    for (source, target) in &nginx.binds {
        let local = tidy(&base.join(source));
        if root.join(&local).is_dir() && target.trim_end_matches('/') == "/etc/nginx/conf.d" {
            found.conf_directory = Some(local.clone());
        }
        let files = if root.join(&local).is_dir() { confs(root, &local) } else { vec![local] };
        found.conf = found.conf.take().or_else(|| files.iter().find(|file| has_upstream(&root.join(file))).cloned());
        read.extend(files);
    }
    let known = found.remarks.len();
    pairs(root, &project, found);
    if found.pairs.is_empty()
        && let Some(mut one) = one::find(&project, file, Some(name))
    {
        found.remarks.truncate(known);
        for file in &read {
            one.look_at(file, &fs::read_to_string(root.join(file)).unwrap_or_default());
        }
        found.one = Some(one);
    }
}

/// Takes the file if two services of it are slots all the same: nginx is on the host, or another project's.
fn without_nginx(root: &Path, file: &Path, found: &mut ProjectFound) {
    let Ok(project) = Project::parse(&fs::read_to_string(root.join(file)).unwrap_or_default()) else { return };
    let mut own = ProjectFound::default();
    pairs(root, &project, &mut own);
    own.pairs.retain(|pair| {
        let [one, two] = &pair.slots;
        let publishes = |name: &String| !project.services[name].bindings.is_empty();
        one_colour(one) == one_colour(two) || (publishes(one) && publishes(two))
    });
    if !own.pairs.is_empty() {
        (found.compose, found.pairs) = (Some(file.to_owned()), own.pairs);
        let remark = format!("{} has no nginx; cutover looks for it on the host and in its containers", file.display());
        found.remarks.push(remark);
    }
}

fn confs(root: &Path, directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(root.join(directory)).into_iter().flatten().flatten();
    let mut files: Vec<PathBuf> = entries.map(|entry| directory.join(entry.file_name())).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "conf"));
    files.sort();
    files
}

fn has_upstream(file: &Path) -> bool {
    fs::read_to_string(file).is_ok_and(|text| upstreams(&text).is_ok_and(|all| !all.is_empty()))
}

/// Each upstream's service and the one other service with its image; without a conf, services that share an image.
fn pairs(root: &Path, project: &Project, found: &mut ProjectFound) {
    let others = |name: &str| others(project, name);
    let pair = |slot: &str, other: &str, upstream: Option<String>| {
        let images = [slot, other].map(|name| project.services[name].image.as_deref().map(repository));
        let image = images[0].clone().filter(|_| images[0] == images[1]).unwrap_or_default();
        Pair { slots: [slot.to_owned(), other.to_owned()], upstream, image }
    };
    let text = found.conf.as_ref().and_then(|conf| fs::read_to_string(root.join(conf)).ok()).unwrap_or_default();
    for upstream in upstreams(&text).unwrap_or_default() {
        let host = upstream.servers.first().map_or("", |server| server.host.as_str());
        let named =
            |(name, service): &(&String, &Service)| *name == host || service.container_name.as_deref() == Some(host);
        let Some((slot, _)) = project.services.iter().find(named) else { continue };
        match &others(slot)[..] {
            [other] => found.pairs.push(pair(slot, other, Some(upstream.name))),
            _ => found.remarks.push(format!(
                "upstream {} leads to {slot}, and not exactly one other service has its image: a second slot is missing",
                upstream.name
            )),
        }
    }
    if found.conf.is_none() {
        found
            .remarks
            .push("no conf with an upstream is mounted into nginx from here; cutover looks on the host".into());
        let names: Vec<&String> = project.services.keys().collect();
        for (number, name) in names.iter().enumerate() {
            if let [other] = &others(name)[..]
                && names[..number].iter().all(|earlier| *earlier != other)
            {
                found.pairs.push(pair(name, other, None));
            }
        }
    }
}

/// The services that could be the other slot of one: those of its image, or, where each has an image of its own, the one whose
/// name and image differ from it in "blue" and "green" alone. Beside workers of the same image it is the one of that name.
fn others(project: &Project, name: &str) -> Vec<String> {
    let kin = |name: &str, service: &Service| match &service.image {
        Some(image) => Some(one_colour(&repository(image))),
        None => service.builds.then(|| format!("build {}", one_colour(name))),
    };
    let Some(own) = kin(name, &project.services[name]) else { return Vec::new() };
    let same =
        project.services.iter().filter(|(other, service)| *other != name && kin(other, service).as_ref() == Some(&own));
    let same: Vec<String> = same.map(|(other, _)| other.clone()).collect();
    let of_name = same.iter().find(|other| one_colour(other) == one_colour(name)).cloned();
    if same.len() > 1 { of_name.map_or(same, |other| vec![other]) } else { same }
}

fn one_colour(name: &str) -> String {
    name.replace("green", "blue")
}

/// A reference without its tag and digest, variables as their defaults have it.
pub(super) fn repository(image: &str) -> String {
    let image = with_defaults(image);
    let name = image.split('@').next().unwrap_or(&image);
    let last = name.rfind('/').map_or(0, |at| at + 1);
    let end = name[last..].find(':').map_or(name.len(), |at| last + at);
    name[..end].to_owned()
}

/// `${NAME:-default}` and `${NAME-default}` replaced by the default; a variable without one by nothing.
fn with_defaults(text: &str) -> String {
    let (mut plain, mut rest) = (String::new(), text);
    while let Some((before, after)) = rest.split_once('$') {
        plain += before;
        rest = match after.strip_prefix('{').and_then(|inner| inner.split_once('}')) {
            Some((variable, after)) => {
                plain += variable.split_once('-').map_or("", |(_, default)| default);
                after
            }
            None => after.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || c == '_'),
        };
    }
    plain + rest
}

/// From `.git/HEAD`; `None` in a work tree of its own or on no branch.
fn branch(root: &Path) -> Option<String> {
    let head = fs::read_to_string(root.join(".git/HEAD")).ok()?;
    head.trim().strip_prefix("ref: refs/heads/").map(str::to_owned)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn lab(name: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lab").join(name)
    }

    #[test]
    fn the_reference_project_tells_everything() {
        let found = look(&lab("project"));
        assert_eq!(found.compose, Some("docker-compose.yml".into()));
        assert_eq!((found.conf, found.conf_directory), (Some("nginx/default.conf".into()), Some("nginx".into())));
        let pair = Pair {
            slots: ["blue".into(), "green".into()],
            upstream: Some("backend-api".into()),
            image: "devrank/backend-api".into(),
        };
        assert_eq!((found.pairs, found.remarks), (vec![pair], vec![]));
    }

    #[test]
    fn a_project_below_the_root_is_found_and_its_one_service_too() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("backend/conf")).unwrap();
        let compose = "services:\n  web:\n    image: nginx:1.30\n    volumes: [./conf:/etc/nginx/conf.d:ro]\n  api:\n    image: localhost:5000/a/b\n";
        fs::write(dir.path().join("backend/compose.yml"), compose).unwrap();
        fs::write(dir.path().join("backend/conf/x.conf"), "upstream api { server api:1; }").unwrap();
        fs::write(dir.path().join("backend/Dockerfile"), "FROM scratch").unwrap();
        let found = look(dir.path());
        assert_eq!(found.compose, Some("backend/compose.yml".into()));
        assert_eq!(found.contexts, [PathBuf::from("backend")]);
        assert_eq!(found.conf, Some("backend/conf/x.conf".into()));
        let one = found.one.unwrap();
        assert_eq!((&*one.service, &*one.lines[0].after), ("api", "upstream api { server api-blue:1; }"));
        assert_eq!(found.remarks, Vec::<String>::new());
    }

    fn pairs_of(services: &str) -> Vec<Pair> {
        let dir = tempfile::tempdir().unwrap();
        let nginx = "  nginx: {image: nginx, volumes: ['./nginx:/etc/nginx/conf.d']}\n";
        fs::create_dir(dir.path().join("nginx")).unwrap();
        fs::write(dir.path().join("nginx/x.conf"), "upstream api { server api-green:1; }").unwrap();
        fs::write(dir.path().join("compose.yml"), format!("services:\n{nginx}{services}")).unwrap();
        look(dir.path()).pairs
    }

    #[test]
    fn the_image_of_a_pair_is_known_whatever_its_tag_is_made_of_and_each_may_have_its_own() {
        let image = |text: &str| {
            let found = pairs_of(&format!("  api-blue: {{image: '{text}'}}\n  api-green: {{image: '{text}'}}\n"));
            found.into_iter().map(|pair| pair.image).collect::<String>()
        };
        assert_eq!(image("ghcr.io/acme/api:${TAG:-latest}"), "ghcr.io/acme/api");
        assert_eq!(image("${REGISTRY:-localhost:5000}/api:$TAG"), "localhost:5000/api");
        assert_eq!(image("a/b@sha256:0"), "a/b");
        let slots = ["api-green".to_owned(), "api-blue".to_owned()];
        let own = Pair { slots, upstream: Some("api".to_owned()), image: String::new() };
        assert_eq!(
            pairs_of("  api-blue: {build: .}\n  api-green: {build: .}\n  db: {build: db}\n"),
            std::slice::from_ref(&own)
        );
        assert_eq!(pairs_of("  api-blue: {image: blue-image}\n  api-green: {image: green-image}\n"), [own]);
        let worker = pairs_of("  api-blue: {image: a/b}\n  api-green: {image: a/b}\n  worker: {image: a/b}\n");
        assert_eq!(worker[0].slots, ["api-green", "api-blue"]);
    }

    #[test]
    fn slots_are_found_where_nginx_is_elsewhere() {
        let dir = tempfile::tempdir().unwrap();
        let found = |services: &str| {
            fs::write(dir.path().join("compose.yml"), format!("services:\n{services}")).unwrap();
            look(dir.path())
        };
        let slot = |name: &str, port: &str| format!("  {name}: {{image: a/b, ports: ['127.0.0.1:{port}:80']}}\n");
        let slots =
            found(&format!("{}{}  db: {{image: postgres}}\n", slot("app_green", "8082"), slot("app_blue", "8081")));
        let pair = Pair { slots: ["app_blue".into(), "app_green".into()], upstream: None, image: "a/b".into() };
        assert_eq!((slots.pairs.as_slice(), slots.one), ([pair].as_slice(), None));
        assert!(slots.remarks[0].starts_with("compose.yml has no nginx;"), "{:?}", slots.remarks);
        assert_eq!(found(&(slot("one", "81") + &slot("two", "82"))).pairs.len(), 1);
        let worker = found("  app: {image: a/b, build: .}\n  worker: {image: a/b}\n");
        assert_eq!((worker.pairs.len(), worker.one.map(|one| one.service).as_deref()), (0, Some("app")));
    }

    #[test]
    fn an_empty_directory_is_no_error() {
        let found = look(tempfile::tempdir().unwrap().path());
        assert_eq!((found.pairs.len(), found.remarks.len()), (0, 1));
    }
}
