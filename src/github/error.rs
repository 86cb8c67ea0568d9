//! What GitHub refused, and what to do about it.

use reqwest::header::HeaderMap;
use serde_json::Value;
use std::fmt;

/// A request that did not do what it should.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// What was tried: "create the release v1.2.3".
    pub what: String,
    /// The HTTP status; `None`: there was no answer.
    pub status: Option<u16>,
    /// What GitHub said.
    pub said: String,
    /// What to do.
    pub advice: Option<String>,
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GitHub: could not {}: ", self.what)?;
        if let Some(status) = self.status {
            write!(f, "{status} ")?;
        }
        f.write_str(&self.said)?;
        self.advice.as_ref().map_or(Ok(()), |advice| write!(f, "; {advice}"))
    }
}

impl std::error::Error for Trouble {}

/// A request: what it is for, and which permission it needs, as in `contents: write`.
#[derive(Debug, Clone)]
pub(super) struct Purpose {
    pub(super) what: String,
    pub(super) needs: &'static str,
}

impl Trouble {
    pub(super) fn silent(purpose: &Purpose, why: String) -> Trouble {
        Trouble { what: purpose.what.clone(), status: None, said: why, advice: None }
    }

    pub(super) fn refused(purpose: &Purpose, status: u16, headers: &HeaderMap, body: &Value) -> Trouble {
        let limited = is_rate_limit(status, headers, body);
        let advice = match status {
            401 => {
                Some("the token is not valid; the action's default is `github-token: ${{ github.token }}`".to_owned())
            }
            _ if limited => Some("the token's rate limit is used up; run the job again later".to_owned()),
            403 => Some(permissions(headers, purpose.needs)),
            404 => Some(format!(
                "no such repository, or the token may not see it: {}",
                permissions(headers, purpose.needs)
            )),
            _ => None,
        };
        Trouble { what: purpose.what.clone(), status: Some(status), said: said(body), advice }
    }
}

/// GitHub's message with its details, on one line.
fn said(body: &Value) -> String {
    let mut text = body["message"].as_str().unwrap_or("no message").to_owned();
    for error in body["errors"].as_array().into_iter().flatten() {
        let part = |key: &str| error[key].as_str().unwrap_or_default();
        let detail = match error.as_str() {
            Some(text) => text.to_owned(),
            None => [part("resource"), part("field"), part("code"), part("message")].join(" "),
        };
        text += &format!(" ({})", detail.split_whitespace().collect::<Vec<_>>().join(" "));
    }
    crate::report::text::one_line(&text, 500)
}

/// The line for the workflow. GitHub names the permissions in a header (docs: "Troubleshooting the REST API"):
/// alternatives separated by `;`, those needed together by `,`.
fn permissions(headers: &HeaderMap, usual: &str) -> String {
    let named = headers.get("x-accepted-github-permissions").and_then(|value| value.to_str().ok());
    let first = named.and_then(|all| all.split(';').next()).map(str::trim).filter(|one| is_permission_list(one));
    let wanted = first.map_or_else(|| usual.to_owned(), |one| one.replace('=', ": ").replace(',', ", "));
    format!("the job's token may not; add this line to the job: `permissions: {{{wanted}}}`")
}

fn is_permission_list(text: &str) -> bool {
    text.contains('=') && text.bytes().all(|b| b.is_ascii_lowercase() || b"_=,".contains(&b))
}

/// Primary and secondary limits (docs: "Rate limits for the REST API"): 429, or a 403 that says so.
pub(super) fn is_rate_limit(status: u16, headers: &HeaderMap, body: &Value) -> bool {
    let used_up = headers.get("x-ratelimit-remaining").is_some_and(|left| left == "0");
    let says_so = body["message"].as_str().is_some_and(|text| text.to_lowercase().contains("rate limit"));
    status == 429 || status == 403 && (used_up || says_so || headers.contains_key("retry-after"))
}
