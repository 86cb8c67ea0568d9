//! An image comes to a host: first all of it, then with one line changed. cutover, pipes into `docker load`, a registry.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use lab::load::Proxy;
use lab::{App, Lab};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::chart::{self, Group};
use crate::site::{Site, sh, timed};
use crate::stats::{Figures, Spread};

/// One way of the slow link.
const ONE_WAY: Duration = Duration::from_millis(10);
const BYTES_PER_SECOND: f64 = 100e6 / 8.0;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Cutover,
    Save,
    Gzip,
    Zstd,
    Registry,
}

const LINKS: [&str; 2] = ["LAN", "100 Mbit/s, 20 ms"];
const CHANGES: [&str; 2] = ["first", "one line changed"];
const WAYS: [Way; 5] = [Way::Cutover, Way::Save, Way::Gzip, Way::Zstd, Way::Registry];

/// One image that came.
struct Sent {
    link: &'static str,
    what: &'static str,
    way: Way,
    seconds: f64,
    bytes: u64,
}

struct Bench {
    site: Site,
    /// The instance's end of the bridge, on this side.
    veth: String,
    /// The slow way to the registry, while the link is slow.
    registry: Option<Proxy>,
}

/// Runs the rounds, prints a table, gives the figures.
pub(crate) fn run(program: &Path, rounds: usize) -> Result<Figures> {
    let mut all = Vec::new();
    let mut bench = Bench::set_up(program)?;
    // what is in Docker's caches is so for all
    bench.send(LINKS[0], CHANGES[0], Way::Cutover)?;
    for link in LINKS {
        bench.link(link == LINKS[0])?;
        for round in 1..=rounds {
            for (way, what) in WAYS.into_iter().flat_map(|way| CHANGES.map(|what| (way, what))) {
                let sent = bench.send(link, what, way)?;
                let mib = sent.bytes as f64 / f64::from(1 << 20);
                println!("round {round}, {link}, {what}, {}: {:.2} s, {mib:.2} MiB", way.name(), sent.seconds);
                all.push(sent);
            }
        }
    }
    Ok(figures(&all, rounds))
}

impl Way {
    fn name(self) -> &'static str {
        match self {
            Way::Cutover => "cutover",
            Way::Save => "save | ssh load",
            Way::Gzip => "save | gzip | ssh load",
            Way::Zstd => "save | zstd | ssh load",
            Way::Registry => "registry push + pull",
        }
    }

    fn filters(self) -> (&'static str, &'static str) {
        match self {
            Way::Gzip => ("gzip -c", "docker load -q"),
            Way::Zstd => ("zstd -q -c -T0", "docker load -q"),
            _ => ("cat", "docker load -q"),
        }
    }
}

impl Bench {
    fn set_up(program: &Path) -> Result<Bench> {
        let site = Site::set_up(program)?;
        let link = site.instance.root("cat /sys/class/net/eth0/iflink")?;
        let veth =
            sh(&format!("ip -o link | awk -F': ' '$1 == {} {{ split($2, n, \"@\"); print n[1] }}'", link.trim()))?;
        sh(&format!(
            "cd {} && id=$(docker create lab/node true) && mkdir base && docker export $id | tar -x -C base && docker rm $id",
            site.dir.path().display()
        ))?;
        Ok(Bench { site, veth: veth.trim().to_owned(), registry: None })
    }

    /// Makes the link to the instance fast, or slow.
    fn link(&mut self, fast: bool) -> Result<()> {
        let veth = &self.veth;
        sh(&format!("tc qdisc del dev {veth} root 2>/dev/null || true"))?;
        if !fast {
            sh(&format!("tc qdisc add dev {veth} root tbf rate 100mbit burst 64kb latency 100ms"))?;
        }
        let slow = || self.site.way_to_registry(ONE_WAY, BYTES_PER_SECOND);
        self.registry = (!fast).then(slow).transpose()?;
        self.site.delay(if fast { Duration::ZERO } else { ONE_WAY })
    }

    /// Builds an image and sends it. The first one has a base that nobody has seen; the next one other settings.
    fn send(&mut self, link: &'static str, what: &'static str, way: Way) -> Result<Sent> {
        if what == "first" {
            self.base()?;
        }
        let version = self.site.next();
        let image = format!("{}:{version}", self.site.project.image);
        self.build(&image)?;
        let before = self.bytes()?;
        let seconds = match way {
            Way::Cutover => self.by_cutover(&version)?,
            Way::Registry => self.by_registry(&image)?,
            pipe => self.by_pipe(&image, pipe)?,
        };
        let bytes = self.bytes()? - before;
        if way != Way::Cutover {
            self.site.instance.ok(&format!("docker image inspect {image}"))?;
        }
        Ok(Sent { link, what, way, seconds, bytes })
    }

    /// A base of its own: the layer of node with one more file in it.
    fn base(&self) -> Result<()> {
        let dir = self.site.dir.path().display();
        fs::write(self.site.dir.path().join("base/mark"), format!("{} {:?}", std::process::id(), Instant::now()))?;
        sh(&format!("tar -C {dir}/base -c . | docker import - {} >/dev/null", base_name()))?;
        Ok(())
    }

    fn build(&self, image: &str) -> Result<()> {
        let context = TempDir::new()?;
        let version = image.rsplit(':').next().unwrap_or_default();
        App::new(&self.site.project.image, version).write_context(context.path())?;
        let dockerfile = context.path().join("Dockerfile");
        fs::write(&dockerfile, fs::read_to_string(&dockerfile)?.replace("lab/node", &base_name()))?;
        sh(&format!("docker build -q -t {image} {} >/dev/null", context.path().display())).map(drop)
    }

    /// Start-up, login and reading the image, then the step that sends it; the swap around it does not count.
    fn by_cutover(&self, version: &str) -> Result<f64> {
        let ran = self.site.deploy(version, "registry: none\n")?;
        let (read, pull) = (ran.ended("read")?, ran.ended("pull")?);
        let said =
            |step: &Value| step["text"].as_str().unwrap_or_default().rsplit(": ").next().unwrap_or_default().to_owned();
        println!("    {:.2} s read, {}; {}", read["at"].as_f64().unwrap_or_default(), said(read), said(pull));
        Ok(read["at"].as_f64().context("no time")? + pull["seconds"].as_f64().context("no time")?)
    }

    fn by_pipe(&self, image: &str, way: Way) -> Result<f64> {
        let (out, back) = way.filters();
        timed(&format!("docker save {image} | {out} | {} '{back}'", self.site.ssh()?))
    }

    /// On the slow link both ways to the registry are slow: it is a third place.
    fn by_registry(&self, image: &str) -> Result<f64> {
        let registry = &Lab::up()?.registry.address;
        let way = self.registry.as_ref().map_or(registry.clone(), |proxy| proxy.address().to_string());
        let name = image.replace(registry, &way);
        sh(&format!("docker tag {image} {name}"))?;
        let push = timed(&format!("docker push -q {name}"))?;
        let began = Instant::now();
        self.site.instance.ok(&format!("docker pull -q {name}"))?;
        let pull = began.elapsed().as_secs_f64();
        println!("    {push:.2} s push, {pull:.2} s pull");
        self.site.instance.ok(&format!("docker tag {name} {image}"))?;
        Ok(push + pull)
    }

    /// Bytes to the instance so far, with what TCP and Ethernet add.
    fn bytes(&self) -> Result<u64> {
        let path = format!("/sys/class/net/{}/statistics/tx_bytes", self.veth);
        Ok(fs::read_to_string(path)?.trim().parse()?)
    }
}

/// Of this process's own: another bench may run on the same Docker.
fn base_name() -> String {
    format!("lab/bench-base:{}", std::process::id())
}

fn figures(all: &[Sent], rounds: usize) -> Figures {
    let (mut rows, mut groups) = (Vec::new(), Vec::new());
    for (link, what) in LINKS.into_iter().flat_map(|link| CHANGES.map(|what| (link, what))) {
        println!("\n{link}, {what}: seconds, MiB on the wire");
        let of = |way: Way| {
            let each = all.iter().filter(|sent| sent.link == link && sent.what == what && sent.way == way);
            let each: Vec<&Sent> = each.collect();
            let mib = |sent: &&Sent| sent.bytes as f64 / f64::from(1 << 20);
            (Spread::of(each.iter().map(|sent| sent.seconds)), Spread::of(each.iter().map(mib)))
        };
        let (ours, our_bytes) = of(Way::Cutover);
        let mut group = Group { name: format!("{link}, {what}"), bars: Vec::new() };
        for way in WAYS {
            let (seconds, mib) = of(way);
            let (slower, more) = (seconds.median / ours.median, mib.median / our_bytes.median);
            println!("{:<24} {seconds:>20} {mib:>24}  {slower:>5.1} × {more:>7.1} ×", way.name());
            rows.push(json!({ "link": link, "what": what, "way": way.name(), "seconds": seconds, "mib": mib,
                              "times_slower": slower, "times_more": more }));
            group.bars.push((way.name().to_owned(), seconds));
        }
        groups.push(group);
    }
    Figures {
        data: json!({ "rounds": rounds, "rows": rows }),
        charts: vec![("ship".to_owned(), chart::bars("An image comes to a host", "seconds", &groups))],
    }
}
