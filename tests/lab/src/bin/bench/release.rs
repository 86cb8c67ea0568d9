//! From a commit with one changed line to the new version serving.

use std::path::Path;
use std::time::Instant;

use anyhow::{Result, ensure};
use lab::{App, GitRepository, ROLLOUT, Rollout, build_app};
use serde_json::json;

use crate::chart::{self, Group};
use crate::site::{START, Site, timed};
use crate::stats::{Figures, Spread};

const WAYS: [&str; 4] =
    ["cutover, no registry", "cutover, registry", "reference's commands", "docker-rollout's commands"];

/// Runs the rounds, prints a table, gives the figures.
pub(crate) fn run(program: &Path, rounds: usize) -> Result<Figures> {
    let mut site = Site::set_up(program)?;
    let rollout = Rollout::bring_up(&site.instance, &build_app(&site.project.image, "v1.0.0", &START)?)?;
    let tree = app(&site, "v1.0.0").git_repository(&site.config(""), "v1.0.0")?;
    let mut times = WAYS.map(|_| (Vec::new(), Vec::new()));
    for round in 0..=rounds {
        for (way, (live, done)) in WAYS.into_iter().zip(&mut times) {
            let took = release(&mut site, &rollout, &tree, way)?;
            // the first one fills caches
            if round > 0 {
                println!("round {round}, {way}: live {:.2} s, done {:.2} s", took.0, took.1);
                live.push(took.0);
                done.push(took.1);
            }
        }
    }
    let spreads = times.map(|(live, done)| (Spread::of(live), Spread::of(done)));
    let reference = spreads[2].0.median;
    let (mut rows, mut groups) = (Vec::new(), Vec::new());
    println!("\n{:<26} {:>20} {:>20}  live : reference's", "seconds", "live", "done");
    for (way, (live, done)) in WAYS.into_iter().zip(&spreads) {
        let ratio = live.median / reference;
        println!("{way:<26} {live:>20} {done:>20}  {ratio:.2}");
        rows.push(json!({ "way": way, "live_seconds": live, "done_seconds": done, "live_to_reference": ratio }));
    }
    for (at, name) in ["until the new version serves", "until the command ended"].into_iter().enumerate() {
        let each = WAYS.into_iter().zip(&spreads);
        let bars = each.map(|(way, both)| (way.to_owned(), if at == 0 { &both.0 } else { &both.1 }.clone())).collect();
        groups.push(Group { name: name.to_owned(), bars });
    }
    let title = "A commit with one changed line, the app takes 1.5 s to start";
    let charts = vec![("release".to_owned(), chart::bars(title, "seconds", &groups))];
    Ok(Figures { data: json!({ "rounds": rounds, "app_start_ms": 1500, "rows": rows }), charts })
}

fn app(site: &Site, version: &str) -> App {
    START.iter().fold(App::new(&site.project.image, version), |app, (name, value)| app.set(name, value))
}

/// Seconds until it is live, and until all is done.
fn release(site: &mut Site, rollout: &Rollout, tree: &GitRepository, way: &str) -> Result<(f64, f64)> {
    let version = site.next();
    let more = if way == WAYS[0] { "registry: none\n" } else { "" };
    std::fs::write(tree.path().join("cutover.yml"), site.config(more))?;
    tree.commit(&app(site, &version), &format!("{version} One line"))?;
    let took = if way == WAYS[0] || way == WAYS[1] {
        let ran = site.cutover(&["release", "--yes"], tree.path())?;
        (ran.live()?, ran.usage.seconds)
    } else {
        let (image, tree) = (&site.project.image, tree.path().display());
        let began = Instant::now();
        timed(&format!(
            "cd {tree} && docker build -q -t {image}:latest . && docker tag {image}:latest {image}:{version} && \
             docker push -q {image}:{version} && docker push -q {image}:latest"
        ))?;
        if way == WAYS[2] {
            site.by_script()?
        } else {
            site.over_ssh(ROLLOUT)?
        };
        let seconds = began.elapsed().as_secs_f64();
        (seconds, seconds)
    };
    let served = if way == WAYS[3] { rollout.served_version() } else { site.project.served_version() };
    ensure!(served == Some(version), "{way} did not release");
    Ok(took)
}
