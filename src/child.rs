//! The one place that starts programs on this side: none gets a secret of this run that it was not meant to have.
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::io;
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _};

/// Variables that the configuration names as holding a secret.
static NAMED: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// From now on no child gets these variables, unless it is given them by name.
pub fn withhold(names: impl IntoIterator<Item = String>) {
    NAMED.lock().unwrap_or_else(PoisonError::into_inner).extend(names);
}

/// A program with this process's environment, without the secrets in it but those that `given` names.
pub fn command(program: impl AsRef<OsStr>, given: &[String]) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os() {
        let known = name.to_string_lossy();
        if is_secret(&known) && !given.iter().any(|given| *given == known) {
            command.env_remove(&name);
        }
    }
    command
}

/// Whatever is cutover's own or the job's: the inputs of an action, and tokens to write to GitHub or to its caches.
fn is_secret(name: &str) -> bool {
    ["CUTOVER_", "INPUT_", "ACTIONS_"].iter().any(|prefix| name.starts_with(prefix))
        || ["GITHUB_TOKEN", "GH_TOKEN", "GH_ENTERPRISE_TOKEN", "GITHUB_ENTERPRISE_TOKEN"].contains(&name)
        || NAMED.lock().unwrap_or_else(PoisonError::into_inner).contains(name)
}

/// What a short command may print, and how long it may take.
const MOST: u64 = 1 << 20;
const WITHIN: Duration = Duration::from_secs(60);

/// Runs a short command to its end: its output as text, or what it said instead, on one line.
///
/// # Errors
/// It can't be started, fails, takes longer than 60 s or prints more than 1 MiB.
pub async fn output(command: Command) -> io::Result<String> {
    match run(command).await? {
        (text, true) => Ok(text),
        (_, false) => Err(io::Error::other(format!("it printed more than {MOST} bytes"))),
    }
}

/// As [`output`], but of what is longer only the beginning.
///
/// # Errors
/// It can't be started, fails, or takes longer than 60 s.
pub async fn beginning(command: Command) -> io::Result<String> {
    Ok(run(command).await?.0)
}

/// Its output, and whether that is all of it.
async fn run(mut command: Command) -> io::Result<(String, bool)> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = tokio::process::Command::from(command).kill_on_drop(true).spawn()?;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let run = async {
        let ((stdout, whole), (stderr, _)) = tokio::try_join!(bounded(stdout), bounded(stderr))?;
        // what prints more than is read need not come to its end
        let status = if whole { Some(child.wait().await?) } else { None };
        Ok::<_, io::Error>((status, stdout, stderr))
    };
    let late = |_| io::Error::other(format!("no end within {} s", WITHIN.as_secs()));
    let (status, stdout, stderr) = crate::awake::timeout(WITHIN, run).await.map_err(late)??;
    match status {
        None => Ok((stdout, false)),
        Some(status) if status.success() => Ok((stdout, true)),
        Some(_) => Err(io::Error::other(crate::report::text::one_line(&stderr, 300))),
    }
}

/// What it says, at most [`MOST`] bytes, and whether that is all.
async fn bounded(pipe: Option<impl AsyncRead + Unpin>) -> io::Result<(String, bool)> {
    let Some(pipe) = pipe else { return Ok((String::new(), true)) };
    let mut bytes = Vec::new();
    pipe.take(MOST + 1).read_to_end(&mut bytes).await?;
    let whole = bytes.len() as u64 <= MOST;
    bytes.truncate(usize::try_from(MOST).unwrap_or(usize::MAX));
    Ok((String::from_utf8_lossy(&bytes).into_owned(), whole))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn shell(script: &str) -> Command {
        let mut shell = command("sh", &[]);
        shell.args(["-c", script]);
        shell
    }

    #[tokio::test]
    async fn a_short_command_is_bounded_and_says_why_it_failed() {
        assert_eq!(output(shell("printf 'two words'")).await.unwrap(), "two words");
        assert_eq!(output(shell("echo why >&2; exit 3")).await.unwrap_err().to_string(), "why");
        assert!(output(shell("yes")).await.unwrap_err().to_string().contains("more than 1048576 bytes"));
        assert_eq!(beginning(shell("yes")).await.unwrap().len(), 1 << 20);
    }

    #[test]
    fn what_is_named_is_withheld() {
        withhold(["OF_THE_CONFIGURATION".to_owned()]);
        for name in
            ["CUTOVER_SSH_KEY", "GITHUB_TOKEN", "ACTIONS_RUNTIME_TOKEN", "INPUT_SSH-KEY", "OF_THE_CONFIGURATION"]
        {
            assert!(is_secret(name), "{name}");
        }
        for name in
            ["PATH", "HOME", "DOCKER_CONFIG", "DOCKER_HOST", "AWS_SECRET_ACCESS_KEY", "GITHUB_SHA", "SSH_AUTH_SOCK"]
        {
            assert!(!is_secret(name), "{name}");
        }
    }
}
