//! Ports of the host's network, and ports on the host.
use std::time::Duration;

use cutover::host::ssh::{ForwardError, Limits};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::sshd::{Sshd, free_port};

#[tokio::test]
async fn a_port_of_the_hosts_network_is_reached() {
    let sshd = Sshd::start("");
    let session = sshd.connect().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut all = Vec::new();
        socket.read_to_end(&mut all).await.unwrap();
        socket.write_all(&all).await.unwrap();
        all.len()
    });
    let mut stream = session.direct_tcpip("127.0.0.1", port).await.unwrap();
    let data = vec![b'x'; 5 << 20];
    stream.write_all(&data).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut back = Vec::new();
    stream.read_to_end(&mut back).await.unwrap();
    assert!(back == data && server.await.unwrap() == data.len());
}

#[tokio::test]
async fn what_was_written_before_a_drop_still_arrives() {
    let sshd = Sshd::start("");
    let session = sshd.connect().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut stream = session.direct_tcpip("127.0.0.1", listener.local_addr().unwrap().port()).await.unwrap();
    let data = vec![b'x'; 900_000];
    stream.write_all(&data).await.unwrap();
    drop(stream);
    let (mut socket, _) = listener.accept().await.unwrap();
    let mut all = Vec::new();
    socket.read_to_end(&mut all).await.unwrap();
    assert_eq!(all.len(), data.len());
}

#[tokio::test]
async fn forbidden_and_unanswered_are_told_apart() {
    let forbidding = Sshd::start("AllowTcpForwarding no");
    let session = forbidding.connect().await;
    assert_eq!(session.direct_tcpip("127.0.0.1", forbidding.port).await.err(), Some(ForwardError::Prohibited));
    assert_eq!(session.remote_forward("127.0.0.1", 0).await.err(), Some(ForwardError::Prohibited));
    assert!(session.exec("true", b"", Limits::default()).await.unwrap().success());

    let allowing = Sshd::start("");
    let session = allowing.connect().await;
    assert_eq!(session.direct_tcpip("127.0.0.1", free_port()).await.err(), Some(ForwardError::ConnectFailed));
}

#[tokio::test]
async fn direct_connections_do_not_use_up_sessions() {
    let sshd = Sshd::start("");
    let session = sshd.connect().await;
    let mut streams = Vec::new();
    for _ in 0..20 {
        streams.push(session.direct_tcpip("127.0.0.1", sshd.port).await.unwrap());
    }
    assert!(session.exec("true", b"", Limits::default()).await.unwrap().success());
}

#[tokio::test]
async fn a_port_on_the_host_comes_to_us_until_it_is_given_back() {
    let sshd = Sshd::start("");
    let session = sshd.connect().await;
    let mut forward = session.remote_forward("127.0.0.1", 0).await.unwrap();
    let port = forward.port();
    assert_ne!(port, 0);
    for n in 0..3_u8 {
        let mut client = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        let mut stream = forward.next().await.unwrap();
        client.write_all(&[n; 4]).await.unwrap();
        let mut got = [0; 4];
        stream.read_exact(&mut got).await.unwrap();
        assert_eq!(got, [n; 4]);
        stream.write_all(b"answer").await.unwrap();
        drop(stream);
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.unwrap();
        assert_eq!(answer, "answer");
    }
    forward.close().await.unwrap();
    assert!(TcpStream::connect(("127.0.0.1", port)).await.is_err(), "nothing listens any more");

    let fixed = session.remote_forward("127.0.0.1", port).await.unwrap();
    assert_eq!(fixed.port(), port);
    assert_eq!(session.remote_forward("127.0.0.1", port).await.err(), Some(ForwardError::Prohibited), "taken");
    drop(fixed);
    // A request behind the one that the drop sent: once it is answered, the port is free.
    let limits = Limits::within(Duration::from_secs(10));
    let gone = format!("while (echo > /dev/tcp/127.0.0.1/{port}) 2>/dev/null; do sleep 0.01; done");
    let line = cutover::host::ssh::Command::new("bash").args(["-c", &gone]).line().unwrap();
    assert!(session.exec(&line, b"", limits).await.unwrap().success());
}

#[tokio::test]
async fn a_forward_moves_bytes_fast_both_ways() {
    let sshd = Sshd::start("");
    let session = sshd.connect().await;
    let mut forward = session.remote_forward("127.0.0.1", 0).await.unwrap();
    let port = forward.port();
    let megabytes = 64;
    let client = tokio::spawn(async move {
        let mut client = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        let mut all = 0;
        let mut buffer = vec![0; 1 << 20];
        while let Ok(read @ 1..) = client.read(&mut buffer).await {
            all += read;
        }
        all
    });
    let mut stream = forward.next().await.unwrap();
    let started = std::time::Instant::now();
    let block = vec![7; 256 << 10];
    for _ in 0..megabytes * 4 {
        stream.write_all(&block).await.unwrap();
    }
    drop(stream);
    assert_eq!(client.await.unwrap(), megabytes << 20);
    assert!(started.elapsed() < Duration::from_secs(60), "{:?}", started.elapsed());
}
