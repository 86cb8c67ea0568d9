//! The main job, shown: a first release from a commit message, then the next one while clients are being answered.
//!
//! `demo INSTANCE CUTOVER WORK-TREE [--keep]` releases to an instance that is up, with this cutover binary, from a git
//! repository that it makes in WORK-TREE. `scripts/demo` starts the instance and, without `--keep`, removes it.

#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::io::{BufRead as _, BufReader, IsTerminal as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use lab::load::Class;
use lab::{App, GitRepository, Instance, Lab, Load, Mix, Options, Project, Report, cutover};

struct Demo {
    instance: Instance,
    project: Project,
    repository: String,
    work_tree: GitRepository,
    program: PathBuf,
}

/// What cutover said of a release.
struct Released {
    live: f64,
    done: f64,
    drained: String,
}

fn main() -> Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [instance, program, work_tree, keep @ ..] = words.as_slice() else {
        anyhow::bail!("usage: demo INSTANCE CUTOVER WORK-TREE [--keep]")
    };
    let demo = Demo::set_up(instance, Path::new(program), Path::new(work_tree))?;
    heading("First release: nothing runs on the host yet");
    demo.release()?;
    demo.expect("v1.0.0")?;

    heading("Next release, while clients send about 400 requests a second");
    let commit = "Show the cart's total\n\nAlso rounds prices as the shop does.\n\nRelease v1.1.0";
    demo.commit("v1.1.0", commit)?;
    let load = Load::start(&demo.project.url(), mix())?;
    sleep(Duration::from_secs(5));
    let released = demo.release()?;
    let report = load.stop_blocking()?;
    demo.expect("v1.1.0")?;
    show(&report, &released);
    match keep {
        [] => println!("{NEXT}"),
        _ => demo.stay()?,
    }
    let (requests, failed) = (report.requests, report.failed);
    println!(r#"{{"requests":{requests},"failed":{failed},"swap_seconds":{}}}"#, released.live);
    Ok(())
}

const NEXT: &str = "
── Try next

scripts/demo --keep                   the same again, and the server stays for you to release to
cargo install --locked --path .       cutover on this machine
cutover init                          in a repository of yours: what it would take. It overwrites nothing
";

/// Every class is near but two: people on a slow network are the ones who lose requests first.
fn mix() -> Mix {
    let mut mix = Mix::near(360.0);
    mix.classes.push(Class::new_connections(20.0).with_rtt(50));
    mix.classes.push(Class::keep_alive(40.0, 20).with_rtt(50));
    mix
}

impl Demo {
    /// The reference project's files on the instance, and a git repository with the app at v1.0.0. Nothing runs yet.
    fn set_up(instance: &str, program: &Path, work_tree: &Path) -> Result<Demo> {
        let instance = Instance::attach(instance)?;
        let repository = Lab::up()?.repository("backend-api");
        let project = Project::write(&instance, &repository, Options::default())?;
        let config = cutover::smallest_config(&instance, &repository, &project.options.directory);
        let first = App::new(&repository, "v1.0.0").set("START_DELAY_MS", "1500");
        let work_tree = first.git_repository_in(work_tree, &config, "v1.0.0: the shop opens")?;
        heading("The host: nginx, redis and a Node service with two slots, as written in its docker-compose.yml");
        println!("{}, {}", instance.destination(), project.url());
        heading("cutover.yml, all of it");
        print!("{config}");
        Ok(Demo { instance, project, repository, work_tree, program: program.canonicalize()? })
    }

    fn commit(&self, version: &str, message: &str) -> Result<()> {
        let app = App::new(&self.repository, version).set("START_DELAY_MS", "1500");
        self.work_tree.commit(&app, message)?;
        println!("$ git log -1 --format=%B\n{}\n", self.work_tree.git(&["log", "-1", "--format=%B"])?.trim());
        Ok(())
    }

    /// Runs `cutover release` and shows what it prints.
    fn release(&self) -> Result<Released> {
        println!("$ cutover release");
        let mut release = cutover::command(&self.program)?;
        release.arg("release").current_dir(self.work_tree.path()).envs(cutover::access(&self.instance)?);
        release.envs(std::env::var_os("DOCKER_CONFIG").map(|place| ("DOCKER_CONFIG", place)));
        let mut running = release.stdout(Stdio::piped()).stderr(errors()).spawn().context("cutover can't be run")?;
        if let Some(lines) = running.stderr.take() {
            let lines = BufReader::new(lines).lines().map_while(Result::ok);
            // what docker says of a build is on a terminal a line that passes
            lines.filter(|line| !line.starts_with("  build │")).for_each(|line| eprintln!("{line}"));
        }
        let output = running.wait_with_output()?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        print!("{said}");
        ensure!(output.status.success(), "cutover release ended with {}", output.status);
        Released::read(&said).with_context(|| format!("cutover did not say how long it took: {said}"))
    }

    fn expect(&self, version: &str) -> Result<()> {
        let served = self.project.served_version();
        ensure!(served.as_deref() == Some(version), "{version} was released, but {served:?} answers");
        println!("\n$ curl {}\n{}", self.project.url(), self.instance.ok("curl -s http://127.0.0.1/")?);
        Ok(())
    }

    /// Says what can be done with the server that stays, and writes what makes that short.
    fn stay(&self) -> Result<()> {
        let Demo { instance, project, work_tree, program, .. } = self;
        let tree = work_tree.path();
        let place = tree.parent().unwrap_or(tree);
        let (key, known_hosts) = (instance.key.display(), instance.known_hosts.display());
        let docker = Lab::up()?;
        let run = format!(
            "#!/bin/sh\n# cutover with the keys of this server, and the lab's Docker\n\
             export DOCKER_HOST='{}' DOCKER_CONFIG='{}/docker'\n\
             CUTOVER_SSH_KEY=$(cat '{key}') CUTOVER_KNOWN_HOSTS=$(cat '{known_hosts}')\n\
             export CUTOVER_SSH_KEY CUTOVER_KNOWN_HOSTS\nexec '{}' \"$@\"\n",
            docker.docker_host,
            place.display(),
            program.display()
        );
        let cutover = place.join("cutover");
        std::fs::write(&cutover, run)?;
        std::fs::set_permissions(&cutover, std::fs::Permissions::from_mode(0o755))?;
        for (name, value) in [("user.name", "Demo"), ("user.email", "demo@example.com")] {
            work_tree.git(&["config", name, value])?;
        }
        heading("Try next, in this directory");
        println!("cd {}\n", tree.display());
        println!("../cutover status");
        println!("../cutover rollback");
        println!(
            "sed -i s/v1.1.0/v1.2.0/ settings.json && git commit -am 'v1.2.0 Something new' && ../cutover release\n"
        );
        println!("The server answers at {}, and", project.url());
        println!("  ssh -i {key} -o UserKnownHostsFile={known_hosts} {}", instance.destination());
        println!("logs in. To remove all of it:");
        println!(
            "  scripts/lab down {} && rm -r {}   # and scripts/lab down, if nothing else uses it",
            instance.name,
            place.display()
        );
        println!();
        Ok(())
    }
}

/// A terminal shows a release as it goes on; elsewhere its lines come through here.
fn errors() -> Stdio {
    if std::io::stderr().is_terminal() { Stdio::inherit() } else { Stdio::piped() }
}

impl Released {
    fn read(said: &str) -> Option<Released> {
        let number = |after: &str| said.split_once(after)?.1.split_once(" s")?.0.parse().ok();
        let drained = said.lines().find_map(|line| line.trim().strip_prefix("drained: "));
        let drained = drained.unwrap_or("nothing: no old version ran").to_owned();
        Some(Released { live: number(" is live after ")?, done: number("done after ")?, drained })
    }
}

fn show(report: &Report, released: &Released) {
    heading("What the clients saw");
    println!("{report}\n");
    println!(
        "swap: live {:.2} s after the image was in the registry, done after {:.2} s",
        released.live, released.done
    );
    println!("drained: {}", released.drained);
}

fn heading(text: &str) {
    println!("\n── {text}\n");
}
