//! How a release is published, to a repository in a directory that stands for GitHub.

use super::fixture::{Release, TARGETS, VERSION, ok, program, repository, root};
use std::path::{Path, PathBuf};
use std::process::Command;

fn git(directory: &Path, words: &[&str]) -> String {
    let mut git = Command::new("git");
    git.current_dir(directory).args([
        "-c",
        "user.name=x",
        "-c",
        "user.email=x@example.com",
        "-c",
        "init.defaultBranch=main",
    ]);
    ok(git.args(words).env("GIT_CONFIG_GLOBAL", "/dev/null"))
}

/// GitHub's two repositories, a checkout with the scripts, and a `gh` that notes its words.
struct Forge {
    release: Release,
}

impl Forge {
    fn new(version: &str) -> Forge {
        let forge = Forge { release: Release::of(version) };
        let (owner, name) = repository().split_once('/').unwrap();
        for bare in [format!("{owner}/{name}.git"), format!("{owner}/homebrew-{name}.git")] {
            std::fs::create_dir_all(forge.path("github").join(&bare)).unwrap();
            git(&forge.path("github").join(&bare), &["init", "-q", "--bare"]);
        }
        let checkout = forge.path("checkout");
        std::fs::create_dir_all(checkout.join("scripts")).unwrap();
        std::fs::create_dir_all(checkout.join(".github")).unwrap();
        for name in ["release-publish", "sums"] {
            std::fs::copy(root().join("scripts").join(name), checkout.join("scripts").join(name)).unwrap();
        }
        git(&checkout, &["init", "-q"]);
        git(&checkout, &["add", "."]);
        git(&checkout, &["commit", "-qm", "released"]);
        std::fs::create_dir(forge.path("bin")).unwrap();
        program(&forge.path("bin/gh"), "#!/bin/sh\nprintf '%s\\n' \"$@\" >>\"$GH_WORDS\"\n");
        std::fs::write(forge.path("attestation.json"), "{}").unwrap();
        forge
    }

    fn path(&self, name: &str) -> PathBuf {
        self.release.dir.path().join(name)
    }

    fn publish(&self, version: &str) -> String {
        let mut publish = Command::new(self.path("checkout/scripts/release-publish"));
        publish.arg(version).args([self.path("binaries"), self.path("packed")]);
        publish.env("PATH", format!("{}:{}", self.path("bin").display(), std::env::var("PATH").unwrap()));
        publish.env("GITHUB_SERVER_URL", format!("file://{}", self.path("github").display()));
        publish.env("GITHUB_REPOSITORY", repository()).env("GH_TOKEN", "a-token").env("TAP_TOKEN", "tap-token");
        publish.env("PROVENANCE", self.path("attestation.json")).env("GH_WORDS", self.path("words"));
        ok(publish.env("GIT_CONFIG_GLOBAL", "/dev/null"));
        std::fs::read_to_string(self.path("words")).unwrap()
    }

    fn at(&self, bare: &str, words: &[&str]) -> String {
        git(&self.path("github").join(bare), words)
    }
}

#[test]
fn a_release_pins_its_binaries_in_the_tags_commit_and_then_moves_the_major_tag_and_the_formula() {
    let forge = Forge::new(VERSION);
    let words = forge.publish(VERSION);
    let (owner, name) = repository().split_once('/').unwrap();
    let (own, tap) = (format!("{owner}/{name}.git"), format!("{owner}/homebrew-{name}.git"));
    let tag = format!("v{VERSION}");
    let sums = forge.at(&own, &["show", &format!("{tag}:.github/sums.txt")]);
    assert_eq!(sums.lines().count(), 2 * TARGETS.len(), "binaries and archives: {sums}");
    let packed = std::fs::read_to_string(forge.path("packed/SHA256SUMS")).unwrap();
    let archives: Vec<&str> = sums.lines().filter(|line| line.ends_with(".tar.gz")).collect();
    assert!(archives.len() == TARGETS.len() && archives.iter().all(|line| packed.contains(line)), "{sums}");
    let major = format!("v{}", env!("CARGO_PKG_VERSION_MAJOR"));
    assert_eq!(forge.at(&own, &["rev-parse", &major]), forge.at(&own, &["rev-parse", &tag]));
    for file in ["install.sh", "SHA256SUMS", "cutover.rb", "_amd64.deb", "cutover-0.1.0.sigstore.json"] {
        let file = file.replace("0.1.0", VERSION);
        assert!(words.lines().any(|word| word.ends_with(&file)), "{file}: {words}");
    }
    assert!(!words.contains("--prerelease"), "{words}");
    let formula = forge.at(&tap, &["show", "HEAD:Formula/cutover.rb"]);
    assert_eq!(formula, std::fs::read_to_string(forge.path("packed/cutover.rb")).unwrap());
}

#[test]
fn a_prerelease_moves_neither() {
    let forge = Forge::new("1.0.0-rc.1");
    let words = forge.publish("1.0.0-rc.1");
    assert!(words.contains("--prerelease"), "{words}");
    let (owner, name) = repository().split_once('/').unwrap();
    assert_eq!(forge.at(&format!("{owner}/{name}.git"), &["tag"]), "v1.0.0-rc.1\n");
    assert_eq!(forge.at(&format!("{owner}/homebrew-{name}.git"), &["for-each-ref"]), "");
}

#[test]
fn what_is_written_of_the_action_names_the_major_tag_that_a_release_moves() {
    let grep = ["grep", "-hoIE", "uses: cutover-release/cutover@v[0-9]+$"];
    let found = Command::new("git").current_dir(root()).args(grep).output().unwrap();
    let found = String::from_utf8(found.stdout).unwrap();
    let expected = concat!("uses: cutover-release/cutover@v", env!("CARGO_PKG_VERSION_MAJOR"));
    assert!(found.lines().count() > 5 && found.lines().all(|line| line == expected), "{found}");
}

#[test]
fn the_repositorys_name_is_changed_by_one_command_everywhere() {
    let dir = tempfile::TempDir::new().unwrap();
    let from = format!("file://{}", root().display());
    git(dir.path(), &["clone", "-q", "--depth", "1", &from, "clone"]);
    let clone = dir.path().join("clone");
    let run = |words: &[&str]| Command::new(clone.join("scripts/repository")).args(words).output().unwrap();
    assert_eq!(String::from_utf8(run(&[]).stdout).unwrap().trim(), repository());
    assert!(run(&["acme/blue-green"]).status.success());
    let (owner, _) = repository().split_once('/').unwrap();
    let left = Command::new("git").current_dir(&clone).args(["grep", "-nI", &format!("{owner}/")]).output().unwrap();
    assert_eq!(String::from_utf8(left.stdout).unwrap(), "", "where the old name is left");
    assert_eq!(String::from_utf8(run(&[]).stdout).unwrap().trim(), "acme/blue-green");
    std::fs::write(clone.join("README.md"), "- uses: somebody/cutover@v1\n").unwrap();
    let other = run(&[]);
    assert!(!other.status.success() && String::from_utf8_lossy(&other.stderr).contains("README.md:1:"), "{other:?}");
}
