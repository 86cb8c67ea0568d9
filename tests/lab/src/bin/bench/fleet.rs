//! Several hosts: what a deploy to them all takes, and what it costs this side. Few with a Docker of their own; many where
//! an executable stands in for it, since so many engines do not fit on one machine.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::thread;

use anyhow::{Context, Result, anyhow, ensure};
use lab::{Image, Kind, Lab, Options, Project, Start, build_app, cutover};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::chart::{self, Group};
use crate::site::START;
use crate::stats::{Figures, Spread};
use crate::usage::{Usage, busy, measured};

/// Hosts with a Docker of their own.
const REAL: &[usize] = &[1, 4];
/// Hosts with a stand-in for Docker.
const STAND_IN: &[usize] = &[1, 4, 16, 64];
/// Hosts with a stand-in and, as if it were their own, this part of a processor each: 64 of them leave cutover a fifth.
const SLOW: &[usize] = &[1, 64];
const SHARE: f64 = 0.025;
/// Hosts that are set up or removed at the same time.
const AT_ONCE: usize = 8;

/// Hosts of one kind, all with the first version.
struct Fleet<'a> {
    program: &'a Path,
    repository: String,
    projects: Vec<Project>,
    dir: TempDir,
    /// Makes a version that the hosts can pull.
    make: fn(&str, &str) -> Result<Image>,
    number: u32,
}

/// What was measured with one number of hosts.
#[derive(Default)]
struct Runs {
    wall: Vec<f64>,
    cpu: Vec<f64>,
    mib: Vec<f64>,
    /// Processor time of the whole machine but cutover: the hosts' own work.
    rest: Vec<f64>,
}

/// Runs the rounds, prints a table, gives the figures.
pub(crate) fn run(program: &Path, rounds: usize) -> Result<Figures> {
    let program = program.canonicalize()?;
    let stand_in = program.with_file_name("stand_in");
    let (real_rows, real) = {
        let make = |repository: &str, version: &str| build_app(repository, version, &START);
        let mut fleet = Fleet::set_up(&program, REAL, None, make)?;
        fleet.measure("with Docker", REAL, rounds)?
    };
    let mut fleet =
        Fleet::set_up(&program, STAND_IN, Some(stand_in), |name, version| Ok(Image::made_up(name, version)))?;
    let (rows, many) = fleet.measure("with a stand-in for Docker", STAND_IN, rounds)?;
    fleet.projects.iter().try_for_each(|project| project.instance.limit(SHARE))?;
    let (slow_rows, slow) = fleet.measure("stand-in and a fortieth of a processor each", SLOW, rounds)?;
    let title = "A deploy to several hosts, the app takes 1.5 s to start";
    let charts = vec![("fleet".to_owned(), chart::bars(title, "seconds", &[real, many, slow]))];
    let data = json!({ "rounds": rounds, "app_start_ms": 1500, "rows": real_rows, "stand_in_rows": rows,
                       "share_of_a_processor": SHARE, "stand_in_share_rows": slow_rows });
    Ok(Figures { data, charts })
}

impl<'a> Fleet<'a> {
    fn set_up(
        program: &'a Path,
        sizes: &[usize],
        stand_in: Option<PathBuf>,
        make: fn(&str, &str) -> Result<Image>,
    ) -> Result<Fleet<'a>> {
        let repository = Lab::up()?.repository("fleet");
        let first = make(&repository, "v1.0.0")?;
        let count = sizes.iter().copied().max().unwrap_or_default();
        let projects = Mutex::new(Vec::new());
        at_once(vec![(); count], |()| {
            let instance = Start { stand_in: stand_in.clone(), ..Start::new(Kind::V2) }.start()?;
            let project = Project::write(&instance, &repository, Options::default())?;
            project.bring_up(&[&first])?;
            projects.lock().map_err(|_| anyhow!("a host could not be set up"))?.push(project);
            Ok(())
        })?;
        let projects = projects.into_inner().map_err(|_| anyhow!("a host could not be set up"))?;
        let key = projects.first().context("no project")?.instance.root("cat /lab/authorized_keys")?;
        for project in &projects[1..] {
            project.instance.root(&format!("echo '{key}' >> /lab/authorized_keys"))?;
        }
        Ok(Fleet { program, repository, projects, dir: TempDir::new()?, make, number: 0 })
    }

    /// Deploys to the first so many hosts, round after round, after one that does not count.
    fn measure(&mut self, what: &str, sizes: &[usize], rounds: usize) -> Result<(Vec<Value>, Group)> {
        let (mut rows, mut bars) = (Vec::new(), Vec::new());
        for &hosts in sizes {
            let mut runs = Runs::default();
            self.deploy(hosts)?;
            for _ in 0..rounds {
                let before = busy()?;
                let used = self.deploy(hosts)?;
                runs.rest.push(busy()? - before - used.cpu);
                runs.wall.push(used.seconds);
                runs.cpu.push(used.cpu);
                runs.mib.push(used.mib);
            }
            let of = |values: Vec<f64>| Spread::of(values);
            let (wall, cpu, mib, rest) = (of(runs.wall), of(runs.cpu), of(runs.mib), of(runs.rest));
            println!(
                "{what}, {hosts} hosts: {wall} s, {cpu} s of processor, {mib} MiB; the hosts {rest} s of processor"
            );
            rows.push(json!({ "hosts": hosts, "seconds": wall, "cpu_seconds": cpu, "peak_mib": mib,
                              "hosts_cpu_seconds": rest }));
            bars.push((format!("{hosts} hosts"), wall));
        }
        Ok((rows, Group { name: format!("{what}: until the command ended"), bars }))
    }

    /// Has cutover deploy the next version to the first so many hosts; each of them must serve it then.
    fn deploy(&mut self, hosts: usize) -> Result<Usage> {
        self.number += 1;
        let version = format!("v1.0.{}", self.number);
        (self.make)(&self.repository, &version)?;
        let used = self.run(hosts, &["deploy", "--version", &version])?;
        for project in &self.projects[..hosts] {
            ensure!(project.served_version().as_ref() == Some(&version), "{} was left out", project.instance.name);
        }
        Ok(used)
    }

    /// cutover with the first so many instances as its hosts.
    fn run(&self, hosts: usize, words: &[&str]) -> Result<Usage> {
        let host = |project: &Project| format!("\n  - {}", project.instance.destination());
        let hosts: String = self.projects[..hosts].iter().map(host).collect();
        let project = self.projects.first().context("no project")?;
        let config = format!("image: {}\ndirectory: {}\nhosts:{hosts}\n", project.image, project.options.directory);
        fs::write(self.dir.path().join("cutover.yml"), config)?;
        let known_hosts = self.projects.iter().map(|project| fs::read_to_string(&project.instance.known_hosts));
        let known_hosts: String = known_hosts.collect::<std::io::Result<_>>()?;
        let mut command = cutover::command(self.program)?;
        command.args(words).arg("--json").current_dir(self.dir.path()).envs(cutover::access(&project.instance)?);
        measured(command.env("CUTOVER_KNOWN_HOSTS", known_hosts))
    }
}

impl Drop for Fleet<'_> {
    fn drop(&mut self) {
        let _ = at_once(std::mem::take(&mut self.projects), |project| {
            drop(project);
            Ok(())
        });
    }
}

/// Does it with each, some at the same time; the first error counts.
fn at_once<T: Send>(each: Vec<T>, does: impl Fn(T) -> Result<()> + Sync) -> Result<()> {
    let each = Mutex::new(each);
    let next = || each.lock().ok()?.pop();
    thread::scope(|scope| {
        let work = || {
            (|| -> Result<()> {
                while let Some(one) = next() {
                    does(one)?;
                }
                Ok(())
            })()
        };
        let all: Vec<_> = (0..AT_ONCE).map(|_| scope.spawn(work)).collect();
        all.into_iter().try_for_each(|one| one.join().map_err(|_| anyhow!("a thread panicked"))?)
    })
}
