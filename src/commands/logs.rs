//! `cutover logs`: what the live slots print, on every host at once.

use super::serving::{Serving, Which};
use super::{Exit, Run, Stop};
use crate::cli;
use crate::host::on_host;
use crate::host::script::Script;
use crate::report::Level;
use anyhow::{Result, bail};
use futures_util::future::join_all;

/// Lines that are shown where nothing else is asked for.
const LAST: u32 = 100;

/// Prints them.
pub(super) async fn logs(run: &Run, options: &cli::Logs) -> Result<Exit, Stop> {
    if let Some(since) = &options.since
        && !is_time(since)
    {
        let message = format!("--since {since}: expected a time that has passed (10m, 2h30m) or one of RFC 3339");
        return Err(Stop::new(Exit::Usage, message));
    }
    let which = Which { service: options.service.as_deref(), idle: options.idle };
    run.service_is_known(which.service)?;
    let looking = async {
        let hosts = run.connect_to(&options.hosts).await?;
        let serving = run.serving(&hosts, which).await?;
        join_all(serving.iter().map(|each| show(run, each, options))).await.into_iter().collect::<Result<(), Stop>>()
    };
    tokio::select! {
        ended = looking => ended.map(|()| Exit::Done),
        // whoever follows ends it so
        signal = run.cancel.wait() => Ok(Exit::Interrupted(signal.exit_code())),
    }
}

/// A duration as Docker takes it, or a time of day.
fn is_time(text: &str) -> bool {
    crate::config::duration::parse(text).is_ok() || text.parse::<jiff::Timestamp>().is_ok()
}

/// Prints a container's log. Where somebody follows it and a release has put another container in its place, goes on with
/// that one, from its first line.
async fn show(run: &Run, serving: &Serving<'_>, options: &cli::Logs) -> Result<(), Stop> {
    print(serving, first_words(options)).await?;
    if !options.follow {
        return Ok(());
    }
    let which = Which { service: Some(&serving.service), idle: options.idle };
    let say = |text: String| run.reporter.note(Level::Info, &serving.host.name, text);
    let mut last = serving.container.clone();
    loop {
        let next = run.serving(std::slice::from_ref(serving.host), which).await?;
        let Some(mut next) = next.into_iter().find(|next| next.container != last) else {
            say(format!("the container of {} has ended", serving.service));
            return Ok(());
        };
        say(format!("{} serves {}", next.slot, next.version.as_deref().unwrap_or("an unknown version")));
        next.label.clone_from(&serving.label);
        print(&next, vec!["--follow".to_owned()]).await?;
        last = next.container;
    }
}

/// What `docker logs` is told of the first container.
fn first_words(options: &cli::Logs) -> Vec<String> {
    let tail = options.tail.or_else(|| options.since.is_none().then_some(LAST));
    let flags = [(options.follow, "--follow"), (options.timestamps, "--timestamps")];
    let mut words: Vec<String> =
        flags.iter().filter(|(wanted, _)| *wanted).map(|(_, flag)| (*flag).to_owned()).collect();
    words.extend(options.since.iter().map(|since| format!("--since={since}")));
    words.extend(tail.iter().map(|tail| format!("--tail={tail}")));
    words
}

async fn print(serving: &Serving<'_>, mut words: Vec<String>) -> Result<()> {
    let why = "to read a container's log";
    words.push(serving.container.clone());
    let mut child = serving.host.start(&Script::new(why, include_str!("logs.sh")).args(words)).await?;
    let status = serving.print(&mut child).await.map_err(|error| on_host(&serving.host.name, why, error))?;
    if status != 0 {
        bail!("on {}, {why}: `docker logs` ended with {status}", serving.host.name);
    }
    Ok(())
}
