//! HTTP/1.1 responses off a connection (RFC 9112): enough to know exactly where one ends.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt};

/// How reading a response failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReadError {
    /// The connection ended, or was reset, before the first byte.
    NoBytes,
    /// It ended within the response.
    Truncated,
    /// Not HTTP/1.
    Malformed,
}

/// What matters of a response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Response {
    pub(crate) status: u16,
    /// `X-Version`, or empty.
    pub(crate) version: String,
    /// The connection may carry another request.
    pub(crate) reusable: bool,
}

#[derive(Debug, PartialEq, Eq)]
enum Body {
    Length(usize),
    Chunked,
    UntilClose,
}

/// Reads from `stream` with what was read too much kept in `buffer`.
pub(crate) struct Reader<'a, S> {
    stream: &'a mut S,
    buffer: &'a mut Vec<u8>,
    started: bool,
}

const LARGEST: usize = 16 << 20;

impl<'a, S: AsyncRead + Unpin> Reader<'a, S> {
    pub(crate) fn new(stream: &'a mut S, buffer: &'a mut Vec<u8>) -> Self {
        let started = !buffer.is_empty();
        Reader { stream, buffer, started }
    }

    /// Reads one response whole.
    pub(crate) async fn response(&mut self) -> Result<Response, ReadError> {
        let end = self.find(b"\r\n\r\n").await?;
        let head = String::from_utf8_lossy(&self.buffer[..end]).into_owned();
        self.buffer.drain(..end + 4);
        let (response, body) = parse_head(&head).ok_or(ReadError::Malformed)?;
        match body {
            Body::Length(length) => self.skip(length).await?,
            Body::Chunked => self.chunks().await?,
            Body::UntilClose => self.until_close().await?,
        }
        Ok(response)
    }

    async fn chunks(&mut self) -> Result<(), ReadError> {
        loop {
            let end = self.find(b"\r\n").await?;
            let line = String::from_utf8_lossy(&self.buffer[..end]).into_owned();
            let size = usize::from_str_radix(line.split(';').next().unwrap_or("").trim(), 16);
            let size = size.ok().filter(|size| *size < LARGEST).ok_or(ReadError::Malformed)?;
            self.skip(end + 2 + size + 2).await?;
            if size == 0 {
                return Ok(());
            }
        }
    }

    async fn until_close(&mut self) -> Result<(), ReadError> {
        loop {
            self.buffer.clear();
            match self.read().await {
                Ok(0) => return Ok(()),
                Ok(_) => {}
                Err(_) => return Err(ReadError::Truncated),
            }
        }
    }

    async fn skip(&mut self, length: usize) -> Result<(), ReadError> {
        while self.buffer.len() < length {
            self.more().await?;
        }
        self.buffer.drain(..length);
        Ok(())
    }

    async fn find(&mut self, what: &[u8]) -> Result<usize, ReadError> {
        loop {
            if let Some(at) = self.buffer.windows(what.len()).position(|window| window == what) {
                return Ok(at);
            }
            self.more().await?;
        }
    }

    async fn more(&mut self) -> Result<(), ReadError> {
        let ended = if self.started { ReadError::Truncated } else { ReadError::NoBytes };
        if self.buffer.len() > LARGEST {
            return Err(ReadError::Malformed);
        }
        match self.read().await {
            Ok(0) | Err(_) => Err(ended),
            Ok(_) => {
                self.started = true;
                Ok(())
            }
        }
    }

    async fn read(&mut self) -> io::Result<usize> {
        self.stream.read_buf(self.buffer).await
    }
}

fn parse_head(head: &str) -> Option<(Response, Body)> {
    let mut lines = head.split("\r\n");
    let (protocol, rest) = lines.next()?.split_once(' ')?;
    let status: u16 = rest.get(..3)?.parse().ok()?;
    let headers: Vec<_> = lines.filter_map(|line| line.split_once(':')).collect();
    let header = |name: &str| headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim());
    let says = |name, word| header(name).is_some_and(|value| value.to_ascii_lowercase().contains(word));
    let body = match header("Content-Length") {
        _ if says("Transfer-Encoding", "chunked") => Body::Chunked,
        _ if matches!(status, 100..200 | 204 | 304) => Body::Length(0),
        Some(length) => Body::Length(length.parse().ok().filter(|length| *length < LARGEST)?),
        None => Body::UntilClose,
    };
    let reusable = protocol == "HTTP/1.1" && !says("Connection", "close") && body != Body::UntilClose;
    protocol.starts_with("HTTP/1.").then_some(())?;
    Some((Response { status, version: header("X-Version").unwrap_or("").to_owned(), reusable }, body))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(mut bytes: &[u8]) -> Result<Response, ReadError> {
        Reader::new(&mut bytes, &mut Vec::new()).response().await
    }

    #[tokio::test]
    async fn a_response_ends_where_its_length_or_its_last_chunk_says() {
        let (mut stream, mut buffer) = (
            &b"HTTP/1.1 200 OK\r\nX-Version: v1.2.3\r\ncontent-length: 2\r\n\r\nokHTTP/1.1 503 Busy\r\n\
               Transfer-Encoding: chunked\r\n\r\n3;x=1\r\nabc\r\n0\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n"[..],
            Vec::new(),
        );
        let mut reader = Reader::new(&mut stream, &mut buffer);
        let first = reader.response().await.expect("by length");
        assert_eq!((first.status, first.version.as_str(), first.reusable), (200, "v1.2.3", true));
        assert_eq!(reader.response().await.expect("chunked").status, 503);
        assert_eq!(reader.response().await.expect("without a body").status, 204);
        assert_eq!(reader.response().await, Err(ReadError::Truncated), "the same reader has had bytes");
    }

    #[tokio::test]
    async fn an_early_end_is_told_apart() {
        assert_eq!(read(b"").await, Err(ReadError::NoBytes));
        assert_eq!(read(b"HTTP/1.1 200").await, Err(ReadError::Truncated));
        assert_eq!(read(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n123").await, Err(ReadError::Truncated));
        let chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n123";
        assert_eq!(read(chunked).await, Err(ReadError::Truncated));
        assert_eq!(read(b"SSH-2.0-OpenSSH\r\n\r\n").await, Err(ReadError::Malformed));
    }

    #[tokio::test]
    async fn a_body_without_a_length_ends_with_the_connection() {
        let response = read(b"HTTP/1.1 200 OK\r\n\r\nall of it").await.expect("whole");
        assert!(!response.reusable);
    }
}
