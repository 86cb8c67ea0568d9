//! docs/start.md, followed word by word: its commands are read out of it and run, one after the other, against a server on which a
//! project runs that cutover has never seen.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

mod common;
#[allow(dead_code)]
#[path = "docs/page.rs"]
mod page;

use common::{Bench, access};
use lab::{App, Kind, Options, build_app};
use page::{Page, root};
use std::path::Path;
use std::time::Instant;

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
    for command in commands() {
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

/// The lines of the page's blocks, without what they say of themselves. How to install is for tests/install.rs.
fn commands() -> Vec<String> {
    let text = std::fs::read_to_string(root().join("docs/start.md")).unwrap();
    let blocks = Page { path: "docs/start.md".to_owned(), text }.blocks();
    let lines = blocks.iter().filter(|block| block.language == "sh").flat_map(|block| block.text.lines());
    let bare = lines.map(|line| line.split(" #").next().unwrap_or_default().trim().to_owned());
    bare.filter(|line| !line.is_empty() && !line.starts_with("curl ")).collect()
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
    let binaries = Path::new(env!("CARGO_BIN_EXE_cutover")).parent().unwrap();
    let path = format!("{}:{}", binaries.display(), std::env::var("PATH").unwrap());
    let mut shell = lab::cutover::command(Path::new("sh")).unwrap();
    shell.args(["-c", command]).current_dir(tree).env("PATH", path).envs(access(&bench.instance));
    // who has made the repository goes on in it
    for role in ["AUTHOR", "COMMITTER"] {
        shell.env(format!("GIT_{role}_NAME"), "A person").env(format!("GIT_{role}_EMAIL"), "person@example.com");
    }
    let output = shell.output().unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command}: {}\n{said}", output.status);
    said
}
