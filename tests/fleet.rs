//! Several hosts: all of them on the new version, or all of them on the old one.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

mod common;

use common::fault::{Moment, Running, assert_clean, let_docker_fail};
use common::{Bench, Ran, cutover, run};
use lab::{Instance, Kind, Lab, Options, build_app};
use std::collections::BTreeSet;
use std::process::Command;
use tempfile::TempDir;

struct Fleet {
    benches: Vec<Bench>,
    dir: TempDir,
    /// What is added to the configuration.
    more: String,
    hosts: Vec<String>,
}

impl Fleet {
    /// Instances that serve v1.0.0 and share a repository.
    fn start(size: usize) -> Fleet {
        let repository = Lab::up().unwrap().repository("fleet");
        let first = build_app(&repository, "v1.0.0", &[]).unwrap();
        let one = || {
            let instance = Instance::start(Kind::V2).unwrap();
            let bench = Bench::of(instance, repository.clone(), Options::default());
            bench.project.bring_up(&[&first]).unwrap();
            bench
        };
        let benches: Vec<Bench> = std::thread::scope(|scope| {
            let all: Vec<_> = (0..size).map(|_| scope.spawn(one)).collect();
            all.into_iter().map(|one| one.join().unwrap()).collect()
        });
        let hosts = benches.iter().map(|bench| bench.instance.destination()).collect();
        Fleet { benches, dir: TempDir::new().unwrap(), more: String::new(), hosts }
    }

    fn image(&self, version: &str, settings: &[(&str, &str)]) {
        build_app(&self.benches[0].repository, version, settings).unwrap();
    }

    fn command(&self, words: &[&str]) -> Command {
        let (image, directory) = (&self.benches[0].repository, &self.benches[0].project.options.directory);
        let hosts = self.hosts.join(", ");
        let config = format!("image: {image}\nhosts: [{hosts}]\ndirectory: {directory}\n{}", self.more);
        std::fs::write(self.dir.path().join("cutover.yml"), config).unwrap();
        let read = |path: &std::path::Path| std::fs::read_to_string(path).unwrap();
        let keys: Vec<String> = self.benches.iter().map(|bench| read(&bench.instance.known_hosts)).collect();
        let mut command = cutover();
        command.current_dir(self.dir.path()).args(words).env("CUTOVER_KNOWN_HOSTS", keys.concat());
        command.env("CUTOVER_SSH_KEY", read(&self.benches[0].instance.key));
        command
    }

    fn deploy(&self, version: &str) -> Ran {
        run(&mut self.command(&["deploy", "--version", version]))
    }

    fn deploy_waiting(&self, version: &str) -> Ran {
        run(&mut self.command(&["deploy", "--version", version, "--wait", "60s"]))
    }

    /// Every host serves this version, alone, and nothing is left.
    fn assert_all(&self, version: &str, why: &str) {
        for bench in &self.benches {
            assert_eq!(bench.project.served_version().as_deref(), Some(version), "{why}: {}", bench.instance.name);
            assert_clean(bench, why);
        }
    }

    /// A line more in one host's env file, so that the new slot there behaves in its own way.
    fn set(&self, host: usize, line: &str) {
        self.benches[host].project.ok(&format!("echo {line} >> .env")).unwrap();
    }

    fn unset(&self, host: usize, key: &str) {
        self.benches[host].project.ok(&format!("sed -i /{key}/d .env")).unwrap();
    }

    /// Lets the first host's key into all of them.
    fn share_key(&self) {
        let key = self.benches[0].instance.root("cat /lab/authorized_keys").unwrap();
        for bench in &self.benches[1..] {
            bench.instance.root(&format!("echo '{key}' >> /lab/authorized_keys")).unwrap();
        }
    }
}

#[test]
fn whichever_host_fails_at_whichever_phase_all_end_on_the_same_version() {
    let mut fleet = Fleet::start(4);
    fleet.share_key();
    fleet.image("v1.1.0", &[("START_DELAY_MS", "200")]);
    let third = fleet.benches[2].instance.address.clone();

    // unreachable: nothing is started anywhere
    let right = fleet.hosts.clone();
    fleet.hosts[3] = format!("deploy@{}:2", fleet.benches[3].instance.address);
    let before: Vec<_> = fleet.benches.iter().map(|bench| bench.instance.docker_ps().unwrap().len()).collect();
    fleet.deploy("v1.1.0").expect(6);
    let after: Vec<_> = fleet.benches.iter().map(|bench| bench.instance.docker_ps().unwrap().len()).collect();
    assert_eq!(after, before);
    fleet.hosts = right;

    // one host's health
    fleet.set(2, "CRASH=1");
    fleet.deploy("v1.1.0").expect(3).says(&third).says("put back");
    fleet.unset(2, "CRASH");
    fleet.assert_all("v1.0.0", "health");

    // one host's nginx, once every slot is healthy
    let mut running = Running::spawn(fleet.command(&["deploy", "--version", "v1.1.0", "--json"]));
    assert!(running.until("start", Moment::After));
    let broken = fleet.benches[2].project.path("nginx/broken.conf");
    fleet.benches[2].instance.write(&broken, "this is no directive\n").unwrap();
    running.end().expect(3).says(&third);
    fleet.benches[2].project.ok("rm nginx/broken.conf").unwrap();
    fleet.assert_all("v1.0.0", "route");

    // one host's confirm: its nginx reaches the new slot, which answers 503 by then. One host at a time: those after it
    // are not switched any more
    fleet.more = "parallel: 1\n".to_owned();
    fleet.set(2, "FAIL_AFTER_REQUESTS=2");
    fleet.set(2, "FAIL_STATUS=503");
    let ran = run(&mut fleet.command(&["deploy", "--version", "v1.1.0", "--json"])).expect(3);
    fleet.unset(2, "FAIL_");
    fleet.more.clear();
    let steps: Vec<_> = ran.events().into_iter().filter(|event| event["event"] == "step-end").collect();
    let ended = |step: &str, state: &str| {
        let these = steps.iter().filter(|event| event["step"] == step && event["state"] == state);
        these.map(|event| event["host"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let addresses: Vec<_> = fleet.benches.iter().map(|bench| bench.instance.address.clone()).collect();
    assert_eq!(ended("confirm", "failed"), std::slice::from_ref(&third), "{ran}");
    assert_eq!(ended("route", "done"), addresses[..3], "{ran}");
    assert_eq!(ended("route", "undone").into_iter().collect::<BTreeSet<_>>().len(), 3, "{ran}");
    fleet.assert_all("v1.0.0", "confirm");

    // the new version fails while it is watched, on one host only
    fleet.more = "bake: {for: 40s, max-failures: 2}\n".to_owned();
    fleet.set(1, "FAIL_AFTER_MS=6000");
    fleet.deploy("v1.1.0").expect(3).says("answered 500");
    fleet.unset(1, "FAIL_AFTER");
    fleet.more.clear();
    fleet.assert_all("v1.0.0", "bake");

    // one host can't stop its old slot: the new version is live everywhere, and the next run tidies up
    let_docker_fail(&fleet.benches[2].instance);
    fleet.benches[2].instance.root("echo stop > /run/docker-fails").unwrap();
    fleet.deploy("v1.1.0").expect(0).says("the new version is live, but tidying up failed");
    fleet.benches[2].instance.root("rm /run/docker-fails").unwrap();
    for bench in &fleet.benches {
        assert_eq!(bench.project.served_version().as_deref(), Some("v1.1.0"), "retire");
    }
    fleet.image("v1.2.0", &[]);
    fleet.deploy("v1.2.0").expect(0).says("finish the release that an earlier run left");
    fleet.assert_all("v1.2.0", "retire");
}

#[test]
fn a_client_killed_between_phases_leaves_what_the_next_run_puts_right_on_every_host() {
    let fleet = Fleet::start(4);
    fleet.share_key();
    let moments = [("health", Moment::After), ("route", Moment::After), ("retire", Moment::Before)];
    for (number, (step, moment)) in moments.into_iter().enumerate() {
        let version = format!("v1.{}.0", 1 + number);
        fleet.image(&version, &[]);
        let mut running = Running::spawn(fleet.command(&["deploy", "--version", &version, "--json"]));
        assert!(running.until(step, moment));
        running.signal("-KILL");
        running.end().expect(-1);
        fleet.deploy_waiting(&version).expect(0);
        fleet.assert_all(&version, step);
    }
}

#[test]
fn a_host_that_cannot_be_put_back_is_named_and_the_others_are_put_back() {
    let fleet = Fleet::start(2);
    fleet.share_key();
    fleet.image("v1.1.0", &[("UNHEALTHY_MS", "-1")]);
    let mut running = Running::spawn(fleet.command(&["deploy", "--version", "v1.1.0", "--json"]));
    assert!(running.until("health", Moment::Before));
    // the network of one is gone, and stays gone
    let lost = &fleet.benches[1].instance;
    lost.root("iptables -I INPUT -p tcp --dport 22 -j DROP").unwrap();
    let ran = running.end().expect(4);
    let said = ran.to_string();
    let (_, left) = said.rsplit_once("A person must look at").expect("what is left");
    assert!(left.contains(&lost.address) && !left.contains(&fleet.benches[0].instance.address), "{ran}");
    assert_clean(&fleet.benches[0], "the other host");
    lost.root("iptables -D INPUT -p tcp --dport 22 -j DROP").unwrap();
    run(&mut fleet.command(&["recover", "--wait", "60s"])).expect(0).says("recovered");
    fleet.assert_all("v1.0.0", "recovered");
}

#[test]
fn no_more_hosts_than_the_limit_are_worked_on_at_the_same_time() {
    let mut fleet = Fleet::start(4);
    fleet.share_key();
    let most = |fleet: &Fleet, version: &str| {
        fleet.image(version, &[("START_DELAY_MS", "1000")]);
        let ran = run(&mut fleet.command(&["deploy", "--version", version, "--json"])).expect(0);
        let (mut busy, mut most) = (BTreeSet::new(), 0);
        for event in ran.events() {
            let host = event["host"].as_str().unwrap_or_default().to_owned();
            match event["event"].as_str() {
                Some("step-begin") => drop(busy.insert(host)),
                Some("step-end") => drop(busy.remove(&host)),
                _ => {}
            }
            most = most.max(busy.len());
        }
        fleet.assert_all(version, "the limit");
        most
    };
    fleet.more = "parallel: 2\n".to_owned();
    assert_eq!(most(&fleet, "v1.1.0"), 2);
    fleet.more.clear();
    assert_eq!(most(&fleet, "v1.2.0"), 4);
}

#[test]
fn a_migration_ends_before_any_host_starts_the_new_version_and_what_fails_says_its_last_lines_once() {
    let mut fleet = Fleet::start(2);
    fleet.share_key();
    fleet.image("v1.1.0", &[]);
    fleet.more = "hooks: {release: {command: [node, -e, 'setTimeout(() => 0, 3000)']}}\n".to_owned();
    let events = run(&mut fleet.command(&["deploy", "--version", "v1.1.0", "--json"])).expect(0).events();
    let at = |event: &str, step: &str| -> Vec<f64> {
        let steps = events.iter().filter(|one| one["event"] == event && one["step"] == step);
        steps.map(|one| one["at"].as_f64().unwrap()).collect()
    };
    let (ended, started) = (at("step-end", "hook"), at("step-begin", "start"));
    assert!(ended.len() == 1 && started.len() == 2, "{ended:?} {started:?}");
    assert!(started.iter().all(|start| *start >= ended[0]), "started at {started:?}, the migration ended at {ended:?}");

    let job = |fleet: &Fleet, version: &str| {
        let file = |name: &str| fleet.dir.path().join(format!("{version}-{name}"));
        let (output, summary) = (file("output"), file("summary"));
        let mut command = fleet.command(&["deploy", "--version", version]);
        command.env("GITHUB_ACTIONS", "true").env("GITHUB_OUTPUT", &output).env("GITHUB_STEP_SUMMARY", &summary);
        let ran = run(&mut command).expect(3);
        let errors: Vec<&str> = ran.stderr.lines().filter(|line| line.starts_with("::error ")).collect();
        assert_eq!(errors.len(), 1, "{ran}");
        let read = |path| std::fs::read_to_string(path).unwrap();
        let (output, summary) = (read(&output), read(&summary));
        let (start, version_line) = (format!("### ❌ {version}: "), format!("\n{version}\n"));
        assert!(summary.starts_with(&start) && output.contains(&version_line), "{summary}\n{output}");
        (errors[0].to_owned(), summary, ran)
    };
    let reasons = |fleet: &Fleet| -> Vec<String> {
        let history = run(&mut fleet.command(&["history", "--json"])).expect(0).result();
        let last = |host: &serde_json::Value| {
            let last = host["releases"].as_array().unwrap().last().unwrap().clone();
            assert_eq!(last["outcome"], "put-back");
            last["reason"].as_str().unwrap().to_owned()
        };
        history["hosts"].as_array().unwrap().iter().map(last).collect()
    };
    let once = |text: &str, part: &str| assert_eq!(text.matches(part).count(), 1, "{part} in {text}");

    fleet.image("v1.2.0", &[]);
    let says = "console.log(\"one\"); console.log(\"no such table\"); process.exit(4)";
    fleet.more = format!("hooks: {{release: {{command: [node, -e, '{says}']}}}}\n");
    let (error, summary, ran) = job(&fleet, "v1.2.0");
    let host = &fleet.benches[0].instance.address;
    let what = summary.split("**What to do.**").next().unwrap();
    for text in [&*error, what] {
        once(text, "it ended with 4");
        once(text, &format!("{host}: │ no such table"));
    }
    ran.says(&format!("{host} hook │ no such table")).never_says("start: start green");
    // the host on which nothing failed knows whose failure it was
    for reason in reasons(&fleet) {
        once(&reason, &format!("{host}: │ no such table"));
    }
    fleet.assert_all("v1.1.0", "a migration failed");

    // the same of a container, and of commands of the hosts
    fleet.more = String::new();
    fleet.image("v1.3.0", &[("LOG", "the database is away"), ("CRASH", "1")]);
    let (error, summary, _) = job(&fleet, "v1.3.0");
    assert!(error.contains(": │ the database is away") && summary.contains(": │ the database is away"), "{summary}");
    assert!(reasons(&fleet).iter().all(|reason| reason.contains("│ the database is away")));
    fleet.image("v1.4.0", &[]);
    fleet.more = "hooks: {before-switch: [sh, -c, 'echo no space; exit 3']}\n".to_owned();
    let (error, ..) = job(&fleet, "v1.4.0");
    once(&error, "│ no space");
    once(&error, "it ended with 3");
    fleet.assert_all("v1.1.0", "a command of the hosts failed");
}

#[test]
fn status_shows_a_fleet_on_one_screen_also_where_hosts_differ_or_one_is_gone() {
    let mut fleet = Fleet::start(2);
    fleet.share_key();
    fleet.image("v1.1.0", &[]);
    fleet.deploy("v1.1.0").expect(0);
    let rows = |ran: &Ran| ran.stdout.lines().filter(|line| line.starts_with('✔')).count();
    let same = run(&mut fleet.command(&["status"])).expect(0).says("v1.1.0 in green since").never_says("differs");
    assert_eq!((rows(&same), same.stdout.lines().count()), (2, 3), "{same}");

    // one of them alone goes on
    fleet.image("v1.2.0", &[]);
    let hosts = fleet.hosts.clone();
    fleet.hosts.truncate(1);
    fleet.deploy("v1.2.0").expect(0);
    fleet.hosts = hosts;
    let differ = run(&mut fleet.command(&["status"])).expect(0).says("fleet differs: v1.1.0 on").says("; v1.2.0 on");
    assert_eq!(rows(&differ), 2, "{differ}");
    let drift = run(&mut fleet.command(&["status", "--json"])).expect(0).result()["drift"].clone();
    assert_eq!(drift[0]["versions"].as_object().unwrap().len(), 2, "{drift}");

    // what can be seen is shown where one host can't be reached
    fleet.hosts[1] = "deploy@127.0.0.1:1".to_owned();
    for verb in ["status", "history"] {
        let gone = run(&mut fleet.command(&[verb])).expect(6).says("v1.2.0").says("127.0.0.1");
        assert!(gone.stdout.contains("v1.2.0") && !gone.stdout.contains("v1.1.0 in"), "{gone}");
    }
}
