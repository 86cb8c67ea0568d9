//! Versions under tags of another form than `v1.2.3`.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

mod common;

use common::Bench;
use lab::{Kind, Options, build_app};

#[test]
fn a_version_is_found_under_the_tag_that_it_has_and_what_is_not_found_says_which_were_tried() {
    let mut bench = Bench::idle(Kind::V2, Options::default());
    let first = bench.image("1.0.0", &[]);
    bench.project.bring_up(&[&first]).unwrap();
    bench.project.ok(&format!("docker pull -q {}:1.0.0", bench.repository)).unwrap();
    build_app(&bench.repository, "1.1.0", &[]).unwrap();
    bench.config += "build: false\n";
    let image = bench.repository.clone();
    let there = format!("{image}:1.1.0 is there: `tag: \"{{version}}\"` in cutover.yml takes it");
    bench.cutover(&["push", "--version", "v1.1.0"]).expect(3).says(&there).never_says(&format!("push {image}"));

    assert!(bench.status()["version"].is_null());
    bench.config += "tag: \"{version}\"\n";
    assert_eq!(bench.status()["version"], "v1.0.0");
    bench.cutover(&["push", "--version", "v1.1.0"]).expect(0).says(&format!("find {image}:1.1.0"));
    let missing = format!("{image}:v9.0.1 was tried too, and is not there");
    bench.cutover(&["push", "--version", "v9.0.1"]).expect(3).says(&format!("{image}:9.0.1")).says(&missing);
    bench.cutover(&["deploy", "--version", "v1.1.0"]).expect(0).says("v1.1.0 is live");
    assert_eq!(bench.project.served_version().as_deref(), Some("1.1.0"));
    build_app(&bench.repository, "1.2.0", &[]).unwrap();
    bench.cutover(&["deploy", "--version", "v1.2.0"]).expect(0);
    assert_eq!(bench.status()["version"], "v1.2.0");

    bench.cutover(&["rollback"]).expect(0).says("v1.1.0 is live");
    assert_eq!(bench.project.served_version().as_deref(), Some("1.1.0"));
}
