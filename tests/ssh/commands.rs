//! Commands: status, output, input, their bounds, and how many round trips they take.
use std::time::{Duration, Instant};

use cutover::host::ssh::{Command, ExecError, Limits, Options, Session};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};

use crate::link::Link;
use crate::sshd::Sshd;

async fn run(session: &Session, command: &str) -> Result<cutover::host::ssh::Output, ExecError> {
    session.exec(command, b"", Limits::default()).await
}

#[tokio::test]
async fn status_stdout_and_stderr_come_back() {
    let session = Sshd::start("");
    let session = session.connect().await;
    let output = run(&session, "echo out; echo err >&2; exit 7").await.unwrap();
    assert_eq!((output.status, &output.stdout[..], &output.stderr[..]), (7, &b"out\n"[..], &b"err\n"[..]));
    assert!(!output.success());
    assert_eq!(run(&session, "no-such-command-here").await.unwrap().status, 127);
    assert!(run(&session, "true").await.unwrap().success());
}

#[tokio::test]
async fn words_arrive_as_they_were() {
    let sshd = Sshd::start("");
    let session = sshd.connect().await;
    let words = ["a b", "it's", "$(id)", "`id`", "x\ny", "\\", "*", "::error::x", "\u{1b}[31m", "pa$1wor$D", ""];
    let line = Command::new("printf").arg("%s\\0").args(words).line().unwrap();
    let output = run(&session, &line).await.unwrap();
    let expected: String = words.iter().map(|w| format!("{w}\0")).collect();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), expected);
    assert!(matches!(run(&session, "echo a\0b").await, Err(ExecError::Quote(_))));
}

#[tokio::test]
async fn ten_megabytes_go_there_and_back() {
    let sshd = Sshd::start("");
    let session = sshd.connect().await;
    let data: Vec<u8> = (0..10_u32 << 20).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let output = session.exec("cat", &data, Limits::default()).await.unwrap();
    assert!(output.stdout == data, "{} bytes", output.stdout.len());
    let both = "cat >&2; head -c 1000000 /dev/zero";
    let output = session.exec(both, &data, Limits::default()).await.unwrap();
    assert!(output.stderr == data && output.stdout.len() == 1_000_000);
}

#[tokio::test]
async fn a_command_that_does_not_read_its_input_is_no_trouble() {
    let sshd = Sshd::start("");
    let session = sshd.connect().await;
    let data = vec![b'x'; 10 << 20];
    for _ in 0..3 {
        let output = session.exec("exec <&-; exit 3", &data, Limits::default()).await.unwrap();
        assert_eq!(output.status, 3);
    }
    assert!(run(&session, "true").await.unwrap().success(), "the connection is well");
}

#[tokio::test]
async fn a_signal_is_named() {
    let sshd = Sshd::start("");
    let session = sshd.connect().await;
    assert_eq!(run(&session, "kill -TERM $$").await, Err(ExecError::Signal("TERM".into())));
    assert_eq!(run(&session, "kill -KILL $$").await, Err(ExecError::Signal("KILL".into())));
}

#[tokio::test]
async fn too_much_output_ends_the_command_only() {
    let sshd = Sshd::start("");
    let session = sshd.connect().await;
    let limits = Limits { max_bytes: 1 << 20, ..Limits::default() };
    let file = sshd.path("pid").display().to_string();
    let result = session.exec(&format!("echo $$ > {file}; exec cat /dev/zero"), b"", limits).await;
    assert_eq!(result, Err(ExecError::TooMuchOutput(1 << 20)));
    let gone = format!("while kill -0 $(cat {file}) 2>/dev/null; do sleep 0.01; done");
    session.exec(&gone, b"", Limits::within(Duration::from_secs(10))).await.expect("its channel was closed");
    let result = session.exec("cat /dev/zero >&2", b"", limits).await;
    assert_eq!(result, Err(ExecError::TooMuchOutput(1 << 20)));
    assert!(run(&session, "true").await.unwrap().success());
}

#[tokio::test]
async fn a_timeout_ends_the_wait_and_the_session_goes_on() {
    let sshd = Sshd::start("");
    let session = sshd.connect().await;
    let limits = Limits::within(Duration::from_millis(300));
    for _ in 0..12 {
        // `cat` ends when its input is closed: twelve commands that run on would be too many for sshd.
        let result = session.exec("cat; sleep 0.1", &[], limits).await;
        assert!(result.unwrap().success());
        let result = session.exec("trap '' PIPE; sleep 0.4", b"", limits).await;
        assert!(matches!(result, Err(ExecError::Timeout(_))), "{result:?}");
    }
    let mut child = session.spawn("cat").await.unwrap();
    assert!(tokio::time::timeout(Duration::from_millis(100), child.wait()).await.is_err());
    drop(child);
    assert!(run(&session, "true").await.unwrap().success());
}

#[tokio::test]
async fn a_connection_that_is_cut_is_said_at_once() {
    let sshd = Sshd::start("");
    let session = sshd.connect().await;
    let mut child = session.spawn("cat").await.unwrap();
    let started = Instant::now();
    assert_eq!(run(&session, "kill -9 $PPID; exec sleep 30").await, Err(ExecError::Disconnected));
    assert_eq!(child.wait().await, Err(ExecError::Disconnected));
    tokio::time::timeout(Duration::from_secs(5), session.closed()).await.expect("it knows");
    assert!(session.is_closed());
    assert_eq!(run(&session, "true").await, Err(ExecError::Disconnected));
    assert!(session.spawn("true").await.is_err());
    assert!(started.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn many_commands_at_once_all_get_their_answer() {
    let sshd = Sshd::start("");
    let session = sshd.connect().await;
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..100_u32 {
        let session = session.clone();
        tasks.spawn(async move {
            let output = run(&session, &format!("sleep 0.0{}; echo {n}", n % 10)).await.unwrap();
            assert_eq!(String::from_utf8(output.stdout).unwrap(), format!("{n}\n"));
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
}

#[tokio::test]
async fn a_server_with_few_sessions_is_served_too() {
    let sshd = Sshd::start("MaxSessions 1");
    let session = sshd.connect().await;
    for _ in 0..5 {
        assert!(run(&session, "true").await.unwrap().success());
    }
    // what one connection has no room for goes over another one, as does the session that is kept for putting back
    let ask = "echo $PPID";
    let first = run(&session, ask).await.unwrap().stdout;
    let mut cats = Vec::new();
    for _ in 0..4 {
        cats.push(session.spawn("cat").await.unwrap());
    }
    let other = run(&session, ask).await.unwrap();
    assert!(other.success() && other.stdout != first);
    for mut child in cats {
        child.stdin.shutdown().await.unwrap();
        assert_eq!(child.wait().await, Ok(0));
    }
    assert!(run(&session, "true").await.unwrap().success());
}

#[tokio::test]
async fn sessions_are_measured_as_sshd_opens_them() {
    for (config, expected) in [("MaxSessions 1", 1), ("MaxSessions 2", 2), ("MaxSessions 4", 4), ("", 6)] {
        let sshd = Sshd::start(config);
        let session = sshd.connect().await;
        assert_eq!(session.sessions(6).await, expected, "{config}");
        assert!(run(&session, "true").await.unwrap().success());
    }
}

#[tokio::test]
async fn where_a_second_login_is_refused_too_it_is_said_so() {
    let sshd = Sshd::start("MaxSessions 1");
    let session = sshd.connect().await;
    let mut children = vec![session.spawn("cat").await.unwrap()];
    std::fs::write(sshd.path("authorized_keys"), "").unwrap();
    // one further connection or two were made ahead
    let refused = loop {
        match session.spawn("cat").await {
            Ok(child) => children.push(child),
            Err(refused) => break refused,
        }
    };
    assert!(children.len() < 4, "{}", children.len());
    assert!(
        matches!(&refused, ExecError::Refused(why) if why.contains("MaxSessions") && why.contains("login as")),
        "{refused:?}"
    );
    for mut child in children {
        child.stdin.shutdown().await.unwrap();
        assert_eq!(child.wait().await, Ok(0));
    }
    assert!(run(&session, "true").await.unwrap().success());
}

#[tokio::test]
async fn a_long_lived_command_is_written_to_and_read() {
    let sshd = Sshd::start("");
    let session = sshd.connect().await;
    let mut child = session.spawn("while read line; do echo \"got $line\"; done; echo end >&2; exit 5").await.unwrap();
    let mut lines = BufReader::new(child.stdout).lines();
    for n in 0..3 {
        child.stdin.write_all(format!("{n}\n").as_bytes()).await.unwrap();
        assert_eq!(lines.next_line().await.unwrap(), Some(format!("got {n}")));
    }
    child.stdin.shutdown().await.unwrap();
    assert_eq!(lines.next_line().await.unwrap(), None);
    child.stdout = lines.into_inner().into_inner();
    assert_eq!(child.wait().await, Ok(5));
    assert_eq!(child.stderr(), b"end\n");
}

#[tokio::test]
async fn dropping_a_child_closes_its_input() {
    let sshd = Sshd::start("");
    let session = sshd.connect().await;
    let (gone, file) = (sshd.path("gone"), sshd.path("started"));
    let script = format!("echo up; touch {}; cat >/dev/null; touch {}", file.display(), gone.display());
    let mut child = session.spawn(&script).await.unwrap();
    let mut up = [0; 3];
    child.stdout.read_exact(&mut up).await.unwrap();
    drop(child);
    let wait = format!("until test -e {}; do sleep 0.01; done", gone.display());
    session.exec(&wait, b"", Limits::within(Duration::from_secs(10))).await.expect("cat saw the end of its input");
}

#[tokio::test]
async fn an_unread_command_is_given_up_and_holds_up_nobody() {
    let sshd = Sshd::start("");
    let session = sshd.connect().await;
    let mut unread = session.spawn("cat /dev/zero").await.unwrap();
    let mut ignored = session.spawn("cat /dev/zero").await.unwrap();
    drop(std::mem::replace(&mut ignored.stdout, tokio::io::duplex(1).0));
    let limits = Limits::within(Duration::from_secs(20));
    assert!(session.exec("echo well", b"", limits).await.unwrap().success());
    assert_eq!(unread.wait().await, Err(ExecError::Unread));
    drop(ignored);
    let started = Instant::now();
    assert!(session.exec("true", b"", limits).await.unwrap().success());
    assert!(started.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn stdio_is_a_stream_and_says_why_it_ended() {
    let sshd = Sshd::start("");
    let session = sshd.connect().await;
    let mut echo = session.stdio("cat").await.unwrap();
    echo.write_all(b"hello").await.unwrap();
    let mut back = [0; 5];
    echo.read_exact(&mut back).await.unwrap();
    assert_eq!(&back, b"hello");
    echo.shutdown().await.unwrap();
    assert_eq!(echo.read(&mut back).await.unwrap(), 0);

    let mut broken = session.stdio("printf '\\033[31mno docker\\n::error::x' >&2; exit 127").await.unwrap();
    let said = broken.read(&mut back).await.unwrap_err().to_string();
    assert!(said.contains("status 127") && said.contains("no docker"), "{said}");
    assert!(!said.contains('\u{1b}') && !said.contains('\n'), "{said}");
}

#[tokio::test]
async fn connecting_takes_six_round_trips_and_a_command_one() {
    let sshd = Sshd::start("");
    let delay = Duration::from_millis(100);
    let link = Link::start(sshd.port, delay).await;
    let started = Instant::now();
    let session = Session::connect(&link.target(), &sshd.options_anywhere()).await.unwrap();
    let trips = |time: Duration| time.as_secs_f64() / (2.0 * delay.as_secs_f64());
    let connecting = trips(started.elapsed());
    assert_eq!(session.round_trips(), 6);
    // What the login shell takes by itself is not the network's.
    let near = sshd.connect().await;
    let mut each = Vec::new();
    for _ in 0..5 {
        let shell = time_of(&near).await;
        each.push(trips(time_of(&session).await.saturating_sub(shell)));
    }
    let report = format!("connect {connecting:.2}, each exec {each:.2?}, counted {}", session.round_trips());
    // The spare channel was still on its way for the first.
    assert!((6 + 5..=6 + 6).contains(&session.round_trips()), "{report}");
    assert!(connecting < 7.5 && each[1..].iter().all(|trips| *trips < 1.8), "{report}");
}

async fn time_of(session: &Session) -> Duration {
    let started = Instant::now();
    assert!(run(session, "true").await.unwrap().success());
    started.elapsed()
}

#[tokio::test]
async fn a_network_that_goes_silent_is_noticed() {
    let sshd = Sshd::start("");
    let link = Link::start(sshd.port, Duration::ZERO).await;
    let options = Options { keepalive: Duration::from_millis(200), ..sshd.options_anywhere() };
    let session = Session::connect(&link.target(), &options).await.unwrap();
    let mut child = session.spawn("cat").await.unwrap();
    let started = Instant::now();
    let file = sshd.path("started").display().to_string();
    let command = format!("touch {file}; exec sleep 20");
    let waiting = run(&session, &command);
    let cut = async {
        let near = sshd.connect().await;
        run(&near, &format!("until test -e {file}; do sleep 0.01; done")).await.unwrap();
        link.freeze();
    };
    let (result, ()) = tokio::join!(waiting, cut);
    assert_eq!(result, Err(ExecError::Disconnected));
    assert_eq!(child.wait().await, Err(ExecError::Disconnected));
    session.closed().await;
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
}

#[tokio::test]
async fn closing_or_dropping_a_session_ends_its_connection() {
    let sshd = Sshd::start("");
    let near = sshd.connect().await;
    for close in [true, false] {
        let session = sshd.connect().await;
        let output = run(&session, "echo $PPID").await.unwrap();
        let pid: u32 = String::from_utf8(output.stdout).unwrap().trim().parse().unwrap();
        let mut child = session.spawn("cat").await.unwrap();
        if close {
            session.close().await;
            assert_eq!(child.wait().await, Err(ExecError::Disconnected));
        } else {
            drop(session);
            child.stdin.write_all(b"still here").await.unwrap();
            let mut back = [0; 10];
            child.stdout.read_exact(&mut back).await.unwrap();
            drop(child);
        }
        let gone = format!("while kill -0 {pid} 2>/dev/null; do sleep 0.01; done");
        near.exec(&gone, b"", Limits::within(Duration::from_secs(10))).await.expect("sshd saw the end");
    }
}

#[tokio::test]
async fn a_session_can_be_shared_between_tasks() {
    fn shared<T: Send + Sync + Clone + 'static>(_: &T) {}
    let sshd = Sshd::start("");
    let (target, options) = (sshd.target(), sshd.options());
    let session = tokio::spawn(async move { Session::connect(&target, &options).await }).await.unwrap().unwrap();
    shared(&session);
    let child = tokio::spawn(async move { session.spawn("cat").await }).await.unwrap().unwrap();
    tokio::spawn(async move { drop(child) }).await.unwrap();
}
