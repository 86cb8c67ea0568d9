//! A real sshd on loopback, with its own keys, and what it takes to log in to it.
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;

use cutover::host::ssh::{ConnectError, Options, Session, Target};
use cutover::secret::Secret;
use tempfile::TempDir;

/// Who runs the tests, and logs in: an sshd that a plain user started lets in nobody else.
pub(crate) static USER: LazyLock<String> = LazyLock::new(|| {
    let id = Command::new("id").arg("-un").output().expect("id is there");
    String::from_utf8_lossy(&id.stdout).trim().to_owned()
});

/// Made by `ssh-keygen` in a directory.
pub(crate) fn keygen(directory: &Path, words: &[&str]) {
    let status = Command::new("ssh-keygen").arg("-q").args(words).current_dir(directory).status();
    assert!(status.expect("ssh-keygen is there").success(), "{words:?}");
}

/// An Ed25519 key pair `name` and `name.pub`.
pub(crate) fn key_pair(directory: &Path, name: &str) -> PathBuf {
    keygen(directory, &["-t", "ed25519", "-N", "", "-C", name, "-f", name]);
    directory.join(name)
}

/// A running sshd; stopped when dropped.
pub(crate) struct Sshd {
    process: Child,
    pub(crate) port: u16,
    pub(crate) directory: TempDir,
}

impl Sshd {
    /// With an Ed25519 host key `host`, a user's key `user` that may log in, and these further lines of sshd_config(5).
    pub(crate) fn start(config: &str) -> Self {
        Self::start_with(config, |_| {})
    }

    /// As `start`, after `prepare` has put further keys into the directory.
    pub(crate) fn start_with(config: &str, prepare: impl FnOnce(&Path)) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = directory.path();
        key_pair(path, "host");
        key_pair(path, "user");
        std::fs::copy(path.join("user.pub"), path.join("authorized_keys")).expect("copied");
        prepare(path);
        let (process, port) = (0..5).find_map(|_| listen(path, config)).expect("sshd starts");
        Self { process, port, directory }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).expect("the file is there").trim().to_owned()
    }

    pub(crate) fn target(&self) -> Target {
        format!("{}@127.0.0.1:{}", *USER, self.port).parse().expect("a target")
    }

    /// The known_hosts line of its key `name`.
    pub(crate) fn known(&self, name: &str) -> String {
        format!("[127.0.0.1]:{} {}\n", self.port, self.read(&format!("{name}.pub")))
    }

    /// What lets one in: its host key known, the user's key as text.
    pub(crate) fn options(&self) -> Options {
        Options {
            known_hosts: Some(self.known("host")),
            key: Some(Secret::new(self.read("user"))),
            connect_timeout: std::time::Duration::from_secs(20),
            ..Options::default()
        }
    }

    /// As `options`, for whatever port of this machine leads here.
    pub(crate) fn options_anywhere(&self) -> Options {
        Options { known_hosts: Some(format!("127.0.0.1 {}", self.read("host.pub"))), ..self.options() }
    }

    pub(crate) async fn connect(&self) -> Session {
        Session::connect(&self.target(), &self.options()).await.expect("a connection")
    }

    /// The error of connecting with these options.
    pub(crate) async fn refused(&self, options: &Options) -> ConnectError {
        Session::connect(&self.target(), options).await.expect_err("no connection")
    }
}

fn listen(directory: &Path, config: &str) -> Option<(Child, u16)> {
    let port = free_port();
    let file = directory.join("sshd_config");
    let path = directory.display();
    let mut text = config.to_owned();
    if !config.contains("HostKey ") {
        text += &format!("\nHostKey {path}/host");
    }
    text = text.replace("DIRECTORY", &path.to_string());
    // A home without start-up files for the shell: some take longer than what is measured.
    text += &format!(
        "\nSetEnv HOME={path}\nListenAddress 127.0.0.1:{port}\nAuthorizedKeysFile {path}/authorized_keys\nPidFile none\nUsePAM no\n\
         StrictModes no\nPermitRootLogin prohibit-password\nPasswordAuthentication no\n\
         KbdInteractiveAuthentication no\nMaxStartups 100\n"
    );
    std::fs::write(&file, text).expect("written");
    let mut process = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/sshd"))
        .args(["-D", "-e", "-f"])
        .arg(&file)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("scripts/sshd is there");
    let mut log = BufReader::new(process.stderr.take().expect("its log")).lines();
    let mut last = String::new();
    for line in log.by_ref().map_while(Result::ok) {
        if line.starts_with("Server listening") {
            std::thread::spawn(move || log.for_each(drop));
            return Some((process, port));
        }
        last = line;
    }
    let _ = process.wait();
    assert!(last.contains("in use") || last.contains("Cannot bind"), "sshd: {last}");
    None
}

/// A port that nothing listens on.
pub(crate) fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("its address").port()
}

impl Drop for Sshd {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A real ssh-agent; stopped when dropped.
pub(crate) struct Agent {
    process: Child,
    pub(crate) socket: PathBuf,
    _directory: TempDir,
}

impl Agent {
    /// With these private keys loaded.
    pub(crate) fn start(keys: &[PathBuf]) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let socket = directory.path().join("agent");
        let mut process = Command::new("ssh-agent")
            .args(["-D", "-a"])
            .arg(&socket)
            .stdout(Stdio::piped())
            .spawn()
            .expect("ssh-agent is there");
        // It speaks once it listens.
        let mut line = String::new();
        BufReader::new(process.stdout.take().expect("its words")).read_line(&mut line).expect("it speaks");
        for key in keys {
            let add = Command::new("ssh-add").arg("-q").arg(key).env("SSH_AUTH_SOCK", &socket).status();
            assert!(add.expect("ssh-add is there").success());
        }
        Self { process, socket, _directory: directory }
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
