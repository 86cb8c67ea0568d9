//! From one service to two slots: a second compose file in which two slots extend it, and nginx where there is none. The
//! project's own files stay as they are; the lines in them that remain are shown.

use super::place::Place;
use crate::host::compose::{Project, Service};
use crate::host::nginx::{Directive, parse};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// The second compose file.
pub const COMPOSE: &str = "docker-compose.cutover.yml";

/// The conf of an nginx that is written.
pub const CONF: &str = "nginx/cutover.conf";

/// Images of services that a project has beside its own.
const OTHERS: [&str; 12] = [
    "nginx",
    "redis",
    "postgres",
    "mysql",
    "mariadb",
    "mongo",
    "rabbitmq",
    "memcached",
    "valkey",
    "minio",
    "traefik",
    "caddy",
];

/// The one service of a project that has no second slot yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct One {
    /// Its compose file, from the root of the repository.
    pub file: PathBuf,
    /// The service.
    pub service: String,
    /// Its image without a tag; `None` where compose names it.
    pub image: Option<String>,
    /// The port that it listens on.
    pub port: u16,
    /// The host's ports that it publishes.
    pub published: Vec<u16>,
    /// nginx's service, where there is one.
    pub nginx: Option<String>,
    /// The port that leads to it and ports for its slots, where it has none but the host's own: then something on the host
    /// passes requests on to it.
    pub behind: Option<[u16; 3]>,
    /// The lines of nginx's files that name it.
    pub lines: Vec<ConfLine>,
}

/// A line of nginx's configuration that names the service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfLine {
    /// The file, from the root of the repository.
    pub file: PathBuf,
    /// From 1.
    pub line: usize,
    /// As it is.
    pub before: String,
    /// With the first slot's name.
    pub after: String,
}

/// The one service that is no database, proxy or alike: the only one that is built here, else the only one left.
pub(super) fn find(project: &Project, file: &Path, nginx: Option<&str>) -> Option<One> {
    let own = |(name, service): &(&String, &Service)| Some(name.as_str()) != nginx && !is_other(service);
    let all: Vec<_> = project.services.iter().filter(own).collect();
    let built: Vec<_> = all.iter().filter(|(_, service)| service.builds).copied().collect();
    let candidates = if built.len() == 1 { built } else { all };
    let [(name, service)] = candidates[..] else { return None };
    Some(One {
        file: file.to_owned(),
        service: (*name).clone(),
        image: service.image.as_deref().map(super::look::repository),
        port: service.ports.first().copied().unwrap_or(80),
        published: service.published.clone(),
        nginx: nginx.map(str::to_owned),
        behind: if nginx.is_none() { behind(project, service) } else { None },
        lines: Vec::new(),
    })
}

/// A service's port that only the host itself reaches, and the next two that no service publishes.
fn behind(project: &Project, service: &Service) -> Option<[u16; 3]> {
    let first = service.bindings.first().filter(|_| service.bindings.iter().all(|binding| binding.local))?;
    let taken = |port: &u16| project.services.values().any(|service| service.published.contains(port));
    let mut free = (first.published.checked_add(1)?..=u16::MAX).filter(|port| !taken(port));
    Some([first.published, free.next()?, free.next()?])
}

fn is_other(service: &Service) -> bool {
    let Some(image) = &service.image else { return false };
    let name = super::look::repository(image);
    let name = name.rsplit('/').next().unwrap_or_default();
    OTHERS.iter().any(|other| name.contains(other))
}

impl One {
    /// The slots.
    pub fn slots(&self) -> [String; 2] {
        ["blue", "green"].map(|colour| format!("{}-{colour}", self.service))
    }

    /// The compose files, as cutover.yml has them.
    pub fn compose_files(&self) -> [String; 2] {
        [self.file.file_name().unwrap_or_default().to_string_lossy().into_owned(), COMPOSE.to_owned()]
    }

    /// The lines of a file of nginx's that name the service: its `server` lines in an upstream, what locations pass to, and
    /// what `set` gives a variable.
    pub fn look_at(&mut self, file: &Path, text: &str) {
        let Ok(tree) = parse(text) else { return };
        let mut at = Vec::new();
        let routed = tree.iter().any(|each| each.name() == "upstream" && each.args().next() == Some(&self.service));
        words(&tree, &self.service, !routed, &mut at);
        let [blue, _] = self.slots();
        let mut start = 0;
        for (number, line) in text.split_inclusive('\n').enumerate() {
            let mut after = line.to_owned();
            let inside = at.iter().rev().filter(|at| (start..start + line.len()).contains(*at));
            inside.for_each(|at| after.replace_range(at - start..at - start + self.service.len(), &blue));
            if after != line {
                let (before, after) = (line.trim_end().to_owned(), after.trim_end().to_owned());
                self.lines.push(ConfLine { file: file.to_owned(), line: number + 1, before, after });
            }
            start += line.len();
        }
    }

    /// The second compose file: the slots, and nginx where there is none. `image`: without a tag.
    pub fn compose_file(&self, image: &str) -> String {
        let main = self.file.file_name().unwrap_or_default().to_string_lossy();
        let mut text = format!(
            "# Two slots for {service}: the same service, without what can be there only once. `cutover` starts one at a time.\n\
             # `!reset` wants Docker Compose 2.24 or newer.\nservices:\n",
            service = self.service
        );
        for (number, slot) in self.slots().iter().enumerate() {
            let ports = match self.behind {
                Some(behind) => format!("!override [\"127.0.0.1:{}:{}\"]", behind[number + 1], self.port),
                None => "!reset []".to_owned(),
            };
            let _ = write!(
                text,
                "  {slot}:\n    extends: {{file: {main}, service: {}}}\n    image: {image}:latest\n    container_name: !reset null\n    \
                 ports: {ports}\n    profiles: !reset []\n    expose: [\"{}\"]\n    restart: unless-stopped\n",
                self.service, self.port
            );
        }
        if self.has_new_nginx() {
            let ports: Vec<String> = self.outside().iter().map(|port| format!("\"{port}:80\"")).collect();
            let _ = write!(
                text,
                "  nginx:\n    image: nginx:1.30\n    ports: [{}]\n    volumes: [\"./nginx:/etc/nginx/conf.d\"]\n    \
                 restart: unless-stopped\n",
                ports.join(", ")
            );
        }
        text
    }

    /// nginx is written: nothing is known to pass requests on to it.
    pub fn has_new_nginx(&self) -> bool {
        self.nginx.is_none() && self.behind.is_none()
    }

    /// The ports of the host at which clients come: as they were.
    fn outside(&self) -> Vec<u16> {
        if self.published.is_empty() { vec![80] } else { self.published.clone() }
    }

    /// The conf of an nginx that is written.
    pub fn conf(&self) -> String {
        let [blue, _] = self.slots();
        format!(
            "# cutover changes the word {blue} at each release.\nupstream {service} {{\n  server {blue}:{port};\n}}\n\
             server {{\n  listen 80;\n  location / {{\n    proxy_pass http://{service};\n    proxy_set_header Host $host;\n    \
             proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;\n    \
             proxy_set_header X-Forwarded-Proto $scheme;\n  }}\n}}\n",
            service = self.service,
            port = self.port
        )
    }

    /// What a person does once, in the order that loses nothing. `image`: without a tag; `directory`: of the compose file on
    /// the host.
    pub fn steps(&self, image: &str, host: &str, directory: &str) -> String {
        let One { service, file, .. } = self;
        let main = file.file_name().unwrap_or_default().to_string_lossy();
        let compose = format!("docker compose -f {main} -f {COMPOSE}");
        let [blue, _] = self.slots();
        let place = Place::of(host);
        let [scp, ssh] = ["scp", "ssh"].map(|program| place.command(program));
        let host = &place.login;
        let here = |name: &str| file.parent().unwrap_or(Path::new("")).join(name).display().to_string();
        let mut text =
            format!("\nFrom one {service} to two slots, once. Nothing that serves is touched before step 3.\n\n");
        let _ = writeln!(text, "1. From here:\n     {scp} {} {host}:{directory}/", here(COMPOSE));
        if self.has_new_nginx() {
            let _ = writeln!(
                text,
                "     {ssh} {host} mkdir -p {directory}/nginx\n     {scp} {} {host}:{directory}/nginx/",
                here(CONF)
            );
        }
        let _ = writeln!(
            text,
            "2. On the host, in {directory}: the first slot, beside {service} and from the image that it has\n     \
             docker tag \"$(docker compose -f {main} images -q {service})\" {image}:latest\n     \
             {compose} up -d --no-deps --no-build {blue}"
        );
        match (&self.nginx, self.behind) {
            (_, Some([now, then, _])) => {
                let _ = writeln!(
                    text,
                    "   and until it answers:\n     curl -s --retry 60 --retry-delay 1 --retry-all-errors -o /dev/null \
                     http://127.0.0.1:{then}/\n3. nginx on the host is pointed at it: in its files, which `grep -rn :{now} \
                     /etc/nginx` shows, 127.0.0.1:{now} becomes 127.0.0.1:{then}\n     sudo nginx -t\n     sudo nginx -s reload\n   \
                     and when nginx's old workers have ended, which still pass requests on to {service}:\n     sleep 1; while pgrep \
                     -f 'worker process is shutting [d]own' > /dev/null; do sleep 1; done\n     {compose} stop {service}"
                );
            }
            (Some(nginx), None) => {
                let _ = writeln!(
                    text,
                    "3. nginx is pointed at it:{}\n     {compose} exec -T {nginx} nginx -t\n     \
                     {compose} exec -T {nginx} nginx -s reload\n   and when {service} has answered what it had begun:\n     \
                     {compose} stop {service}",
                    self.diff()
                );
            }
            (None, None) => {
                let _ = writeln!(
                    text,
                    "3. The port moves from {service} to nginx. One of them has it at a time, so clients are refused in \
                     between: as long as {service} takes to stop\n     {compose} create nginx\n     \
                     {compose} stop {service} && {compose} start nginx"
                );
            }
        }
        let _ = writeln!(
            text,
            "4. So that nobody starts {service} by hand, in {}, under `{service}:`\n     +    profiles: [one]\n\
             5. Does it fit?\n     cutover check",
            file.display()
        );
        text
    }

    fn diff(&self) -> String {
        let line = |line: &ConfLine| {
            format!("\n   in {}, line {}\n     -{}\n     +{}", line.file.display(), line.line, line.before, line.after)
        };
        self.lines.iter().map(line).collect()
    }
}

/// Where the service's name stands in the words that say where requests go. `passes`: in those of locations as well, which
/// name an upstream where there is one of that name.
fn words(tree: &[Directive], service: &str, passes: bool, at: &mut Vec<usize>) {
    for directive in tree {
        let name = directive.name();
        let names = name == "server" || (passes && (name == "set" || name.ends_with("_pass")));
        for word in directive.words[1..].iter().filter(|_| names && directive.block.is_none()) {
            let from = word.text.find("://").map_or(0, |at| at + 3);
            let rest = word.text[from..].strip_prefix(service);
            if rest.is_some_and(|rest| rest.is_empty() || rest.starts_with([':', '/'])) {
                at.push(word.start + from);
            }
        }
        words(directive.block.as_deref().unwrap_or_default(), service, passes, at);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn one(compose: &str, nginx: Option<&str>) -> Option<One> {
        find(&Project::parse(compose).unwrap(), Path::new("docker-compose.yml"), nginx)
    }

    #[test]
    fn the_one_service_is_what_is_built_or_what_is_left() {
        let beside = "services: {nginx: {image: nginx}, db: {image: 'postgres:16'}, ";
        let found = one(&format!("{beside} app: {{image: 'a/b:1', ports: ['8080:3000']}}}}"), Some("nginx")).unwrap();
        let expected = One {
            file: "docker-compose.yml".into(),
            service: "app".to_owned(),
            image: Some("a/b".to_owned()),
            port: 3000,
            published: vec![8080],
            nginx: Some("nginx".to_owned()),
            behind: None,
            lines: Vec::new(),
        };
        assert_eq!(found, expected);
        let two = format!("{beside} app: {{build: .}}, mail: {{image: x/mailer}}}}");
        assert_eq!(one(&two, Some("nginx")).map(|one| one.service).as_deref(), Some("app"));
        assert_eq!(one("services: {one: {image: a}, two: {image: b}}", None), None, "either could be it");
    }

    #[test]
    fn the_lines_that_name_it_are_shown_with_the_slot() {
        let mut found = one("services: {app: {image: a/b}}", None).unwrap();
        let text = "upstream app {\n  server app:3000; # app\n}\nserver {\n  location / { proxy_pass http://app; }\n  \
                    location /x { proxy_pass http://app.example/app; }\n}\n";
        found.look_at(Path::new("nginx/default.conf"), text);
        let lines: Vec<_> = found.lines.iter().map(|line| (line.line, line.after.as_str())).collect();
        // what passes to an upstream of that name goes where its servers are
        assert_eq!(lines, [(2, "  server app-blue:3000; # app")]);
        let mut direct = one("services: {app: {image: a/b}}", None).unwrap();
        direct
            .look_at(Path::new("x"), "server {\n  location / { set $to app:3000; proxy_pass http://app:3000/; }\n}\n");
        let after = "  location / { set $to app-blue:3000; proxy_pass http://app-blue:3000/; }";
        assert_eq!(direct.lines[0].after, after);
    }

    #[test]
    fn what_is_written_is_a_project_with_two_slots() {
        let found = one("services: {app: {image: a/b, ports: ['80:3000', '443:3443']}}", None).unwrap();
        let text = found.compose_file("a/b").replace("!reset ", "");
        let project = Project::parse(&text).unwrap();
        assert_eq!(project.services.keys().collect::<Vec<_>>(), ["app-blue", "app-green", "nginx"]);
        assert_eq!(project.services["app-blue"].ports, [3000]);
        assert_eq!(project.services["nginx"].published, [80, 443]);
        // behind an nginx of the host's it needs none, and each slot has a port of its own there
        let behind =
            "services: {app: {image: a/b, ports: ['127.0.0.1:3000:80']}, admin: {image: nginx, ports: ['3001:80']}}";
        let behind = one(behind, None).unwrap();
        let text = behind.compose_file("a/b").replace("!reset ", "").replace("!override ", "");
        let project = Project::parse(&text).unwrap();
        let published = project.services.values().map(|service| service.published.as_slice()).collect::<Vec<_>>();
        assert_eq!((published, behind.has_new_nginx()), (vec![[3002].as_slice(), [3003].as_slice()], false));
        let steps = behind.steps("a/b", "deploy@web", "/srv/app");
        assert!(steps.contains("127.0.0.1:3000 becomes 127.0.0.1:3002\n     sudo nginx -t"), "{steps}");
        let upstreams = crate::host::nginx::upstreams(&found.conf()).unwrap();
        assert_eq!((upstreams[0].servers[0].host.as_str(), upstreams[0].servers[0].port), ("app-blue", 3000));
    }
}
