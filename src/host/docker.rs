//! The Docker API of a host, spoken through `docker system dial-stdio` on a channel of the SSH connection.

use super::container::Image;
use super::ssh::{Answers, Session, within};
use crate::secret::Secret;
use anyhow::{Context as _, Result, bail};
use bollard::auth::DockerCredentials;
use bollard::models::CreateImageInfo;
use bollard::query_parameters::{CreateImageOptionsBuilder, EventsOptionsBuilder, LogsOptionsBuilder};
use futures_util::StreamExt;
use hyper::Uri;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::collections::HashMap;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};

/// The Docker API of one host.
#[derive(Clone)]
pub struct Docker(bollard::Docker);

/// A user and password for a registry. Travels in a request header, never through a file or an argument of the host.
#[derive(Debug, Clone)]
pub struct Login {
    /// The user.
    pub username: String,
    /// The password or token.
    pub password: Secret,
    /// The registry, as docker names it.
    pub server: String,
}

/// An engine under load takes its time; this is too long for any.
const ANSWER_WITHIN: Duration = Duration::from_secs(60);
const PULL_WITHIN: Duration = Duration::from_secs(3600);

/// How a container ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Died {
    /// Its id.
    pub container: String,
    /// The exit code, as the engine writes it.
    pub exit_code: String,
    /// The kernel killed something in it for lack of memory.
    pub out_of_memory: bool,
}

/// How far a pull has come: bytes of the layers that were announced so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pulled {
    /// Bytes here.
    pub done: u64,
    /// Bytes announced.
    pub total: u64,
}

impl Docker {
    /// An API client whose connections are channels of this SSH connection. Nothing is sent yet.
    ///
    /// `engine` is the server's version ("20.10.24"): engines from 25 on speak API 1.44, older ones 1.41. `stdio` is the line
    /// that runs `docker system dial-stdio`. `aside`: nobody waits for its answers, so they count as no round trips.
    pub fn over(session: Arc<Session>, engine: &str, stdio: String, aside: bool) -> Result<Docker> {
        let major: usize = engine.split('.').next().and_then(|major| major.parse().ok()).unwrap_or(0);
        let version = bollard::ClientVersion { major_version: 1, minor_version: if major >= 25 { 44 } else { 41 } };
        let client = Client::builder(TokioExecutor::new()).build(DialStdio { session, line: stdio, aside });
        let transport = move |request| {
            let answer = client.request(request);
            async move { answer.await.map_err(bollard::errors::Error::from) }
        };
        let docker = bollard::Docker::connect_with_custom_transport(transport, Some("http://docker"), 600, &version)?;
        Ok(Docker(docker))
    }

    /// The last lines that a container printed, both streams, at most `lines`.
    pub async fn logs(&self, container: &str, lines: usize) -> Result<Vec<String>> {
        let options = LogsOptionsBuilder::new().stdout(true).stderr(true).tail(&lines.to_string()).build();
        let text = within(ANSWER_WITHIN, async {
            let mut stream = Box::pin(self.0.logs(container, Some(options)));
            let mut text = String::new();
            while let Some(output) = stream.next().await {
                match output {
                    Ok(output) => text.push_str(&String::from_utf8_lossy(&output.into_bytes())),
                    Err(error) if text.is_empty() => return Err(error.into()),
                    Err(_) => break,
                }
                if text.len() > 64 * 1024 {
                    break;
                }
            }
            Ok(text)
        });
        let text = text.await?;
        let all: Vec<&str> = text.lines().collect();
        Ok(all[all.len().saturating_sub(lines)..].iter().map(|line| (*line).to_owned()).collect())
    }

    /// Waits until one of these containers ends, or gives how one did since `since`, whether or not it was restarted.
    pub async fn died(&self, containers: &[&str], since: jiff::Timestamp) -> Result<Died> {
        let since = format!("{}.{:09}", since.as_second(), since.subsec_nanosecond());
        let of = |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect::<Vec<_>>();
        let filters = HashMap::from([("container", of(containers)), ("event", of(&["die", "oom"]))]);
        let options = EventsOptionsBuilder::new().since(&since).filters(&filters).build();
        let mut events = Box::pin(self.0.events(Some(options)));
        let mut out_of_memory = Vec::new();
        while let Some(event) = events.next().await {
            let event = event.context("the engine's events can't be read")?;
            let actor = event.actor.unwrap_or_default();
            let container = actor.id.unwrap_or_default();
            if event.action.as_deref() == Some("oom") {
                out_of_memory.push(container);
                continue;
            }
            let attributes = actor.attributes.unwrap_or_default();
            let exit_code = attributes.get("exitCode").cloned().unwrap_or_else(|| "an unknown code".to_owned());
            return Ok(Died { out_of_memory: out_of_memory.contains(&container), container, exit_code });
        }
        bail!("the engine ended its events: was it restarted?")
    }

    /// An image, `None` where the host does not have it.
    pub async fn image(&self, reference: &str) -> Result<Option<Image>> {
        let inspecting = async {
            match self.0.inspect_image(reference).await {
                Ok(image) => {
                    let (repo_tags, repo_digests) = (image.repo_tags, image.repo_digests);
                    Ok(image.id.map(|id| Image { id, repo_tags, repo_digests, config: None }))
                }
                Err(bollard::errors::Error::DockerResponseServerError { status_code: 404, .. }) => Ok(None),
                Err(error) => Err(error.into()),
            }
        };
        within(ANSWER_WITHIN, inspecting).await.with_context(|| format!("the image {reference} can't be inspected"))
    }

    /// Pulls `repository@digest` or `repository:tag`; ends when the channel does, so no pull outlives this run.
    pub async fn pull(&self, reference: &str, login: Option<&Login>, progress: impl FnMut(Pulled)) -> Result<()> {
        within(PULL_WITHIN, self.pull_to_its_end(reference, login, progress)).await
    }

    async fn pull_to_its_end(
        &self,
        reference: &str,
        login: Option<&Login>,
        mut progress: impl FnMut(Pulled),
    ) -> Result<()> {
        let options = CreateImageOptionsBuilder::new().from_image(reference).build();
        let mut stream = Box::pin(self.0.create_image(Some(options), None, login.map(credentials)));
        let mut layers: HashMap<String, (u64, u64)> = HashMap::new();
        while let Some(info) = stream.next().await {
            let info = info.with_context(|| format!("{reference} can't be pulled"))?;
            if let Some(message) = info.error_detail.as_ref().and_then(|detail| detail.message.as_deref()) {
                bail!("{reference} can't be pulled: {message}");
            }
            if note(&mut layers, &info) {
                let (done, total) = layers.values().fold((0, 0), |(d, t), layer| (d + layer.0, t + layer.1));
                progress(Pulled { done, total });
            }
        }
        Ok(())
    }
}

fn credentials(login: &Login) -> DockerCredentials {
    DockerCredentials {
        username: Some(login.username.clone()),
        password: Some(login.password.expose().to_owned()),
        serveraddress: Some(login.server.clone()),
        ..DockerCredentials::default()
    }
}

/// Takes one progress message in; says whether it moved anything.
fn note(layers: &mut HashMap<String, (u64, u64)>, info: &CreateImageInfo) -> bool {
    let (Some(id), Some(status)) = (&info.id, &info.status) else { return false };
    let detail = info.progress_detail.as_ref();
    let number = |value: Option<i64>| value.and_then(|value| u64::try_from(value).ok());
    let layer = layers.entry(id.clone()).or_default();
    match status.as_str() {
        "Downloading" => {
            layer.0 = number(detail.and_then(|d| d.current)).unwrap_or(layer.0);
            layer.1 = number(detail.and_then(|d| d.total)).unwrap_or(layer.1);
        }
        "Download complete" | "Pull complete" => layer.0 = layer.1,
        _ => return false,
    }
    true
}

/// Opens a channel to the host's engine for each connection that the HTTP client wants.
#[derive(Clone)]
pub(super) struct DialStdio {
    pub(super) session: Arc<Session>,
    pub(super) line: String,
    /// Nobody waits for what comes over it.
    pub(super) aside: bool,
}

type Dialing = Pin<Box<dyn Future<Output = io::Result<Channel>> + Send>>;

impl tower_service::Service<Uri> for DialStdio {
    type Response = Channel;
    type Error = io::Error;
    type Future = Dialing;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Dialing {
        let DialStdio { session, line, aside } = self.clone();
        Box::pin(async move {
            let stream = if aside { session.stdio_aside(&line).await } else { session.stdio(&line).await };
            let stream = stream.map_err(io::Error::other)?;
            Ok(Channel(TokioIo::new(Box::pin(Answers::over(stream)))))
        })
    }
}

trait Stream: AsyncRead + AsyncWrite + Send {}
impl<T: AsyncRead + AsyncWrite + Send> Stream for T {}

pub(super) struct Channel(TokioIo<Pin<Box<dyn Stream>>>);

impl Connection for Channel {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl hyper::rt::Read for Channel {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: hyper::rt::ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl hyper::rt::Write for Channel {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_adds_up_over_layers() {
        let mut layers = HashMap::new();
        let message = |id: &str, status: &str, current: i64, total: i64| CreateImageInfo {
            id: Some(id.into()),
            status: Some(status.into()),
            progress_detail: Some(bollard::models::ProgressDetail { current: Some(current), total: Some(total) }),
            ..CreateImageInfo::default()
        };
        assert!(note(&mut layers, &message("a", "Downloading", 5, 10)));
        assert!(note(&mut layers, &message("b", "Downloading", 1, 4)));
        assert!(note(&mut layers, &message("a", "Download complete", 0, 0)));
        assert!(!note(&mut layers, &message("a", "Extracting", 1, 10)));
        assert_eq!((layers["a"], layers["b"]), ((10, 10), (1, 4)));
    }
}
