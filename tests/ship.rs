//! Images reach hosts over SSH alone: only what is missing travels, and what arrives is what was sent.
#![allow(clippy::print_stdout, missing_docs, clippy::unwrap_used, clippy::expect_used)]

mod common;

use common::layout::{Layout, layer};
use common::wire::Wire;
use cutover::host::Host;
use cutover::host::script::Fence;
use cutover::host::ssh::{Options, Session};
use cutover::report::{Format, Reporter};
use cutover::ship::send::{Delivery, Sent, send};
use cutover::ship::{Cache, Image, read};
use lab::{Instance, Kind, Start};
use std::path::PathBuf;
use std::time::{Duration, Instant};
use tempfile::TempDir;

const MIB: u64 = 1 << 20;

/// A host that is logged in to, and a cache of this test's own.
struct Link {
    instance: Instance,
    host: Host,
    cache: Cache,
    _dir: TempDir,
}

impl Link {
    async fn to(instance: Instance) -> Link {
        let place = format!("{}:{}", instance.address, instance.port);
        let known_hosts = std::fs::read_to_string(&instance.known_hosts).unwrap();
        Link::through(instance, &place, known_hosts).await
    }

    async fn through(instance: Instance, place: &str, known_hosts: String) -> Link {
        let options = Options {
            known_hosts: Some(known_hosts),
            key_files: vec![PathBuf::from(&instance.key)],
            ..Options::default()
        };
        let target = format!("deploy@{place}").parse().unwrap();
        let session = Session::connect(&target, &options).await.unwrap();
        instance.ok("mkdir -p app/.cutover/default && echo a-test > app/.cutover/lock").unwrap();
        let host = Host::new("web", session, Reporter::new(Format::Json, false));
        let dir = TempDir::new().unwrap();
        Link { instance, host, cache: Cache::at(dir.path()).unwrap(), _dir: dir }
    }

    async fn send(&self, image: &Image, tag: &str) -> anyhow::Result<Sent> {
        self.send_for("app", image, tag).await
    }

    async fn send_for(&self, service: &str, image: &Image, tag: &str) -> anyhow::Result<Sent> {
        let engine = self.instance.ok("docker version -f '{{.Server.Version}}'")?;
        let (name, record) = (format!("team/app:{tag}"), format!("/home/deploy/app/.cutover/default/layers-{service}"));
        let fence = Fence { state: "/home/deploy/app/.cutover/default".to_owned(), holder: "a-test".to_owned() };
        send(&Delivery { host: &self.host, image, cache: &self.cache, engine: &engine, name, record, fence }, None)
            .await
    }

    fn read(&self, layout: &Layout) -> Image {
        read::path(layout.dir.path(), &self.cache).unwrap()
    }

    fn ok(&self, script: &str) -> String {
        self.instance.ok(script).unwrap()
    }

    /// The image has its name and no other, nothing listens any more, and its files are the ones that were sent.
    fn assert_tidy(&self, tag: &str, image: &Image) {
        assert_eq!(self.ok(&format!("docker image inspect -f '{{{{.Id}}}}' team/app:{tag}")), image.id.as_str());
        self.assert_no_port_names();
        assert_eq!(self.listening(), Vec::<String>::new());
    }

    /// The port's name goes while nobody waits.
    fn assert_no_port_names(&self) {
        let gone = "for i in $(seq 100); do names=$(docker image ls --digests | grep '^127.0.0.1') || exit 0; sleep 0.1; \
                    done; echo \"$names\"";
        assert_eq!(self.ok(gone), "", "the port's name is left");
    }

    /// Addresses on which this host listens for us.
    fn listening(&self) -> Vec<String> {
        let all = self.instance.root("ss -ltnH | awk '{ print $4 }'").unwrap();
        all.lines().filter(|line| line.rsplit(':').next().is_some_and(ours)).map(str::to_owned).collect()
    }
}

fn ours(port: &str) -> bool {
    port.parse::<u16>().is_ok_and(|port| (20_000..30_000).contains(&port))
}

fn quiet(kind: Kind) -> Instance {
    Instance::start(kind).unwrap()
}

fn refusing(kind: Kind) -> Instance {
    let mut start = Start::new(kind);
    start.sshd.push("AllowTcpForwarding no".to_owned());
    start.start().unwrap()
}

async fn a_second_image_sends_only_what_changed(link: Link, way: &str) {
    let (base, first, second) = (layer("base", 8 << 20), layer("one", 1000), layer("two", 2000));
    let image = link.read(&Layout::of(&[base.clone(), first]));
    let sent = link.send(&image, "v1").await.unwrap();
    assert!(sent.text.contains(way), "{}", sent.text);
    assert!((8 * MIB..9 * MIB).contains(&sent.bytes), "{}", sent.text);
    link.assert_tidy("v1", &image);

    let image = link.read(&Layout::of(&[base, second]));
    let sent = link.send(&image, "v2").await.unwrap();
    let way = way.split(':').next().unwrap();
    assert!(sent.text.contains(way), "{}", sent.text);
    assert!(sent.bytes < 5000, "{}", sent.text);
    link.assert_tidy("v2", &image);
    let sent = link.send(&image, "v2").await.unwrap();
    assert_eq!(sent.bytes, 0, "{}", sent.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_image_sends_only_what_changed_to_docker_26() {
    a_second_image_sends_only_what_changed(Link::to(quiet(Kind::V2)).await, "by docker pull").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_image_sends_only_what_changed_to_docker_20() {
    a_second_image_sends_only_what_changed(Link::to(quiet(Kind::V1)).await, "by docker pull").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_forwarding_is_refused_docker_26_loads_only_what_changed() {
    let why = "by docker load: the SSH server does not forward ports";
    a_second_image_sends_only_what_changed(Link::to(refusing(Kind::V2)).await, why).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_forwarding_is_refused_docker_20_loads_only_what_changed() {
    let why = "by docker load: the SSH server does not forward ports";
    a_second_image_sends_only_what_changed(Link::to(refusing(Kind::V1)).await, why).await;
}

/// A slow link: layers travel compressed in a way that the engine reads.
async fn on_a_slow_link_layers_are_compressed(kind: Kind, word: &str) {
    let instance = quiet(kind);
    let wire = Wire::to(&instance, Some(20_000_000));
    let (place, known) = (format!("127.0.0.1:{}", wire.port), wire.known_hosts(&instance));
    let link = Link::through(instance, &place, known).await;
    let zeros = vec![7; 32 << 20];
    let mut tar = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(zeros.len() as u64);
    tar.append_data(&mut header, "sevens", &*zeros).unwrap();
    let (base, one, two) = (tar.into_inner().unwrap(), layer("one", 1000), layer("two", 1000));
    let image = link.read(&Layout::of(&[base.clone(), one]));
    let sent = link.send(&image, "v1").await.unwrap();
    assert!(sent.text.contains(word) && sent.bytes < MIB, "{}", sent.text);
    link.assert_tidy("v1", &image);
    // the next release names the layer as it was sent, whatever is measured then
    let image = link.read(&Layout::of(&[base, two]));
    let sent = link.send(&image, "v2").await.unwrap();
    assert!(sent.bytes < 5000, "{}", sent.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_slow_link_docker_26_gets_zstd() {
    on_a_slow_link_layers_are_compressed(Kind::V2, "zstd").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_slow_link_docker_20_gets_gzip() {
    on_a_slow_link_layers_are_compressed(Kind::V1, "gzip").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flipped_byte_never_becomes_an_image() {
    for instance in [quiet(Kind::V2), quiet(Kind::V1), refusing(Kind::V2), refusing(Kind::V1)] {
        let link = Link::to(instance).await;
        let layout = Layout::of(&[layer("base", 1 << 20), layer("one", 1 << 20)]);
        let image = link.read(&layout);
        let path = layout.path(&layout.layers[1]);
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[300_000] ^= 1;
        std::fs::write(&path, bytes).unwrap();
        let error = format!("{:#}", link.send(&image, "v1").await.unwrap_err());
        // the last is how an engine says it that has unpacked the layer before it compares
        let digests = ["digest", "diffID", "don't match image configuration"];
        assert!(digests.iter().any(|word| error.contains(word)), "{error}");
        assert!(!link.instance.sh("docker image inspect team/app:v1").unwrap().success());
        assert_eq!(link.listening(), Vec::<String>::new());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_port_is_on_loopback_and_knows_one_image_while_it_is_pulled() {
    let instance = quiet(Kind::V2);
    let wire = Wire::to(&instance, Some(4_000_000));
    let (place, known) = (format!("127.0.0.1:{}", wire.port), wire.known_hosts(&instance));
    let link = Link::through(instance.clone(), &place, known).await;
    let image = link.read(&Layout::of(&[layer("base", 40 << 20)]));
    let other = Link::to(instance).await;
    let (digest, id) = (image.digest.clone(), image.id.clone());
    let look = tokio::task::spawn_blocking(move || {
        let deadline = Instant::now() + Duration::from_secs(20);
        let address = loop {
            assert!(Instant::now() < deadline, "nothing listens");
            match &other.listening()[..] {
                [only] => break only.clone(),
                _ => std::thread::sleep(Duration::from_millis(50)),
            }
        };
        assert!(address.starts_with("127.0.0.1:"), "{address}");
        let asked = [
            "200 /v2/".to_owned(),
            format!("200 /v2/cutover/app/blobs/{id}"),
            "405 -X PUT /v2/cutover/app/manifests/v1".to_owned(),
            "/v2/_catalog".to_owned(),
            "/v2/cutover/app/tags/list".to_owned(),
            "/v2/cutover/app/manifests/v1".to_owned(),
            format!("/v2/cutover/app/manifests/{id}"),
            format!("/v2/cutover/other/manifests/{digest}"),
            format!("/v2/other/app/manifests/{digest}"),
            format!("/v2/cutover/app/blobs/{digest}"),
            "/etc/passwd".to_owned(),
        ];
        // all at once: each waits behind the image on the slow wire
        let ask = |asked: &String| {
            let (expected, words) = asked.split_once(' ').unwrap_or(("404", asked));
            let (words, path) = words.rsplit_once(' ').unwrap_or(("", words));
            format!(
                "{{ got=$(curl -sS -m 30 {words} -o /dev/null -w '%{{http_code}}' http://{address}{path} 2>&1); \
                 [ \"$got\" = {expected} ] || echo \"$got {path}\"; }} & "
            )
        };
        let script: String = asked.iter().map(ask).collect();
        assert_eq!(other.ok(&(script + "wait")), "");
    });
    let (sent, looked) = tokio::join!(link.send(&image, "v1"), look);
    looked.unwrap();
    sent.unwrap();
    link.assert_tidy("v1", &image);
}

/// Once it is there the image is not named any more: the lock is another run's by then.
async fn a_run_that_was_overtaken_names_no_image(link: Link) {
    let image = link.read(&Layout::of(&[layer("base", 4 << 20)]));
    link.ok("printf 'another\\nsomebody else, v9.0.0\\n' > app/.cutover/lock");
    let error = link.send(&image, "v1").await.expect_err("it is overtaken");
    assert!(format!("{error:#}").contains("was taken over by somebody else, v9.0.0"), "{error:#}");
    assert!(error.downcast_ref::<cutover::host::lock::Overtaken>().is_some(), "{error:#}");
    let named = link.ok("docker image ls -q team/app");
    assert_eq!(named, "");
    assert_eq!(link.ok("ls app/.cutover/default"), "", "it wrote down what it had sent");
    assert_eq!(link.listening(), Vec::<String>::new());
    link.assert_no_port_names();
    link.ok("echo a-test > app/.cutover/lock");
    link.send(&image, "v1").await.unwrap();
    link.assert_tidy("v1", &image);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_was_overtaken_names_no_image_that_was_pulled() {
    a_run_that_was_overtaken_names_no_image(Link::to(quiet(Kind::V2)).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_was_overtaken_names_no_image_that_was_loaded() {
    a_run_that_was_overtaken_names_no_image(Link::to(refusing(Kind::V2)).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_releases_to_one_host_do_not_meet() {
    for kind in [Kind::V2, Kind::V1] {
        let instance = quiet(kind);
        let (one, two) = (Link::to(instance.clone()).await, Link::to(instance).await);
        let (first, second) =
            (one.read(&Layout::of(&[layer("a", 4 << 20)])), two.read(&Layout::of(&[layer("b", 4 << 20)])));
        // the same service, so the same port is preferred
        let (a, b) = tokio::join!(one.send(&first, "v1"), two.send(&second, "v2"));
        assert!(a.unwrap().text.contains("by docker pull") && b.unwrap().text.contains("by docker pull"));
        one.assert_tidy("v1", &first);
        two.assert_tidy("v2", &second);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_that_is_taken_is_passed_over() {
    let link = Link::to(quiet(Kind::V2)).await;
    let (one, two) = (layer("a", 1 << 20), layer("b", 1000));
    let image = link.read(&Layout::of(std::slice::from_ref(&one)));
    let wire = Wire::to(&link.instance, Some(1_000_000));
    let known = wire.known_hosts(&link.instance);
    let slow = Link::through(link.instance.clone(), &format!("127.0.0.1:{}", wire.port), known).await;
    // a pull that hangs holds a port; the second one goes beside it
    let big = slow.read(&Layout::of(&[layer("c", 8 << 20)]));
    let (held, sent) = tokio::join!(slow.send(&big, "v9"), async {
        tokio::time::sleep(Duration::from_secs(2)).await;
        link.send(&image, "v1").await
    });
    held.unwrap();
    assert!(sent.unwrap().text.contains("by docker pull"));
    let image = link.read(&Layout::of(&[one, two]));
    assert!(link.send(&image, "v2").await.unwrap().bytes < 5000);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_on_the_host_is_said_and_mended() {
    let link = Link::to(quiet(Kind::V2)).await;
    let small = "mkdir -p /small && mount -t tmpfs -o size=24m small /small && echo '{}' > /small.json && \
                 dockerd --config-file /small.json --containerd /run/containerd/containerd.sock --containerd-namespace small --containerd-plugins-namespace small-plugins --data-root /small --exec-root /run/small -H unix:///run/small.sock -p /run/small.pid \
                 --bridge none --iptables=false --storage-driver vfs > /lab/small.log 2>&1 & \
                 for i in $(seq 100); do [ -S /run/small.sock ] && break; sleep 0.1; done; chgrp docker /run/small.sock; chmod 660 /run/small.sock";
    link.instance.root(small).unwrap();
    link.host.find_docker_by(&[("DOCKER_HOST", "unix:///run/small.sock".to_owned())]);
    let image = link.read(&Layout::of(&[layer("a", 40 << 20)]));
    let error = format!("{:#}", link.send(&image, "v1").await.unwrap_err());
    assert!(error.contains("no space left on device"), "{error}");
    assert_eq!(link.listening(), Vec::<String>::new());
    link.instance.root("mount -o remount,size=400m /small").unwrap();
    assert!(link.send(&image, "v1").await.unwrap().bytes > 40 * MIB);
}

/// Docker 26 with images in containerd's store.
fn with_containerd_store(instance: Instance) -> Instance {
    let settings = r#"{"features": {"containerd-snapshotter": true}, "storage-driver": "native"}"#;
    instance.root(&format!("echo '{settings}' > /etc/docker/daemon.json")).unwrap();
    instance.restart_dockerd().unwrap();
    instance
}

#[tokio::test(flavor = "multi_thread")]
async fn containerd_s_store_gets_only_what_changed() {
    for (instance, way) in [(quiet(Kind::V2), "by docker pull"), (refusing(Kind::V2), "by docker load")] {
        let link = Link::to(with_containerd_store(instance)).await;
        let (base, first, second) = (layer("base", 8 << 20), layer("one", 1000), layer("two", 2000));
        let sent = link.send(&link.read(&Layout::of(&[base.clone(), first])), "v1").await.unwrap();
        assert!(sent.text.contains(way) && sent.bytes > 8 * MIB, "{}", sent.text);
        let sent = link.send(&link.read(&Layout::of(&[base, second])), "v2").await.unwrap();
        println!("{}", sent.text);
        assert!(sent.bytes < 5000 || way == "by docker load", "{}", sent.text);
        assert_eq!(sent.id, link.ok("docker image inspect -f '{{.Id}}' team/app:v2"));
        link.assert_no_port_names();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn containerd_s_store_goes_on_where_a_cut_pull_stopped() {
    let instance = with_containerd_store(quiet(Kind::V2));
    let wire = Wire::to(&instance, Some(20_000_000));
    wire.cut(vec![20 * MIB]);
    let (place, known) = (format!("127.0.0.1:{}", wire.port), wire.known_hosts(&instance));
    let link = Link::through(instance.clone(), &place, known.clone()).await;
    let layout = Layout::of(&[layer("base", 30 << 20)]);
    link.send(&link.read(&layout), "v1").await.unwrap_err();
    let link = Link::through(instance, &place, known).await;
    let sent = link.send(&link.read(&layout), "v1").await.unwrap();
    println!("after a cut at 20 of 30 MiB: {}", sent.text);
    assert!(sent.bytes < 20 * MIB, "{}", sent.text);
}

#[tokio::test]
async fn an_image_is_the_same_as_a_directory_and_as_a_tar() {
    let dir = TempDir::new().unwrap();
    let cache = Cache::at(&dir.path().join("cache")).unwrap();
    let layout = Layout::of(&[layer("a", 300_000), layer("b", 10)]);
    let tar = dir.path().join("image.tar");
    layout.tar(&tar);
    let (one, two) = (read::path(layout.dir.path(), &cache).unwrap(), read::path(&tar, &cache).unwrap());
    let three = read::save(std::fs::File::open(&tar).unwrap(), &cache).unwrap();
    assert_eq!((&one.digest, &one.id), (&two.digest, &two.id));
    assert_eq!((&one.digest, &one.id), (&three.digest, &three.id));
    std::fs::write(&tar, &std::fs::read(&tar).unwrap()[..200_000]).unwrap();
    assert!(read::save(std::fs::File::open(&tar).unwrap(), &cache).is_err(), "half an archive");
}
