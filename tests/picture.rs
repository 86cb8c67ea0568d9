//! `scripts/picture`: a real release, as a terminal shows it, in docs/release.svg, and the summary of its job in docs/summary.png. What
//! they show was printed; the names of registry and host are those of the examples, and what docker says of the build and the lab's
//! disk is left out. And how such a summary looks, in any window.
#![allow(missing_docs, unreachable_pub, clippy::unwrap_used, clippy::expect_used)]

mod common;
#[path = "action/mermaid.rs"]
mod mermaid;

use common::{Bench, access, cutover, root, run};
use lab::{App, Kind};
use mermaid::{Look, drawn, page, picture};
use std::fmt::Write as _;
use tempfile::TempDir;

const MESSAGE: &str = "v1.1.0 Faster search";
/// Of a character and of a line, in pixels; SVG's fonts are told to keep to it.
const WIDTH: usize = 8;
const HEIGHT: usize = 19;

/// The summary of a job that deploys this version.
fn summary(bench: &Bench, version: &str, settings: &[(&str, &str)], code: i32) -> String {
    bench.image(version, settings);
    let file = bench.dir.path().join("summary.md");
    let _ = std::fs::remove_file(&file);
    let mut deploy = bench.command(&["deploy", "--version", version]);
    deploy.envs([
        ("GITHUB_ACTIONS", "true"),
        ("GITHUB_SERVER_URL", "https://github.com"),
        ("GITHUB_REPOSITORY", "devrank/api"),
    ]);
    deploy.env("GITHUB_SHA", "0123456789abcdef0123456789abcdef01234567").env("GITHUB_STEP_SUMMARY", &file);
    run(&mut deploy).expect(code);
    std::fs::read_to_string(file).unwrap().replace(&bench.repository, "devrank/backend-api")
}

fn without_the_labs_disk(text: &str) -> String {
    let Some((before, rest)) = text.split_once("**Warnings.**") else { return text.to_owned() };
    let (warnings, after) = rest.split_once("| Version").unwrap();
    assert!(
        warnings.lines().filter(|line| line.starts_with("web-1")).all(|line| line.contains("disk: ")),
        "{warnings}"
    );
    format!("{before}| Version{after}")
}

fn bench() -> Bench {
    let mut bench = Bench::reference(Kind::V2);
    let host = bench.config.lines().find_map(|line| line.strip_prefix("host: ")).unwrap().to_owned();
    bench.config =
        bench.config.replace(&format!("host: {host}"), &format!("host: {{address: \"{host}\", alias: web-1}}"));
    bench
}

/// Never healthy, and it says why.
const SICK: [(&str, &str); 2] =
    [("UNHEALTHY_MS", "-1"), ("LOG", "Error: connect ECONNREFUSED 10.0.0.5:5432 (the database)")];

#[test]
fn a_summary_is_read_from_the_top_in_light_and_dark_and_in_a_narrow_window() {
    let mut bench = bench();
    bench.config += "health: {timeout: 2s}\n";
    let directory = TempDir::new().unwrap();
    for (text, parts) in [
        (
            summary(&bench, "v1.1.0", &SICK, 3),
            &[
                "v1.1.0: failed",
                "What went wrong",
                "it answered 503",
                "ECONNREFUSED",
                "What to do",
                ">0123456</a>",
                "Put back",
                "<svg",
            ][..],
        ),
        (summary(&bench, "v1.2.0", &[], 0), &["v1.2.0 is live", ">0123456</a>", "<td>web-1</td>", "<svg"]),
    ] {
        for (dark, width) in [(false, 900), (true, 900), (false, 380), (true, 380)] {
            let seen = drawn(&page(&text, Look { dark, width }), directory.path());
            assert!(seen.contains("<title>drawn 0 0</title>"), "dark: {dark}, {width} pixels: {seen}\n{text}");
            let main = seen.split_once("<main").unwrap().1;
            let places: Vec<_> =
                parts.iter().map(|part| main.find(part).unwrap_or_else(|| panic!("{part}: {main}"))).collect();
            assert!(places.is_sorted(), "{parts:?}: {places:?}: {main}");
        }
    }
}

#[test]
#[ignore = "writes docs/summary.png and docs/summary-failed.png: scripts/picture"]
fn the_summaries_of_a_release_and_of_a_failure_are_drawn() {
    let mut bench = bench();
    bench.config += "health: {timeout: 2s}\n";
    bench.deploy("v1.0.1", &[]).expect(0);
    let directory = TempDir::new().unwrap();
    for (text, name, dark) in [
        (summary(&bench, "v1.1.0", &[], 0), "summary.png", false),
        (summary(&bench, "v1.2.0", &SICK, 3), "summary-failed.png", true),
    ] {
        let page = page(&without_the_labs_disk(&text), Look { dark, width: 900 });
        picture(&page, directory.path(), 900, &root().join("docs").join(name));
    }
}

#[test]
#[ignore = "writes docs/release.svg: scripts/picture"]
fn a_release_is_drawn_as_it_was_printed() {
    let bench = bench();
    bench.deploy("v1.0.1", &[]).expect(0);
    let tree = bench.work_tree("v1.0.0", "v1.0.0");
    tree.commit(&App::new(&bench.repository, "v1.1.0"), MESSAGE).unwrap();
    let mut release = cutover();
    let ran = run(release.current_dir(tree.path()).arg("release").envs(access(&bench.instance))).expect(0);
    let text = format!("{}{}", ran.stderr, ran.stdout).replace(&bench.repository, "devrank/backend-api");
    let text: Vec<&str> = text.lines().filter(|line| !line.contains("build │") && !line.contains("disk: ")).collect();
    assert_eq!(bench.project.served_version().as_deref(), Some("v1.1.0"));
    let shown = format!("$ git commit -m \"{MESSAGE}\"\n$ cutover release\n{}", text.join("\n"));
    std::fs::write(root().join("docs/release.svg"), svg(&shown)).unwrap();
}

fn svg(text: &str) -> String {
    let lines: Vec<String> = text.lines().map(short).collect();
    let (wide, high) = (110 * WIDTH + 32, lines.len() * HEIGHT + 56);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {wide} {high}\" width=\"{wide}\" height=\"{high}\" role=\"img\">\n\
         <title>A release, as cutover prints it</title>\n\
         <rect width=\"{wide}\" height=\"{high}\" rx=\"8\" fill=\"#1b1f24\"/>\n\
         <g fill=\"#57606a\"><circle cx=\"20\" cy=\"18\" r=\"5\"/><circle cx=\"38\" cy=\"18\" r=\"5\"/><circle cx=\"56\" cy=\"18\" r=\"5\"/></g>\n\
         <g font-family=\"ui-monospace, SFMono-Regular, Menlo, Consolas, monospace\" font-size=\"13\">\n"
    );
    for (number, line) in lines.iter().enumerate().filter(|(_, line)| !line.is_empty()) {
        let (y, length) = (48 + number * HEIGHT, line.chars().count() * WIDTH);
        let escaped = line.replace('&', "&amp;").replace('<', "&lt;").replace(' ', "\u{a0}");
        let _ = writeln!(
            svg,
            "<text x=\"16\" y=\"{y}\" textLength=\"{length}\" fill=\"{}\">{escaped}</text>",
            colour(line)
        );
    }
    svg + "</g>\n</svg>\n"
}

/// Digests by their first characters; what still does not fit is cut, and says so.
fn short(line: &str) -> String {
    let mut parts = line.split("sha256:");
    let first = parts.next().unwrap_or_default().to_owned();
    let line = parts.fold(first, |line, part| match part.split_at_checked(64) {
        Some((digest, rest)) => format!("{line}sha256:{}…{rest}", &digest[..12]),
        None => format!("{line}sha256:{part}"),
    });
    match line.char_indices().nth(110) {
        None => line,
        Some((end, _)) => format!("{}…", line[..end].trim_end_matches(' ')),
    }
}

fn colour(line: &str) -> &'static str {
    match line.trim_start_matches(|c: char| c == ' ' || c == '.' || c.is_ascii_digit()) {
        line if line.starts_with("$ ") => "#f0f6fc",
        line if line.starts_with("warning") => "#d29922",
        line if line.contains(" is live ") || line.contains("→") => "#3fb950",
        _ => "#adbac7",
    }
}
