//! Going back, by hand and by itself.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

mod common;

use common::Bench;
use lab::Kind;
use serde_json::json;

#[test]
fn a_rollback_starts_the_kept_container_and_passes_bad_versions_over() {
    let bench = Bench::reference(Kind::V2);
    bench.deploy("v1.1.0", &[]).expect(0);
    let kept = bench.project.ok("docker inspect -f '{{.Id}}' green").unwrap();
    bench.deploy("v1.2.0", &[]).expect(0);

    bench.cutover(&["rollback"]).expect(0).says("v1.1.0 is live");
    assert_eq!(bench.project.served_version().as_deref(), Some("v1.1.0"));
    assert_eq!(bench.project.ok("docker inspect -f '{{.Id}}' green").unwrap(), kept, "the kept container is used");
    let policy = bench.project.ok("docker inspect -f '{{.HostConfig.RestartPolicy.Name}}' green blue").unwrap();
    assert_eq!(policy.split_whitespace().collect::<Vec<_>>(), ["always", "no"]);

    bench.deploy("v1.3.0", &[]).expect(0);
    bench.cutover(&["rollback"]).expect(0).says("v1.1.0 is live");
    // v1.2.0 and v1.3.0 were rolled back, and v1.1.0 is live
    bench.cutover(&["rollback"]).expect(2).says("no earlier release");

    bench.cutover(&["rollback", "v1.2.0"]).expect(0);
    assert_eq!(bench.project.served_version().as_deref(), Some("v1.2.0"));
    bench.cutover(&["rollback", "--to", "v1.2.0"]).expect(2).says("live already");

    let history = bench.cutover(&["history"]).expect(0).stdout;
    assert_eq!(history.matches("rolled back").count(), 3, "{history}");
}

#[test]
fn a_version_whose_image_is_gone_comes_from_the_registry() {
    let mut bench = Bench::reference(Kind::V2);
    for version in ["v1.1.0", "v1.2.0", "v1.3.0"] {
        bench.deploy(version, &[]).expect(0);
    }
    bench.project.ok("docker images -q --filter reference='*/*/*/*:cutover-*-v1.1.0' | xargs docker rmi -f").unwrap();
    assert_eq!(bench.status()["rollback"], json!(["v1.2.0", "v1.1.0"]));
    bench.cutover(&["status"]).expect(0).says("v1.2.0 (the kept container), v1.1.0 (from the registry)");
    // without a registry it is nowhere, and with one again it is
    let config = bench.config.clone();
    bench.config += "registry: none\n";
    assert_eq!(bench.status()["rollback"], json!(["v1.2.0"]));
    let refused = bench.cutover(&["rollback", "v1.1.0", "--json"]).expect(2);
    refused
        .says("v1.1.0 is in the history, but its image is not everywhere")
        .says("possible: v1.2.0")
        .never_says("pull");
    bench.config = config;
    bench.cutover(&["rollback", "v1.1.0"]).expect(0);
    assert_eq!(bench.project.served_version().as_deref(), Some("v1.1.0"));
}

#[test]
fn a_version_that_fails_while_it_is_watched_is_put_back_by_itself() {
    let mut bench = Bench::reference(Kind::V2);
    bench.config += "bake: {for: 20s, max-failures: 2}\n";
    let conf = bench.project.conf().unwrap();
    bench.deploy("v1.1.0", &[("FAIL_AFTER_MS", "1500")]).expect(3).says("answered 500").says("are allowed");
    bench.assert_untouched(&conf);
    let history = bench.cutover(&["history", "--json"]).expect(0).result();
    assert_eq!(history["hosts"][0]["releases"][0]["outcome"], "put-back");
}

#[test]
fn only_so_many_releases_are_kept() {
    let mut bench = Bench::reference(Kind::V2);
    bench.config += "keep: 2\n";
    for version in ["v1.1.0", "v1.2.0", "v1.3.0", "v1.4.0"] {
        bench.deploy(version, &[]).expect(0);
    }
    let tags = bench.project.ok("docker images --format '{{.Tag}}' | grep cutover- | sort").unwrap();
    let tags: Vec<&str> = tags.lines().filter_map(|tag| tag.rsplit('-').next()).collect();
    assert_eq!(tags, ["v1.3.0", "v1.4.0"]);
    bench.cutover(&["rollback"]).expect(0).says("v1.3.0 is live");
}
