//! `cutover deploy`, the reference's deploy script, docker-rollout's procedure and the least possible, in turns on one
//! instance with one app.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail, ensure};
use lab::load::{Class, get_version};
use lab::{Instance, Kind, Lab, Load, Mix, Options, Output, Project, Report, Rollout, Script, build_app, cutover};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::chart::{self, Group};
use crate::stats::{Figures, Spread};

const START: [(&str, &str); 1] = [("START_DELAY_MS", "1500")];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Cutover,
    Reference,
    Rollout,
    Bound,
}

const WAYS: [Way; 4] = [Way::Cutover, Way::Reference, Way::Rollout, Way::Bound];

/// One swap.
#[derive(Debug)]
struct Round {
    way: Way,
    /// From the command's start until a client got the first answer of the new version, as the clients saw it.
    answered: f64,
    /// Until the new version was live as the command itself knows it: confirmed (cutover), in effect (the bound).
    live: Option<f64>,
    /// Until the command ended.
    done: f64,
    /// cutover's steps; `check` is all before the first.
    steps: BTreeMap<String, f64>,
    clients: Report,
}

struct Bench {
    program: PathBuf,
    instance: Instance,
    project: Project,
    rollout: Rollout,
    config: TempDir,
    versions: u32,
}

/// Runs the rounds, prints a table, gives the figures.
pub(crate) fn run(program: &Path, rounds: usize) -> Result<Figures> {
    let mut bench = Bench::set_up(program)?;
    // the guard is written and everything is in caches before it counts
    bench.round(Way::Cutover)?;
    let mut all = Vec::new();
    for number in 1..=rounds {
        for way in WAYS {
            let round = bench.round(way)?;
            println!("round {number}, {}: {}", way.name(), round.summary());
            all.push(round);
        }
    }
    Ok(figures(&all, rounds))
}

/// No slow requests: how long those are would say how long draining takes, and with the reference script stopping.
fn mix() -> Mix {
    Mix::of(vec![Class::new_connections(200.0), Class::keep_alive(200.0, 16)])
}

impl Way {
    fn name(self) -> &'static str {
        match self {
            Way::Cutover => "cutover deploy",
            Way::Reference => "reference script over ssh",
            Way::Rollout => "docker-rollout over ssh",
            Way::Bound => "lower bound",
        }
    }
}

impl Bench {
    fn set_up(program: &Path) -> Result<Bench> {
        let repository = Lab::up()?.repository("backend-api");
        let instance = Instance::start(Kind::V2)?;
        let project = Project::write(&instance, &repository, Options::default())?;
        let first = build_app(&repository, "v1.0.0", &START)?;
        project.bring_up(&[&first])?;
        let rollout = Rollout::bring_up(&instance, &first)?;
        let config = TempDir::new()?;
        let text = cutover::smallest_config(&instance, &repository, &project.options.directory);
        std::fs::write(config.path().join("cutover.yml"), text)?;
        Ok(Bench { program: program.canonicalize()?, instance, project, rollout, config, versions: 0 })
    }

    /// A new version, pushed; then one swap to it while clients send requests.
    fn round(&mut self, way: Way) -> Result<Round> {
        self.versions += 1;
        let version = format!("v1.0.{}", self.versions);
        build_app(&self.project.image, &version, &START)?;
        let url = if way == Way::Rollout { self.rollout.url() } else { self.project.url() };
        let load = Load::start(&url, mix())?;
        sleep(Duration::from_secs(2));
        let begun = now();
        let (live, steps) = match way {
            Way::Cutover => self.by_cutover(&version)?,
            Way::Reference => ended(self.project.deploy_by_script(Script::Anywhere)?)?,
            Way::Rollout => ended(self.rollout.deploy()?)?,
            Way::Bound => (Some(bound(&self.instance, &self.project, &version)?), BTreeMap::new()),
        };
        let done = now() - begun;
        let clients = load.stop_blocking()?;
        ensure!(get_version(&url, "/")?.as_ref() == Some(&version), "{} did not swap", way.name());
        let first = clients.classes.iter().filter_map(|class| Some(class.versions.get(&version)?.first_ms)).min();
        let first = first.with_context(|| format!("no client saw {version}"))?;
        let answered = (clients.started_unix_ms + first) as f64 / 1000.0 - begun;
        Ok(Round { way, answered, live, done, steps, clients })
    }

    /// Gives when the step `confirm` had ended, and how long each step took.
    fn by_cutover(&self, version: &str) -> Result<(Option<f64>, BTreeMap<String, f64>)> {
        let mut deploy = cutover::command(&self.program)?;
        deploy.args(["deploy", "--json", "--version", version]).current_dir(self.config.path());
        let output = deploy.envs(cutover::access(&self.instance)?).output()?;
        let said = String::from_utf8_lossy(&output.stdout);
        ensure!(output.status.success(), "cutover deploy: {}\n{said}", output.status);
        let events: Vec<Value> = said.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        let at = |event: &str, step: &str| {
            let found = events.iter().find(|each| each["event"] == event && each["step"] == step);
            found.and_then(|event| event["at"].as_f64()).with_context(|| format!("no {event} of {step}: {said}"))
        };
        let mut steps = BTreeMap::from([("check".to_owned(), at("step-begin", "pull")?)]);
        for ended in events.iter().filter(|event| event["event"] == "step-end") {
            let (name, seconds) = (ended["step"].as_str(), ended["seconds"].as_f64());
            steps.extend(name.map(str::to_owned).zip(seconds));
        }
        Ok((Some(at("step-end", "confirm")?), steps))
    }
}

/// The end of a deploy that tells nothing of its steps.
fn ended(output: Output) -> Result<(Option<f64>, BTreeMap<String, f64>)> {
    ensure!(output.success(), "the deploy: {}", output.stdout);
    Ok((None, BTreeMap::new()))
}

/// The least that a swap to this version can take.
pub(crate) fn bound(instance: &Instance, project: &Project, version: &str) -> Result<f64> {
    let (new, old) = if instance.is_running("blue")? { ("green", "blue") } else { ("blue", "green") };
    let script = include_str!("bound.sh");
    let words = format!("{new} {old} {} {version}", project.image);
    let said = project.ok(&format!("sh -s {words} <<'END-OF-SCRIPT'\n{script}\nEND-OF-SCRIPT"))?;
    match said.trim().parse::<f64>() {
        Ok(milliseconds) => Ok(milliseconds / 1000.0),
        Err(_) => bail!("the lower bound said: {said}"),
    }
}

impl Round {
    fn summary(&self) -> String {
        let live = self.live.map(|live| format!("live {live:.2} s, ")).unwrap_or_default();
        let Round { answered, done, clients, .. } = self;
        let (failed, requests) = (clients.failed, clients.requests);
        format!("first answer {answered:.2} s, {live}done {done:.2} s, lost {failed} of {requests}")
    }
}

/// A way; its first answer, live and done; requests, and how many were lost.
type Row = (Way, Spread, Spread, Spread, u64, u64);

fn figures(rounds: &[Round], count: usize) -> Figures {
    let width = WAYS.map(|way| way.name().len()).into_iter().max().unwrap_or(0);
    println!("\n{:<width$}  {:>20}  {:>20}  {:>20}  lost of requests", "seconds", "first answer", "live", "done");
    let mut ways = Vec::new();
    for way in WAYS {
        let of = || rounds.iter().filter(|round| round.way == way);
        // the bound's other times hold its preparation
        let measured = || of().filter(|_| way != Way::Bound);
        let answered = Spread::of(measured().map(|round| round.answered));
        let live = Spread::of(of().filter_map(|round| round.live));
        let done = Spread::of(measured().map(|round| round.done));
        let requests: u64 = of().map(|round| round.clients.requests).sum();
        let lost: u64 = of().map(|round| round.clients.failed).sum();
        let name = way.name();
        println!("{name:<width$}  {answered:>20}  {live:>20}  {done:>20}  {lost} of {requests}");
        ways.push((way, answered, live, done, requests, lost));
    }
    let steps = steps(rounds);
    let said = steps.iter().map(|(step, seconds)| format!("{step} {:.2}", seconds.median));
    println!("\ncutover's steps: {}", said.collect::<Vec<_>>().join(", "));
    let median = |way: Way| ways.iter().find(|each| each.0 == way).map(|each| (each.2.median, each.3.median));
    let (live, _) = median(Way::Cutover).unwrap_or_default();
    let (bound, _) = median(Way::Bound).unwrap_or_default();
    let (_, reference) = median(Way::Reference).unwrap_or_default();
    let (to_bound, to_reference) = (live / bound, live / reference);
    println!("cutover's live : lower bound      {to_bound:.2}  (aim: at most 1.3)");
    println!("cutover's live : reference, done  {to_reference:.2}  (aim: at most 0.6)");
    let bars = |name: &str, which: fn(&Row) -> &Spread| Group {
        name: name.to_owned(),
        bars: ways
            .iter()
            .map(|way| (way.0.name().to_owned(), which(way).clone()))
            .filter(|bar| bar.1.most > 0.0)
            .collect(),
    };
    let groups = [
        bars("until a client got the first answer of the new version", |way| &way.1),
        bars("until it was proved to serve", |way| &way.2),
        bars("until the command ended", |way| &way.3),
    ];
    let charts = vec![("swap".to_owned(), chart::bars("A swap, the app takes 1.5 s to start", "seconds", &groups))];
    let ways = ways.into_iter().map(|(way, answered, live, done, requests, lost)| {
        json!({ "way": way.name(), "first_answer_seconds": answered, "live_seconds": live, "done_seconds": done,
                "requests": requests, "lost": lost })
    });
    let data = json!({
        "app_start_ms": 1500,
        "rounds": count,
        "requests_per_second": 400,
        "ways": ways.collect::<Vec<_>>(),
        "cutover_steps_seconds": steps,
        "cutover_live_to_bound": to_bound,
        "cutover_live_to_reference_done": to_reference,
    });
    Figures { data, charts }
}

/// How long each of cutover's steps took.
fn steps(rounds: &[Round]) -> BTreeMap<&str, Spread> {
    let names: BTreeSet<&str> = rounds.iter().flat_map(|round| round.steps.keys()).map(String::as_str).collect();
    let of = |name: &str| Spread::of(rounds.iter().filter_map(|round| round.steps.get(name).copied()));
    names.into_iter().map(|name| (name, of(name))).collect()
}

fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}
