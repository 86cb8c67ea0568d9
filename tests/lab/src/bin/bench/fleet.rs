//! Several hosts: what a deploy to them all takes, and what it costs this side.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use lab::{Instance, Kind, Lab, Options, Project, build_app, cutover};
use serde_json::json;
use tempfile::TempDir;

use crate::chart::{self, Group};
use crate::site::START;
use crate::stats::{Figures, Spread};
use crate::usage::{Usage, measured};

/// Hosts with a Docker of their own.
const REAL: [usize; 2] = [1, 4];

struct Fleet<'a> {
    program: &'a Path,
    projects: Vec<Project>,
    dir: TempDir,
}

/// Runs the rounds, prints a table, gives the figures.
pub(crate) fn run(program: &Path, rounds: usize) -> Result<Figures> {
    let program = program.canonicalize()?;
    let repository = Lab::up()?.repository("fleet");
    let first = build_app(&repository, "v1.0.0", &START)?;
    let mut projects = Vec::new();
    for _ in 0..REAL[1] {
        let project = Project::write(&Instance::start(Kind::V2)?, &repository, Options::default())?;
        project.bring_up(&[&first])?;
        projects.push(project);
    }
    let key = projects.first().context("no project")?.instance.root("cat /lab/authorized_keys")?;
    for project in &projects[1..] {
        project.instance.root(&format!("echo '{key}' >> /lab/authorized_keys"))?;
    }
    let fleet = Fleet { program: &program, projects, dir: TempDir::new()? };
    let mut version = 0;
    let (mut rows, mut bars) = (Vec::new(), Vec::new());
    for hosts in REAL {
        let mut runs = Vec::new();
        for round in 0..=rounds {
            version += 1;
            let version = format!("v1.0.{version}");
            build_app(&repository, &version, &START)?;
            let used = fleet.run(hosts, &["deploy", "--version", &version])?;
            for project in &fleet.projects[..hosts] {
                ensure!(project.served_version().as_ref() == Some(&version), "a host was left out");
            }
            runs.extend((round > 0).then_some(used));
        }
        let (wall, cpu, mib) = spreads(&runs);
        println!("deploy to {hosts} hosts: {wall} s, {cpu} s of processor, {mib} MiB");
        rows.push(json!({ "hosts": hosts, "seconds": wall, "cpu_seconds": cpu, "peak_mib": mib }));
        bars.push((format!("{hosts} hosts"), wall));
    }
    let group = Group { name: "until the command ended, seconds".into(), bars };
    let charts = vec![(
        "fleet".to_owned(),
        chart::bars("A deploy to several hosts, the app takes 1.5 s to start", "seconds", &[group]),
    )];
    Ok(Figures { data: json!({ "rounds": rounds, "app_start_ms": 1500, "rows": rows }), charts })
}

fn spreads(runs: &[Usage]) -> (Spread, Spread, Spread) {
    let of = |which: fn(&Usage) -> f64| Spread::of(runs.iter().map(which));
    (of(|used| used.seconds), of(|used| used.cpu), of(|used| used.mib))
}

impl Fleet<'_> {
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
