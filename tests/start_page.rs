//! The start pages, followed word by word: their commands are read out of them and run, one after the other, against real servers.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

mod common;
#[allow(dead_code)]
#[path = "docs/page.rs"]
mod page;

use common::watch::until;
use common::{Bench, access, run};
use lab::load::get_version;
use lab::{App, GitRepository, Instance, Kind, Options, Start, build_app};
use page::{Page, root};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;
use tempfile::TempDir;

/// What stands in the page for the reader's own server.
const HOST: &str = "deploy@203.0.113.10";
const DIRECTORY: &str = "/home/deploy/app";

#[test]
fn who_follows_the_start_page_has_released_and_gone_back() {
    let bench = Bench::idle(Kind::V2, Options::default());
    let by_hand = build_app(&bench.repository, "v0.9.0", &[]).unwrap();
    bench.project.bring_up(&[&by_hand]).unwrap();
    let tree = App::new(&bench.repository, "v1.0.0").git_repository("", "Before cutover").unwrap();
    repository_of(&bench, tree.path());

    let host = bench.config.lines().find_map(|line| line.strip_prefix("host: ")).unwrap().to_owned();
    let mut served = Vec::new();
    for command in commands("docs/start.md") {
        let command =
            command.replace(HOST, host.trim_matches('"')).replace(DIRECTORY, &bench.project.options.directory);
        let began = Instant::now();
        let said = shell(&bench, tree.path(), &command);
        println!("$ {command}\n{said}({:.1} s)\n", began.elapsed().as_secs_f64());
        let live = bench.status()["version"].as_str().unwrap_or("not cutover's").to_owned();
        served.push((command.split(' ').take(2).collect::<Vec<_>>().join(" "), live));
    }
    let released: Vec<(&str, &str)> = served.iter().map(|(command, live)| (&**command, &**live)).collect();
    let expected = [
        ("cutover init", "not cutover's"),
        ("cutover check", "not cutover's"),
        ("cutover plan", "not cutover's"),
        ("git add", "not cutover's"),
        ("git commit", "not cutover's"),
        ("cutover release", "v1.0.0"),
        ("cutover status", "v1.0.0"),
        ("cutover history", "v1.0.0"),
        ("git commit", "v1.0.0"),
        ("cutover release", "v1.0.1"),
        ("cutover rollback", "v1.0.0"),
    ];
    assert_eq!(released, expected);
}

/// The lines of a page's blocks, without what they say of themselves. How to install is for tests/install.rs; Docker is there.
fn commands(page: &str) -> Vec<String> {
    lines(page, "sh").into_iter().filter(|line| !line.contains("curl -fsSL")).collect()
}

fn lines(page: &str, language: &str) -> Vec<String> {
    let text = std::fs::read_to_string(root().join(page)).unwrap();
    let blocks = Page { path: page.to_owned(), text }.blocks();
    let lines = blocks.iter().filter(|block| block.language == language).flat_map(|block| block.text.lines());
    let bare = lines.map(|line| line.split(" #").next().unwrap_or_default().trim().to_owned());
    bare.filter(|line| !line.is_empty()).collect()
}

/// The compose file and nginx's as they are on the server, in a repository without a cutover.yml.
fn repository_of(bench: &Bench, tree: &Path) {
    std::fs::remove_file(tree.join("cutover.yml")).unwrap();
    std::fs::create_dir_all(tree.join("nginx")).unwrap();
    for name in ["docker-compose.yml", "nginx/default.conf"] {
        std::fs::write(tree.join(name), bench.project.ok(&format!("cat {name}")).unwrap()).unwrap();
    }
    shell(bench, tree, "git add --all && git commit --quiet --message 'The project'");
}

fn shell(bench: &Bench, tree: &Path, command: &str) -> String {
    let mut shell = a_shell(tree, command, &[]);
    finish(shell.envs(access(&bench.instance)), command)
}

/// A shell of somebody who has cutover, and these programs before it.
fn a_shell(tree: &Path, command: &str, programs: &[&Path]) -> Command {
    let binaries = Path::new(env!("CARGO_BIN_EXE_cutover")).parent().unwrap();
    let first: String = programs.iter().map(|path| format!("{}:", path.display())).collect();
    let path = format!("{first}{}:{}", binaries.display(), std::env::var("PATH").unwrap());
    let mut shell = lab::cutover::command(Path::new("sh")).unwrap();
    shell.args(["-c", command]).current_dir(tree).env("PATH", path);
    // who has made the repository goes on in it
    for role in ["AUTHOR", "COMMITTER"] {
        shell.env(format!("GIT_{role}_NAME"), "A person").env(format!("GIT_{role}_EMAIL"), "person@example.com");
    }
    shell
}

fn finish(shell: &mut Command, command: &str) -> String {
    let output = shell.output().unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command}: {}\n{said}", output.status);
    said
}

const FRESH: &str = "docs/start-server.md";

/// A server with Docker and a login as root, and nothing else; a person who has a repository with a Dockerfile.
struct Newcomer {
    instance: Instance,
    tree: GitRepository,
    dir: TempDir,
}

impl Newcomer {
    fn arrives() -> Newcomer {
        let mut start = Start::new(Kind::V2);
        start.sshd =
            ["PermitRootLogin prohibit-password", "AuthorizedKeysFile .ssh/authorized_keys"].map(String::from).to_vec();
        let instance = start.start().unwrap();
        let keys = "userdel -r deploy 2>/dev/null; install -d -m 700 /root/.ssh; cp /lab/authorized_keys /root/.ssh/";
        instance.root(&format!("{keys}; ! id deploy 2>/dev/null && [ -z \"$(docker ps -aq)\" ]")).unwrap();
        let dir = TempDir::new().unwrap();
        let tree = dir.path().join("shop");
        std::fs::create_dir(&tree).unwrap();
        let tree = App::new("shop", "v1.0.0").git_repository_in(&tree, "", "Before cutover").unwrap();
        std::fs::remove_file(tree.path().join("cutover.yml")).unwrap();
        let person = Newcomer { instance, tree, dir };
        std::fs::create_dir_all(person.home().join(".ssh")).unwrap();
        for (from, to) in [(&person.instance.key, "id_ed25519"), (&person.instance.known_hosts, "known_hosts")] {
            std::fs::copy(from, person.home().join(".ssh").join(to)).unwrap();
        }
        person.ssh_with_this_home();
        person
    }

    fn home(&self) -> PathBuf {
        self.dir.path().join("home")
    }

    /// OpenSSH takes the home of the user that runs it, and not `HOME`: these are the real programs, told where it is.
    fn ssh_with_this_home(&self) {
        let ssh = self.home().join(".ssh");
        let config = format!(
            "IdentityFile {0}/id_ed25519\nIdentitiesOnly yes\nUserKnownHostsFile {0}/known_hosts\n",
            ssh.display()
        );
        std::fs::write(ssh.join("config"), config).unwrap();
        std::fs::create_dir(self.programs()).unwrap();
        for program in ["ssh", "scp"] {
            let text =
                format!("#!/bin/sh\nPATH=${{PATH#*:}}\nexec {program} -F '{}' \"$@\"\n", ssh.join("config").display());
            let path = self.programs().join(program);
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
        }
    }

    fn programs(&self) -> PathBuf {
        self.dir.path().join("programs")
    }

    fn follow(&self, commands: &[String], more: &str) {
        for command in commands {
            let command = command.replace("203.0.113.10", &self.instance.address)
                + if command.contains("--new") { more } else { "" };
            let began = Instant::now();
            let said = self.run(&command, &[]);
            println!("$ {command}\n{said}({:.1} s)\n", began.elapsed().as_secs_f64());
        }
    }

    fn run(&self, command: &str, environment: &[(&str, String)]) -> String {
        let mut shell = a_shell(self.tree.path(), command, &[&self.programs()]);
        finish(shell.env("HOME", self.home()).envs(environment.iter().map(|(name, value)| (name, value))), command)
    }

    /// The next release, by the job with its key and nothing of the person's.
    fn releases_with_the_jobs_key(&self, version: &str) {
        let of = |name: &str| std::fs::read_to_string(self.home().join(".ssh").join(name)).unwrap();
        let key = of("cutover-shop");
        let secrets = [("CUTOVER_SSH_KEY", key), ("CUTOVER_KNOWN_HOSTS", of("known_hosts"))];
        let nowhere = self.dir.path().join("nowhere").display().to_string();
        let environment: Vec<(&str, String)> = secrets.into_iter().chain([("HOME", nowhere)]).collect();
        self.tree.commit(&App::new("shop", version), &format!("{version} By the job")).unwrap();
        self.run("cutover release", &environment);
    }

    fn on_the_server(&self, command: &str) -> String {
        self.instance.root(&format!("su deploy -c 'cd /home/deploy/app && {command}' 2>&1")).unwrap()
    }
}

#[test]
fn who_follows_the_page_of_a_fresh_server_has_released() {
    let began = Instant::now();
    let person = Newcomer::arrives();
    let commands = commands(FRESH);
    let firsts: Vec<&str> = commands.iter().map(|line| line.split(' ').next().unwrap()).collect();
    assert_eq!(firsts, ["cutover", "ssh", "scp", "cutover", "git", "git", "cutover", "curl", "cutover"]);
    person.follow(&commands, "");
    println!("from nothing to v1.0.0: {:.1} s", began.elapsed().as_secs_f64());
    let url = format!("http://{}", person.instance.address);
    assert_eq!(get_version(&url, "/").unwrap().as_deref(), Some("v1.0.0"));
    let committed = person.run("git ls-files", &[]);
    assert!(committed.contains("nginx/default.conf") && !committed.contains(".ssh"), "{committed}");

    person.run("ssh root@ADDRESS sh -s < cutover-server.sh".replace("ADDRESS", &person.instance.address).as_str(), &[]);
    let keys = person.instance.root("cat /home/deploy/.ssh/authorized_keys").unwrap();
    assert_eq!(keys.lines().count(), 2, "a second run changes nothing: {keys}");
    person.releases_with_the_jobs_key("v1.0.1");
    assert_eq!(get_version(&url, "/").unwrap().as_deref(), Some("v1.0.1"));
    let status = person.run("cutover status", &[]);
    assert!(status.contains("v1.0.1") && status.contains("green"), "{status}");
}

#[test]
fn a_fresh_server_speaks_https_once_it_has_a_certificate() {
    let person = Newcomer::arrives();
    person.follow(&commands(FRESH), " --domain shop.example.com");
    let steps = lines(FRESH, "text").into_iter().filter(|line| line.starts_with("mv ") || line.contains(" exec "));
    let steps: Vec<String> = steps.collect();
    assert_eq!(steps.len(), 2, "{steps:?}");
    // what certbot asks for, and what it leaves
    let challenge = "mkdir -p certbot/.well-known/acme-challenge && echo proof > certbot/.well-known/acme-challenge/a";
    let live = "letsencrypt/live/shop.example.com";
    let certificate = format!(
        "mkdir -p {live} && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=shop.example.com \
         -keyout {live}/privkey.pem -out {live}/fullchain.pem"
    );
    person.instance.root(&format!("cd /home/deploy/app && {challenge} && {certificate} 2>/dev/null")).unwrap();
    let ask = |words: &str| {
        person.on_the_server(&format!(
            "curl -s {words} --resolve shop.example.com:80:127.0.0.1 --resolve shop.example.com:443:127.0.0.1"
        ))
    };
    assert_eq!(ask("http://shop.example.com/.well-known/acme-challenge/a"), "proof");
    steps.iter().for_each(|step| drop(person.on_the_server(step)));
    until("https answers", || ask("-k https://shop.example.com/").contains("version"));
    assert_eq!(ask("http://shop.example.com/.well-known/acme-challenge/a"), "proof", "also for the renewal");
    assert_eq!(ask("-o /dev/null -w %{redirect_url} http://shop.example.com/x"), "https://shop.example.com/x");
    person.releases_with_the_jobs_key("v1.0.1");
    assert!(ask("-k https://shop.example.com/").contains("v1.0.1"));
}

#[test]
fn the_maintenance_page_is_shown_while_a_file_is_there_and_a_release_goes_on_behind_it() {
    const PAGE: &str = "docs/recipes/maintenance.md";
    let mut bench = Bench::reference(Kind::V2);
    let text = std::fs::read_to_string(root().join(PAGE)).unwrap();
    let blocks = Page { path: PAGE.to_owned(), text }.blocks();
    let conf = &blocks.iter().find(|block| block.language == "nginx").unwrap().text;
    let nginx = |name: &str| bench.project.path(&format!("nginx/{name}"));
    bench.instance.write(&nginx("default.conf"), conf).unwrap();
    bench.instance.write(&nginx("maintenance.html"), "We are back at noon.\n").unwrap();
    bench.project.ok("docker exec nginx nginx -t && docker exec nginx nginx -s reload").unwrap();
    let ask = |words: &str| bench.instance.ok(&format!("curl -s -i {words} http://127.0.0.1/")).unwrap();
    until("the new conf is read", || ask("").contains("v1.0.0"));

    let steps: Vec<String> = lines(PAGE, "sh")
        .iter()
        .filter_map(|line| line.strip_prefix("ssh deploy@203.0.113.10 ").map(String::from))
        .collect();
    let steps: Vec<String> =
        steps.iter().map(|step| step.replace(DIRECTORY, &bench.project.options.directory)).collect();
    let [on, off] = &steps[..] else { panic!("{steps:?}") };
    bench.instance.ok(on).unwrap();
    let shown = ask("");
    assert!(shown.contains(" 503 ") && shown.contains("Retry-After: 600") && shown.contains("back at noon"), "{shown}");
    bench
        .deploy("v1.1.0", &[])
        .expect(0)
        .says("no request of cutover's own gets through")
        .says("new workers know green alone");
    assert!(ask("").contains("back at noon"));

    bench.image("v1.2.0", &[]);
    bench.config += &blocks.iter().find(|block| block.language == "yaml").unwrap().text;
    let mut deploy = bench.command(&["deploy", "--version", "v1.2.0"]);
    run(deploy.env("PROBE_HEADERS", "X-Probe: a-long-random-word")).expect(0).says("answers 200 through nginx");
    assert!(ask("").contains("back at noon"));
    assert!(ask("-H 'X-Probe: a-long-random-word'").contains("v1.2.0"));
    bench.instance.ok(off).unwrap();
    assert!(ask("").contains("v1.2.0"));
}
