//! One request at a time, tried again while that can help and time is left.

use super::error::{Purpose, Trouble, is_rate_limit};
use super::place::Repository;
use reqwest::header::{HeaderMap, HeaderValue};
use reqwest::{Client, Method, Url};
use serde_json::Value;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The API at one repository.
#[derive(Debug, Clone)]
pub struct GitHub {
    http: Client,
    pub(super) place: Repository,
    patience: Duration,
}

/// What to ask for. `path` is below `/repos/OWNER/NAME`.
pub(super) struct Call<'a> {
    pub(super) purpose: Purpose,
    pub(super) method: Method,
    pub(super) path: &'a [&'a str],
    pub(super) query: &'a [(&'a str, &'a str)],
    pub(super) body: Option<Value>,
}

/// An answer below 500 that is no rate limit.
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Value,
}

/// GitHub answers or gives up within 10 seconds; generated notes can take most of them.
const ONE_TRY: Duration = Duration::from_secs(15);
const MOST_TRIES: u32 = 5;
const LARGEST_ANSWER: usize = 8 << 20;
/// Longer waits are all the same: nobody is that patient.
const LONGEST_WAIT: u64 = 24 * 3600;

impl GitHub {
    /// A client. A call gives up after `patience`, waits for rate limits included.
    pub fn new(place: Repository, patience: Duration) -> Result<GitHub, Trouble> {
        // the ring back end, as everywhere here; somebody may have chosen it already
        let _ = tokio_rustls::rustls::crypto::ring::default_provider().install_default();
        let mut headers = HeaderMap::new();
        headers.insert("accept", HeaderValue::from_static("application/vnd.github+json"));
        headers.insert("x-github-api-version", HeaderValue::from_static("2022-11-28"));
        let failed = |why: String| Trouble::silent(&Purpose { what: "set up its client".to_owned(), needs: "" }, why);
        let mut token = HeaderValue::from_str(&format!("Bearer {}", place.token.expose().trim()))
            .map_err(|_| failed("the token is no word".to_owned()))?;
        token.set_sensitive(true);
        headers.insert("authorization", token);
        let client = Client::builder()
            .user_agent(concat!("cutover/", env!("CARGO_PKG_VERSION")))
            .default_headers(headers)
            .build();
        Ok(GitHub { http: client.map_err(|error| failed(error.to_string()))?, place, patience })
    }

    /// The same with less or more patience.
    pub fn patient(&self, patience: Duration) -> GitHub {
        GitHub { patience, ..self.clone() }
    }

    /// Asks; the answer is whatever GitHub says, a refusal too.
    pub(super) async fn ask(&self, ask: &Call<'_>) -> Result<Reply, Trouble> {
        self.tries(ask, MOST_TRIES).await
    }

    /// Asks once: what it makes must not be made twice.
    pub(super) async fn ask_once(&self, ask: &Call<'_>) -> Result<Reply, Trouble> {
        self.tries(ask, 1).await
    }

    async fn tries(&self, ask: &Call<'_>, most: u32) -> Result<Reply, Trouble> {
        let deadline = Instant::now() + self.patience;
        let mut number = 1;
        loop {
            let (trouble, wait) = match self.try_once(ask).await {
                Ok(answer) => match pause(&answer, number) {
                    None => return Ok(answer),
                    Some(wait) => (answer.refusal(&ask.purpose), wait),
                },
                Err(why) => (Trouble::silent(&ask.purpose, why), backoff(number)),
            };
            if number >= most || Instant::now() + wait > deadline {
                return Err(trouble);
            }
            tokio::time::sleep(wait).await;
            number += 1;
        }
    }

    async fn try_once(&self, ask: &Call<'_>) -> Result<Reply, String> {
        let mut request = self.http.request(ask.method.clone(), self.url(ask)?).timeout(ONE_TRY.min(self.patience));
        if let Some(body) = &ask.body {
            request = request.json(body);
        }
        let mut answer = request.send().await.map_err(|error| cause(&error))?;
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let mut text = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(|error| cause(&error))? {
            text.extend_from_slice(&chunk);
            if text.len() > LARGEST_ANSWER {
                return Err(format!("the answer is larger than {LARGEST_ANSWER} bytes"));
            }
        }
        Ok(Reply { status, headers, body: serde_json::from_slice(&text).unwrap_or_default() })
    }

    fn url(&self, ask: &Call<'_>) -> Result<Url, String> {
        let bad = || format!("GITHUB_API_URL is no URL: {}", self.place.api);
        let mut url = Url::parse(self.place.api.trim_end_matches('/')).map_err(|_| bad())?;
        {
            let mut parts = url.path_segments_mut().map_err(|()| bad())?;
            parts.pop_if_empty().push("repos").extend(self.place.repository.split('/')).extend(ask.path);
        }
        for (name, value) in ask.query {
            url.query_pairs_mut().append_pair(name, value);
        }
        Ok(url)
    }
}

impl Reply {
    /// The answer, if its status is one of these.
    pub(super) fn expect(self, purpose: &Purpose, statuses: &[u16]) -> Result<Value, Trouble> {
        if statuses.contains(&self.status) { Ok(self.body) } else { Err(self.refusal(purpose)) }
    }

    pub(super) fn refusal(&self, purpose: &Purpose) -> Trouble {
        Trouble::refused(purpose, self.status, &self.headers, &self.body)
    }
}

/// How long to wait before it is worth another try; `None`: the answer is final.
fn pause(answer: &Reply, number: u32) -> Option<Duration> {
    if is_rate_limit(answer.status, &answer.headers, &answer.body) {
        return Some(limit(&answer.headers).unwrap_or(Duration::from_secs(60)));
    }
    let asked = seconds(&answer.headers, "retry-after").map(|wait| Duration::from_secs(wait.min(LONGEST_WAIT)));
    (answer.status >= 500).then(|| asked.unwrap_or_else(|| backoff(number)))
}

/// When a rate limit ends (docs: "Best practices for using the REST API").
fn limit(headers: &HeaderMap) -> Option<Duration> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_secs());
    let used_up = headers.get("x-ratelimit-remaining").is_some_and(|left| left == "0");
    let reset = seconds(headers, "x-ratelimit-reset").filter(|_| used_up);
    let wait = seconds(headers, "retry-after").or_else(|| reset.map(|at| at.saturating_sub(now).saturating_add(1)));
    wait.map(|wait| Duration::from_secs(wait.min(LONGEST_WAIT)))
}

fn seconds(headers: &HeaderMap, name: &str) -> Option<u64> {
    headers.get(name)?.to_str().ok()?.trim().parse().ok()
}

/// Half a second, doubled every time.
fn backoff(number: u32) -> Duration {
    Duration::from_millis(500 << (number - 1).min(4))
}

/// The innermost reason: reqwest's own text is only "error sending request".
fn cause(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "no answer in time".to_owned();
    }
    let mut inner: &dyn std::error::Error = error;
    while let Some(source) = inner.source() {
        inner = source;
    }
    inner.to_string()
}
