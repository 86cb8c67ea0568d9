//! The Docker API of a host as JSON: what is sent back stays as it came, also fields that this program does not know.

use super::docker::DialStdio;
use super::ssh::Session;
use crate::awake;
use anyhow::{Context as _, Result, anyhow};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Bytes;
use hyper::{Method, Request};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;

/// An engine that has lost its peers answers after their time is over.
const ANSWER_WITHIN: Duration = Duration::from_secs(20);
/// A longer answer is no list of ours.
const LONGEST: usize = 16 << 20;

/// The API of one engine.
pub(crate) struct Engine(Client<DialStdio, Full<Bytes>>);

/// The engine's own word against a call.
#[derive(Debug, thiserror::Error)]
#[error("{message} (HTTP {status})")]
pub(crate) struct Refused {
    pub(crate) status: u16,
    pub(crate) message: String,
}

impl Engine {
    /// Connections are channels of this SSH connection; `stdio` is the line that runs `docker system dial-stdio`.
    pub(super) fn over(session: Arc<Session>, stdio: String) -> Engine {
        Engine(Client::builder(TokioExecutor::new()).build(DialStdio { session, line: stdio, aside: false }))
    }

    /// What it answers to GET.
    pub(crate) async fn get(&self, path: &str) -> Result<Value> {
        self.call(Method::GET, path, None, None).await
    }

    /// The same for what asks a registry. `auth` is its login, as the API has it.
    pub(crate) async fn get_with(&self, path: &str, auth: Option<&str>) -> Result<Value> {
        self.call(Method::GET, path, None, auth).await
    }

    /// Sends a body; an empty answer is null.
    pub(crate) async fn post(&self, path: &str, body: &Value, auth: Option<&str>) -> Result<Value> {
        self.call(Method::POST, path, Some(body), auth).await
    }

    /// Has something removed.
    pub(crate) async fn delete(&self, path: &str) -> Result<Value> {
        self.call(Method::DELETE, path, None, None).await
    }

    async fn call(&self, method: Method, path: &str, body: Option<&Value>, auth: Option<&str>) -> Result<Value> {
        let request = Request::builder().method(method).uri(format!("http://docker{path}"));
        let request = request.header("content-type", "application/json");
        let request = auth.iter().fold(request, |request, auth| request.header("x-registry-auth", *auth));
        let body = body.map(|body| Bytes::from(body.to_string())).unwrap_or_default();
        let request = request.body(Full::new(body)).with_context(|| format!("{path} can't be asked for"))?;
        let exchange = async {
            let answer = self.0.request(request).await.context("the engine can't be reached")?;
            let status = answer.status();
            let body = Limited::new(answer.into_body(), LONGEST).collect().await;
            let body = body.map_err(|error| anyhow!("the engine's answer can't be read: {error}"))?.to_bytes();
            Ok::<_, anyhow::Error>((status, body))
        };
        let late = |_| anyhow!("the engine did not answer within {} s", ANSWER_WITHIN.as_secs());
        let (status, body) = awake::timeout(ANSWER_WITHIN, exchange).await.map_err(late)??;
        let value = serde_json::from_slice(&body).unwrap_or(Value::Null);
        if status.is_success() {
            return Ok(value);
        }
        let message = value["message"].as_str().unwrap_or("the engine refused").to_owned();
        Err(Refused { status: status.as_u16(), message }.into())
    }
}

/// A text as a value of a query (RFC 3986, section 2.1).
pub(crate) fn in_query(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_has_no_byte_that_means_something_there() {
        assert_eq!(in_query(r#"{"name":["a b"]}"#), "%7B%22name%22%3A%5B%22a%20b%22%5D%7D");
    }
}
