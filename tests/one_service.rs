//! From one service to two slots: docs/start-one-service.md, and what `init` writes and prints, is followed word by word on a server
//! where one service serves.
#![allow(clippy::print_stdout, missing_docs, clippy::unwrap_used, clippy::expect_used)]

mod common;

use common::watch::until;
use common::{Ran, access, cutover, root, run};
use lab::load::{Class, get_version};
use lab::{Instance, Kind, Lab, Load, Mix, build_app};
use std::path::Path;
use std::time::Instant;
use tempfile::TempDir;

const DIRECTORY: &str = "/home/deploy/app";

/// One service on a server, and the same files in a repository.
struct Server {
    instance: Instance,
    repository: String,
    dir: TempDir,
}

impl Server {
    /// v1.0.0 serves from `app`.
    fn up(files: &[(&str, &str)]) -> Server {
        Server::of(files, |_| ())
    }

    /// The same on an instance that has been made ready.
    fn of(files: &[(&str, &str)], ready: impl Fn(&Instance)) -> Server {
        let instance = Instance::start(Kind::V2).unwrap();
        let repository = Lab::up().unwrap().repository(&format!("{}/app", instance.name.to_lowercase()));
        for version in ["v1.0.0", "v1.0.1", "v1.0.2"] {
            build_app(&repository, version, &[]).unwrap();
        }
        let server = Server { instance, repository, dir: TempDir::new().unwrap() };
        for (name, text) in files {
            let text = text.replace("IMAGE", &server.repository);
            let path = server.dir.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, &text).unwrap();
            server.instance.write(&format!("{DIRECTORY}/{name}"), text).unwrap();
        }
        ready(&server.instance);
        server.on("docker compose up -d app 2>&1 && docker compose up -d 2>&1");
        until("v1.0.0 serves", || server.served().as_deref() == Some("v1.0.0"));
        server
    }

    fn on(&self, command: &str) -> String {
        self.instance.ok(&format!("cd {DIRECTORY} && {command}")).unwrap()
    }

    fn url(&self) -> String {
        format!("http://{}", self.instance.address)
    }

    fn served(&self) -> Option<String> {
        get_version(&self.url(), "/").ok().flatten()
    }

    fn cutover(&self, words: &[&str]) -> Ran {
        run(cutover().current_dir(self.dir.path()).args(words).envs(access(&self.instance)))
    }

    /// By the page's own command.
    fn init(&self) -> Ran {
        let page = std::fs::read_to_string(root().join("docs/start-one-service.md")).unwrap();
        let command = page.lines().find(|line| line.starts_with("cutover init ")).unwrap();
        let command = command.replace("deploy@203.0.113.10", &self.instance.destination());
        let words = command.split(' ').skip(1).chain(["--action", "a/b@v1"]);
        self.cutover(&words.collect::<Vec<_>>()).expect(0)
    }

    /// Does what `init` printed, from a step on up to another: commands, copies and changed lines.
    fn follow(&self, printed: &str, steps: std::ops::RangeInclusive<usize>) {
        let is_step = |line: &str, number: usize| line.starts_with(&format!("{number}. "));
        let mut at = 0;
        let mut file = String::new();
        for line in printed.lines().take_while(|line| *line != "Next:") {
            at = (1..=5).find(|number| is_step(line, *number)).unwrap_or(at);
            if let Some((_, rest)) = line.split_once(" in ") {
                file = rest.split([',', ' ']).next().unwrap().to_owned();
            }
            if let (Some(command), true) = (line.strip_prefix("     "), steps.contains(&at)) {
                self.step(command, &file);
            }
        }
        assert!(at >= *steps.end(), "{printed}");
    }

    fn step(&self, command: &str, file: &str) {
        let words: Vec<&str> = command.split_whitespace().collect();
        match words[0] {
            "scp" => {
                let text = std::fs::read_to_string(self.dir.path().join(words[1])).unwrap();
                let (_, to) = words[2].split_once(':').unwrap();
                let name = Path::new(words[1]).file_name().unwrap().to_str().unwrap();
                self.instance.write(&format!("{to}{name}"), text).unwrap();
            }
            "ssh" => drop(self.instance.ok(&words[2..].join(" ")).unwrap()),
            "docker" | "curl" | "sleep" => drop(self.on(&format!("{command} 2>&1"))),
            "sudo" => drop(self.instance.root(&words[1..].join(" ")).unwrap()),
            "cutover" => drop(self.cutover(&words[1..]).expect(0)),
            _ if command.starts_with('+') && command.contains("profiles") => {
                drop(self.on(&format!("sed -i 's/^  app:$/&\\n{}/' {file}", &command[1..])));
            }
            _ if command.starts_with('-') => self.instance.write("/tmp/before", &command[1..]).unwrap(),
            _ => {
                let (before, path) = (self.instance.read("/tmp/before").unwrap(), format!("{DIRECTORY}/{file}"));
                let text = self.instance.read(&path).unwrap();
                assert_eq!(text.matches(&before).count(), 1, "{before} in {text}");
                self.instance.write(&path, text.replace(&before, &command[1..])).unwrap();
            }
        }
    }

    /// The version goes live, and the next one.
    fn releases(&self) {
        for version in ["v1.0.1", "v1.0.2"] {
            let load = self.load();
            self.cutover(&["deploy", "--version", version]).expect(0);
            let report = load.stop_blocking().unwrap();
            assert_eq!((report.failed, self.served().as_deref()), (0, Some(version)), "{report}");
        }
        assert!(!self.instance.root("docker ps --format '{{.Names}}'").unwrap().contains("app-app-1"));
    }

    fn load(&self) -> Load {
        let load = Load::start(&self.url(), Mix::of(vec![Class::new_connections(100.0)])).unwrap();
        until("requests are answered", || load.progress().requests > 20);
        load
    }
}

#[test]
fn one_service_behind_nginx_becomes_two_slots_and_no_request_is_lost() {
    let compose = "services:\n  nginx:\n    image: nginx:1.30\n    ports: ['80:80']\n    volumes: ['./nginx:/etc/nginx/conf.d']\n  \
                   app:\n    image: IMAGE:v1.0.0\n    container_name: shop\n    ports: ['3000:3001']\n    restart: always\n    \
                   environment: {A: b}\n    depends_on: [redis]\n  redis: {image: 'redis:6.2.5'}\n";
    let conf =
        "upstream app {\n  server app:3001;\n}\nserver {\n  listen 80;\n  location / { proxy_pass http://app; }\n}\n";
    let server = Server::up(&[("docker-compose.yml", compose), ("nginx/default.conf", conf)]);
    let check = |words: &[&str]| server.cutover(words);
    let ran = server.init();
    let load = server.load();
    let began = Instant::now();
    server.follow(&ran.stdout, 1..=5);
    println!("from one service to two slots: {:.1} s", began.elapsed().as_secs_f64());
    let report = load.stop_blocking().unwrap();
    assert_eq!(report.failed, 0, "{report}");
    check(&["check"]).expect(0).says("slots app-blue, app-green").says("on app-blue:3001");
    server.releases();
    assert!(server.on("docker inspect -f '{{.Config.Env}}' app-app-blue-1").contains("A=b"));
}

#[test]
fn one_service_behind_an_nginx_of_the_hosts_becomes_two_slots_and_no_request_is_lost() {
    let compose = "services:\n  app:\n    image: IMAGE:v1.0.0\n    ports: ['127.0.0.1:3000:3001']\n";
    let server = Server::of(&[("docker-compose.yml", compose)], |instance| {
        common::host::install_nginx(instance);
        common::host::install_sudo(instance);
        let conf = "server {\n  listen 80;\n  location / { proxy_pass http://127.0.0.1:3000; }\n}\n";
        common::host::write(instance, "/etc/nginx/conf.d/app.conf", conf);
        instance.root("nginx").unwrap();
    });
    let ran = server.init().says("127.0.0.1:3000 becomes 127.0.0.1:3001").never_says("The port moves");
    let load = server.load();
    server.follow(&ran.stdout, 1..=2);
    server.instance.root("sed -i s/127.0.0.1:3000/127.0.0.1:3001/ /etc/nginx/conf.d/app.conf").unwrap();
    server.follow(&ran.stdout, 3..=4);
    let report = load.stop_blocking().unwrap();
    assert_eq!(report.failed, 0, "{report}");
    let check = server.cutover(&["check"]).expect(3);
    let command = check.stdout.lines().find_map(|line| Some(line.split_once("let it: ")?.1)).expect("what to do");
    server.instance.root(command).unwrap();
    server.cutover(&["check"]).expect(0).says("nginx on the host").says("app-blue");
    server.releases();
}

#[test]
fn one_service_without_nginx_gets_one_at_the_port_where_it_was() {
    let compose = "services:\n  app:\n    image: IMAGE:v1.0.0\n    ports: ['80:3001']\n";
    let server = Server::up(&[("docker-compose.yml", compose)]);
    let ran = server.init().says("clients are refused in between");
    let load = server.load();
    server.follow(&ran.stdout, 1..=2);
    assert_eq!(load.stop_blocking().unwrap().failed, 0, "nothing that serves is touched before step 3");
    let load = server.load();
    server.follow(&ran.stdout, 3..=5);
    let report = load.stop_blocking().unwrap();
    println!("the port was nobody's for about {:.1} s", report.failed as f64 / 100.0);
    assert_eq!(server.served().as_deref(), Some("v1.0.0"));
    server.releases();
}
