//! `cutover exec`: a command in the live container of every host.

use super::serving::{Serving, Which};
use super::terminal::Terminal;
use super::{Exit, Run, Stop};
use crate::cli;
use crate::host::on_host;
use crate::host::script::Script;
use futures_util::future::join_all;
use tokio::io::AsyncWriteExt as _;

/// The words are those of `docker exec`.
const EXEC: &str = "# Runs a command in a container.\nexec docker exec \"$@\" 2>&1";

/// Runs it; ends with the command's own exit status, the first that is not 0.
pub(super) async fn exec(run: &Run, options: &cli::Exec) -> Result<Exit, Stop> {
    let which = Which { service: options.service.as_deref(), idle: options.idle };
    run.service_is_known(which.service)?;
    one_is_meant(run, options)?;
    let all = async {
        let hosts = run.connect_to(&options.hosts).await?;
        let serving = run.serving(&hosts, which).await?;
        match (&serving[..], options.terminal) {
            ([one], true) => with_terminal(one, options).await,
            _ => {
                let ends = join_all(serving.iter().map(|each| one(each, options))).await;
                let statuses = ends.into_iter().collect::<anyhow::Result<Vec<u32>>>()?;
                Ok(statuses.into_iter().find(|status| *status != 0).unwrap_or(0))
            }
        }
    };
    tokio::select! {
        ended = all => Ok(match ended? {
            0 => Exit::Done,
            status => Exit::Command(u8::try_from(status).unwrap_or(u8::MAX)),
        }),
        signal = run.cancel.wait() => Ok(Exit::Interrupted(signal.exit_code())),
    }
}

/// One service is meant, and one host where input goes to it.
fn one_is_meant(run: &Run, options: &cli::Exec) -> Result<(), Stop> {
    let names: Vec<&str> = run.config.services.iter().map(|service| service.name.as_str()).collect();
    if options.service.is_none() && names.len() > 1 {
        return Err(Stop::new(Exit::Usage, format!("name the service with --service: {}", names.join(", "))));
    }
    let hosts: Vec<&str> = run.config.hosts.iter().map(|host| host.label()).collect();
    let several = if options.hosts.is_empty() { hosts.len() > 1 } else { options.hosts.len() > 1 };
    if (options.interactive || options.terminal) && several {
        let message = format!("input goes to one container; name its host with --host: {}", hosts.join(", "));
        return Err(Stop::new(Exit::Usage, message));
    }
    if options.terminal { Terminal::is_there() } else { Ok(()) }
}

/// Why it runs.
const WHY: &str = "to run a command in the container";

/// The script, with these flags of `docker exec`.
fn script(serving: &Serving<'_>, flags: &[String], options: &cli::Exec) -> Script {
    Script::new(WHY, EXEC).args(flags.iter().cloned()).arg(&serving.container).args(&options.command)
}

/// A person's terminal, handed through as it is.
async fn with_terminal(serving: &Serving<'_>, options: &cli::Exec) -> Result<u32, Stop> {
    let terminal = Terminal::taken()?;
    let flags = ["--interactive".to_owned(), "--tty".to_owned(), format!("--env=TERM={}", Terminal::kind())];
    let script = script(serving, &flags, options);
    let (mut child, window) = serving.host.terminal(&script, &Terminal::kind(), Terminal::size()).await?;
    let ended = terminal.hand_through(&mut child, &window).await;
    Ok(ended.map_err(|error| on_host(&serving.host.name, WHY, error))?)
}

async fn one(serving: &Serving<'_>, options: &cli::Exec) -> anyhow::Result<u32> {
    let flags: Vec<String> = options.interactive.then(|| "--interactive".to_owned()).into_iter().collect();
    let script = script(serving, &flags, options);
    let mut child = serving.host.start(&script).await?;
    // its own end is that of a command which takes no input
    let mut input = std::mem::replace(&mut child.stdin, tokio::io::duplex(1).0);
    let give = async {
        if options.interactive {
            // a command that wants no more of it has ended, or will say so
            let _ = tokio::io::copy(&mut tokio::io::stdin(), &mut input).await;
        }
        let _ = input.shutdown().await;
        drop(input);
        std::future::pending::<()>().await;
    };
    tokio::select! {
        ended = serving.print(&mut child) => ended.map_err(|error| on_host(&serving.host.name, WHY, error)),
        () = give => unreachable!("it waits for ever"),
    }
}
