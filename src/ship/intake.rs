//! A registry that the Docker daemon here pushes one image to, to learn what is in it without an export of all of it.
//!
//! Docker's classic store remembers the digest that a layer had when it was pulled or pushed, and asks for that digest
//! before it hands the layer over. The answer is always "it is there", so what comes is the configuration, the manifest,
//! and the layers that Docker has never seen compressed: what was built just now (OCI distribution spec, end-3 to end-7).

use super::cache::{Cache, Writer, Written};
use super::oci::Manifest;
use super::registry::{Body, empty, finish, full, refusal};
use crate::release::digest::Digest;
use anyhow::{Context as _, Result, ensure};
use http_body_util::BodyExt as _;
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_LENGTH, LOCATION, RANGE};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use std::collections::HashMap;
use std::convert::Infallible;
use std::io::Write as _;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinSet;

/// No document is larger.
const LARGEST_DOCUMENT: usize = 8 << 20;

/// Takes in one image.
pub(super) struct Intake {
    /// The repository's name, which nobody can guess.
    name: String,
    /// The image's configuration, which is never there yet.
    id: Digest,
    /// Layers that are not said to be there, so that they come.
    wanted: Vec<Digest>,
    /// Bytes that may come.
    budget: u64,
    cache: Cache,
    state: Mutex<IntakeState>,
    /// More than `budget` has come.
    pub(super) exceeded: Notify,
}

#[derive(Default)]
struct IntakeState {
    uploads: HashMap<String, Writer>,
    begun: u64,
    came: u64,
    blobs: HashMap<Digest, Written>,
    manifest: Option<Bytes>,
}

/// What came of an image: its configuration, and each layer's digest, with those that Docker handed over, lowest first.
pub(super) struct Came {
    pub(super) config: Bytes,
    pub(super) layers: Vec<(Digest, Option<Written>)>,
}

impl Intake {
    /// An intake that has nothing yet.
    pub(super) fn new(name: String, id: Digest, wanted: Vec<Digest>, budget: u64, cache: Cache) -> Intake {
        Intake { name, id, wanted, budget, cache, state: Mutex::default(), exceeded: Notify::new() }
    }

    /// Answers every connection; dropped, it ends them all.
    pub(super) async fn serve(self: Arc<Self>, listener: TcpListener) {
        let mut open = JoinSet::new();
        while let Ok((stream, _)) = listener.accept().await {
            let intake = Arc::clone(&self);
            open.spawn(async move {
                let service = hyper::service::service_fn(move |request| {
                    let intake = Arc::clone(&intake);
                    async move { Ok::<_, Infallible>(intake.answer(request).await) }
                });
                // docker tries TLS first
                let _ =
                    hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
            });
            while open.try_join_next().is_some() {}
        }
    }

    /// What came, once docker says that it is done.
    pub(super) fn came(&self) -> Result<Came> {
        let mut state = self.lock();
        let manifest = state.manifest.take().context("docker pushed no manifest")?;
        let manifest: Manifest = serde_json::from_slice(&manifest).context("the image's manifest can't be read")?;
        // somebody else who found the port could push, too
        ensure!(manifest.config.digest == self.id, "another image came than the one asked for");
        let config = state.blobs.remove(&self.id).context("docker pushed no configuration")?;
        let config = config.read(LARGEST_DOCUMENT).context("the image's configuration can't be read")?.into();
        let layers = manifest.layers.into_iter().map(|layer| {
            let written = state.blobs.remove(&layer.digest);
            (layer.digest, written)
        });
        let layers = layers.collect();
        Ok(Came { config, layers })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, IntakeState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn answer(&self, request: Request<Incoming>) -> Response<Body> {
        let (head, body) = request.into_parts();
        let path = head.uri.path();
        if path == "/v2/" {
            return finish(Response::builder().body(full(Bytes::from_static(b"{}"))));
        }
        let inside = path.strip_prefix("/v2/").and_then(|path| path.strip_prefix(&*self.name)).unwrap_or_default();
        let parts: Vec<&str> = inside.split('/').collect();
        let answered = match (&head.method, &parts[..]) {
            (&Method::HEAD, ["", "blobs", digest]) => self.blob(digest),
            (&Method::POST, ["", "blobs", "uploads", _]) => self.begin(),
            (&Method::PATCH, ["", "blobs", "uploads", id]) => self.take(id, body).await,
            (&Method::PUT, ["", "blobs", "uploads", id]) => self.end(id, head.uri.query().unwrap_or_default()),
            (&Method::PUT, ["", "manifests", _]) => self.manifest(body).await,
            _ => Ok(refusal(StatusCode::NOT_FOUND, "NAME_UNKNOWN", "there is nothing of this name")),
        };
        // docker tries again what it takes for a passing failure; this is none
        answered.unwrap_or_else(|error| refusal(StatusCode::FORBIDDEN, "DENIED", &format!("{error:#}")))
    }

    fn blob(&self, digest: &str) -> Result<Response<Body>> {
        let digest: Digest = digest.parse().map_err(|expected| anyhow::anyhow!("expected {expected}"))?;
        let size = match self.lock().blobs.get(&digest) {
            Some(blob) => blob.size,
            None if digest == self.id || self.wanted.contains(&digest) => {
                return Ok(refusal(StatusCode::NOT_FOUND, "BLOB_UNKNOWN", "not yet"));
            }
            // nobody looks at the size of what does not come
            None => 1,
        };
        let head = Response::builder().header(CONTENT_LENGTH, size).header("Docker-Content-Digest", digest.as_str());
        Ok(finish(head.body(empty())))
    }

    fn begin(&self) -> Result<Response<Body>> {
        let writer = self.cache.writer()?;
        let mut state = self.lock();
        state.begun += 1;
        let id = state.begun.to_string();
        state.uploads.insert(id.clone(), writer);
        Ok(self.accepted(&id, 0))
    }

    /// Where an upload stands.
    fn accepted(&self, id: &str, size: u64) -> Response<Body> {
        let answer = Response::builder()
            .status(StatusCode::ACCEPTED)
            .header(LOCATION, format!("/v2/{}/blobs/uploads/{id}", self.name))
            .header("Docker-Upload-UUID", id)
            .header(RANGE, format!("0-{}", size.saturating_sub(1)));
        finish(answer.body(empty()))
    }

    async fn take(&self, id: &str, mut body: Incoming) -> Result<Response<Body>> {
        let mut writer = self.lock().uploads.remove(id).context("there is no such upload")?;
        while let Some(frame) = body.frame().await {
            let Ok(data) = frame?.into_data() else { continue };
            let came = {
                let mut state = self.lock();
                state.came += data.len() as u64;
                state.came
            };
            if came > self.budget {
                self.exceeded.notify_one();
                anyhow::bail!("that is too much");
            }
            writer.write_all(&data)?;
        }
        let size = writer.size();
        self.lock().uploads.insert(id.to_owned(), writer);
        Ok(self.accepted(id, size))
    }

    fn end(&self, id: &str, query: &str) -> Result<Response<Body>> {
        let written = self.lock().uploads.remove(id).context("there is no such upload")?.finish()?;
        let said = query.split('&').find_map(|pair| pair.strip_prefix("digest=")).unwrap_or_default();
        ensure!(said.replace("%3A", ":") == written.digest.as_str(), "it arrived damaged");
        let digest = written.digest.clone();
        self.lock().blobs.insert(digest.clone(), written);
        Ok(created(&format!("/v2/{}/blobs/{digest}", self.name), &digest))
    }

    async fn manifest(&self, body: Incoming) -> Result<Response<Body>> {
        let body = http_body_util::Limited::new(body, LARGEST_DOCUMENT).collect().await;
        let bytes = body.map_err(|error| anyhow::anyhow!("{error}"))?.to_bytes();
        let digest = Digest::of(&bytes);
        self.lock().manifest = Some(bytes);
        Ok(created(&format!("/v2/{}/manifests/{digest}", self.name), &digest))
    }
}

fn created(location: &str, digest: &Digest) -> Response<Body> {
    let answer = Response::builder().status(StatusCode::CREATED).header(LOCATION, location);
    finish(answer.header("Docker-Content-Digest", digest.as_str()).body(empty()))
}
