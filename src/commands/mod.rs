//! A verb a file. Each reads top to bottom; what they share is in [`session`] and [`swap`].

mod again;
mod ask;
mod build;
mod check;
mod config;
mod deploy;
mod documents;
mod exec;
mod freeze;
mod github;
mod history;
mod hooks;
mod init;
mod init_new;
mod lock;
mod logs;
mod outcome;
mod plan;
mod recover;
mod release;
mod restart;
mod rollback;
mod serving;
mod session;
mod ship;
mod standing;
mod status;
mod swap;
mod swarm;
mod terminal;
mod tree;
mod version;

use crate::cancel::Cancel;
use crate::cli::{Cli, Verb};
use crate::config::{Config, ConfigError};
use crate::host::{Kind, kind};
use crate::release::version::VersionError;
use crate::report::stop::{FilePlace, Wrong};
pub use crate::report::{Exit, Stop};
use crate::report::{Format, Reporter};
use std::sync::OnceLock;

impl From<anyhow::Error> for Stop {
    fn from(error: anyhow::Error) -> Stop {
        match kind(&error) {
            Kind::Lost => Stop::new(Exit::Connection, format!("{error:#}")),
            Kind::Overtaken(overtaken) => overtaken.clone().into(),
            Kind::Other => Stop::new(Exit::Unexpected, format!("{error:#}")),
        }
    }
}

impl From<VersionError> for Stop {
    fn from(error: VersionError) -> Stop {
        Stop::new(Exit::Usage, error.to_string())
    }
}

impl From<ConfigError> for Stop {
    fn from(error: ConfigError) -> Stop {
        let message = error.to_string();
        let place = FilePlace { file: error.file, line: error.line, column: error.column };
        Stop::Wrong(Wrong { exit: Exit::Usage, what: message, todo: None, place: Some(place) })
    }
}

/// What every verb has at hand.
pub(crate) struct Run {
    pub(crate) config: Config,
    pub(crate) reporter: Reporter,
    pub(crate) cancel: Cancel,
    /// Which commit it is of, once that is known.
    pub(crate) commit: OnceLock<String>,
    pub(crate) locks: lock::Locks,
    pub(crate) hooks: hooks::LocalHooks,
}

/// Runs the verb to its end and says how it ended. Errors are reported here and nowhere else.
pub async fn run(cli: Cli) -> Exit {
    let reporter = Reporter::new(Format::choose(cli.common.json), cli.common.verbose);
    let exit = match dispatch(cli, &reporter).await {
        Ok(exit) => exit,
        Err(stop) => {
            reporter.stopped(&stop);
            stop.exit()
        }
    };
    reporter.finish(exit.name());
    exit
}

async fn dispatch(cli: Cli, reporter: &Reporter) -> Result<Exit, Stop> {
    match &cli.verb {
        Verb::Init(options) => return init::init(reporter, &cli.common, options),
        Verb::Schema => return documents::schema(),
        Verb::Completions { shell } => return documents::completions(*shell),
        Verb::Man { directory } => return documents::man(directory.as_deref()),
        _ => {}
    }
    let config = Config::load(&cli.common.config, cli.common.environment.as_deref())?;
    crate::child::withhold(config.secret_names());
    reporter.publish(config.public_words());
    let cancel = Cancel::on_signals().map_err(anyhow::Error::from)?;
    let run = Run {
        config,
        reporter: reporter.clone(),
        cancel,
        commit: OnceLock::new(),
        locks: lock::Locks::default(),
        hooks: hooks::LocalHooks::default(),
    };
    let ended = verb(&run, &cli).await;
    if releases(&cli.verb) {
        run.hook_after(&ended).await;
    }
    ended
}

/// Whether a verb takes a version live.
fn releases(verb: &Verb) -> bool {
    match verb {
        Verb::Release(release) => !release.dry_run,
        Verb::Deploy(_) | Verb::Rollback(_) | Verb::Restart(_) => true,
        _ => false,
    }
}

async fn verb(run: &Run, cli: &Cli) -> Result<Exit, Stop> {
    if let Some(stack) = &run.config.stack {
        return swarm::verb(run, cli, stack.as_str()).await;
    }
    match &cli.verb {
        Verb::Release(release) if release.dry_run => plan::plan(run, &release.asked).await,
        Verb::Release(release) => release::release(run, release).await,
        Verb::Version(options) => version::version(run, options).await,
        Verb::Plan(asked) => plan::plan(run, asked).await,
        Verb::Build(asked) => build::build(run, asked).await,
        Verb::Push(asked) => build::push(run, asked).await,
        Verb::Deploy(deploy) => deploy::deploy(run, deploy).await,
        Verb::Rollback(rollback) => rollback::rollback(run, rollback).await,
        Verb::Recover(recover) => recover::recover(run, recover).await,
        Verb::History => history::history(run).await,
        Verb::Status(options) => status::status(run, options).await,
        Verb::Logs(logs) => logs::logs(run, logs).await,
        Verb::Exec(exec) => exec::exec(run, exec).await,
        Verb::Restart(restart) => restart::restart(run, restart).await,
        Verb::Lock(options) => freeze::lock(run, options).await,
        Verb::Unlock => freeze::unlock(run).await,
        Verb::Check => check::check(run).await,
        Verb::Config(options) => config::config(run, &cli.common, options).await,
        Verb::Init(_) | Verb::Schema | Verb::Completions { .. } | Verb::Man { .. } => Ok(Exit::Done),
    }
}
