//! Images reach hosts over SSH alone: only what is missing travels, and what arrives is what was sent.
#![allow(clippy::print_stdout, missing_docs, clippy::unwrap_used, clippy::expect_used)]

mod common;

use common::layout::{Layout, layer};
use common::wire::Wire;
use common::{Bench, Ran};
use cutover::host::Host;
use cutover::host::ssh::{Options, Session};
use cutover::report::{Format, Reporter};
use cutover::ship::send::{Delivery, Sent, send};
use cutover::ship::{Cache, Image, read};
use lab::{App, Instance, Kind, Lab, Start};
use std::path::PathBuf;
use std::process::{Command, Stdio};
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
        let host = Host::new("web", session, Reporter::new(Format::Json, false));
        let dir = TempDir::new().unwrap();
        Link { instance, host, cache: Cache::at(dir.path()).unwrap(), _dir: dir }
    }

    async fn send(&self, image: &Image, tag: &str) -> anyhow::Result<Sent> {
        self.send_for("app", image, tag).await
    }

    async fn send_for(&self, service: &str, image: &Image, tag: &str) -> anyhow::Result<Sent> {
        let engine = self.instance.ok("docker version -f '{{.Server.Version}}'")?;
        send(&Delivery {
            host: &self.host,
            image,
            cache: &self.cache,
            engine: &engine,
            name: format!("team/app:{tag}"),
            record: format!("/home/deploy/app/.cutover/default/layers-{service}"),
        })
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
        let names =
            self.ok("docker image ls --digests --format '{{.Repository}}@{{.Digest}}' | grep 127.0.0.1 || true");
        assert_eq!(names, "", "the port's name is left");
        assert_eq!(self.listening(), Vec::<String>::new());
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
        let digests = ["digest", "diffID"];
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
    link.host.set_environment(&[("DOCKER_HOST", "unix:///run/small.sock")]);
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
        assert_eq!(link.ok("docker image ls --format '{{.Repository}}' | grep 127.0.0.1 || true"), "");
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

/// The project of a bench, without a registry.
fn without_registry(bench: &mut Bench) {
    bench.config += "registry: none\n";
}

fn a_release_without_a_registry(kind: Kind) {
    let mut bench = Bench::reference(kind);
    without_registry(&mut bench);
    let cache = TempDir::new().unwrap();
    let deploy = |bench: &Bench, version: &str| -> Ran {
        bench.image(version, &[]);
        common::run(bench.command(&["deploy", "--version", version]).env("XDG_CACHE_HOME", cache.path()))
    };
    deploy(&bench, "v1.1.0").expect(0).says("v1.1.0 is live").says("sent ");
    assert_eq!(bench.project.served_version().as_deref(), Some("v1.1.0"));
    deploy(&bench, "v1.2.0").expect(0).says("v1.2.0 is live").says("bytes of ");
    assert_eq!(bench.project.served_version().as_deref(), Some("v1.2.0"));
    let status = bench.status();
    assert_eq!(status["rollback"], serde_json::json!(["v1.1.0"]), "{status}");
    bench.cutover(&["rollback"]).expect(0).says("v1.1.0 is live");
}

#[test]
fn a_release_without_a_registry_on_docker_26() {
    a_release_without_a_registry(Kind::V2);
}

#[test]
fn a_release_without_a_registry_on_docker_20() {
    a_release_without_a_registry(Kind::V1);
}

/// A project whose image has a base that no host has, behind a wire.
struct Faulty {
    bench: Bench,
    wire: Wire,
    cache: TempDir,
    size: u64,
    base: &'static str,
}

/// An image with node in it that no host has, in one layer.
fn foreign_base() -> &'static str {
    let made = "docker image inspect lab/foreign >/dev/null 2>&1 && exit; id=$(docker create lab/node true) && \
                docker export $id | docker import - lab/foreign && docker rm $id";
    let docker = Lab::up().unwrap().docker();
    let envs = docker.get_envs().filter_map(|(name, value)| Some((name, value?)));
    let output = Command::new("sh").args(["-c", made]).envs(envs).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    "lab/foreign"
}

impl Faulty {
    /// The host has the image's base from elsewhere, so `docker load` is the way; not so with [`foreign_base`].
    fn new(kind: Kind, rate: Option<u64>) -> Faulty {
        let mut bench = Bench::reference(kind);
        let wire = Wire::to(&bench.instance, rate);
        let place = format!("deploy@127.0.0.1:{}", wire.port);
        bench.config = bench.config.replace(&bench.instance.destination(), &place);
        without_registry(&mut bench);
        Faulty { bench, wire, cache: TempDir::new().unwrap(), size: 0, base: "lab/node" }
    }

    /// Builds a version whose layers the host lacks.
    fn build(&mut self, version: &str, layers: &[u64]) {
        let dir = TempDir::new().unwrap();
        App::new(&self.bench.repository, version).write_context(dir.path()).unwrap();
        let mut dockerfile = std::fs::read_to_string(dir.path().join("Dockerfile")).unwrap();
        dockerfile = dockerfile.replace("lab/node", self.base);
        for (number, size) in layers.iter().enumerate() {
            let name = format!("noise-{number}");
            std::fs::write(dir.path().join(&name), layer("noise", usize::try_from(*size).unwrap())).unwrap();
            dockerfile += &format!("COPY {name} /noise/\n");
        }
        std::fs::write(dir.path().join("Dockerfile"), dockerfile).unwrap();
        let tag = format!("{}:{version}", self.bench.repository);
        let built = Lab::up().unwrap().docker().args(["build", "-q", "-t", &tag]).arg(dir.path()).output().unwrap();
        assert!(built.status.success(), "{built:?}");
        self.size = layers.iter().sum();
    }

    fn command(&self, version: &str) -> Command {
        let mut command = self.bench.command(&["deploy", "--version", version]);
        command.env("XDG_CACHE_HOME", self.cache.path());
        command.env("CUTOVER_KNOWN_HOSTS", self.wire.known_hosts(&self.bench.instance));
        command
    }

    fn deploy(&self, version: &str) -> Ran {
        common::run(&mut self.command(version))
    }

    /// Kills a deploy once so many bytes are on the host's side.
    fn kill_at(&self, version: &str, bytes: u64) {
        let before = self.wire.sent();
        let mut child = self.command(version).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        while self.wire.sent() - before < bytes {
            assert!(child.try_wait().unwrap().is_none(), "it ended before");
            std::thread::sleep(Duration::from_millis(5));
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }

    fn pulls(&self) -> String {
        self.bench.instance.root("pgrep -af '[d]ocker (pull|load)' || true").unwrap()
    }
}

/// Cut while the image is on its way, the run goes on by itself; the bytes that went twice are at most what one layer
/// and the buffers hold.
fn a_cut_connection_is_made_again(kind: Kind, way: &str) {
    const LAYER: u64 = 10 * MIB;
    let mut faulty = Faulty::new(kind, Some(40_000_000));
    if way == "by docker pull" {
        faulty.base = foreign_base();
    }
    faulty.build("v1.1.0", &[1000]);
    faulty.deploy("v1.1.0").expect(0);
    for (number, percent) in [10, 50, 90].into_iter().enumerate() {
        let version = format!("v1.{}.0", number + 2);
        faulty.build(&version, &[LAYER, LAYER, LAYER]);
        let (before, at) = (faulty.wire.sent(), faulty.size * percent / 100);
        faulty.wire.cut(vec![at]);
        let ran = faulty
            .deploy(&version)
            .expect(0)
            .says("connecting once more")
            .says(&format!("{version} is live"))
            .says(way);
        let sent = faulty.wire.sent() - before;
        let twice = sent.saturating_sub(faulty.size);
        println!("{kind:?} {way}: cut at {percent} %: {} KiB of {} KiB went twice", twice >> 10, faulty.size >> 10);
        assert!(twice < at + 4 * MIB, "{twice} of {} bytes went twice\n{ran}", faulty.size);
        assert_eq!(faulty.bench.project.served_version(), Some(version));
        assert_eq!(faulty.pulls(), "");
    }
}

#[test]
fn a_cut_connection_is_made_again_to_docker_26() {
    a_cut_connection_is_made_again(Kind::V2, "by docker pull");
}

#[test]
fn a_cut_connection_is_made_again_to_docker_20() {
    a_cut_connection_is_made_again(Kind::V1, "by docker pull");
}

#[test]
fn a_cut_connection_is_made_again_to_load() {
    a_cut_connection_is_made_again(Kind::V1, "by docker load");
}

/// Killed while the image is on its way, nothing is left running on the host, and the next run works.
fn a_killed_client_leaves_nothing_in_the_way(kind: Kind) {
    let mut faulty = Faulty::new(kind, Some(10_000_000));
    faulty.build("v1.1.0", &[12 * MIB, 12 * MIB]);
    faulty.kill_at("v1.1.0", 6 * MIB);
    faulty.deploy("v1.1.0").expect(0).says("v1.1.0 is live");
    faulty.build("v1.2.0", &[12 * MIB]);
    faulty.kill_at("v1.2.0", 6 * MIB);
    let deadline = Instant::now() + Duration::from_secs(10);
    while !faulty.pulls().is_empty() {
        assert!(Instant::now() < deadline, "left running: {}", faulty.pulls());
        std::thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(faulty.bench.project.served_version().as_deref(), Some("v1.1.0"));
    // the port that the killed run had is taken now
    let taken = "perl -MIO::Socket::INET -e 'for (20000..29999) { push @s, IO::Socket::INET->new(LocalAddr => \"127.0.0.1:$_\", \
                 Listen => 1) if $_ % 2 } sleep 60'";
    let _ = faulty.bench.instance.root(&format!("ulimit -n 8000; {taken} >/dev/null 2>&1 & sleep 1"));
    faulty.deploy("v1.2.0").expect(0).says("v1.2.0 is live");
    assert_eq!(faulty.bench.project.served_version().as_deref(), Some("v1.2.0"));
}

#[test]
fn a_killed_client_leaves_nothing_in_the_way_of_docker_26() {
    a_killed_client_leaves_nothing_in_the_way(Kind::V2);
}

#[test]
fn a_killed_client_leaves_nothing_in_the_way_of_docker_20() {
    a_killed_client_leaves_nothing_in_the_way(Kind::V1);
}

#[test]
#[ignore = "two GiB on a disk: run it alone"]
fn two_gib_need_little_memory() {
    let mut faulty = Faulty::new(Kind::V2, None);
    faulty.build("v1.1.0", &[512 * MIB, 512 * MIB, 512 * MIB, 512 * MIB]);
    let mut child = faulty.command("v1.1.0").stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let (mut most, began) = (0, Instant::now());
    while child.try_wait().unwrap().is_none() {
        let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        most = line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(most);
        std::thread::sleep(Duration::from_millis(20));
    }
    println!("2 GiB: peak {} MiB in {:.1} s", most >> 10, began.elapsed().as_secs_f64());
    assert_eq!(faulty.bench.project.served_version().as_deref(), Some("v1.1.0"));
    assert!(most < 100 << 10, "{most} KiB");
}

/// What a deploy waits for the network, one after the other, from connecting to the end: the image is there already, and
/// the app answers at once.
#[test]
fn a_deploy_waits_for_few_round_trips() {
    // 32 when it was measured; a health check that has to ask once more costs one
    const MOST: u64 = 34;
    let bench = Bench::reference(Kind::V2);
    bench.deploy("v1.1.0", &[]).expect(0);
    let image = bench.image("v1.2.0", &[]);
    bench.instance.ok(&format!("docker pull -q {}", image.by_digest())).unwrap();
    let digest = format!("--digest={}", image.digest);
    let ran = bench.cutover(&["deploy", "--version", "v1.2.0", "--json", &digest]).expect(0);
    let count = ran.result()["hosts"][0]["round-trips"].as_u64().unwrap();
    println!("{count} round trips");
    assert!(count <= MOST, "{count} round trips");
}
