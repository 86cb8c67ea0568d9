//! One plain HTTP/1.1 request over a stream that is already open.

use anyhow::{Context, Result, bail};
use hyper::Request;
use hyper::body::Body as _;
use hyper_util::rt::TokioIo;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// `Location`, of a redirect.
    pub location: Option<String>,
    /// The first bytes of the body, at most 2 KiB, for messages.
    pub body: String,
}

const SHOWN: usize = 2048;

/// Who asks.
pub const USER_AGENT: &str = concat!("cutover/", env!("CARGO_PKG_VERSION"));

/// What to ask for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ask {
    /// Over TLS.
    pub tls: bool,
    /// `Host` header, and TLS server name.
    pub host: String,
    /// Path and query.
    pub path: String,
    /// Headers beside these and `User-Agent`: names and values.
    pub headers: Vec<(String, String)>,
}

/// Sends `GET path` with these headers and reads the answer; all of it within `limit`.
pub async fn get<S>(stream: S, ask: &Ask, limit: Duration) -> Result<Answer>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    match crate::awake::timeout(limit, exchange(stream, ask)).await {
        Ok(answer) => answer,
        Err(_) => bail!("no answer within {:.1} s", limit.as_secs_f64()),
    }
}

async fn exchange<S>(stream: S, ask: &Ask) -> Result<Answer>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    // the connection ends by itself when the sender and the body are dropped
    tokio::spawn(connection);
    let request = Request::get(&ask.path)
        .header("host", &ask.host)
        .header("user-agent", USER_AGENT)
        .header("connection", "close");
    let request = ask.headers.iter().fold(request, |request, (name, value)| request.header(name, value));
    let request = request.body(String::new()).with_context(|| format!("{} can't be asked for", ask.path))?;
    let mut response = sender.send_request(request).await?;
    let location = response.headers().get("location").map(|value| shown(value.as_bytes()));
    let status = response.status().as_u16();
    let mut body = Vec::new();
    while body.len() < SHOWN {
        let frame = std::future::poll_fn(|cx| std::pin::Pin::new(response.body_mut()).poll_frame(cx)).await;
        let Some(frame) = frame.transpose()? else { break };
        body.extend(frame.into_data().unwrap_or_default());
    }
    Ok(Answer { status, location, body: shown(&body) })
}

/// As much of it as a message shows.
fn shown(bytes: &[u8]) -> String {
    String::from_utf8_lossy(&bytes[..bytes.len().min(SHOWN)]).into_owned()
}

/// Reads the head of an answer that a program printed whole.
pub(super) fn read_head(text: &str) -> Result<Answer> {
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((text, ""));
    let mut lines = head.lines();
    let first = lines.next().unwrap_or_default();
    let status = first.split(' ').nth(1).and_then(|status| status.parse().ok());
    let Some(status) = status.filter(|_| first.starts_with("HTTP/")) else { bail!("no HTTP answer") };
    let location =
        lines.filter_map(|line| line.split_once(':')).find(|(name, _)| name.eq_ignore_ascii_case("location"));
    let location = location.map(|(_, value)| shown(value.trim().as_bytes()));
    Ok(Answer { status, location, body: body.chars().take(SHOWN).collect() })
}
