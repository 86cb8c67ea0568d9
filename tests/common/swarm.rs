//! Three instances that are one Docker Swarm, with a stack that serves v1.0.0: two slots, nginx on every node.

use super::fault::{Moment, Running};
use super::watch::until;
use super::{Ran, cutover, run};
use lab::{Instance, Kind, Lab, Load, Mix, build_app};
use serde_json::Value;
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

/// Where the stack file is on every node.
const DIRECTORY: &str = "/home/deploy/app";

const CONF: &str = "resolver 127.0.0.11 valid=1s ipv6=off;
keepalive_min_timeout 10s;
server {
  listen 80;
  proxy_connect_timeout 1s;
  set $slot tasks.shop_blue; # the slot that serves
  location / {
    proxy_pass http://$slot:3001;
    proxy_set_header Host $host;
  }
}
";

/// The swarm, and how cutover is asked to release to it.
pub struct Swarm {
    pub nodes: Vec<Instance>,
    pub repository: String,
    pub dir: TempDir,
    /// What is added to cutover.yml.
    pub more: String,
}

impl Swarm {
    /// Three managers, and the stack `shop` with three tasks of v1.0.0 in blue.
    pub fn start() -> Swarm {
        let nodes: Vec<Instance> = std::thread::scope(|scope| {
            let all: Vec<_> = (0..3).map(|_| scope.spawn(|| Instance::start(Kind::V2).unwrap())).collect();
            all.into_iter().map(|one| one.join().unwrap()).collect()
        });
        let repository = Lab::up().unwrap().repository(&format!("{}/shop", nodes[0].name));
        build_app(&repository, "v1.0.0", &[]).unwrap();
        let first = &nodes[0];
        first.root(&format!("docker swarm init --advertise-addr {}", first.address)).unwrap();
        let token = first.root("docker swarm join-token -q manager").unwrap();
        let key = first.root("cat /lab/authorized_keys").unwrap();
        for other in &nodes[1..] {
            other.root(&format!("docker swarm join --token {token} {}:2377", first.address)).unwrap();
            other.root(&format!("echo '{key}' >> /lab/authorized_keys")).unwrap();
        }
        for node in &nodes {
            node.write(&format!("{DIRECTORY}/nginx/default.conf"), CONF).unwrap();
        }
        let swarm = Swarm { nodes, repository, dir: TempDir::new().unwrap(), more: String::new() };
        swarm.nodes[0].write(&format!("{DIRECTORY}/stack.yml"), swarm.stack_file()).unwrap();
        swarm.deploy_by_hand(&["stack.yml"]);
        until("all nodes serve v1.0.0", || swarm.versions() == ["v1.0.0"; 3]);
        swarm
    }

    /// Of an image in the lab's registry: one without is asked for at Docker Hub first.
    fn stack_file(&self) -> String {
        let (image, registry) = (&self.repository, self.repository.split('/').next().unwrap());
        let slot = |name: &str, replicas: u64| {
            format!(
                "  {name}:\n    image: {image}:v1.0.0\n    networks: [front]\n    deploy: {{replicas: {replicas}, endpoint_mode: dnsrr}}\n"
            )
        };
        format!(
            "version: '3.8'\nservices:\n  nginx:\n    image: {registry}/nginx:1.30\n    networks: [front]\n    \
             ports: [{{target: 80, published: 80, mode: host}}]\n    volumes: ['{DIRECTORY}/nginx:/etc/nginx/conf.d']\n    \
             deploy: {{mode: global}}\n{}{}networks:\n  front: {{driver: overlay}}\n",
            slot("blue", 3),
            slot("green", 0)
        )
    }

    /// What people did before.
    pub fn deploy_by_hand(&self, files: &[&str]) {
        let files: String = files.iter().map(|file| format!(" -c {file}")).collect();
        self.nodes[0].ok(&format!("cd {DIRECTORY} && docker stack deploy --detach=true{files} shop")).unwrap();
    }

    pub fn image(&self, version: &str, settings: &[(&str, &str)]) {
        build_app(&self.repository, version, settings).unwrap();
    }

    pub fn command(&self, words: &[&str]) -> Command {
        let hosts: Vec<String> = self.nodes.iter().map(|node| node.destination()).collect();
        let config = format!(
            "image: {}\nengine: swarm\nstack: shop\nhosts: [{}]\ndirectory: {DIRECTORY}\ncompose-file: stack.yml\n{}",
            self.repository,
            hosts.join(", "),
            self.more
        );
        std::fs::write(self.dir.path().join("cutover.yml"), config).unwrap();
        let read = |path: &Path| std::fs::read_to_string(path).unwrap();
        let keys: String = self.nodes.iter().map(|node| read(&node.known_hosts)).collect();
        let mut command = cutover();
        command.current_dir(self.dir.path()).args(words).env("CUTOVER_KNOWN_HOSTS", keys);
        command.env("CUTOVER_SSH_KEY", read(&self.nodes[0].key));
        command
    }

    pub fn cutover(&self, words: &[&str]) -> Ran {
        run(&mut self.command(words))
    }

    pub fn deploy(&self, version: &str, settings: &[(&str, &str)]) -> Ran {
        self.image(version, settings);
        self.cutover(&["deploy", "--version", version])
    }

    /// A deploy that has come so far.
    pub fn deploying(&self, version: &str, settings: &[(&str, &str)], step: &str, moment: Moment) -> Running {
        self.image(version, settings);
        let mut running = Running::spawn(self.command(&["deploy", "--version", version, "--json"]));
        assert!(running.until(step, moment), "{}", running.end());
        running
    }

    /// The node that leads.
    pub fn leader(&self) -> usize {
        let leads =
            |node: &&Instance| node.ok("docker node inspect -f '{{.ManagerStatus.Leader}}' self").unwrap() == "true";
        self.nodes.iter().position(|node| leads(&node)).expect("a leader")
    }

    /// What every node answers.
    pub fn versions(&self) -> Vec<String> {
        self.nodes.iter().map(served).collect()
    }

    /// Clients at every node.
    pub fn load(&self, rate: f64) -> Vec<Load> {
        let start = |node: &Instance| Load::start(&format!("http://{}", node.address), Mix::near(rate)).unwrap();
        self.nodes.iter().map(start).collect()
    }

    /// Tasks that each service shall have: blue's and green's.
    pub fn replicas(&self) -> [String; 2] {
        let format = "{{.Spec.Mode.Replicated.Replicas}}";
        let of = |slot: &str| self.nodes[0].ok(&format!("docker service inspect -f '{format}' shop_{slot}")).unwrap();
        ["blue", "green"].map(of)
    }

    /// Every node serves this version from this slot, the other one has no tasks, and nothing of a release is left.
    pub fn assert_all(&self, version: &str, slot: &str, why: &str) {
        assert_eq!(self.versions(), [version; 3], "{why}");
        let wanted = if slot == "blue" { ["3", "0"] } else { ["0", "3"] };
        assert_eq!(self.replicas(), wanted, "{why}");
        for node in &self.nodes {
            let conf = node.read(&format!("{DIRECTORY}/nginx/default.conf")).unwrap();
            assert_eq!(conf, CONF.replace("shop_blue", &format!("shop_{slot}")), "{why}: {}", node.name);
            let left = node.ok(&format!("find {DIRECTORY} -name 'journal*' -o -name 'conf.*'")).unwrap();
            assert_eq!(left, "", "{why}: files are left on {}", node.name);
        }
        let object = self.nodes[0].ok("docker config inspect cutover.shop").unwrap();
        let labels = serde_json::from_str::<Value>(&object).unwrap()[0]["Spec"]["Labels"].clone();
        assert_eq!((&labels["cutover.journal"], &labels["cutover.holder"]), (&"".into(), &"".into()), "{why}");
    }
}

/// What a node answers.
pub fn served(node: &Instance) -> String {
    lab::load::get_version(&format!("http://{}", node.address), "/").ok().flatten().unwrap_or_default()
}

/// The machine is gone from one moment to the next.
pub fn kill(node: &Instance) {
    let killed = Lab::up().unwrap().docker().args(["kill", &format!("lab-{}", node.name)]).output().unwrap();
    assert!(killed.status.success(), "{killed:?}");
}
