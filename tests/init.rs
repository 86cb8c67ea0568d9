//! `cutover init` and the documents that cutover prints of itself; and a deploy key that can do nothing else.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

mod common;

use common::{Bench, Ran, cutover, root, run};
use lab::Kind;
use std::path::Path;
use std::process::Command;

fn reference_repository() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let copied = Command::new("cp").arg("-r").arg(root().join("tests/lab/project/.")).arg(dir.path()).status();
    assert!(copied.unwrap().success());
    let git = Command::new("git").args(["init", "-q", "-b", "main"]).current_dir(dir.path()).status();
    assert!(git.unwrap().success());
    dir
}

/// With no repository of the action to ask.
fn init(dir: &Path, words: &[&str]) -> Ran {
    init_with(dir, Path::new("/nowhere"), words)
}

/// With what stands for github.com in a directory.
fn init_with(dir: &Path, github: &Path, words: &[&str]) -> Ran {
    let mut init = cutover();
    let instead = format!("url.file://{}/.insteadOf", github.display());
    init.envs([
        ("GIT_CONFIG_GLOBAL", "/dev/null"),
        ("GIT_CONFIG_COUNT", "1"),
        ("GIT_CONFIG_VALUE_0", "https://github.com/"),
    ]);
    run(init.env("GIT_CONFIG_KEY_0", instead).current_dir(dir).arg("init").args(words))
}

fn read(dir: &Path, name: &str) -> String {
    std::fs::read_to_string(dir.join(name)).unwrap()
}

#[test]
fn the_reference_project_needs_only_host_and_directory() {
    let dir = reference_repository();
    let words = ["--host", "deploy@203.0.113.10", "--directory", "/home/deploy/app", "--keepalive-conf"];
    let ran = init(dir.path(), &words).expect(0).says("ssh-keyscan -p 22 203.0.113.10").says("gh secret set SSH_KEY");
    assert!(ran.stdout.contains("restrict,port-forwarding ssh-ed25519"), "{ran}");
    let expected = "image: devrank/backend-api\nhost: deploy@203.0.113.10\ndirectory: /home/deploy/app\n";
    assert!(read(dir.path(), "cutover.yml").ends_with(expected));
    assert!(ran.stderr.contains("names the action by the tag v1, which can move"), "{ran}");
    let documented = std::fs::read_to_string(root().join("docs/workflows/release.yml")).unwrap();
    assert_eq!(read(dir.path(), ".github/workflows/deploy.yml"), documented);
    assert!(read(dir.path(), "nginx/cutover-keepalive.conf").contains("\nkeepalive_min_timeout 10s;\n"));
}

#[test]
fn the_workflow_names_the_action_by_its_commit_and_passes_the_linters() {
    let github = tempfile::tempdir().unwrap();
    let action = github.path().join(env!("CARGO_PKG_REPOSITORY").trim_start_matches("https://github.com/"));
    std::fs::create_dir_all(&action).unwrap();
    let git = |words: &[&str]| {
        let mut git = Command::new("git");
        let who = ["-c", "user.name=x", "-c", "user.email=x@example.com"];
        let output =
            git.current_dir(&action).env("GIT_CONFIG_GLOBAL", "/dev/null").args(who).args(words).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    git(&["init", "-q"]);
    git(&["commit", "-q", "--allow-empty", "-m", "sums"]);
    let tag = concat!("v", env!("CARGO_PKG_VERSION"));
    git(&["tag", "-a", "-m", "with a message", tag]);
    let dir = reference_repository();
    let words = ["--host", "deploy@203.0.113.10", "--directory", "/home/deploy/app"];
    let ran = init_with(dir.path(), github.path(), &words).expect(0);
    assert!(!ran.stderr.contains("did not say which commit"), "{ran}");
    let workflow = read(dir.path(), ".github/workflows/deploy.yml");
    let uses = format!(
        "- uses: {}@{} # {tag}\n",
        env!("CARGO_PKG_REPOSITORY").trim_start_matches("https://github.com/"),
        git(&["rev-parse", "HEAD"])
    );
    assert!(workflow.contains(&uses), "{workflow}");
    let tools = Command::new(root().join("scripts/action-tools")).arg("python").output().unwrap();
    let tools = std::path::PathBuf::from(String::from_utf8(tools.stdout).unwrap().trim());
    for (tool, words) in [("zizmor", &["--offline", "--no-progress"][..]), ("actionlint", &[])] {
        let mut lint = Command::new(tools.join(tool));
        run(lint.args(words).arg(dir.path().join(".github/workflows/deploy.yml"))).expect(0);
    }
}

#[test]
fn nothing_is_ever_overwritten() {
    let dir = reference_repository();
    std::fs::write(dir.path().join("cutover.yml"), "mine").unwrap();
    init(dir.path(), &["--host", "h", "--directory", "/d"]).expect(0).says("cutover.yml is there already; not touched");
    assert_eq!(read(dir.path(), "cutover.yml"), "mine");
    std::fs::write(dir.path().join(".github/workflows/deploy.yml"), "mine too").unwrap();
    init(dir.path(), &["--host", "h", "--directory", "/d"]).expect(0);
    assert_eq!(read(dir.path(), ".github/workflows/deploy.yml"), "mine too");
}

#[test]
fn a_new_project_says_what_it_lacks_and_one_with_a_compose_file_is_no_new_one() {
    let dir = reference_repository();
    init(dir.path(), &["--new", "--host", "d@h"])
        .expect(2)
        .says("docker-compose.yml is here; `cutover init` without it");
    assert!(!dir.path().join("cutover.yml").exists());
    let empty = tempfile::tempdir().unwrap();
    let home = empty.path().join("home");
    let new = |words: &[&str]| {
        run(cutover()
            .current_dir(empty.path())
            .env("HOME", &home)
            .args(["init", "--new", "--action", "a/b@v1"])
            .args(words))
    };
    new(&["--host", "d@h"]).expect(2).says("there is no Dockerfile here yet").says("give --port");
    new(&["--host", "d@h", "--domain", "$(id).example"]).expect(2).says("a name such as shop.example.com");
    new(&["--host", "d@h", "--port", "0"]).expect(2).says("'--port <NUMBER>'");
    std::fs::write(empty.path().join("Dockerfile"), "FROM x\nEXPOSE 3000\nCMD npm start\n").unwrap();
    let ran = new(&["--host", "d@h", "--image", "ghcr.io/acme/shop"]).expect(0);
    let ran = ran.says("Write it as a list: CMD [\"npm\", \"start\"]").says("REGISTRY_PASSWORD");
    assert!(ran.stdout.contains("< ~/.ssh/cutover-shop") && home.join(".ssh/cutover-shop").is_file(), "{ran}");
    assert!(read(empty.path(), "docker-compose.yml").contains("image: ghcr.io/acme/shop:latest"));
    let key = read(&home, ".ssh/cutover-shop");
    new(&["--host", "d@h"]).expect(2);
    assert_eq!(read(&home, ".ssh/cutover-shop"), key);
}

#[test]
fn without_a_terminal_nothing_is_asked_and_what_is_missing_is_named() {
    let dir = reference_repository();
    init(dir.path(), &[]).expect(2).says("--host (").says("--directory (");
    let bad = init(dir.path(), &["--host", "a b", "--directory", "/d"]).expect(2);
    assert!(bad.stderr.contains("cutover.yml:3:"), "{bad}");
    assert!(!dir.path().join("cutover.yml").exists());
}

#[test]
fn on_a_terminal_it_asks() {
    let dir = reference_repository();
    let mut answers = tempfile::tempfile().unwrap();
    std::io::Write::write_all(&mut answers, b"devrank/other\ndeploy@h\n/srv/app\n/health\n").unwrap();
    std::io::Seek::rewind(&mut answers).unwrap();
    let line = format!("{} init --action a/b@v1", env!("CARGO_BIN_EXE_cutover"));
    let mut script = Command::new("script");
    script.args(["-qec", &line, "/dev/null"]).current_dir(dir.path()).env_remove("CI").stdin(answers);
    run(&mut script).expect(0).says("The image, without a tag [devrank/backend-api]");
    let text = read(dir.path(), "cutover.yml");
    assert!(text.ends_with("image: devrank/other\nhost: deploy@h\ndirectory: /srv/app\nhealth: /health\n"), "{text}");
}

#[test]
fn schema_completions_and_manual_are_printed_without_a_configuration() {
    let dir = tempfile::tempdir().unwrap();
    let ask = |words: &[&str]| run(cutover().current_dir(dir.path()).args(words)).expect(0).stdout;
    assert_eq!(ask(&["schema"]), std::fs::read_to_string(root().join("cutover.schema.json")).unwrap());
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        assert!(ask(&["completions", shell]).contains("allow-downgrade"), "{shell}");
    }
    assert!(ask(&["man"]).contains(".TH cutover 1"));
    ask(&["man", "pages"]);
    assert!(dir.path().join("pages/cutover-release.1").is_file());
}

#[test]
fn a_key_that_is_restricted_is_enough() {
    let bench = Bench::reference(Kind::V2);
    let dir = tempfile::tempdir().unwrap();
    let key = dir.path().join("cutover-key");
    let made = Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&key).status();
    assert!(made.unwrap().success());
    let public = read(dir.path(), "cutover-key.pub");
    for (version, options) in [("v1.1.0", "restrict"), ("v1.2.0", "restrict,port-forwarding")] {
        bench.instance.write(".ssh/authorized_keys", format!("{options} {public}")).unwrap();
        bench.instance.ok("chmod 700 .ssh && chmod 600 .ssh/authorized_keys").unwrap();
        bench.image(version, &[]);
        let mut deploy = bench.command(&["deploy", "--version", version]);
        run(deploy.env("CUTOVER_SSH_KEY", read(dir.path(), "cutover-key"))).expect(0);
        assert_eq!(bench.project.served_version().as_deref(), Some(version), "with {options}");
    }
}

#[test]
fn a_configuration_error_marks_its_line_on_github() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("app")).unwrap();
    std::fs::write(dir.path().join("app/cutover.yml"), "image: a/b\nhots: x\n").unwrap();
    let (out, summary) = (dir.path().join("out"), dir.path().join("summary"));
    let mut command = cutover();
    command.current_dir(dir.path().join("app")).arg("release").env("GITHUB_ACTIONS", "true");
    command.env("GITHUB_OUTPUT", &out).env("GITHUB_STEP_SUMMARY", &summary).env("GITHUB_WORKSPACE", dir.path());
    let ran = run(&mut command).expect(2);
    assert!(ran.stderr.starts_with("::error title=cutover,file=app/cutover.yml,line=2,col=1::"), "{ran}");
    assert!(read(dir.path(), "out").contains("\nbad-configuration\n"));
    assert!(read(dir.path(), "summary").contains("unknown key `hots`"));
}
