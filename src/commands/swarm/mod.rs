//! The verbs with `engine: swarm`. What does not work with it says so, and does nothing.

mod deploy;
mod desk;
mod look;
mod release;

use super::{Exit, Run, Stop};
use crate::cli::{Cli, Verb};

/// Runs a verb on a stack.
pub(super) async fn verb(run: &Run, cli: &Cli, stack: &str) -> Result<Exit, Stop> {
    match &cli.verb {
        Verb::Version(options) => return super::version::version(run, options).await,
        Verb::Build(asked) => return super::build::build(run, asked).await,
        Verb::Push(asked) => return super::build::push(run, asked).await,
        Verb::Lock(options) => return super::freeze::lock(run, options).await,
        Verb::Unlock => return super::freeze::unlock(run).await,
        Verb::Config(options) if !options.find => return super::config::config(run, &cli.common, options).await,
        _ => {}
    }
    let name = match &cli.verb {
        Verb::Logs(_) => Some("logs"),
        Verb::Exec(_) => Some("exec"),
        Verb::Restart(_) => Some("restart"),
        Verb::Config(_) => Some("config --find"),
        Verb::Status(options) if options.watch.is_some() => Some("status --watch"),
        _ => None,
    };
    if let Some(name) = name {
        return Err(Stop::new(Exit::Usage, format!("`cutover {name}` does not work with `engine: swarm` yet")));
    }
    if run.config.services[0].ship {
        let what = "`engine: swarm` does not work with `registry: none` yet; take it out of cutover.yml";
        return Err(Stop::new(Exit::Usage, what));
    }
    match &cli.verb {
        Verb::Release(options) if options.dry_run => look::plan(run, &options.asked, stack).await,
        Verb::Release(options) => release::release(run, options, stack).await,
        Verb::Deploy(options) => deploy::deploy(run, options, stack).await,
        Verb::Rollback(options) => deploy::rollback(run, options, stack).await,
        Verb::Recover(options) => deploy::recover(run, options, stack).await,
        Verb::Plan(asked) => look::plan(run, asked, stack).await,
        Verb::Status(_) => look::status(run, stack).await,
        Verb::Check => look::check(run, stack).await,
        Verb::History => look::history(run, stack).await,
        _ => Ok(Exit::Done),
    }
}
