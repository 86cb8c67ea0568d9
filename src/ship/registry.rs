//! A read-only registry of one image, for one pull (OCI distribution spec, end-1 to end-3).
//!
//! It answers for one name, and there for the digests of one manifest, one configuration and its layers. There are no
//! tags and no lists: whoever does not know a digest gets 404.

use super::bytes::blocks;
use super::image::Blob;
use super::meter::Meter;
use super::oci;
use crate::release::digest::Digest;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::{Bytes, Frame};
use hyper::header::{ACCEPT_RANGES, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, RANGE};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use std::collections::HashMap;
use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncWrite};

pub(super) type Body = UnsyncBoxBody<Bytes, io::Error>;

/// What the registry has.
pub struct Registry {
    /// The repository's name.
    pub name: String,
    /// The manifest and its digest.
    pub manifest: (Digest, Bytes),
    /// The configuration and its digest.
    pub config: (Digest, Bytes),
    /// The layers.
    pub layers: HashMap<Digest, Blob>,
    /// Counts what leaves.
    pub meter: Arc<Meter>,
}

impl Registry {
    /// Answers the requests of one connection (HTTP/1.1) until it ends.
    pub async fn serve(self: Arc<Self>, stream: impl AsyncRead + AsyncWrite + Unpin + 'static) {
        let service = hyper::service::service_fn(move |request: Request<hyper::body::Incoming>| {
            let answer = self.answer(&request);
            async move { Ok::<_, Infallible>(answer) }
        });
        // an engine tries TLS first, or goes away half-way: nothing to report
        let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
    }

    /// The answer to one request.
    pub fn answer<B>(&self, request: &Request<B>) -> Response<Body> {
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return refusal(StatusCode::METHOD_NOT_ALLOWED, "UNSUPPORTED", "read only");
        }
        let path = request.uri().path();
        if path == "/v2/" || path == "/v2" {
            return document("application/json", None, Bytes::from_static(b"{}"), request);
        }
        let inside = path.strip_prefix("/v2/").and_then(|path| path.strip_prefix(&*self.name));
        let mut parts = inside.unwrap_or_default().trim_start_matches('/').splitn(2, '/');
        match (parts.next(), parts.next().and_then(|digest| digest.parse().ok())) {
            (Some("manifests"), Some(digest)) => self.manifest(&digest, request),
            (Some("blobs"), Some(digest)) => self.blob(&digest, request),
            _ => refusal(StatusCode::NOT_FOUND, "NAME_UNKNOWN", "there is nothing of this name"),
        }
    }

    fn manifest<B>(&self, digest: &Digest, request: &Request<B>) -> Response<Body> {
        if *digest != self.manifest.0 {
            return refusal(StatusCode::NOT_FOUND, "MANIFEST_UNKNOWN", "there is no such manifest");
        }
        document(oci::MANIFEST, Some(digest), self.manifest.1.clone(), request)
    }

    fn blob<B>(&self, digest: &Digest, request: &Request<B>) -> Response<Body> {
        if *digest == self.config.0 {
            return document("application/octet-stream", Some(digest), self.config.1.clone(), request);
        }
        let Some(blob) = self.layers.get(digest) else {
            return refusal(StatusCode::NOT_FOUND, "BLOB_UNKNOWN", "there is no such layer");
        };
        let asked = request.headers().get(RANGE).and_then(|range| range.to_str().ok());
        let (from, to) = match asked.map(|range| part(range, blob.size)) {
            Some(Some(part)) => part,
            Some(None) => return unsatisfiable(blob.size),
            None => (0, blob.size),
        };
        let builder = Response::builder()
            .header(CONTENT_TYPE, "application/octet-stream")
            .header(ACCEPT_RANGES, "bytes")
            .header(CONTENT_LENGTH, to - from)
            .header("Docker-Content-Digest", digest.as_str());
        let builder = match asked {
            Some(_) => builder
                .status(StatusCode::PARTIAL_CONTENT)
                .header(CONTENT_RANGE, format!("bytes {from}-{}/{}", to - 1, blob.size)),
            None => builder,
        };
        let body = if request.method() == Method::HEAD { empty() } else { self.send(blob, from, to) };
        finish(builder.body(body))
    }

    fn send(&self, blob: &Blob, from: u64, to: u64) -> Body {
        let read = blocks(blob.bytes.clone(), from, to);
        let meter = Arc::clone(&self.meter);
        let frames = futures_util::stream::unfold((read, meter), |(mut read, meter)| async move {
            let block = read.recv().await?;
            if let Ok(block) = &block {
                meter.add(block.len() as u64);
            }
            Some((block.map(Frame::data), (read, meter)))
        });
        StreamBody::new(frames).boxed_unsync()
    }
}

/// The part that a Range header asks for (RFC 9110, section 14.1.2), end excluded. `None`: there is no such part.
fn part(range: &str, size: u64) -> Option<(u64, u64)> {
    let (first, last) = range.strip_prefix("bytes=")?.split_once('-')?;
    if first.is_empty() {
        let count = last.parse::<u64>().ok()?.min(size);
        return (count > 0).then_some((size - count, size));
    }
    let from = first.parse().ok()?;
    let to = if last.is_empty() { size } else { last.parse::<u64>().ok()?.checked_add(1)?.min(size) };
    (from < to).then_some((from, to))
}

fn document<B>(media_type: &str, digest: Option<&Digest>, bytes: Bytes, request: &Request<B>) -> Response<Body> {
    let mut builder = Response::builder()
        .header(CONTENT_TYPE, media_type)
        .header(CONTENT_LENGTH, bytes.len())
        .header("Docker-Distribution-Api-Version", "registry/2.0");
    if let Some(digest) = digest {
        builder = builder.header("Docker-Content-Digest", digest.as_str());
    }
    finish(builder.body(if request.method() == Method::HEAD { empty() } else { full(bytes) }))
}

pub(super) fn refusal(status: StatusCode, code: &str, message: &str) -> Response<Body> {
    let text = serde_json::json!({ "errors": [{ "code": code, "message": message }] }).to_string();
    let builder = Response::builder().status(status).header(CONTENT_TYPE, "application/json");
    finish(builder.body(full(text.into())))
}

fn unsatisfiable(size: u64) -> Response<Body> {
    let builder = Response::builder().status(StatusCode::RANGE_NOT_SATISFIABLE);
    finish(builder.header(CONTENT_RANGE, format!("bytes */{size}")).body(empty()))
}

pub(super) fn full(bytes: Bytes) -> Body {
    Full::new(bytes).map_err(|never| match never {}).boxed_unsync()
}

pub(super) fn empty() -> Body {
    full(Bytes::new())
}

pub(super) fn finish(response: Result<Response<Body>, hyper::http::Error>) -> Response<Body> {
    response.unwrap_or_else(|_| {
        let mut response = Response::new(empty());
        *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        response
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_as_the_rfc_has_them() {
        let table = [
            ("bytes=0-", Some((0, 10))),
            ("bytes=3-5", Some((3, 6))),
            ("bytes=3-99", Some((3, 10))),
            ("bytes=-4", Some((6, 10))),
            ("bytes=-99", Some((0, 10))),
            ("bytes=10-", None),
            ("bytes=5-4", None),
            ("bytes=-0", None),
            ("bytes=a-b", None),
            ("lines=0-", None),
            ("bytes=0-18446744073709551615", None),
        ];
        for (range, expected) in table {
            assert_eq!(part(range, 10), expected, "{range}");
        }
    }
}
