//! Layouts of real projects (`tests/layouts`), each with three lines of configuration and with the keys that it needs: what
//! `check` passes is released without a request lost, and what it refuses is changed by nobody.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

mod common;

use common::{Ran, access, cutover, run};
use lab::load::{Class, get_version};
use lab::{Instance, Kind, Lab, Load, Mix, build_app};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// What comes of a configuration.
enum Ends {
    /// It is released.
    Works,
    /// It is refused, in words with this in them.
    Refused(&'static str),
}

use Ends::{Refused, Works};

/// A layout on an instance, where v1.0.0 serves as its owner would have it.
struct Layout {
    instance: Instance,
    repository: String,
    files: PathBuf,
    dir: TempDir,
}

impl Layout {
    fn up(name: &str) -> Layout {
        let instance = Instance::start(Kind::V2).unwrap();
        let repository = Lab::up().unwrap().repository(&format!("{}/app", instance.name.to_lowercase()));
        for version in ["v1.0.0", "v1.0.1"] {
            build_app(&repository, version, &[]).unwrap();
        }
        let files = common::root().join("tests/layouts").join(name);
        let layout = Layout { instance, repository, files, dir: TempDir::new().unwrap() };
        layout.bring_up();
        layout
    }

    fn bring_up(&self) {
        let on = &self.instance;
        let image = &self.repository;
        on.ok(&format!("docker pull -q {image}:v1.0.0 && docker tag {image}:v1.0.0 {image}:latest")).unwrap();
        self.write("files", "/home/deploy/app");
        self.write("edge", "/home/deploy/edge");
        let host = self.files.join("host");
        if host.exists() {
            common::host::install_nginx(on);
            common::host::install_sudo(on);
            self.write("host", "/tmp/host");
            on.root("cp /tmp/host/* /etc/nginx/conf.d/").unwrap();
        }
        let up = std::fs::read_to_string(self.files.join("up.sh")).unwrap();
        on.ok(&format!("cd /home/deploy/app && {{ {up} }} 2>&1")).unwrap();
        if host.exists() {
            on.root("nginx").unwrap();
        }
        let end = Instant::now() + Duration::from_secs(30);
        while self.served().as_deref() != Some("v1.0.0") {
            assert!(Instant::now() < end, "v1.0.0 does not serve");
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Puts the files of a part of the layout into a directory of the instance.
    fn write(&self, part: &str, to: &str) {
        let from = self.files.join(part);
        let mut all = Vec::new();
        files(&from, &mut all);
        for path in all {
            let text = std::fs::read_to_string(&path).unwrap().replace("@IMAGE@", &self.repository);
            self.instance.write(&format!("{to}/{}", path.strip_prefix(&from).unwrap().display()), text).unwrap();
        }
    }

    fn url(&self) -> String {
        format!("http://{}", self.instance.address)
    }

    fn served(&self) -> Option<String> {
        get_version(&self.url(), "/").ok().flatten()
    }

    fn cutover(&self, keys: &str, words: &[&str]) -> Ran {
        let config = lab::cutover::smallest_config(&self.instance, &self.repository, "/home/deploy/app");
        std::fs::write(self.dir.path().join("cutover.yml"), format!("{config}{keys}")).unwrap();
        run(cutover().current_dir(self.dir.path()).args(words).envs(access(&self.instance)))
    }

    /// Every container and every file of the projects and of nginx.
    fn state(&self) -> String {
        const STATE: &str = "docker ps -aq --no-trunc | xargs -r docker inspect -f '{{.Id}} {{.Name}} {{.State.Status}} {{.State.StartedAt}} {{.Image}}' | sort
            docker network ls -q | sort; find /home/deploy/app /home/deploy/edge /etc/nginx -not -path '*/.cutover*' -type f 2>/dev/null | sort | xargs sha256sum
            find /home/deploy/app /home/deploy/edge -not -path '*/.cutover*' -type l -printf '%p %l\\n' 2>/dev/null | sort";
        self.instance.root(STATE).unwrap()
    }

    /// With these keys, `check` and `deploy` agree, and this comes of both.
    fn ends(&self, keys: &str, ends: &Ends) {
        let before = self.state();
        let check = self.cutover(keys, &["check"]);
        let load = Load::start(&self.url(), Mix::of(vec![Class::new_connections(100.0)])).unwrap();
        common::watch::until("requests are answered", || load.progress().requests > 20);
        let deploy = self.cutover(keys, &["deploy", "--version", "v1.0.1"]);
        let report = load.stop_blocking().unwrap();
        assert_eq!(report.failed, 0, "{report}\n{deploy}");
        let served: Vec<_> = (0..40).filter_map(|_| self.served()).collect();
        let (code, version) = match ends {
            Works => (0, "v1.0.1"),
            Refused(advice) => {
                check.says(advice).expect(deploy.code);
                assert!(deploy.stderr.contains(advice), "{deploy}");
                assert_eq!(self.state(), before, "{deploy}");
                (deploy.code, "v1.0.0")
            }
        };
        match ends {
            Works => drop(self.cutover(keys, &["check"]).expect(0)),
            Refused(advice) => assert!(matches!(deploy.code, 2 | 3), "{advice}: {deploy}"),
        }
        deploy.expect(code);
        assert_eq!(served, [version; 40]);
    }
}

fn files(directory: &Path, all: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() { files(&path, all) } else { all.push(path) }
    }
}

/// A layout with three lines of configuration, then with the keys of each of its files.
fn layout(name: &str, three_lines: Ends, with_keys: &[(&str, Ends)]) {
    let layout = Layout::up(name);
    layout.ends("", &three_lines);
    for (file, ends) in with_keys {
        let keys = std::fs::read_to_string(layout.files.join(file)).unwrap();
        layout.ends(&keys, ends);
    }
}

#[test]
fn an_upstream_in_a_file_that_is_mounted_alone() {
    layout("upstream-name", Works, &[]);
}

#[test]
fn nginx_in_one_file_and_the_slots_in_two_more() {
    layout("two-files", Works, &[]);
}

#[test]
fn an_image_for_each_slot() {
    layout("image-per-slot", Works, &[]);
}

#[test]
fn a_tag_for_each_slot() {
    layout("tag-per-slot", Refused("which is the name of one image"), &[]);
}

#[test]
fn a_link_to_one_of_two_files() {
    layout("conf-swap", Works, &[]);
}

#[test]
fn one_file_for_two_projects() {
    layout("one-file-two-projects", Works, &[]);
}

#[test]
fn a_slot_in_a_profile() {
    layout("profile", Works, &[]);
}

#[test]
fn images_that_are_built_and_have_no_name() {
    layout("build-only", Works, &[]);
}

#[test]
fn slots_on_different_ports() {
    layout("ports-differ", Works, &[]);
}

#[test]
fn a_variable_in_an_included_file() {
    layout("variable-include", Works, &[]);
}

#[test]
fn a_slot_by_name_in_proxy_pass() {
    layout("direct-proxy-pass", Works, &[]);
}

#[test]
fn nginx_on_the_host() {
    let layout = Layout::up("host-one-file");
    layout.ends("", &Refused("deploy may not run, as root and without a password"));
    // what `check` says
    let check = layout.cutover("", &["check"]);
    let command = check.stdout.lines().find_map(|line| Some(line.split_once("let it: ")?.1)).expect("what to do");
    layout.instance.root(command).unwrap();
    layout.ends("", &Works);
}

#[test]
fn nginx_in_another_project() {
    layout("shared-nginx-names", Works, &[]);
}

#[test]
fn two_upstreams_and_a_variable_that_names_the_live_one() {
    layout("two-upstreams-green-live", Works, &[]);
}
