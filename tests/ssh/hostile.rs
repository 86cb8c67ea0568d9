//! Servers that mean harm get an error, within bounds of time and memory, and nothing of theirs gets out.
use std::sync::Arc;
use std::time::{Duration, Instant};

use cutover::host::ssh::{ConnectError, ExecError, ForwardError, Limits, Options, Session, Target};
use cutover::secret::Secret;
use russh::server::{Auth, ChannelOpenHandle, Handle, Handler, Msg, VerifiedPublicKey};
use russh::{Channel, ChannelId, Disconnect};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::sshd::key_pair;

/// What a command prints first, as the line that is sent has it do.
const BEGIN: &[u8] = b"--cutover-begins-here--\n";

/// What a server does when a command is to be run.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Malice {
    NoStatus,
    StatusAfterClose,
    StatusBeforeData,
    StatusAfterEof,
    StatusThenHangUp,
    EndlessOutput,
    EndlessBefore,
    EndlessErrors,
    Silence,
    HangUp,
    RefuseCommand,
    UninvitedChannels,
}

/// A server with a host key of its own, that lets everybody in.
struct Bad {
    port: u16,
    directory: tempfile::TempDir,
}

impl Bad {
    async fn start(malice: Malice) -> Self {
        let directory = tempfile::tempdir().unwrap();
        key_pair(directory.path(), "host");
        key_pair(directory.path(), "user");
        let key = russh::keys::load_secret_key(directory.path().join("host"), None).unwrap();
        let config = Arc::new(russh::server::Config { keys: vec![key], ..Default::default() });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let running = russh::server::run_stream(config.clone(), socket, Server { malice });
                tokio::spawn(async move { Ok::<_, russh::Error>(running.await?.await) });
            }
        });
        Self { port, directory }
    }

    async fn connect(&self) -> Result<Session, ConnectError> {
        let read = |name: &str| std::fs::read_to_string(self.directory.path().join(name)).unwrap();
        let options = Options {
            known_hosts: Some(format!("127.0.0.1 {}", read("host.pub"))),
            key: Some(Secret::new(read("user"))),
            ..Options::default()
        };
        Session::connect(&target(self.port), &options).await
    }
}

fn target(port: u16) -> Target {
    format!("root@127.0.0.1:{port}").parse().unwrap()
}

struct Server {
    malice: Malice,
}

impl Handler for Server {
    type Error = russh::Error;

    async fn auth_publickey(&mut self, _: &str, _: VerifiedPublicKey<'_>) -> Result<Auth, russh::Error> {
        Ok(Auth::Accept)
    }

    async fn channel_open_session(
        &mut self,
        _: Channel<Msg>,
        reply: ChannelOpenHandle,
        _: &mut russh::server::Session,
    ) -> Result<(), russh::Error> {
        reply.accept().await;
        Ok(())
    }

    async fn exec_request(
        &mut self,
        channel: ChannelId,
        _: &[u8],
        session: &mut russh::server::Session,
    ) -> Result<(), russh::Error> {
        tokio::spawn(act(self.malice, channel, session.handle()));
        Ok(())
    }

    async fn tcpip_forward(
        &mut self,
        _: &str,
        port: &mut u32,
        session: &mut russh::server::Session,
    ) -> Result<bool, russh::Error> {
        *port = 4000;
        let handle = session.handle();
        tokio::spawn(async move {
            // Ports and addresses that nobody asked for.
            for (address, port) in [("127.0.0.1", 4001), ("0.0.0.0", 4000), ("", 0)] {
                let opened = handle.channel_open_forwarded_tcpip(address, port, "192.0.2.1", 1).await;
                assert!(opened.is_err(), "{address}:{port}");
            }
            // And then the right one, a hundred times.
            let mut open = Vec::new();
            for _ in 0..100 {
                open.push(handle.channel_open_forwarded_tcpip("127.0.0.1", 4000, "192.0.2.1", 1).await);
            }
            // One has been taken out of the queue by now, or not.
            assert!((64..=65).contains(&open.iter().filter(|o| o.is_ok()).count()));
            let _ = open[0].as_ref().unwrap().data_bytes(b"first".to_vec()).await;
            std::future::pending::<()>().await;
        });
        Ok(true)
    }
}

async fn act(malice: Malice, id: ChannelId, handle: Handle) {
    if !matches!(malice, Malice::EndlessBefore | Malice::RefuseCommand | Malice::HangUp) {
        let _ = handle.data(id, BEGIN.to_vec()).await;
        let _ = handle.extended_data(id, 1, BEGIN.to_vec()).await;
    }
    match malice {
        Malice::NoStatus => {
            let _ = handle.data(id, b"half".to_vec()).await;
            let _ = handle.close(id).await;
        }
        Malice::StatusAfterClose => {
            let _ = handle.close(id).await;
            let _ = handle.exit_status_request(id, 0).await;
        }
        Malice::StatusBeforeData => {
            let _ = handle.exit_status_request(id, 3).await;
            let _ = handle.data(id, b"late".to_vec()).await;
            let _ = handle.eof(id).await;
            let _ = handle.close(id).await;
        }
        Malice::StatusAfterEof => {
            let _ = handle.data(id, b"early".to_vec()).await;
            let _ = handle.eof(id).await;
            let _ = handle.exit_status_request(id, 4).await;
            let _ = handle.close(id).await;
        }
        Malice::StatusThenHangUp => {
            let _ = handle.data(id, b"half of".to_vec()).await;
            let _ = handle.exit_status_request(id, 0).await;
            let _ = handle.disconnect(Disconnect::ByApplication, String::new(), String::new()).await;
        }
        Malice::EndlessOutput | Malice::EndlessBefore => while handle.data(id, vec![b'x'; 30_000]).await.is_ok() {},
        Malice::EndlessErrors => while handle.extended_data(id, 1, vec![b'x'; 30_000]).await.is_ok() {},
        Malice::Silence => {}
        Malice::HangUp => {
            let words = "\u{1b}[31mgo away\n::error::x".to_owned();
            let _ = handle.disconnect(Disconnect::ByApplication, words, String::new()).await;
        }
        Malice::RefuseCommand => {
            let _ = handle.channel_failure(id).await;
        }
        Malice::UninvitedChannels => {
            let refused = [
                handle.channel_open_agent().await.is_err(),
                handle.channel_open_session().await.is_err(),
                handle.channel_open_x11("192.0.2.1", 1).await.is_err(),
                handle.channel_open_direct_tcpip("127.0.0.1", 22, "192.0.2.1", 1).await.is_err(),
                handle.channel_open_direct_streamlocal("/run/docker.sock").await.is_err(),
                handle.channel_open_forwarded_tcpip("127.0.0.1", 80, "192.0.2.1", 1).await.is_err(),
                handle.channel_open_forwarded_streamlocal("/run/x").await.is_err(),
            ];
            let _ = handle.data(id, format!("{refused:?}").into_bytes()).await;
            let _ = handle.exit_status_request(id, 0).await;
            let _ = handle.close(id).await;
        }
    }
}

async fn exec(malice: Malice) -> Result<cutover::host::ssh::Output, ExecError> {
    let server = Bad::start(malice).await;
    let session = server.connect().await.unwrap();
    let limits = Limits { timeout: Duration::from_secs(2), max_bytes: 1 << 20 };
    session.exec("anything", b"input", limits).await
}

#[tokio::test]
async fn a_missing_exit_status_is_an_error_of_its_own() {
    assert_eq!(exec(Malice::NoStatus).await, Err(ExecError::NoStatus));
    assert_eq!(exec(Malice::StatusAfterClose).await, Err(ExecError::NoStatus));
}

#[tokio::test]
async fn the_exit_status_may_come_at_any_time() {
    let output = exec(Malice::StatusBeforeData).await.unwrap();
    assert_eq!((output.status, &output.stdout[..]), (3, &b"late"[..]));
    let output = exec(Malice::StatusAfterEof).await.unwrap();
    assert_eq!((output.status, &output.stdout[..]), (4, &b"early"[..]));
}

#[tokio::test]
async fn output_that_may_be_cut_is_no_success() {
    assert_eq!(exec(Malice::StatusThenHangUp).await, Err(ExecError::Disconnected));
}

#[tokio::test]
async fn endless_output_is_bounded() {
    assert_eq!(exec(Malice::EndlessOutput).await, Err(ExecError::TooMuchOutput(1 << 20)));
    assert_eq!(exec(Malice::EndlessErrors).await, Err(ExecError::TooMuchOutput(1 << 20)));
    let before = exec(Malice::EndlessBefore).await;
    assert!(matches!(&before, Err(ExecError::NotBegun { said, status: None }) if said.len() < 400), "{before:?}");
    let server = Bad::start(Malice::EndlessErrors).await;
    let mut child = server.connect().await.unwrap().spawn("anything").await.unwrap();
    assert_eq!(child.wait().await, Err(ExecError::TooMuchOutput(16 << 20)));
    assert_eq!(child.stderr().len(), 16 << 10);
}

#[tokio::test]
async fn silence_ends_in_a_timeout() {
    let started = Instant::now();
    assert!(matches!(exec(Malice::Silence).await, Err(ExecError::Timeout(_))));
    assert!(started.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
async fn a_server_that_hangs_up_is_quoted_harmlessly() {
    let server = Bad::start(Malice::HangUp).await;
    let session = server.connect().await.unwrap();
    assert_eq!(session.exec("anything", b"", Limits::default()).await, Err(ExecError::Disconnected));
    session.closed().await;
    let words = session.goodbye().unwrap();
    assert!(words.contains("go away") && !words.contains('\u{1b}') && !words.contains('\n'), "{words:?}");
}

#[tokio::test]
async fn a_refused_command_is_said() {
    assert!(matches!(exec(Malice::RefuseCommand).await, Err(ExecError::Refused(_))));
}

#[tokio::test]
async fn no_server_opens_a_channel_to_us() {
    let output = exec(Malice::UninvitedChannels).await.unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), format!("{:?}", [true; 7]));
}

#[tokio::test]
async fn only_the_port_that_was_asked_for_is_forwarded_and_a_flood_is_cut() {
    let server = Bad::start(Malice::Silence).await;
    let session = server.connect().await.unwrap();
    let mut forward = session.remote_forward("127.0.0.1", 0).await.unwrap();
    assert_eq!(forward.port(), 4000);
    let incoming = tokio::time::timeout(Duration::from_secs(20), forward.next());
    let mut stream = incoming.await.expect("the others were refused").unwrap();
    let mut first = [0; 5];
    stream.read_exact(&mut first).await.unwrap();
    assert_eq!(&first, b"first");
    assert_eq!(session.direct_tcpip("127.0.0.1", 1).await.err(), Some(ForwardError::Prohibited));
}

/// What a raw TCP server does to whoever connects.
async fn raw(act: fn(tokio::net::TcpStream) -> tokio::task::JoinHandle<()>) -> (ConnectError, Duration) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            act(socket);
        }
    });
    let options =
        Options { known_hosts: Some(String::new()), connect_timeout: Duration::from_millis(500), ..Options::default() };
    let started = Instant::now();
    let cause = Session::connect(&target(port), &options).await.unwrap_err();
    (cause, started.elapsed())
}

#[tokio::test]
async fn what_is_no_ssh_server_is_said_to_be_none() {
    let (closing, _) = raw(|socket| tokio::spawn(async move { drop(socket) })).await;
    assert!(matches!(closing, ConnectError::Unreachable { attempts: 3, .. }), "{closing}");
    assert!(closing.to_string().contains("closed the connection"), "{closing}");

    let silent = |socket| {
        tokio::spawn(async move {
            let _kept: tokio::net::TcpStream = socket;
            std::future::pending::<()>().await;
        })
    };
    let (silent, after) = raw(silent).await;
    assert!(silent.to_string().contains("did not finish the SSH key exchange"), "{silent}");
    assert!(after < Duration::from_secs(6), "{after:?}");

    let web = |mut socket: tokio::net::TcpStream| {
        tokio::spawn(async move {
            let _ = socket.write_all("HTTP/1.1 400 Bad Request\r\n".repeat(30).as_bytes()).await;
            std::future::pending::<()>().await;
        })
    };
    let (web, _) = raw(web).await;
    assert!(web.to_string().contains("does not speak SSH"), "{web}");

    let endless = |mut socket: tokio::net::TcpStream| {
        tokio::spawn(async move { while socket.write_all(&[b'x'; 65536]).await.is_ok() {} })
    };
    let (endless, after) = raw(endless).await;
    assert!(matches!(endless, ConnectError::Protocol { .. } | ConnectError::Unreachable { .. }), "{endless}");
    assert!(after < Duration::from_secs(6), "{after:?}");
}
