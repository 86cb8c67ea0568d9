//! The three ways to use cutover with GitHub, each as its documented workflow, run by act against a real instance.
#![allow(missing_docs, dead_code, unreachable_pub, clippy::unwrap_used, clippy::expect_used)]

#[path = "action/mod.rs"]
mod act;
mod common;
#[path = "common/github.rs"]
mod fake;

use act::Repository;
use common::Bench;
use lab::{App, Kind};

#[test]
fn a_push_releases_and_a_rerun_does_nothing() {
    let repository = Repository::new(Bench::reference(Kind::V2), "release.yml", "start");
    let app = App::new(&repository.bench.repository, "v1.1.0");
    let event = repository.commit(&app, "v1.1.0: search is faster");
    let job = repository.run("push", &event);
    println!("{}\n----\n{:?}\n---\n{}", job.log, job.outputs, job.summary);
    println!("{:#?}", repository.github.requests());
    panic!("look");
}
