//! A client's connection: one request at a time, no retries, and an exact name for every way it can fail.
#![allow(clippy::disallowed_methods)]

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::outcome::Failure;
use super::wire::{ReadError, Reader, Response};

/// What a class sends.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) address: SocketAddr,
    pub(crate) bytes: Vec<u8>,
    pub(crate) limit: Duration,
}

/// An open connection; `served` once a response came over it.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
    served: bool,
}

impl Request {
    pub(crate) fn get(address: SocketAddr, host: &str, path: &str, keep_alive: bool, limit: Duration) -> Request {
        let connection = if keep_alive { "keep-alive" } else { "close" };
        let text =
            format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: lab\r\nConnection: {connection}\r\n\r\n");
        Request { address, bytes: text.into_bytes(), limit }
    }

    /// Sends it on `kept`, or a new connection; the connection is put back if it can be used again.
    pub(crate) async fn send(&self, kept: &mut Option<Connection>) -> Result<Arc<str>, Failure> {
        match timeout(self.limit, self.attempt(kept.take())).await {
            Err(_) => Err(Failure::Timeout),
            Ok(Err(failure)) => Err(failure),
            Ok(Ok((response, connection))) => {
                *kept = response.reusable.then_some(connection);
                let good = (200..300).contains(&response.status);
                if good { Ok(response.version.into()) } else { Err(Failure::Status(response.status)) }
            }
        }
    }

    async fn attempt(&self, kept: Option<Connection>) -> Result<(Response, Connection), Failure> {
        // A connection that is known to be closed is not used again, as no client would.
        let mut connection = match kept.filter(Connection::is_open) {
            Some(connection) => connection,
            None => Connection::open(self.address).await.map_err(|error| connect_failure(&error))?,
        };
        let response = connection.exchange(&self.bytes).await?;
        Ok((response, connection))
    }
}

impl Connection {
    async fn open(address: SocketAddr) -> io::Result<Connection> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Connection { stream, buffer: Vec::with_capacity(1024), served: false })
    }

    /// Whether, as far as this side knows, the other has neither closed nor sent anything unasked.
    fn is_open(&self) -> bool {
        matches!(self.stream.try_read(&mut [0]), Err(error) if error.kind() == ErrorKind::WouldBlock)
    }

    async fn exchange(&mut self, request: &[u8]) -> Result<Response, Failure> {
        let none = if self.served { Failure::ResetIdle } else { Failure::ResetBeforeResponse };
        // A failed write is not the end: the response may have been sent before the reset.
        let _ = self.stream.write_all(request).await;
        let response = Reader::new(&mut self.stream, &mut self.buffer).response().await;
        self.served = true;
        response.map_err(|error| match error {
            ReadError::NoBytes => none,
            ReadError::Truncated => Failure::Truncated,
            ReadError::Malformed => Failure::Malformed,
        })
    }
}

fn connect_failure(error: &io::Error) -> Failure {
    if error.kind() == ErrorKind::ConnectionRefused { Failure::ConnectRefused } else { Failure::ConnectFailed }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncReadExt;
    use tokio::net::TcpListener;

    const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Version: v1.0.0\r\n\r\nok";

    /// Answers each request of one connection with the next of these; after the last, closes (or resets).
    async fn serve(answers: &'static [&'static [u8]], reset: bool) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
        let address = listener.local_addr().expect("address");
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.expect("accept");
            for answer in answers {
                let _ = stream.read(&mut [0; 1024]).await;
                stream.write_all(answer).await.expect("write");
            }
            // What arrives now is not answered; unread bytes at close make the kernel send a reset.
            let _ = if reset { stream.readable().await } else { stream.read(&mut [0; 1024]).await.map(drop) };
        });
        address
    }

    fn get(address: SocketAddr) -> Request {
        Request::get(address, "lab", "/", true, Duration::from_millis(500))
    }

    #[tokio::test]
    async fn a_kept_connection_serves_again_and_tells_the_version() {
        let request = get(serve(&[OK, OK], false).await);
        let mut kept = None;
        for _ in 0..2 {
            assert_eq!(request.send(&mut kept).await.as_deref(), Ok("v1.0.0"));
            assert!(kept.is_some());
        }
    }

    #[tokio::test]
    async fn an_end_before_the_first_byte_is_named_by_whether_the_connection_had_served() {
        for reset in [false, true] {
            let request = get(serve(&[], reset).await);
            assert_eq!(request.send(&mut None).await, Err(Failure::ResetBeforeResponse));
            let (request, mut kept) = (get(serve(&[OK], reset).await), None);
            request.send(&mut kept).await.expect("the first is served");
            assert_eq!(request.send(&mut kept).await, Err(Failure::ResetIdle));
            assert!(kept.is_none());
        }
    }

    #[tokio::test]
    async fn a_connection_closed_while_idle_is_opened_anew() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
        let request = get(listener.local_addr().expect("address"));
        let server = tokio::spawn(async move {
            for _ in 0..2 {
                let (mut stream, _) = listener.accept().await.expect("accept");
                let _ = stream.read(&mut [0; 1024]).await;
                stream.write_all(OK).await.expect("write");
            }
        });
        let mut kept = None;
        request.send(&mut kept).await.expect("first");
        tokio::time::sleep(Duration::from_millis(20)).await;
        request.send(&mut kept).await.expect("second, on a new connection");
        server.await.expect("server");
    }

    #[tokio::test]
    async fn statuses_truncation_garbage_and_silence_are_told_apart() {
        let cases: [(&'static [&'static [u8]], Failure); 4] = [
            (&[b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n"], Failure::Status(502)),
            (&[b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"], Failure::Truncated),
            (&[b"nonsense\r\n\r\n"], Failure::Malformed),
            (&[b"", b"never reached"], Failure::Timeout),
        ];
        for (answers, failure) in cases {
            let request = get(serve_once(answers).await);
            assert_eq!(request.send(&mut None).await, Err(failure));
        }
    }

    /// As `serve`, but closes right after the last answer.
    async fn serve_once(answers: &'static [&'static [u8]]) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
        let address = listener.local_addr().expect("address");
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.expect("accept");
            for answer in answers {
                let _ = stream.read(&mut [0; 1024]).await;
                stream.write_all(answer).await.expect("write");
            }
        });
        address
    }

    #[tokio::test]
    async fn a_closed_port_is_connect_refused() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
        let request = get(listener.local_addr().expect("address"));
        drop(listener);
        assert_eq!(request.send(&mut None).await, Err(Failure::ConnectRefused));
    }
}
