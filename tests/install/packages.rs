//! What else is made of the same binaries: the archive that the action takes, a Debian package, a formula, images, a crate.

use super::fixture::{Release, TARGETS, VERSION, binary, ok, repository, root, text};
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

fn sha256(file: &Path) -> String {
    ok(Command::new("sha256sum").arg(file))[..64].to_owned()
}

#[test]
fn the_same_binaries_are_packed_into_the_same_bytes_and_all_are_summed() {
    let release = Release::new();
    release.pack(VERSION, "again");
    let sums = std::fs::read_to_string(release.packed("SHA256SUMS")).unwrap();
    assert_eq!(sums, std::fs::read_to_string(release.dir.path().join("again/SHA256SUMS")).unwrap());
    assert_eq!(sums.lines().count(), TARGETS.len() + 4, "two .deb, formula, installer: {sums}");
    let list = ok(Command::new("tar").arg("-tf").arg(release.packed(&format!("{}.tar.gz", binary()))));
    for file in ["cutover", "LICENSE-MIT", "man/cutover.1", "man/cutover-release.1", "completions/_cutover"] {
        assert!(list.contains(&format!("{}/{file}\n", binary())), "{file}: {list}");
    }
}

#[test]
fn the_action_asks_once_for_an_archive_and_then_never_again() {
    let release = Release::new();
    let action = TempDir::new().unwrap();
    for name in ["scripts", ".github"] {
        std::fs::create_dir(action.path().join(name)).unwrap();
    }
    for name in ["scripts/action", "scripts/sums"] {
        std::fs::copy(root().join(name), action.path().join(name)).unwrap();
    }
    let archives = TARGETS.map(|target| release.packed(&format!("cutover-{VERSION}-{target}.tar.gz")));
    let binaries = TARGETS.map(|target| release.dir.path().join(format!("binaries/cutover-{VERSION}-{target}")));
    ok(Command::new(action.path().join("scripts/sums")).arg(VERSION).args(binaries).args(archives));
    let run = || {
        let mut script = Command::new(action.path().join("scripts/action"));
        script.env_clear().env("PATH", std::env::var("PATH").unwrap()).env("HOME", action.path());
        script.env("CUTOVER_ACTION_REPOSITORY", repository()).env("GITHUB_SERVER_URL", &release.url);
        ok(script.env("INPUT_COMMAND", "--version"))
    };
    assert!(run().contains(VERSION));
    let path = format!("/{}/releases/download/v{VERSION}/{}.tar.gz", repository(), binary());
    assert_eq!(release.requests(), [path, format!("/objects/{}.tar.gz", binary())], "one request and its redirect");
    assert!(run().contains(VERSION));
    assert!(release.requests().is_empty());
}

#[test]
fn the_debian_package_installs_what_a_package_should() {
    let release = Release::of("1.0.0-rc.1");
    let architecture = ok(Command::new("dpkg").arg("--print-architecture"));
    let package = release.packed(&format!("cutover_1.0.0-rc.1_{}.deb", architecture.trim()));
    // a system of its own, in a directory
    let system = release.dir.path().join("system");
    std::fs::create_dir_all(system.join("var/lib/dpkg/updates")).unwrap();
    std::fs::create_dir_all(system.join("var/lib/dpkg/info")).unwrap();
    std::fs::write(system.join("var/lib/dpkg/status"), "").unwrap();
    let dpkg = |words: &[&str]| {
        let mut dpkg = Command::new("dpkg");
        dpkg.args(["--force-not-root", "--force-bad-path", "--log=/dev/null"])
            .arg(format!("--root={}", system.display()));
        ok(dpkg.args(words))
    };
    dpkg(&["--install", package.to_str().unwrap()]);
    for file in [
        "usr/bin/cutover",
        "usr/share/man/man1/cutover-release.1.gz",
        "usr/share/bash-completion/completions/cutover",
        "usr/share/doc/cutover/copyright",
    ] {
        assert!(system.join(file).is_file(), "{file}");
    }
    assert!(ok(Command::new(system.join("usr/bin/cutover")).arg("--version")).contains(VERSION));
    dpkg(&["--verify", "cutover"]);
    let status = dpkg(&["--status", "cutover"]);
    assert!(status.contains("\nVersion: 1.0.0~rc.1\n") && status.contains("Status: install ok installed"), "{status}");
    let older = Command::new("dpkg").args(["--compare-versions", "1.0.0~rc.1", "lt", "1.0.0"]).status().unwrap();
    assert!(older.success());
    dpkg(&["--purge", "cutover"]);
    assert!(!system.join("usr/bin/cutover").exists());
}

#[test]
fn the_formula_names_the_archive_of_each_machine_and_installs_it() {
    let release = Release::new();
    let (dir, homebrew) = (release.dir.path(), root().join("tests/install/homebrew.rb"));
    for target in TARGETS {
        let name = format!("cutover-{VERSION}-{target}");
        let archive = release.packed(&format!("{name}.tar.gz"));
        ok(Command::new("tar").current_dir(dir).arg("-xf").arg(&archive));
        let into = dir.join(format!("into-{target}"));
        let mut ruby = Command::new("ruby");
        ruby.current_dir(dir.join(&name)).arg(&homebrew).arg(release.packed("cutover.rb"));
        let said = ok(ruby.env("MACHINE", target).env("INTO", &into));
        let url = format!("https://github.com/{}/releases/download/v{VERSION}/{name}.tar.gz", repository());
        assert_eq!(said.lines().collect::<Vec<_>>(), [url, sha256(&archive)]);
        for file in ["bin/cutover", "man1/cutover-release.1", "bash_completion/cutover", "zsh_completion/_cutover"] {
            assert!(into.join(file).is_file(), "{file}");
        }
    }
}

#[test]
fn the_images_hold_the_binary_and_the_larger_one_can_run_a_job() {
    let lab = lab::Lab::up().unwrap();
    let release = Release::new();
    let image = lab.repository("cutover");
    let docker = |words: &[&str]| ok(Command::new("docker").args(words).env("DOCKER_HOST", &lab.docker_host));
    let binaries = release.dir.path().join("image");
    std::fs::create_dir(&binaries).unwrap();
    // the binary under test links the system's libraries, so it runs in the larger image only
    ok(Command::new("strip").arg("-o").arg(binaries.join(binary())).arg(env!("CARGO_BIN_EXE_cutover")));
    let mut make = Command::new(root().join("scripts/release-image"));
    make.arg(VERSION).arg(&binaries).args([&image, "--build-arg", "CI_BASE=nginx:1.30"]);
    make.env("DOCKER_HOST", &lab.docker_host).env("DOCKER_BUILDKIT", "0").env("REGISTRY_INSECURE", "1");
    ok(make.env("DOCKER_CONFIG", release.dir.path()));
    for tag in [VERSION, "latest"] {
        let name = format!("{image}:{tag}");
        docker(&["pull", "--quiet", &name]);
        let files = docker(&["create", &name]);
        let out = release.dir.path().join("files.tar");
        docker(&["export", "--output", out.to_str().unwrap(), files.trim()]);
        docker(&["rm", files.trim()]);
        let list = ok(Command::new("tar").arg("-tf").arg(out));
        for file in ["usr/local/bin/cutover\n", "etc/ssl/certs/ca-certificates.crt\n", "tmp/\n"] {
            assert!(list.contains(file), "{file}: {list}");
        }
        assert!(!list.contains("bin/sh"), "{list}");
    }
    let name = format!("{image}:ci");
    let said = docker(&["run", "--rm", &name, "sh", "-c", "cutover --version"]);
    assert!(said.contains(VERSION), "{said}");
    let none =
        Command::new(root().join("scripts/release-image")).args(["9.9.9", binaries.to_str().unwrap(), &image]).output();
    assert!(text(&none.unwrap()).contains("has no Linux binary of version 9.9.9"));
}

#[test]
fn the_crate_builds_from_what_is_packed_and_holds_nothing_else() {
    let cargo = |words: &[&str]| {
        let mut cargo = Command::new(env!("CARGO"));
        // a test has variables of its own package, and build scripts would take them for a reason to build anew
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("CARGO_")) {
            if name != "CARGO_HOME" {
                cargo.env_remove(name);
            }
        }
        cargo.current_dir(root()).args(["package", "--quiet", "--locked", "--offline", "--allow-dirty"]).args(words);
        ok(&mut cargo)
    };
    let list = cargo(&["--list"]);
    let own =
        ["Cargo.toml", "Cargo.toml.orig", "Cargo.lock", ".cargo_vcs_info.json", "README.md", "cutover.schema.json"];
    for file in list.lines() {
        assert!(file.starts_with("src/") || file.starts_with("LICENSE-") || own.contains(&file), "{file}");
    }
    // `cargo publish` would build it once more; with the dependencies of this build that takes seconds
    let target = Path::new(env!("CARGO_BIN_EXE_cutover")).parent().and_then(Path::parent).unwrap();
    cargo(&["--target-dir", target.to_str().unwrap()]);
    let packed = target.join(format!("package/cutover-{VERSION}.crate"));
    assert!(std::fs::metadata(packed).unwrap().len() < 1_000_000);
}

#[test]
fn cargo_binstall_finds_the_archive_and_the_binary_in_it() {
    let release = Release::new();
    let manifest = ok(Command::new(env!("CARGO")).current_dir(root()).args([
        "metadata",
        "--no-deps",
        "--offline",
        "--format-version",
        "1",
    ]));
    let manifest: serde_json::Value = serde_json::from_str(&manifest).unwrap();
    let packages = manifest["packages"].as_array().unwrap();
    let binstall = &packages.iter().find(|package| package["name"] == "cutover").unwrap()["metadata"]["binstall"];
    for target in TARGETS {
        let fill = |key: &str| {
            let text = binstall[key].as_str().unwrap().to_owned();
            let values = [
                ("repo", env!("CARGO_PKG_REPOSITORY")),
                ("name", "cutover"),
                ("version", VERSION),
                ("target", target),
                ("bin", "cutover"),
                ("binary-ext", ""),
            ];
            values.iter().fold(text, |text, (name, value)| text.replace(&format!("{{ {name} }}"), value))
        };
        let url = fill("pkg-url");
        let archive = release.packed(url.rsplit('/').next().unwrap());
        assert_eq!(
            url,
            format!(
                "https://github.com/{}/releases/download/v{VERSION}/cutover-{VERSION}-{target}.tar.gz",
                repository()
            )
        );
        ok(Command::new("tar").arg("-tf").arg(archive).arg(fill("bin-dir")));
    }
}
