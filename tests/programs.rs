//! One place declares every program that scripts and tests start.
#![allow(missing_docs, clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/programs");

/// The second column of the table.
fn declared() -> BTreeSet<String> {
    let list = Command::new(SCRIPT).arg("list").output().unwrap();
    let list = String::from_utf8(list.stdout).unwrap();
    let programs = list.lines().filter_map(|line| line.split_whitespace().nth(1));
    programs.flat_map(|names| names.split('|')).map(str::to_owned).collect()
}

/// The Rust files below a directory.
fn files(directory: &Path, into: &mut Vec<String>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, into);
        } else if path.extension().is_some_and(|kind| kind == "rs") {
            into.push(std::fs::read_to_string(path).unwrap());
        }
    }
}

#[test]
fn every_program_that_a_test_starts_by_its_name_is_declared() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut texts = Vec::new();
    for directory in ["src", "tests"] {
        files(&root.join(directory), &mut texts);
    }
    let started = texts.iter().flat_map(|text| text.split("Command::new(\"").skip(1));
    let started = started.filter_map(|rest| rest.split_once('"')).map(|(name, _)| name.to_owned());
    // the repository's own, and what the tests of quoting only write down
    let started: BTreeSet<_> = started.filter(|name| name.len() > 1 && !name.contains(['/', '='])).collect();
    assert!(started.contains("ssh-keygen") && started.len() > 10, "{started:?}");
    let declared = declared();
    let undeclared: Vec<_> = started.iter().filter(|name| !declared.contains(*name)).collect();
    assert!(undeclared.is_empty(), "to be declared in scripts/programs: {undeclared:?}");
}

#[test]
fn a_missing_program_is_one_line_with_its_use_and_its_package() {
    let bare = tempfile::tempdir().unwrap();
    for name in ["bash", "env", "cat", "dirname", "sed"] {
        let real = Command::new("sh").args(["-c", &format!("command -v {name}")]).output().unwrap().stdout;
        let real = String::from_utf8(real).unwrap();
        std::os::unix::fs::symlink(real.trim(), bare.path().join(name)).unwrap();
    }
    let check = Command::new(SCRIPT).args(["check", "test"]).env("PATH", bare.path()).output().unwrap();
    let said = String::from_utf8(check.stderr).unwrap();
    assert_eq!(check.status.code(), Some(1), "{said}");
    let git: Vec<_> = said.lines().filter(|line| line.starts_with("programs: git is missing")).collect();
    assert_eq!(git.len(), 1, "{said}");
    assert!(git[0].contains("releases are made from") && git[0].contains("package git"), "{said}");
    assert!(said.lines().all(|line| line.starts_with("programs: ")), "{said}");
}
