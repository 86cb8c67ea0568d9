//! An image out of the Docker daemon on this side.

use super::cache::Cache;
use super::image::{Blob, Encoding, Fetch, Image};
use super::intake::{Came, Intake};
use super::meter::Meter;
use super::registry::Registry;
use super::{oci, read};
use crate::release::digest::Digest;
use crate::release::docker_cli::DockerCli;
use crate::release::docker_error::DockerError;
use crate::release::local::Classic;
use crate::report::Reporter;
use anyhow::{Context as _, Result, anyhow, bail, ensure};
use futures_util::future::try_join_all;
use std::sync::Arc;
use tokio::net::TcpListener;

/// Docker compresses what it hands over, some 15 MB/s on one processor. It may hand over this part of an image, which
/// takes a fraction of the time of an export of all of it; and never less than [`LEAST`].
const PART: u64 = 128;
const LEAST: u64 = 1 << 20;

/// An image that was read.
pub struct Local {
    /// The image.
    pub image: Image,
    /// How it was read, for people.
    pub how: String,
    /// It was exported because Docker does not know the digests of its layers: [`teach`] helps the next time.
    pub unknown: bool,
}

/// Why an image was not handed over.
enum NotHanded {
    TooMuch,
    Other(anyhow::Error),
}

/// Where an image is, and where its layers go.
#[derive(Clone)]
struct LocalPlace {
    docker: Arc<DockerCli>,
    classic: Classic,
    cache: Cache,
}

/// Reads an image. Docker hands over what is new in it; where that can't be, it exports all of it.
pub async fn image(docker: &Arc<DockerCli>, reference: &str, cache: &Cache) -> Result<Local, DockerError> {
    let why = match docker.classic(reference).await {
        Ok(classic) => {
            let place = LocalPlace { docker: Arc::clone(docker), classic, cache: cache.clone() };
            match place.hand_over(Vec::new()).await.and_then(|came| place.image(came).map_err(NotHanded::Other)) {
                Ok(local) => return Ok(local),
                Err(obstacle) => obstacle,
            }
        }
        Err(error) => NotHanded::Other(anyhow!("{}", error.what)),
    };
    let image = export(docker, reference, cache).await?;
    let (why, unknown) = match why {
        NotHanded::TooMuch => ("much of it is new".to_owned(), true),
        NotHanded::Other(error) => (format!("{error:#}"), false),
    };
    Ok(Local { image, how: format!("docker save: {why}"), unknown })
}

async fn export(docker: &DockerCli, reference: &str, cache: &Cache) -> Result<Image, DockerError> {
    let cache = cache.clone();
    docker.save(reference, move |archive| read::save(archive, &cache)).await
}

impl LocalPlace {
    /// Has Docker push the image here: what is new in it, and the layers that are `wanted`.
    async fn hand_over(&self, wanted: Vec<Digest>) -> Result<Came, NotHanded> {
        let (classic, other) = (&self.classic, |error: std::io::Error| NotHanded::Other(error.into()));
        let name = format!("cutover/{}", word().map_err(NotHanded::Other)?);
        let listener = TcpListener::bind("127.0.0.1:0").await.map_err(other)?;
        let to = format!("127.0.0.1:{}/{name}", listener.local_addr().map_err(other)?.port());
        let budget = (classic.size / PART).max(LEAST);
        let intake = Arc::new(Intake::new(name, classic.id.clone(), wanted, budget, self.cache.clone()));
        tokio::select! {
            pushed = self.docker.hand_over(&classic.id, &to) => {
                pushed.map_err(|error| NotHanded::Other(anyhow!("{}", error.lines.join(" "))))?;
            }
            () = intake.exceeded.notified() => return Err(NotHanded::TooMuch),
            () = Arc::clone(&intake).serve(listener) => return Err(NotHanded::Other(anyhow!("the port was lost"))),
        }
        intake.came().map_err(NotHanded::Other)
    }

    /// The image of what came; what did not come is in the cache, or is fetched when a host needs it.
    fn image(&self, came: Came) -> Result<Local> {
        let diff_ids = oci::diff_ids(&came.config)?;
        let new = came.layers.iter().filter(|(_, written)| written.is_some()).count();
        let how = format!("docker push: {new} of {} layers new", diff_ids.len());
        let (mut digests, mut layers) = (Vec::new(), Vec::new());
        for (diff_id, (digest, written)) in diff_ids.iter().zip(came.layers) {
            digests.push(digest);
            layers.push(match written {
                Some(written) => Some(self.cache.keep(diff_id, Encoding::Gzip, written)?),
                None => self.cache.any(diff_id),
            });
        }
        let (place, names) = (self.clone(), Arc::new((diff_ids, digests)));
        let rest: Fetch = Box::new(move |lacking| {
            let (place, names) = (place.clone(), Arc::clone(&names));
            Box::pin(async move { place.fetch(&names.0, &names.1, lacking).await })
        });
        let image = Image::part(came.config, layers, None, self.classic.size, Some(rest))?;
        Ok(Local { image, how, unknown: false })
    }

    /// Layers that were kept back: handed over after all, or out of an export of the whole image.
    async fn fetch(&self, ids: &[Digest], digests: &[Digest], lacking: Vec<usize>) -> Result<Vec<(usize, Blob)>> {
        let wanted = lacking.iter().filter_map(|at| digests.get(*at).cloned()).collect();
        if let Ok(mut came) = self.hand_over(wanted).await {
            let written = |at: &usize| Some((*at, came.layers.get_mut(*at)?.1.take()?));
            let came: Option<Vec<_>> = lacking.iter().map(written).collect();
            if let Some(came) = came {
                let keep = |(at, written)| Ok((at, self.cache.keep(&ids[at], Encoding::Gzip, written)?));
                return came.into_iter().map(keep).collect();
            }
        }
        let whole = export(&self.docker, self.classic.id.as_str(), &self.cache).await?;
        ensure!(whole.id == self.classic.id, "the image {} became another one", self.classic.id.short());
        Ok(whole.sources().collect())
    }
}

/// Lets Docker here learn the digests of an image's layers, which it does by pulling them once: as those of another
/// image, since one that it has it does not pull.
pub async fn teach(docker: &DockerCli, image: &Image, cache: &Cache, reporter: &Reporter) -> Result<()> {
    let token = word()?;
    let blobs = (0..image.layers.len()).map(|at| image.encoded(at, Encoding::Plain, cache));
    let blobs = try_join_all(blobs).await?;
    let config = oci::bare_config(&image.config, &token)?;
    let id = Digest::of(&config);
    let descriptors: Vec<_> = blobs.iter().map(|blob| blob.descriptor()).collect();
    let manifest = oci::manifest(&id, config.len(), &descriptors);
    let digest = Digest::of(&manifest);
    let meter = Meter::new(reporter.clone(), "", "have Docker note its layers");
    meter.expect(blobs.iter().map(|blob| blob.size).sum());
    let registry = Registry {
        name: format!("cutover/{token}"),
        manifest: (digest.clone(), manifest),
        config: (id, config),
        layers: blobs.into_iter().map(|blob| (blob.digest.clone(), blob.clone())).collect(),
        meter: Arc::new(meter),
    };
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let from = format!("127.0.0.1:{}/{}@{digest}", listener.local_addr()?.port(), registry.name);
    tokio::select! {
        taken = docker.take_over(&from) => taken.context("Docker does not note its layers"),
        () = serve(listener, Arc::new(registry)) => bail!("the port was lost"),
    }
}

async fn serve(listener: TcpListener, registry: Arc<Registry>) {
    let mut open = tokio::task::JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        open.spawn(Arc::clone(&registry).serve(stream));
        while open.try_join_next().is_some() {}
    }
}

/// A name that nobody can guess.
fn word() -> Result<String> {
    crate::random::word().map_err(|error| anyhow!("no random bytes: {error}"))
}
