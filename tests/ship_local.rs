//! What is read from Docker on this side: only what is new in an image, where Docker knows the rest.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

mod common;

use common::layout::{Layout, layer};
use cutover::release::DockerCli;
use cutover::release::digest::Digest;
use cutover::report::{Format, Reporter};
use cutover::ship::local::{self, Local};
use cutover::ship::{Cache, Encoding, Image};
use lab::Lab;
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tempfile::TempDir;

const MIB: usize = 1 << 20;

/// The lab's Docker as the one on this side, and a cache.
struct Here {
    dir: TempDir,
    docker: Arc<DockerCli>,
    cache: Cache,
    repository: String,
}

impl Here {
    fn new(name: &str) -> Here {
        let dir = TempDir::new().unwrap();
        let lab = Lab::up().unwrap();
        let envs = lab.docker();
        let envs: String = envs
            .get_envs()
            .filter_map(|(name, value)| Some(format!("{}='{}' ", name.to_str()?, value?.to_str()?)))
            .collect();
        let real = Command::new("sh").args(["-c", "command -v docker"]).output().unwrap().stdout;
        let docker = at(&dir, &format!("exec env {envs} {} \"$@\"", String::from_utf8(real).unwrap().trim()));
        let cache = Cache::at(&dir.path().join("cache")).unwrap();
        Here { docker, cache, repository: lab.repository(name), dir }
    }

    fn sh(&self, script: &str) -> String {
        let path = format!("{}:{}", self.dir.path().display(), std::env::var("PATH").unwrap());
        let output = Command::new("sh").args(["-ec", script]).env("PATH", path).stdin(Stdio::null()).output().unwrap();
        assert!(output.status.success(), "{script}: {output:?}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// An image of one layer that Docker has seen nowhere.
    fn base(&self) -> String {
        let (tar, name) = (self.dir.path().join("base.tar"), format!("{}-base", self.repository));
        std::fs::write(&tar, layer("base", 6 * MIB)).unwrap();
        self.sh(&format!("docker import {} {name}", tar.display()));
        name
    }

    fn build(&self, base: &str, tag: &str) -> String {
        let (context, name) = (TempDir::new().unwrap(), format!("{}:{tag}", self.repository));
        std::fs::write(context.path().join("Dockerfile"), format!("FROM {base}\nCOPY settings /\n")).unwrap();
        std::fs::write(context.path().join("settings"), tag).unwrap();
        self.sh(&format!("docker build -q -t {name} {}", context.path().display()));
        name
    }

    async fn read(&self, name: &str) -> Local {
        local::image(&self.docker, name, &self.cache).await.unwrap()
    }

    async fn teach(&self, image: &Image) {
        let reporter = Reporter::new(Format::Json, false);
        local::teach(&self.docker, image, &self.cache, &reporter).await.unwrap();
    }

    /// The image has no name of ours any more, and no other image is left: those go while nobody waits.
    fn assert_tidy(&self, id: &Digest) {
        let deadline = Instant::now() + Duration::from_secs(20);
        let names = || self.sh(&format!("docker image inspect -f '{{{{.RepoTags}}}} {{{{.RepoDigests}}}}' {id}"));
        while names().contains("127.0.0.1") {
            assert!(Instant::now() < deadline, "left: {}", names());
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Here {
    fn drop(&mut self) {
        self.sh(&format!("docker image ls -q {} {0}-base | sort -u | xargs -r docker rmi -f", self.repository));
    }
}

/// An executable that stands in for docker.
fn at(dir: &TempDir, script: &str) -> Arc<DockerCli> {
    let path = dir.path().join("docker");
    std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    Arc::new(DockerCli::plain(&path))
}

/// Every layer is what its diff id says.
async fn assert_whole(image: &Image, cache: &Cache) {
    for at in 0..image.layers.len() {
        let blob = image.encoded(at, Encoding::Plain, cache).await.unwrap();
        let mut bytes = Vec::new();
        blob.bytes.reader(blob.size).read_to_end(&mut bytes).unwrap();
        assert_eq!(Digest::of(&bytes), image.layers[at].diff_id);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn docker_hands_over_what_is_new_once_it_knows_the_rest() {
    let here = Here::new("handed");
    let base = here.base();
    let first = here.read(&here.build(&base, "v1")).await;
    assert!(first.unknown && first.how == "docker save: much of it is new", "{}", first.how);
    here.teach(&first.image).await;
    here.assert_tidy(&first.image.id);

    let second = here.build(&base, "v2");
    let read = here.read(&second).await;
    assert_eq!((read.how.as_str(), read.unknown), ("docker push: 1 of 2 layers new", false));
    assert_eq!(read.image.id.as_str(), here.sh(&format!("docker image inspect -f '{{{{.Id}}}}' {second}")));
    assert_whole(&read.image, &here.cache).await;
    here.assert_tidy(&read.image.id);
    // once handed over, it is no news any more
    assert_eq!(here.read(&second).await.how, "docker push: 0 of 2 layers new");

    // another cache lacks what did not come; a host that needs it gets it all the same
    let empty = Cache::at(&here.dir.path().join("empty")).unwrap();
    let read = local::image(&here.docker, &second, &empty).await.unwrap();
    assert_eq!((read.image.layers[0].size(), read.image.layers[1].size()), (None, None), "{}", read.how);
    // a small one is handed over by itself, a large one comes with an export of all
    let small = read.image.encoded(1, Encoding::Plain, &empty).await.unwrap();
    assert_eq!((&small.digest, read.image.layers[0].size()), (&read.image.layers[1].diff_id, None));
    assert_whole(&read.image, &empty).await;
}

/// Docker as it would be if somebody else pushed to the port first.
#[tokio::test(flavor = "multi_thread")]
async fn an_image_that_somebody_else_pushed_is_not_taken() {
    let dir = TempDir::new().unwrap();
    let layout = Layout::of(&[layer("a", 1000)]);
    let tar = dir.path().join("image.tar");
    layout.tar(&tar);
    let manifest = format!(
        "{{\"schemaVersion\":2,\"config\":{{\"digest\":\"{}\",\"size\":1}},\"layers\":[]}}",
        Digest::of(b"another")
    );
    let docker = format!(
        "case \"$*\" in\n\
         image*) echo '{} 1000' ;;\n\
         context*) echo unix:///var/run/docker.sock ;;\n\
         push*) shift 2; curl -sSf -o /dev/null -X PUT -d '{manifest}' \"http://${{1%%/*}}/v2/${{1#*/}}/manifests/latest\" ;;\n\
         save*) cat {} ;;\n\
         esac",
        Digest::of(b"asked for"),
        tar.display()
    );
    let docker = at(&dir, &docker);
    let cache = Cache::at(&dir.path().join("cache")).unwrap();
    let read = local::image(&docker, "team/app:v1", &cache).await.unwrap();
    assert_eq!(read.how, "docker save: another image came than the one asked for");
    assert_eq!(read.image.layers[0].diff_id, layout.layers[0]);
}
