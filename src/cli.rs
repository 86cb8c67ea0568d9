//! The command line: what can be asked for, and nothing of how it is done.

use crate::config::{domain, duration};
use clap::{Arg, Args, Command, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use std::path::PathBuf;
use std::time::Duration;

/// Zero-downtime releases to your own server
#[derive(Debug, Parser)]
#[command(name = "cutover", version, about, after_help = EXIT_CODES, disable_help_subcommand = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
    /// Options of every verb.
    #[command(flatten)]
    pub common: CommonOptions,
}

const EXIT_CODES: &str = "\
Exit codes:
  0  released, or already live, or nothing to release (it says which)
  1  unexpected
  2  bad usage or configuration
  3  failed and rolled back, or refused before anything was changed
  4  failed and could not be rolled back; the message says what to do by hand
  5  locked by another run or by a person, or overtaken by a run
  6  no connection, wrong host key or refused login
  129, 130, 143  stopped by SIGHUP, SIGINT, SIGTERM, and rolled back";

impl Cli {
    /// The command line of this process, and its environment: a variable that is set to nothing counts as not set, since
    /// many CIs set those that nobody gave a value. Ends the process where it can't be read.
    pub fn of_process() -> Cli {
        let mut command = without_empty(Cli::command());
        let matches = command.get_matches_mut();
        Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.format(&mut command).exit())
    }
}

fn without_empty(command: Command) -> Command {
    let is_empty = |arg: &Arg| arg.get_env().and_then(std::env::var_os).is_some_and(|value| value.is_empty());
    let command = command.mut_args(|arg| if is_empty(&arg) { arg.env(None::<&str>) } else { arg });
    command.mut_subcommands(without_empty)
}

/// Options of every verb.
#[derive(Debug, Clone, Args)]
pub struct CommonOptions {
    /// The configuration file
    #[arg(short, long, global = true, env = "CUTOVER_CONFIG", default_value = "cutover.yml", value_name = "FILE")]
    pub config: PathBuf,
    /// An environment of the configuration, such as staging
    #[arg(short, long, global = true, env = "CUTOVER_ENVIRONMENT", value_name = "NAME")]
    pub environment: Option<String>,
    /// One JSON object a line, on stdout
    #[arg(long, global = true)]
    pub json: bool,
    /// Show every command on a host with its reason, ready to be pasted there
    #[arg(short, long, global = true)]
    pub verbose: bool,
}

/// What can be done.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Write a cutover.yml and a workflow for the repository here; with --new a whole project; overwrites nothing
    Init(InitOptions),
    /// Diagnose hosts and project, and say what to do; changes nothing
    Check,
    /// Print what a release would do on the hosts as they are, and change nothing
    Plan(VersionAsked),
    /// Version, checks, build, push, and the swap on every host
    Release(ReleaseOptions),
    /// Go back to the release before, or to any version of the history
    Rollback(RollbackOptions),
    /// Say what is live on every host, whether it is healthy, and what can be rolled back to
    Status(StatusOptions),
    /// List the releases of every host
    History,
    /// Print what the live containers print, on every host at once
    Logs(Logs),
    /// Run a command in the live container of every host; ends with the command's own exit status
    Exec(Exec),
    /// Take the live version through the whole swap once more, with the env file as it is now
    Restart(Restart),
    /// Freeze releases: no run changes a host until `unlock`, whoever starts it
    Lock(LockOptions),
    /// Let releases go on after `lock`
    Unlock,
    /// Print the configuration as it holds, and where each value comes from; no secret is shown
    Config(ConfigOptions),
    /// Swap every host to a version that is in the registry, or, with `registry: none`, in the local Docker
    Deploy(DeployOptions),
    /// Build and tag the image
    Build(VersionAsked),
    /// Push the image that was built; print its digest
    Push(VersionAsked),
    /// Print the version that would be released
    Version(VersionOptions),
    /// Finish or put back a release that an earlier run left half-way
    Recover(RecoverOptions),
    /// Print the JSON schema of cutover.yml, for editors
    Schema,
    /// Print completions for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page (or one for each verb, into a directory)
    Man {
        /// Where to put cutover.1, cutover-release.1, …
        #[arg(value_name = "DIRECTORY")]
        directory: Option<PathBuf>,
    },
}

/// Which version.
#[derive(Debug, Clone, Default, Args)]
pub struct VersionAsked {
    /// The version; without it, from the GitHub event or the last commit message
    #[arg(long, value_name = "vX.Y.Z", env = "CUTOVER_VERSION")]
    pub version: Option<String>,
}

/// Options of `version`.
#[derive(Debug, Clone, Default, Args)]
pub struct VersionOptions {
    /// Which version.
    #[command(flatten)]
    pub asked: VersionAsked,
    /// Say of each version in the texts why it was taken or left
    #[arg(long)]
    pub explain: bool,
    /// Look into this message instead of the event or the last commit
    #[arg(long, value_name = "TEXT")]
    pub message: Option<String>,
}

/// Options of a swap.
#[derive(Debug, Clone, Default, Args)]
pub struct SwapOptions {
    /// Let a version replace a newer one
    #[arg(long)]
    pub allow_downgrade: bool,
    /// Take a version that is live already through the whole swap once more, into the other slot; nothing is built for it
    #[arg(long)]
    pub again: bool,
    /// Let a version leave out a major one, such as v20.0.0 after v1.4.0
    #[arg(long)]
    pub allow_jump: bool,
    /// Wait this long for another run to end, such as 5m
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    pub wait: Option<Duration>,
}

/// Options of `release`.
#[derive(Debug, Clone, Default, Args)]
pub struct ReleaseOptions {
    /// Which version.
    #[command(flatten)]
    pub asked: VersionAsked,
    /// How to swap.
    #[command(flatten)]
    pub swap: SwapOptions,
    /// Print the plan instead
    #[arg(long)]
    pub dry_run: bool,
    /// Release from a work tree with uncommitted changes
    #[arg(long)]
    pub dirty: bool,
    /// Do not ask first, on a terminal
    #[arg(short, long)]
    pub yes: bool,
}

/// Options of `deploy`.
#[derive(Debug, Clone, Default, Args)]
pub struct DeployOptions {
    /// Which version.
    #[command(flatten)]
    pub asked: VersionAsked,
    /// How to swap.
    #[command(flatten)]
    pub swap: SwapOptions,
    /// The image's digest, as `push` printed it; SERVICE=sha256:… where there are several services
    #[arg(long, value_name = "[SERVICE=]sha256:…", value_delimiter = ',')]
    pub digest: Vec<String>,
    /// Without a registry, the image in a file or directory (an OCI layout, or what `docker save` wrote) instead of the
    /// Docker daemon's; SERVICE=PATH where there are several services
    #[arg(long, value_name = "[SERVICE=]PATH")]
    pub image: Vec<String>,
}

/// Options of `lock`.
#[derive(Debug, Clone, Default, Args)]
pub struct LockOptions {
    /// Why, for those who are kept waiting
    #[arg(short, long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    pub reason: String,
}

/// Options of `config`.
#[derive(Debug, Clone, Default, Args)]
pub struct ConfigOptions {
    /// Log in, and say what is found on the hosts where the file leaves it to them
    #[arg(long)]
    pub find: bool,
}

/// What `init` cannot see in the repository. On a terminal it asks for what is missing.
#[derive(Debug, Clone, Default, Args)]
pub struct InitOptions {
    /// For a project without a compose file, and a server with nothing but Docker: write those files, too, and a script that
    /// sets the server up
    #[arg(long)]
    pub new: bool,
    /// With --new: the port that the service listens on; without it, what the Dockerfile exposes
    #[arg(long, value_name = "NUMBER", requires = "new", value_parser = clap::value_parser!(u16).range(1..))]
    pub port: Option<u16>,
    /// With --new: its name, for HTTPS with certbot
    #[arg(long, value_name = "NAME", requires = "new", value_parser = domain)]
    pub domain: Option<String>,
    /// The image, without a tag
    #[arg(long, value_name = "NAME")]
    pub image: Option<String>,
    /// The host to release to
    #[arg(long, value_name = "USER@HOST[:PORT]")]
    pub host: Option<String>,
    /// Where the compose file is on the host
    #[arg(long, value_name = "/PATH")]
    pub directory: Option<String>,
    /// The path that answers 200 when the service is healthy
    #[arg(long, value_name = "/PATH")]
    pub health: Option<String>,
    /// The directory to build the image in
    #[arg(long, value_name = "DIRECTORY")]
    pub context: Option<String>,
    /// The branch whose pushes release
    #[arg(long, value_name = "NAME")]
    pub branch: Option<String>,
    /// How the workflow names the action; if not given, by the commit of this version, which pins the binary too
    #[arg(long, value_name = "OWNER/NAME@REF")]
    pub action: Option<String>,
    /// Also write an nginx conf that keeps idle connections open over a reload (nginx 1.27.4 or newer)
    #[arg(long)]
    pub keepalive_conf: bool,
}

/// Options of `rollback`.
#[derive(Debug, Clone, Default, Args)]
pub struct RollbackOptions {
    /// The version to go back to; without it, the last one that was live and was not rolled back itself
    #[arg(value_name = "VERSION", env = "CUTOVER_VERSION")]
    pub version: Option<String>,
    /// The same
    #[arg(long, value_name = "VERSION", conflicts_with = "version")]
    pub to: Option<String>,
    /// Do not ask first, on a terminal
    #[arg(short, long)]
    pub yes: bool,
    /// Wait this long for another run to end, such as 5m
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    pub wait: Option<Duration>,
}

/// Options of `status`.
#[derive(Debug, Clone, Default, Args)]
pub struct StatusOptions {
    /// Look again each so often (5s if nothing is said), until Ctrl-C
    #[arg(short, long, value_name = "DURATION", num_args = 0..=1, default_missing_value = "5s", value_parser = duration::parse)]
    pub watch: Option<Duration>,
}

/// Options of `logs`.
#[derive(Debug, Clone, Default, Args)]
pub struct Logs {
    /// A service of cutover.yml; without it, all of them
    #[arg(value_name = "SERVICE")]
    pub service: Option<String>,
    /// Go on until stopped, also with the container that a release puts in its place
    #[arg(short, long)]
    pub follow: bool,
    /// From then on: 10m, 2h30m, or a time of RFC 3339
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,
    /// The last so many lines; without it and --since, 100
    #[arg(short = 'n', long, value_name = "LINES")]
    pub tail: Option<u32>,
    /// The time before each line
    #[arg(short, long)]
    pub timestamps: bool,
    /// The slot that does not serve
    #[arg(long)]
    pub idle: bool,
    /// Only this host, as `status` calls it; may be given several times
    #[arg(long = "host", value_name = "HOST")]
    pub hosts: Vec<String>,
}

/// Options of `exec`.
#[derive(Debug, Clone, Default, Args)]
pub struct Exec {
    /// The service of cutover.yml, where there are several
    #[arg(long, value_name = "SERVICE")]
    pub service: Option<String>,
    /// Give the command what comes on stdin
    #[arg(short, long)]
    pub interactive: bool,
    /// Give it this terminal, as for a shell; what it prints reaches the terminal as it is
    #[arg(short, long)]
    pub terminal: bool,
    /// The slot that does not serve
    #[arg(long)]
    pub idle: bool,
    /// Only this host, as `status` calls it; may be given several times
    #[arg(long = "host", value_name = "HOST")]
    pub hosts: Vec<String>,
    /// The command and its words
    #[arg(last = true, required = true, value_name = "COMMAND")]
    pub command: Vec<String>,
}

/// Options of `restart`.
#[derive(Debug, Clone, Default, Args)]
pub struct Restart {
    /// Wait this long for another run to end, such as 5m
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    pub wait: Option<Duration>,
}

/// Options of `recover`.
#[derive(Debug, Clone, Default, Args)]
pub struct RecoverOptions {
    /// Keep the new version
    #[arg(long, conflicts_with = "put_back")]
    pub finish: bool,
    /// Go back to the old version
    #[arg(long)]
    pub put_back: bool,
    /// Wait this long for another run to end, such as 5m
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    pub wait: Option<Duration>,
}
