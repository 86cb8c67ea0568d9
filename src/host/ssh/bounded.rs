//! What a host says, bounded in size and time: the one place through which its lines and answers are read.
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use super::error::ExecError;
use super::exec::Limits;

/// What is kept of a line; the rest of a longer one is passed over.
const LONGEST_LINE: usize = 64 << 10;

/// The lines of a stream, within limits of time and bytes counted from when this was made.
#[derive(Debug)]
pub struct Lines<R> {
    from: R,
    block: Vec<u8>,
    at: usize,
    left: usize,
    limits: Limits,
    until: Instant,
}

impl<R: AsyncRead + Unpin> Lines<R> {
    /// Reads from `from`, at most `limits.max_bytes` and for at most `limits.timeout`.
    pub fn new(from: R, limits: Limits) -> Self {
        let until = Instant::now() + limits.timeout;
        Lines { from, block: Vec::new(), at: 0, left: limits.max_bytes, limits, until }
    }

    /// The next line without its end, cut at 64 KiB, bytes that are no UTF-8 replaced; `None` at the end of the stream.
    ///
    /// # Errors
    /// [`ExecError::Timeout`] and [`ExecError::TooMuchOutput`], of the limits; [`ExecError::Disconnected`].
    pub async fn next(&mut self) -> Result<Option<String>, ExecError> {
        let mut line = Vec::new();
        loop {
            if self.at == self.block.len() && !self.read().await? {
                return Ok((!line.is_empty()).then(|| text(&line)));
            }
            let rest = &self.block[self.at..];
            let end = rest.iter().position(|&byte| byte == b'\n');
            let part = &rest[..end.unwrap_or(rest.len())];
            line.extend_from_slice(&part[..part.len().min(LONGEST_LINE - line.len())]);
            self.at += part.len() + usize::from(end.is_some());
            if end.is_some() {
                return Ok(Some(text(&line)));
            }
        }
    }

    /// Passes over what is left, to the end of the stream or of the time.
    ///
    /// # Errors
    /// [`ExecError::Timeout`].
    pub async fn pass_over(mut self) -> Result<(), ExecError> {
        let mut nowhere = tokio::io::sink();
        let over = tokio::io::copy(&mut self.from, &mut nowhere);
        let over = tokio::time::timeout_at(self.until, over).await;
        over.map(drop).map_err(|_| ExecError::Timeout(self.limits.timeout))
    }

    /// One more block; false at the end.
    async fn read(&mut self) -> Result<bool, ExecError> {
        if self.left == 0 {
            return Err(ExecError::TooMuchOutput(self.limits.max_bytes));
        }
        self.block.resize(self.left.min(8 << 10), 0);
        self.at = 0;
        let read = tokio::time::timeout_at(self.until, self.from.read(&mut self.block)).await;
        let read = read.map_err(|_| ExecError::Timeout(self.limits.timeout))?;
        let read = read.map_err(|_| ExecError::Disconnected)?;
        self.block.truncate(read);
        self.left -= read;
        Ok(read > 0)
    }
}

/// Everything up to the end of a stream.
///
/// # Errors
/// As [`Lines::next`].
pub async fn whole(from: impl AsyncRead + Unpin, limits: Limits) -> Result<String, ExecError> {
    let mut bytes = Vec::new();
    let mut from = from.take(limits.max_bytes as u64 + 1);
    match crate::awake::timeout(limits.timeout, from.read_to_end(&mut bytes)).await {
        Err(_) => Err(ExecError::Timeout(limits.timeout)),
        Ok(Err(_)) => Err(ExecError::Disconnected),
        Ok(Ok(_)) if bytes.len() > limits.max_bytes => Err(ExecError::TooMuchOutput(limits.max_bytes)),
        Ok(Ok(_)) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
    }
}

fn text(line: &[u8]) -> String {
    String::from_utf8_lossy(line.strip_suffix(b"\r").unwrap_or(line)).into_owned()
}

/// A stream over which requests go and answers come. An answer ends where the next request is written; one that is too
/// large, or has too long a line, is an error.
#[derive(Debug)]
pub struct Answers<S> {
    stream: S,
    answer: usize,
    line: usize,
}

/// The largest answer: an hour of progress messages of a pull is half of it.
const LARGEST_ANSWER: usize = 32 << 20;
/// The largest part of an answer without a newline.
const LONGEST_PART: usize = 1 << 20;

impl<S> Answers<S> {
    /// Bounds what comes over `stream`.
    pub fn over(stream: S) -> Self {
        Answers { stream, answer: 0, line: 0 }
    }

    fn count(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.answer += bytes.len();
        self.line = match bytes.iter().rposition(|&byte| byte == b'\n') {
            Some(last) => bytes.len() - last,
            None => self.line + bytes.len(),
        };
        let limit = if self.line > LONGEST_PART { LONGEST_PART } else { LARGEST_ANSWER };
        match self.line > LONGEST_PART || self.answer > LARGEST_ANSWER {
            true => Err(io::Error::other(ExecError::TooMuchOutput(limit))),
            false => Ok(()),
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Answers<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        Poll::Ready(self.count(&buf.filled()[before..]))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Answers<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        (self.answer, self.line) = (0, 0);
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// Ends what takes longer, with words.
///
/// # Errors
/// What `work` gives, or that it took too long.
pub async fn within<T>(limit: Duration, work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let late = || anyhow::anyhow!("no answer within {} s", limit.as_secs_f32());
    crate::awake::timeout(limit, work).await.unwrap_or_else(|_| Err(late()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn limits(max_bytes: usize) -> Limits {
        Limits { timeout: Duration::from_millis(200), max_bytes }
    }

    async fn lines(bytes: &[u8], max_bytes: usize) -> (Vec<String>, Option<ExecError>) {
        let (mut lines, mut all) = (Lines::new(bytes, limits(max_bytes)), Vec::new());
        loop {
            match lines.next().await {
                Ok(Some(line)) => all.push(line),
                Ok(None) => return (all, None),
                Err(error) => return (all, Some(error)),
            }
        }
    }

    #[tokio::test]
    async fn lines_are_read_as_they_are_and_long_ones_are_cut() {
        let read = lines(b"a\r\n\nb\xff\nlast", 100).await;
        assert_eq!(read, (vec!["a".into(), String::new(), "b\u{fffd}".into(), "last".into()], None));
        let long = [vec![b'x'; LONGEST_LINE + 10], b"\nnext\n".to_vec()].concat();
        let (all, error) = lines(&long, 1 << 20).await;
        assert_eq!((all[0].len(), &*all[1], error), (LONGEST_LINE, "next", None));
    }

    #[tokio::test]
    async fn what_is_too_much_or_too_late_is_an_error() {
        assert_eq!(
            lines(b"one\ntwo\nthree\n", 9).await,
            (vec!["one".into(), "two".into()], Some(ExecError::TooMuchOutput(9)))
        );
        assert_eq!(lines(b"12345\n", 6).await, (vec!["12345".into()], Some(ExecError::TooMuchOutput(6))));
        let (silent, _kept) = tokio::io::duplex(10);
        assert!(matches!(Lines::new(silent, limits(9)).next().await, Err(ExecError::Timeout(_))));
        assert_eq!(whole(&b"1234"[..], limits(4)).await, Ok("1234".into()));
        assert_eq!(whole(&b"12345"[..], limits(4)).await, Err(ExecError::TooMuchOutput(4)));
        let (silent, _kept) = tokio::io::duplex(10);
        assert!(matches!(whole(silent, limits(9)).await, Err(ExecError::Timeout(_))));
    }

    #[tokio::test]
    async fn an_answer_is_bounded_and_the_next_one_begins_anew() {
        use tokio::io::AsyncWriteExt as _;
        let (near, mut far) = tokio::io::duplex(4 << 20);
        let mut near = Answers::over(near);
        let mut block = vec![0; LONGEST_PART];
        for _ in 0..3 {
            far.write_all(&block.clone()).await.unwrap();
            near.write_all(b"next").await.unwrap();
            near.read_exact(&mut block).await.unwrap();
        }
        far.write_all(b"x").await.unwrap();
        assert!(near.read_u8().await.unwrap_err().to_string().contains("more than 1048576 bytes"));
        let (near, mut far) = tokio::io::duplex(1 << 20);
        tokio::spawn(async move { while far.write_all(b"short\n").await.is_ok() {} });
        let read = tokio::io::copy(&mut Answers::over(near), &mut tokio::io::sink()).await;
        assert!(read.unwrap_err().to_string().contains("more than 33554432 bytes"));
    }
}
