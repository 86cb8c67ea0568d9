//! scripts/action by itself: which binary it runs, and what it does with its inputs.
#![allow(missing_docs, dead_code, unreachable_pub, clippy::unwrap_used, clippy::expect_used)]

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// A commit of the action with a stand-in for its binary, which prints its words and some of its environment.
struct Action {
    dir: TempDir,
    file: String,
}

const STAND_IN: &str = "#!/bin/sh\nprintf 'word:%s\\n' \"$@\"\nenv | grep ^CUTOVER_ | sort\nprintf 'key:%s\\n' \"$CUTOVER_SSH_KEY\"\npwd\n";

impl Action {
    fn new() -> Action {
        let dir = TempDir::new().unwrap();
        let target = format!("{}-unknown-linux-musl", std::env::consts::ARCH);
        let action = Action { dir, file: format!("cutover-9.9.9-{target}") };
        for name in ["scripts", ".github", "mirror", "tools", "work"] {
            std::fs::create_dir(action.path(name)).unwrap();
        }
        for name in ["scripts/action", "scripts/sums"] {
            std::fs::copy(Path::new(env!("CARGO_MANIFEST_DIR")).join(name), action.path(name)).unwrap();
        }
        std::fs::write(action.path("mirror").join(&action.file), STAND_IN).unwrap();
        action.pack(STAND_IN);
        action.sum_up();
        action
    }

    /// The archive of a release, with this program in it.
    fn pack(&self, program: &str) {
        std::fs::create_dir_all(self.path(&self.file)).unwrap();
        std::fs::write(self.path(&self.file).join("cutover"), program).unwrap();
        let mut tar = Command::new("tar");
        tar.arg("-C").arg(self.dir.path()).arg("-czf").arg(self.archive()).arg(&self.file);
        assert!(tar.status().unwrap().success());
    }

    fn archive(&self) -> PathBuf {
        self.path("mirror").join(format!("{}.tar.gz", self.file))
    }

    fn sum_up(&self) {
        let mut sums = Command::new(self.path("scripts/sums"));
        sums.arg("9.9.9").arg(self.path("mirror").join(&self.file)).arg(self.archive());
        assert!(sums.output().unwrap().status.success());
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn run(&self, env: &[(&str, &str)]) -> (bool, String) {
        let mut script = Command::new(self.path("scripts/action"));
        script.current_dir(self.path("work")).env_clear().env("PATH", std::env::var("PATH").unwrap());
        script.env("RUNNER_TOOL_CACHE", self.path("tools")).env("HOME", self.dir.path());
        script.env("CUTOVER_MIRROR", format!("file://{}", self.path("mirror").display()));
        let output = script.envs(env.iter().copied()).output().unwrap();
        let text = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8(text).unwrap())
    }
}

#[test]
fn a_binary_of_the_right_sum_is_kept_and_run() {
    let action = Action::new();
    let (good, said) = action.run(&[]);
    assert!(good && said.starts_with("word:release\n"), "{said}");
    std::fs::remove_dir_all(action.path("mirror")).unwrap();
    let (good, said) = action.run(&[("INPUT_COMMAND", "status")]);
    assert!(good && said.starts_with("word:status\n"), "{said}");
}

#[test]
fn a_binary_of_another_sum_is_never_run() {
    let action = Action::new();
    let refuses = |why: &str| {
        let (good, said) = action.run(&[]);
        assert!(!good && said.contains("::error title=cutover::") && said.contains(why), "{said}");
        assert!(!said.contains("evil"), "{said}");
        let left = std::fs::read_dir(action.path("tools/cutover").join(&action.file)).unwrap().count();
        assert_eq!(left, 0, "nothing of it is left");
    };
    action.pack("#!/bin/sh\necho evil\n");
    refuses("tar.gz is not what this commit of the action expects (SHA-256 differs); it was not run");
    // an archive of the right sum with another binary in it
    action.sum_up();
    refuses("the binary in ");
}

#[test]
fn a_runner_that_has_no_binary_is_told_which_runner_has() {
    let action = Action::new();
    std::fs::create_dir(action.path("bin")).unwrap();
    let uname = action.path("bin/uname");
    std::fs::write(&uname, "#!/bin/sh\necho MINGW64_NT-10.0-20348\n").unwrap();
    std::fs::set_permissions(&uname, std::fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", action.path("bin").display(), std::env::var("PATH").unwrap());
    let (good, said) = action.run(&[("PATH", &path)]);
    assert!(!good && said.contains("no cutover for Windows runners: give this job `runs-on: ubuntu-latest`"), "{said}");
}

#[test]
fn a_kept_binary_that_was_changed_is_fetched_again() {
    let action = Action::new();
    action.run(&[]);
    let kept = action.path("tools/cutover").join(&action.file).join("cutover");
    std::fs::write(&kept, "#!/bin/sh\necho evil\n").unwrap();
    let (good, said) = action.run(&[]);
    assert!(good && said.starts_with("word:release\n"), "{said}");
}

#[test]
fn a_download_that_fails_says_what_was_missing() {
    let action = Action::new();
    std::fs::remove_dir_all(action.path("mirror")).unwrap();
    let (good, said) = action.run(&[]);
    assert!(
        !good && said.contains(&format!("::error title=cutover::{}.tar.gz could not be downloaded", action.file)),
        "{said}"
    );
}

#[test]
fn arguments_are_words_and_nothing_is_expanded() {
    let action = Action::new();
    std::fs::write(action.path("work/file"), "").unwrap();
    let args = "--wait  10m\n--x $(touch hit) `touch hit` * \"a b\" ; touch hit";
    let (good, said) = action.run(&[("INPUT_ARGS", args), ("INPUT_COMMAND", "deploy")]);
    assert!(good && !action.path("work/hit").exists(), "{said}");
    for word in ["--wait", "10m", "$(touch", "*", "\"a", "b\"", ";"] {
        assert!(said.contains(&format!("word:{word}\n")), "{word}: {said}");
    }
}

#[test]
fn an_input_that_is_empty_is_not_set() {
    let action = Action::new();
    std::fs::create_dir(action.path("work/sub dir")).unwrap();
    let env = [
        ("CUTOVER_VERSION", ""),
        ("CUTOVER_CONFIG", "x.yml"),
        ("CUTOVER_SSH_KEY", "a\nb"),
        ("INPUT_WORKING_DIRECTORY", "sub dir"),
    ];
    let (good, said) = action.run(&env);
    assert!(good && !said.contains("CUTOVER_VERSION") && said.contains("CUTOVER_CONFIG=x.yml"), "{said}");
    assert!(said.contains("key:a\nb\n") && said.trim_end().ends_with("work/sub dir"), "{said}");
}

#[test]
fn setup_only_puts_it_on_the_path() {
    let action = Action::new();
    let file = action.path("path");
    let (good, said) = action.run(&[("INPUT_COMMAND", "setup"), ("GITHUB_PATH", file.to_str().unwrap())]);
    assert!(good && said.starts_with("word:--version\n"), "{said}");
    let added = std::fs::read_to_string(file).unwrap();
    assert!(Path::new(added.trim()).join("cutover").is_file(), "{added}");
}

#[test]
fn a_checkout_without_sums_is_built_with_its_lock_file() {
    let action = Action::new();
    std::fs::remove_file(action.path(".github/sums.txt")).unwrap();
    std::fs::create_dir(action.path("bin")).unwrap();
    // stands in for cargo: writes down its words, and installs the stand-in
    let cargo = format!(
        "#!/bin/sh\necho \"cargo $*\"\nwhile [ \"$1\" != --root ]; do shift; done\nmkdir -p \"$2/bin\"\n\
         cp '{0}/mirror/{1}' \"$2/bin/cutover\"\nchmod 755 \"$2/bin/cutover\"\n",
        action.dir.path().display(),
        action.file
    );
    std::fs::write(action.path("bin/cargo"), cargo).unwrap();
    std::fs::set_permissions(action.path("bin/cargo"), std::fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", action.path("bin").display(), std::env::var("PATH").unwrap());
    let (good, said) = action.run(&[("PATH", &path)]);
    let here = action.dir.path().display();
    assert!(good && said.contains(&format!("cargo install --quiet --locked --path {here} --root ")), "{said}");
    assert!(said.contains("word:release\n"), "{said}");
}
