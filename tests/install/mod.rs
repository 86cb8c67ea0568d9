//! A release as scripts/release-pack makes it, and a server on loopback that hands it out the way GitHub does.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use tempfile::TempDir;

pub const VERSION: &str = env!("CARGO_PKG_VERSION");
pub const TARGETS: [&str; 4] =
    ["x86_64-unknown-linux-musl", "aarch64-unknown-linux-musl", "x86_64-apple-darwin", "aarch64-apple-darwin"];

pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// `OWNER/NAME`, from its one constant.
pub fn repository() -> &'static str {
    env!("CARGO_PKG_REPOSITORY").trim_start_matches("https://github.com/")
}

/// The binary's name for this machine.
pub fn binary() -> String {
    format!("cutover-{VERSION}-{}-unknown-linux-musl", std::env::consts::ARCH)
}

/// Puts a program there. What is there already is replaced and never written to: it may be a link to one of the system's.
pub fn program(path: &Path, text: &str) {
    let new = path.with_file_name("new-program");
    std::fs::write(&new, text).unwrap();
    std::fs::set_permissions(&new, std::fs::Permissions::from_mode(0o755)).unwrap();
    std::fs::rename(new, path).unwrap();
}

/// Its output, if it went well.
pub fn ok(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", text(&output));
    String::from_utf8(output.stdout).unwrap()
}

pub fn text(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr[..]].concat()).into_owned()
}

/// Binaries, what was packed of them, and the server's log.
pub struct Release {
    pub dir: TempDir,
    pub url: String,
    log: Arc<Mutex<Vec<String>>>,
}

impl Release {
    /// Each target's binary is a script that becomes the binary under test: as good to run, and quick to pack.
    pub fn new() -> Release {
        Release::of(VERSION)
    }

    /// The same under another version.
    pub fn of(version: &str) -> Release {
        let dir = TempDir::new().unwrap();
        std::fs::create_dir(dir.path().join("binaries")).unwrap();
        for target in TARGETS {
            let stand_in = format!("#!/bin/sh\nexec {} \"$@\"\n", env!("CARGO_BIN_EXE_cutover"));
            program(&dir.path().join(format!("binaries/cutover-{version}-{target}")), &stand_in);
        }
        let log = Arc::new(Mutex::new(Vec::new()));
        let url = serve(dir.path().join("packed"), Arc::clone(&log));
        let release = Release { dir, url, log };
        release.pack(version, "packed");
        release
    }

    /// Packs into a directory.
    pub fn pack(&self, version: &str, into: &str) {
        let mut pack = Command::new(root().join("scripts/release-pack"));
        pack.current_dir(self.dir.path()).args([version, "binaries", into]).env("SOURCE_DATE_EPOCH", "1700000000");
        ok(&mut pack);
    }

    pub fn packed(&self, name: &str) -> PathBuf {
        self.dir.path().join("packed").join(name)
    }

    /// Writes SHA256SUMS anew, for files that a test changed.
    pub fn sum_up(&self) {
        ok(Command::new("sh")
            .current_dir(self.packed(""))
            .args(["-c", "rm SHA256SUMS; sha256sum * >/tmp/sums.$$; mv /tmp/sums.$$ SHA256SUMS"]));
    }

    /// What was asked for since the last call.
    pub fn requests(&self) -> Vec<String> {
        std::mem::take(&mut self.log.lock().unwrap())
    }
}

/// Serves the files of a release at GitHub's addresses, with GitHub's redirects; it lives as long as the process.
fn serve(files: PathBuf, log: Arc<Mutex<Vec<String>>>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let own = url.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            answer(stream, &own, &files, &log);
        }
    });
    url
}

fn answer(mut stream: TcpStream, own: &str, files: &Path, log: &Mutex<Vec<String>>) {
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
    let Some(first) = lines.next() else { return };
    lines.take_while(|line| !line.is_empty()).for_each(drop);
    let path = first.split(' ').nth(1).unwrap_or("").to_owned();
    let releases = format!("/{}/releases", repository());
    let (status, header, body) = match path.strip_prefix(&*releases).map(|rest| rest.split('/').collect::<Vec<_>>()) {
        Some(parts) => match &parts[..] {
            ["", "latest", "download", name] => {
                (302, format!("location: {own}{releases}/download/v{VERSION}/{name}\r\n"), vec![])
            }
            ["", "download", version, name] if version[1..] == *VERSION && files.join(name).is_file() => {
                (302, format!("location: {own}/objects/{name}\r\n"), vec![])
            }
            _ => (404, String::new(), b"Not Found".to_vec()),
        },
        None => match path.strip_prefix("/objects/").and_then(|name| std::fs::read(files.join(name)).ok()) {
            Some(body) => (200, String::new(), body),
            None => (404, String::new(), vec![]),
        },
    };
    log.lock().unwrap().push(path);
    let head = format!("HTTP/1.1 {status} -\r\n{header}content-length: {}\r\nconnection: close\r\n\r\n", body.len());
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body));
}

/// A user's home and the few programs that are in the PATH there.
pub struct Home {
    pub dir: TempDir,
    shell: Vec<String>,
}

/// What the script needs of any system, besides a way to fetch.
const TOOLS: [&str; 15] = [
    "uname",
    "mktemp",
    "sed",
    "head",
    "tail",
    "cut",
    "tar",
    "gzip",
    "mkdir",
    "chmod",
    "mv",
    "rm",
    "sha256sum",
    "sh",
    "cat",
];

impl Home {
    /// With these programs, and a shell.
    pub fn new(shell: &[&str], more: &[&str]) -> Home {
        let home = Home { dir: TempDir::new().unwrap(), shell: shell.iter().map(|&word| word.to_owned()).collect() };
        std::fs::create_dir(home.path("bin")).unwrap();
        let busybox = which("busybox");
        for name in TOOLS.iter().chain(more) {
            let at = if shell[0].ends_with("busybox") { busybox.clone() } else { which(name) };
            symlink(at, home.path("bin").join(name)).unwrap();
        }
        home
    }

    /// Dash and curl.
    pub fn usual() -> Home {
        Home::new(&["/bin/sh"], &["curl"])
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A program of this machine's own.
    pub fn has(&self, name: &str, text: &str) {
        program(&self.path("bin").join(name), text);
    }

    /// `curl … | sh -s -- WORDS`, from this server.
    pub fn install(&self, url: &str, words: &[&str]) -> (bool, String) {
        let script = std::fs::File::open(root().join("scripts/install.sh")).unwrap();
        let mut command = Command::new(&self.shell[0]);
        command.args(&self.shell[1..]).args(["-s", "--"]).args(words).stdin(Stdio::from(script));
        command.env_clear().env("HOME", self.dir.path()).env("PATH", self.path("bin")).env("TMPDIR", self.dir.path());
        command.env("CUTOVER_RELEASES", format!("{url}/{}/releases", repository()));
        let output = command.current_dir(self.dir.path()).output().unwrap();
        (output.status.success(), text(&output))
    }

    /// The files that were left, without the programs.
    pub fn left(&self) -> Vec<String> {
        let found =
            ok(Command::new("find").current_dir(self.dir.path()).args([".", "-type", "f", "-not", "-path", "./bin/*"]));
        found.lines().map(ToOwned::to_owned).collect()
    }
}

pub fn which(name: &str) -> PathBuf {
    let path = std::env::var("PATH").unwrap();
    let found = path.split(':').map(|directory| Path::new(directory).join(name)).find(|file| file.is_file());
    found.unwrap_or_else(|| panic!("{name} is needed here"))
}
