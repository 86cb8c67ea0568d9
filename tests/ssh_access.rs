//! Getting in: each way that works, and one clear message and exit code 6 for each that does not.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

mod common;

use common::{Bench, Ran, cutover, run};
use lab::{Kind, Options, Start};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// An instance of its own whose doors are tried, and keys beside its right one.
struct Door {
    bench: Bench,
    home: tempfile::TempDir,
}

impl Door {
    fn new(sshd: &[&str]) -> Door {
        let mut start = Start::new(Kind::V2);
        start.sshd = sshd.iter().map(|line| (*line).to_owned()).collect();
        let bench = Bench::on(start.start().unwrap(), Options::default());
        Door { bench, home: tempfile::tempdir().unwrap() }
    }

    /// `check`, with these variables and nothing else that says how to get in.
    fn knock(&self, more: &str, env: &[(&str, &str)]) -> Ran {
        std::fs::write(self.home.path().join("cutover.yml"), format!("{}{more}", self.bench.config)).unwrap();
        let mut command = cutover();
        command.current_dir(self.home.path()).env("HOME", self.home.path()).arg("check");
        run(command.envs(env.iter().copied()))
    }

    /// One error, all of it about the way in, and exit code 6.
    fn refuses(&self, more: &str, env: &[(&str, &str)]) -> Ran {
        let ran = self.knock(more, env).expect(6);
        assert_eq!(ran.stderr.matches("error:").count(), 1, "{ran}");
        ran.never_says("b3BlbnNzaC1rZXk").never_says("secret words")
    }

    fn right_key(&self) -> String {
        std::fs::read_to_string(&self.bench.instance.key).unwrap()
    }

    fn known(&self) -> String {
        std::fs::read_to_string(&self.bench.instance.known_hosts).unwrap()
    }

    /// A new key; its file.
    fn key(&self, name: &str, passphrase: &str) -> PathBuf {
        let file = self.home.path().join(name);
        let mut keygen = Command::new("ssh-keygen");
        keygen.args(["-q", "-t", "ed25519", "-C", name, "-N", passphrase, "-f"]).arg(&file);
        assert!(keygen.status().unwrap().success());
        file
    }

    fn let_in(&self, key: &Path) {
        let public = std::fs::read_to_string(key.with_extension("pub")).unwrap();
        self.bench.instance.ok(&format!("mkdir -p .ssh && echo '{}' >> .ssh/authorized_keys", public.trim())).unwrap();
    }
}

/// An agent of its own; it ends with the test.
struct Agent(Child, PathBuf);

impl Agent {
    fn with(dir: &Path, key: &Path) -> Agent {
        let socket = dir.join("agent");
        let agent = Command::new("ssh-agent").args(["-D", "-a"]).arg(&socket).stdout(Stdio::null()).spawn().unwrap();
        common::watch::until("the agent listens", || socket.exists());
        let agent = Agent(agent, socket);
        let mut add = Command::new("ssh-add");
        assert!(
            add.arg("-q").arg(key).env("SSH_AUTH_SOCK", &agent.1).stderr(Stdio::null()).status().unwrap().success()
        );
        agent
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn every_way_that_fails_says_one_clear_thing_and_every_right_one_gets_in() {
    let door = Door::new(&[]);
    let (key, known) = (door.right_key(), door.known());
    let place = &door.bench.instance.address;
    let with = |key: &str, known: &str| door.knock("", &[("CUTOVER_SSH_KEY", key), ("CUTOVER_KNOWN_HOSTS", known)]);

    // the right key, as it is and as CI secrets mangle it
    let in_one_line = key.replace('\n', "\r\n");
    for text in [key.as_str(), &in_one_line, key.trim_end()] {
        let ran = with(text, &known);
        assert_ne!(ran.code, 6, "{ran}");
        ran.says("host key SHA256:");
    }

    // host keys
    let other = door.key("other", "");
    let public = std::fs::read_to_string(other.with_extension("pub")).unwrap();
    let wrong = format!("{place} {}", public.rsplit_once(' ').unwrap().0);
    let env = |known| [("CUTOVER_SSH_KEY", key.as_str()), ("CUTOVER_KNOWN_HOSTS", known)];
    door.refuses("", &env(&wrong)).says("WRONG HOST KEY").says("(known_hosts line 1)");
    let unknown = door.refuses("", &env("elsewhere.example ssh-ed25519 AAAA")).says("the host key is not known");
    let line = unknown.stderr.lines().find(|line| line.trim().starts_with(place.as_str())).expect("the line to paste");
    assert!(known.lines().any(|known| known.trim() == line.trim()), "{line}\n{known}");
    door.refuses("", &[("CUTOVER_SSH_KEY", &key)]).says("the host key is not known");
    let pasted = door.knock("", &env(line));
    assert_ne!(pasted.code, 6, "{pasted}");
    let revoked = format!("{known}@revoked {}\n", known.lines().next().unwrap());
    door.refuses("", &env(&revoked)).says("@revoked");

    // keys
    let stranger = std::fs::read_to_string(&other).unwrap();
    let ran = door.refuses("", &[("CUTOVER_SSH_KEY", &stranger), ("CUTOVER_KNOWN_HOSTS", &known)]);
    ran.says("login as `deploy` was refused").says("offered ssh-ed25519 SHA256:").says("authorized_keys");
    let ran = door.refuses("", &[("CUTOVER_SSH_KEY", "no key at all"), ("CUTOVER_KNOWN_HOSTS", &known)]);
    ran.says("key");
    let ran = door.refuses("ssh: {key-file: absent}\n", &[("CUTOVER_KNOWN_HOSTS", &known)]);
    ran.says("absent: this private key cannot be read");

    // a passphrase
    let locked = door.key("locked", "secret words");
    door.let_in(&locked);
    let text = std::fs::read_to_string(&locked).unwrap();
    let knock = |phrase: &str| {
        let mut env = vec![("CUTOVER_SSH_KEY", text.as_str()), ("CUTOVER_KNOWN_HOSTS", known.as_str())];
        env.extend((!phrase.is_empty()).then_some(("CUTOVER_SSH_KEY_PASSPHRASE", phrase)));
        door.knock("", &env).never_says("secret words")
    };
    knock("").expect(6).says("is encrypted; state its passphrase");
    knock("wrong").expect(6).says("the passphrase does not open");
    let opened = knock("secret words");
    assert_ne!(opened.code, 6, "{opened}");

    // an agent, which has the locked key open
    let unlocked = door.key("for-agent", "");
    door.let_in(&unlocked);
    let agent = Agent::with(door.home.path(), &unlocked);
    std::fs::remove_file(&unlocked).unwrap();
    let socket = agent.1.to_str().unwrap();
    let ran = door.knock("", &[("SSH_AUTH_SOCK", socket), ("CUTOVER_KNOWN_HOSTS", &known)]);
    assert_ne!(ran.code, 6, "{ran}");
    let none = door.refuses("", &[("CUTOVER_KNOWN_HOSTS", &known)]).says("there is no private key to log in with");
    none.says("/.ssh/id_ed25519: not there").says("tried the ssh-agent: ");
    // in a job it is the input that is missing, as in the run of a fork
    let job = [("GITHUB_ACTIONS", "true"), ("CUTOVER_KNOWN_HOSTS", known.as_str()), ("CUTOVER_SSH_KEY", "")];
    door.knock("", &job).expect(6).says("the input `ssh-key` (CUTOVER_SSH_KEY) is empty; is the secret set?");
    let job = [("GITHUB_ACTIONS", "true"), ("CUTOVER_KNOWN_HOSTS", ""), ("CUTOVER_SSH_KEY", key.as_str())];
    door.knock("", &job).expect(6).says("the input `known-hosts` (CUTOVER_KNOWN_HOSTS) is empty; is the secret set?");

    // nobody there
    let closed = |config: &str| door.bench.config.replace(place.as_str(), config);
    std::fs::write(door.home.path().join("closed.yml"), closed(&format!("{place}:2"))).unwrap();
    let mut command = cutover();
    command.current_dir(door.home.path()).args(["-c", "closed.yml", "check"]).env("CUTOVER_SSH_KEY", &key);
    run(&mut command).expect(6).says(&format!("{place}:2: connection refused")).says("check host and port");
    std::fs::write(door.home.path().join("closed.yml"), closed("no-such-host.invalid")).unwrap();
    let mut command = cutover();
    command.current_dir(door.home.path()).args(["-c", "closed.yml", "check"]).env("CUTOVER_SSH_KEY", &key);
    run(&mut command).expect(6).says("no-such-host.invalid").says("has no address");
}

#[test]
fn a_swap_works_through_a_jump_host_and_where_sshd_refuses_forwarding() {
    // the instance jumps to its own loopback, where nobody else can get
    let door = Door::new(&["Match LocalAddress 127.0.0.1", "  AllowTcpForwarding no", "Match all"]);
    let bench = &door.bench;
    let first = bench.image("v1.0.0", &[]);
    bench.project.bring_up(&[&first]).unwrap();
    let (place, known) = (&bench.instance.address, door.known());
    let inner = known.replace(place.as_str(), "127.0.0.1");
    let both = format!("{known}{inner}");
    let jump = format!("ssh: {{jump: deploy@{place}}}\n");
    let config = bench.config.replace(&bench.instance.destination(), "deploy@127.0.0.1") + &jump;
    let cutover = |words: &[&str], known: &str| {
        std::fs::write(door.home.path().join("cutover.yml"), &config).unwrap();
        let mut command = cutover();
        command.current_dir(door.home.path()).args(words).env("CUTOVER_SSH_KEY", door.right_key());
        run(command.env("CUTOVER_KNOWN_HOSTS", known))
    };
    cutover(&["check"], &inner).expect(6).says(&format!("jump host {place}:22: ")).says("the host key is not known");
    cutover(&["check"], &known).expect(6).says("127.0.0.1:22: the host key is not known");

    bench.image("v1.1.0", &[]);
    let ran = cutover(&["deploy", "--version", "v1.1.0", "-v"], &both).expect(0);
    ran.says("green answers 200 through nginx").says("# to ask over HTTP");
    assert_eq!(bench.project.served_version().as_deref(), Some("v1.1.0"));
    let status = cutover(&["status", "--json"], &both).expect(0).result();
    assert_eq!(status["hosts"][0]["services"][0]["proved"], true);

    // without curl, which the host need not have, and with neither curl nor bash
    bench.image("v1.2.0", &[]);
    bench.instance.root("mv /usr/bin/curl /usr/bin/curl-away").unwrap();
    cutover(&["deploy", "--version", "v1.2.0"], &both).expect(0).says("blue answers 200 through nginx");
    assert_eq!(bench.project.served_version().as_deref(), Some("v1.2.0"));
}

#[test]
fn one_fingerprint_for_several_hosts_is_refused_with_what_to_write() {
    let dir = tempfile::tempdir().unwrap();
    let print = format!("SHA256:{}", "A".repeat(43));
    let check = |config: &str, env: &str| {
        let config = format!("image: devrank/api\ndirectory: /srv/app\n{config}");
        std::fs::write(dir.path().join("cutover.yml"), config).unwrap();
        let mut command = cutover();
        command.current_dir(dir.path()).env("HOME", dir.path()).arg("check");
        run(command.env("CUTOVER_SSH_KEY", "x").env("CUTOVER_HOST_FINGERPRINT", env))
    };
    let several = "hosts: [deploy@192.0.2.1, deploy@192.0.2.2]\n";
    let says = |ran: Ran| ran.says("does not say whose it is").says(&format!("write HOST={print} for each"));
    says(check(several, &print).expect(2));
    says(check(&format!("{several}ssh: {{fingerprint: '{print}'}}\n"), "").expect(2));
    // one that names its host does not make up for one that names none
    says(check(several, &format!("192.0.2.1={print} {print}")).expect(2));
    // a jump host could pose as the target
    says(check("host: deploy@192.0.2.1\nssh: {jump: jump@192.0.2.9}\n", &print).expect(6));
}
