//! An image comes to a host: first all of it, then with one line changed. cutover, pipes into `docker load`, a registry.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use lab::load::Proxy;
use lab::{App, Instance, Kind, Lab, Options, Project, build_app, cutover};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::stats::Spread;

/// One way of the slow link.
const ONE_WAY: Duration = Duration::from_millis(10);

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
    program: PathBuf,
    instance: Instance,
    repository: String,
    dir: TempDir,
    number: u32,
    /// The instance's end of the bridge, on this side.
    veth: String,
    proxy: Option<Proxy>,
    runtime: tokio::runtime::Runtime,
}

/// Runs the rounds, prints a table, gives the figures.
pub(crate) fn run(program: &Path, rounds: usize) -> Result<Value> {
    let mut all = Vec::new();
    let mut bench = Bench::set_up(program, Kind::V2)?;
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
    fn set_up(program: &Path, kind: Kind) -> Result<Bench> {
        let lab = Lab::up()?;
        let repository = lab.repository("backend-api");
        let instance = Instance::start(kind)?;
        let project = Project::write(&instance, &repository, Options::default())?;
        project.bring_up(&[&build_app(&repository, "v0.0.1", &[])?])?;
        let link = instance.root("cat /sys/class/net/eth0/iflink")?;
        let veth =
            sh(&format!("ip -o link | awk -F': ' '$1 == {} {{ split($2, n, \"@\"); print n[1] }}'", link.trim()))?;
        let runtime = tokio::runtime::Runtime::new()?;
        let dir = TempDir::new()?;
        sh(&format!(
            "cd {} && id=$(docker create lab/node true) && mkdir base && docker export $id | tar -x -C base && docker rm $id",
            dir.path().display()
        ))?;
        let program = program.canonicalize()?;
        let veth = veth.trim().to_owned();
        Ok(Bench { program, instance, repository, dir, number: 0, veth, proxy: None, runtime })
    }

    /// Makes the link to the instance fast, or slow.
    fn link(&mut self, fast: bool) -> Result<()> {
        let veth = &self.veth;
        sh(&format!("tc qdisc del dev {veth} root 2>/dev/null || true"))?;
        self.proxy = None;
        if !fast {
            sh(&format!("tc qdisc add dev {veth} root tbf rate 100mbit burst 64kb latency 100ms"))?;
            let target: SocketAddr = format!("{}:{}", self.instance.address, self.instance.port).parse()?;
            self.proxy = Some(self.runtime.block_on(Proxy::start(target, ONE_WAY))?);
        }
        Ok(())
    }

    /// Where sshd answers.
    fn place(&self) -> (String, u16) {
        match &self.proxy {
            Some(proxy) => (proxy.address().ip().to_string(), proxy.address().port()),
            None => (self.instance.address.clone(), self.instance.port),
        }
    }

    fn known_hosts(&self) -> Result<String> {
        let (address, port) = self.place();
        let name = if port == 22 { address } else { format!("[{address}]:{port}") };
        let text = fs::read_to_string(&self.instance.known_hosts)?;
        Ok(text.lines().filter_map(|line| Some(format!("{name} {}\n", line.split_once(' ')?.1))).collect())
    }

    /// Builds an image and sends it. The first one has a base that nobody has seen; the next one other settings.
    fn send(&mut self, link: &'static str, what: &'static str, way: Way) -> Result<Sent> {
        if what == "first" {
            self.base()?;
        }
        self.number += 1;
        let image = format!("{}:v1.0.{}", self.repository, self.number);
        self.build(&image)?;
        let before = self.bytes()?;
        let seconds = match way {
            Way::Cutover => self.by_cutover()?,
            Way::Registry => self.by_registry(&image)?,
            pipe => self.by_pipe(&image, pipe)?,
        };
        let bytes = self.bytes()? - before;
        if way != Way::Cutover {
            self.instance.ok(&format!("docker image inspect {image}"))?;
        }
        Ok(Sent { link, what, way, seconds, bytes })
    }

    /// A base of its own: the layer of node with one more file in it.
    fn base(&self) -> Result<()> {
        let dir = self.dir.path().display();
        fs::write(self.dir.path().join("base/mark"), format!("{} {}", std::process::id(), self.number))?;
        sh(&format!("tar -C {dir}/base -c . | docker import - {} >/dev/null", base_name()))?;
        Ok(())
    }

    fn build(&self, image: &str) -> Result<()> {
        let context = TempDir::new()?;
        let version = image.rsplit(':').next().unwrap_or_default();
        App::new(&self.repository, version).write_context(context.path())?;
        let dockerfile = context.path().join("Dockerfile");
        fs::write(&dockerfile, fs::read_to_string(&dockerfile)?.replace("lab/node", &base_name()))?;
        sh(&format!("docker build -q -t {image} {} >/dev/null", context.path().display())).map(drop)
    }

    /// Start-up, login and reading the image, then the step that sends it; the swap around it does not count.
    fn by_cutover(&self) -> Result<f64> {
        let (address, port) = self.place();
        let config = format!(
            "image: {}\nhost: deploy@{address}:{port}\ndirectory: {}\nregistry: none\n",
            self.repository,
            Options::default().directory
        );
        fs::write(self.dir.path().join("cutover.yml"), config)?;
        let mut deploy = cutover::command(&self.program)?;
        deploy.args(["deploy", "--json", "--version", &format!("v1.0.{}", self.number)]);
        deploy.current_dir(self.dir.path()).envs(cutover::access(&self.instance)?);
        deploy.env("CUTOVER_KNOWN_HOSTS", self.known_hosts()?).env("XDG_CACHE_HOME", self.dir.path().join("cache"));
        let output = deploy.output()?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        ensure!(output.status.success(), "cutover deploy: {}\n{said}", output.status);
        let events: Vec<Value> = said.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        let ended = |step: &str| {
            let end = events.iter().find(|event| event["event"] == "step-end" && event["step"] == step);
            end.with_context(|| format!("no step {step}"))
        };
        println!("    {}", ended("pull")?["text"].as_str().unwrap_or_default().rsplit(": ").next().unwrap_or_default());
        let read = ended("read")?["at"].as_f64().context("no time")?;
        Ok(read + ended("pull")?["seconds"].as_f64().context("no time")?)
    }

    fn by_pipe(&self, image: &str, way: Way) -> Result<f64> {
        let known = self.dir.path().join("known_hosts");
        fs::write(&known, self.known_hosts()?)?;
        let (address, port) = self.place();
        let (out, back) = way.filters();
        let ssh = format!(
            "ssh -F /dev/null -o BatchMode=yes -o UserKnownHostsFile={} -i {} -p {port} deploy@{address}",
            known.display(),
            self.instance.key.display()
        );
        timed(&format!("docker save {image} | {out} | {ssh} '{back}'"))
    }

    fn by_registry(&self, image: &str) -> Result<f64> {
        let began = Instant::now();
        timed(&format!("docker push -q {image}"))?;
        self.instance.ok(&format!("docker pull -q {image}"))?;
        Ok(began.elapsed().as_secs_f64())
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

fn timed(script: &str) -> Result<f64> {
    let began = Instant::now();
    sh(script)?;
    Ok(began.elapsed().as_secs_f64())
}

/// Runs a shell script with the lab's Docker.
fn sh(script: &str) -> Result<String> {
    let docker = Lab::up()?.docker();
    let envs = docker.get_envs().filter_map(|(name, value)| Some((name, value?)));
    let output =
        Command::new("bash").args(["-o", "pipefail", "-c", script]).envs(envs).stdin(Stdio::null()).output()?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(output.status.success(), "{script}: {}\n{said}", output.status);
    Ok(String::from_utf8(output.stdout)?)
}

fn figures(all: &[Sent], rounds: usize) -> Value {
    let mut rows = Vec::new();
    for link in LINKS {
        for what in CHANGES {
            println!("\n{link}, {what}: seconds, MiB on the wire");
            let of = |way: Way| {
                let each = all.iter().filter(|sent| sent.link == link && sent.what == what && sent.way == way);
                let each: Vec<&Sent> = each.collect();
                let mib = |sent: &&Sent| sent.bytes as f64 / f64::from(1 << 20);
                (Spread::of(each.iter().map(|sent| sent.seconds)), Spread::of(each.iter().map(mib)))
            };
            let (ours, our_bytes) = of(Way::Cutover);
            for way in WAYS {
                let (seconds, mib) = of(way);
                let (slower, more) = (seconds.median / ours.median, mib.median / our_bytes.median);
                println!("{:<24} {seconds:>20} {mib:>24}  {slower:>5.1} × {more:>7.1} ×", way.name());
                rows.push(json!({ "link": link, "what": what, "way": way.name(), "seconds": seconds, "mib": mib,
                                  "times_slower": slower, "times_more": more }));
            }
        }
    }
    json!({ "rounds": rounds, "processors": std::thread::available_parallelism().map_or(0, usize::from), "rows": rows })
}
