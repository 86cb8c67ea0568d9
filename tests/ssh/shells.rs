//! Accounts as they are: start-up files that print, shells that are not POSIX's, and sshd's own commands.
use cutover::host::ssh::{Command, ExecError, Limits, Session};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};

use crate::sshd::Sshd;

/// What root's login shell, bash, reads first.
fn with_bashrc(text: &str) -> Sshd {
    Sshd::start_with("", |path| std::fs::write(path.join(".bashrc"), text).unwrap())
}

async fn exec(session: &Session, command: &str) -> Result<cutover::host::ssh::Output, ExecError> {
    session.exec(command, b"", Limits::default()).await
}

#[tokio::test]
async fn what_start_up_files_print_is_no_part_of_a_command() {
    for noise in [
        "echo Welcome; echo 'to the host' >&2",
        "printf 'no newline'; printf 'nor here' >&2",
        "echo --cutover-begins-here-",
        "seq 1 20000",
        "stty sane",
        "set -e; set -u; cd /",
        "alias sh=false; alias echo=false",
    ] {
        let sshd = with_bashrc(noise);
        let session = sshd.connect().await;
        let output = exec(&session, "echo out; echo err >&2; exit 7").await.unwrap();
        let expected = (7, b"out\n".to_vec(), b"err\n".to_vec());
        assert_eq!((output.status, output.stdout, output.stderr), expected, "{noise}");

        let mut child = session.spawn("read line; echo \"got $line\"; echo end >&2").await.unwrap();
        child.stdin.write_all(b"it\n").await.unwrap();
        let mut lines = BufReader::new(&mut child.stdout).lines();
        assert_eq!(lines.next_line().await.unwrap(), Some("got it".to_owned()), "{noise}");
        assert_eq!(child.wait().await, Ok(0));
        assert_eq!(child.stderr(), b"end\n", "{noise}");

        let mut echo = session.stdio("cat").await.unwrap();
        echo.write_all(b"hello").await.unwrap();
        let mut back = [0; 5];
        echo.read_exact(&mut back).await.unwrap();
        assert_eq!(&back, b"hello", "{noise}");
    }
}

#[tokio::test]
async fn an_account_that_runs_no_command_is_named_for_what_it_is() {
    let forced = |line: &str| Sshd::start(&format!("ForceCommand {line}"));
    for (sshd, said) in [
        (with_bashrc("exec cat /dev/null"), "(exit status 0); it said nothing. Look for `exec`"),
        (with_bashrc("echo maintenance >&2; exit 3"), "(exit status 3); it said: maintenance."),
        (forced("/bin/echo This account is for backups only"), "it said: This account is for backups only."),
        (forced("/usr/sbin/nologin"), "not available"),
        (forced("/bin/no-such-shell"), "No such file"),
        // words are split anew
        (forced("/usr/bin/env $SSH_ORIGINAL_COMMAND"), "did not run the command"),
    ] {
        let session = sshd.connect().await;
        let error = exec(&session, "echo out").await.unwrap_err();
        assert!(matches!(error, ExecError::NotBegun { .. }), "{error:?}");
        let error = error.to_string();
        assert!(error.contains(said) && error.contains("ForceCommand"), "{error}");
        let mut child = session.spawn("echo out").await.unwrap();
        assert!(matches!(child.wait().await, Err(ExecError::NotBegun { .. })));
    }
}

#[tokio::test]
async fn a_command_that_sshd_wraps_in_another_one_works() {
    for line in ["/bin/sh -c \"$SSH_ORIGINAL_COMMAND\"", "nice /bin/bash -c 'eval \"$SSH_ORIGINAL_COMMAND\"'"] {
        let sshd = Sshd::start(&format!("ForceCommand {line}"));
        let session = sshd.connect().await;
        let words = ["it's", "a\nb!c", "\\", "$HOME", "ä"];
        let line = Command::new("printf").arg("%s\\0").args(words).line().unwrap();
        let output = exec(&session, &line).await.unwrap();
        assert_eq!(String::from_utf8(output.stdout).unwrap(), words.map(|word| format!("{word}\0")).concat());
    }
}

/// Login shells that are there; none of them is wanted.
#[tokio::test]
async fn words_arrive_as_they_were_through_any_login_shell() {
    let words =
        ["a b", "it's", "$(id)", "x\ny", "\\", "\\n", "!", "!!", "a!b", "*", "~", "%s", "#x", "{a,b}", "ä→🦀", ""];
    let line = Command::new("printf").arg("%s\\0").args(words).line().unwrap();
    let expected = words.map(|word| format!("{word}\0")).concat();
    for shell in ["sh", "dash", "bash", "zsh", "fish", "csh", "tcsh", "ksh", "mksh"] {
        let Some(shell) = ["/bin", "/usr/bin"]
            .map(|bin| format!("{bin}/{shell}"))
            .into_iter()
            .find(|path| std::path::Path::new(path).exists())
        else {
            continue;
        };
        // as sshd calls a login shell: the line is its one argument
        let wrapper = format!("#!/bin/sh\nexec {shell} -c \"$SSH_ORIGINAL_COMMAND\"\n");
        let sshd = Sshd::start_with("ForceCommand /bin/sh DIRECTORY/shell", |path| {
            std::fs::write(path.join("shell"), wrapper).unwrap();
        });
        let session = sshd.connect().await;
        let output = exec(&session, &line).await.unwrap();
        assert_eq!(String::from_utf8(output.stdout).unwrap(), expected, "{shell}");
    }
}
