//! Programs that cutover starts on this side get no secret that they were not meant to have.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

mod common;

use common::run;
use std::path::Path;
use std::process::Command;

/// Writes down how it was called and everything it can read of its surroundings, then answers as docker and git would.
const STAND_IN: &str = "#!/bin/sh\nhere=$(dirname \"$0\")\n{ echo \"=== $(basename \"$0\") $*\"; tr '\\0' '\\n' < /proc/$$/environ; } >> \
                        \"$here/log\"\ncase \"$(basename \"$0\") $*\" in\n  git*log*) echo a; echo 'v1.2.3 words' ;;\n  git*) echo \
                        https://github.com/a/b ;;\n  *'image inspect'*) echo sha256:1d ;;\n  *'buildx version'*) exit 0 \
                        ;;\nesac\n";

/// Every variable that this run knows as a secret.
const SECRETS: [(&str, &str); 11] = [
    ("CUTOVER_SSH_KEY", "secret-key"),
    ("CUTOVER_SSH_KEY_PASSPHRASE", "secret-passphrase"),
    ("CUTOVER_REGISTRY_PASSWORD", "secret-password"),
    ("CUTOVER_GITHUB_TOKEN", "secret-token-1"),
    ("GITHUB_TOKEN", "secret-token-2"),
    ("ACTIONS_RUNTIME_TOKEN", "secret-token-3"),
    ("INPUT_SSH-KEY", "secret-input"),
    ("OTHER_KEY", "secret-of-key-env"),
    ("WHOLE_ENV", "A=secret-in-env-file"),
    ("OTHER_PASSWORD", "secret-of-password-env"),
    ("NPM_TOKEN", "secret-of-the-build"),
];

fn stand_in(dir: &Path, name: &str) {
    use std::os::unix::fs::PermissionsExt;
    let file = dir.join(name);
    std::fs::write(&file, STAND_IN).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
}

/// The surroundings of each call, by its words.
fn calls(dir: &Path) -> Vec<(String, String)> {
    let log = std::fs::read_to_string(dir.join("log")).unwrap();
    let calls = log.split("=== ").skip(1).filter_map(|call| call.split_once('\n'));
    calls.map(|(words, surroundings)| (words.to_owned(), surroundings.to_owned())).collect()
}

#[test]
fn no_child_has_a_secret_in_its_environment_but_the_build_that_asks_for_it() {
    let dir = tempfile::tempdir().unwrap();
    stand_in(dir.path(), "docker");
    stand_in(dir.path(), "git");
    let config = "image: ghcr.io/a/b\nhost: deploy@127.0.0.1\ndirectory: /srv/app\nssh: {key-env: OTHER_KEY}\nregistry: \
                  {username: u, password-env: OTHER_PASSWORD}\nenv-file: {path: .env, from-env: WHOLE_ENV}\nbuild: \
                  {context: ., secrets: {npm: {env: NPM_TOKEN}}CACHE}\n";
    let build = |cache: &str| {
        std::fs::write(dir.path().join("cutover.yml"), config.replace("CACHE", cache)).unwrap();
        let _ = std::fs::remove_file(dir.path().join("log"));
        let path = format!("{}:{}", dir.path().display(), std::env::var("PATH").unwrap());
        let mut command = Command::new(env!("CARGO_BIN_EXE_cutover"));
        command.current_dir(dir.path()).arg("build").envs(SECRETS).env("PATH", path).env("KEPT", "not-hidden");
        for name in ["GITHUB_EVENT_NAME", "GITHUB_EVENT_PATH", "GITHUB_ACTIONS"] {
            command.env_remove(name);
        }
        run(&mut command).expect(0);
        calls(dir.path())
    };
    let all = build("");
    let programs = |program: &str| all.iter().filter(|(words, _)| words.starts_with(program)).count();
    assert!(programs("docker") >= 3 && programs("git") >= 1, "{all:?}");
    for (words, surroundings) in &all {
        assert!(surroundings.contains("KEPT=not-hidden"), "{words}: {surroundings}");
        let asked = words.starts_with("docker buildx build");
        for (name, secret) in SECRETS {
            assert_eq!(surroundings.contains(secret), asked && name == "NPM_TOKEN", "{words} has {name}");
        }
    }
    // GitHub's cache is reached with the job's token
    let cached = build(", cache-to: 'type=gha,mode=max'");
    let has = |words: &str| {
        cached.iter().any(|(known, around)| known.starts_with(words) && around.contains("secret-token-3"))
    };
    assert!(has("docker buildx build") && !has("docker image") && !has("git"));
}
