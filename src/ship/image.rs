//! An image as it travels: its configuration, its layers, and the manifests that name them.

use super::bytes::ByteSource;
use super::cache::Cache;
use super::encode;
use super::oci::{self, Descriptor};
use crate::release::digest::Digest;
use anyhow::{Context as _, Result, ensure};
use futures_util::future::BoxFuture;
use hyper::body::Bytes;
use serde::{Deserialize, Serialize};
use std::fmt;
use tokio::sync::{Mutex, OnceCell};

/// How a layer's tar is written (OCI image spec, "Image Layer Filesystem Changeset", media types).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Encoding {
    /// The tar itself: its digest is the layer's diff id.
    Plain,
    /// gzip (RFC 1952), which every engine reads.
    Gzip,
    /// Zstandard (RFC 8878), which engines from 23.0 on read.
    Zstd,
}

impl Encoding {
    /// The word for it in file names and reports.
    pub fn word(self) -> &'static str {
        match self {
            Encoding::Plain => "tar",
            Encoding::Gzip => "gzip",
            Encoding::Zstd => "zstd",
        }
    }

    /// The encoding of this word.
    pub fn of_word(word: &str) -> Option<Encoding> {
        [Encoding::Plain, Encoding::Gzip, Encoding::Zstd].into_iter().find(|each| each.word() == word)
    }

    /// The OCI media type of a layer so written.
    pub fn media_type(self) -> &'static str {
        match self {
            Encoding::Plain => "application/vnd.oci.image.layer.v1.tar",
            Encoding::Gzip => "application/vnd.oci.image.layer.v1.tar+gzip",
            Encoding::Zstd => "application/vnd.oci.image.layer.v1.tar+zstd",
        }
    }

    /// The encoding that an OCI or Docker media type says.
    pub fn of_media_type(media_type: &str) -> Encoding {
        match media_type {
            text if text.ends_with("zstd") => Encoding::Zstd,
            text if text.ends_with("gzip") => Encoding::Gzip,
            _ => Encoding::Plain,
        }
    }
}

/// One layer, written in one way.
#[derive(Debug, Clone)]
pub struct Blob {
    /// How it is written.
    pub encoding: Encoding,
    /// SHA-256 of the bytes as written.
    pub digest: Digest,
    /// How many bytes.
    pub size: u64,
    /// The bytes.
    pub bytes: ByteSource,
}

impl Blob {
    /// What a manifest says of it.
    pub(super) fn descriptor(&self) -> Descriptor {
        Descriptor::new(self.encoding.media_type(), &self.digest, self.size)
    }
}

/// One layer of an image.
#[derive(Debug)]
pub struct Layer {
    /// SHA-256 of its tar.
    pub diff_id: Digest,
    source: OnceCell<Blob>,
    others: [OnceCell<Blob>; 3],
}

impl Layer {
    fn new(diff_id: Digest, source: Option<Blob>) -> Self {
        Layer { diff_id, source: OnceCell::new_with(source), others: Default::default() }
    }

    /// Bytes as it was read; `None` where Docker has kept it back so far.
    pub fn size(&self) -> Option<u64> {
        self.source.get().map(|blob| blob.size)
    }
}

/// Brings layers that an image came without, and maybe others: by their place, lowest first.
pub type Fetch = Box<dyn Fn(Vec<usize>) -> BoxFuture<'static, Result<Vec<(usize, Blob)>>> + Send + Sync>;

/// An image that was read here.
pub struct Image {
    /// The configuration's bytes; their digest is what Docker's classic store calls the image's id.
    pub config: Bytes,
    /// SHA-256 of the configuration.
    pub id: Digest,
    /// The layers, lowest first.
    pub layers: Vec<Layer>,
    /// The image's own manifest, where it came with one.
    pub manifest: Option<Bytes>,
    /// The digest that plans, reports and histories name: of the image's own manifest, else its id.
    pub digest: Digest,
    /// Bytes of all layers, as far as is known.
    pub size: u64,
    rest: Option<Fetch>,
    fetching: Mutex<()>,
}

impl Image {
    /// Puts an image together. `manifest` is its own, where it came with one.
    pub fn new(config: Bytes, layers: Vec<Blob>, manifest: Option<Bytes>) -> Result<Image> {
        let size = layers.iter().map(|layer| layer.size).sum();
        Image::part(config, layers.into_iter().map(Some).collect(), manifest, size, None)
    }

    /// Puts an image together, some of whose layers only `rest` brings; `size` are the bytes of all layers.
    pub(super) fn part(
        config: Bytes,
        layers: Vec<Option<Blob>>,
        manifest: Option<Bytes>,
        size: u64,
        rest: Option<Fetch>,
    ) -> Result<Image> {
        let diff_ids = oci::diff_ids(&config)?;
        ensure!(
            diff_ids.len() == layers.len(),
            "the image's configuration names {} layers, but {} came",
            diff_ids.len(),
            layers.len()
        );
        for (diff_id, layer) in diff_ids.iter().zip(layers.iter().flatten()) {
            let right = layer.encoding != Encoding::Plain || layer.digest == *diff_id;
            ensure!(right, "layer {} arrived damaged: its digest is {}", diff_id.short(), layer.digest.short());
        }
        let id = Digest::of(&config);
        let digest = manifest.as_ref().map_or_else(|| id.clone(), |manifest| Digest::of(manifest));
        let layers = diff_ids.into_iter().zip(layers).map(|(id, blob)| Layer::new(id, blob)).collect();
        Ok(Image { config, id, layers, manifest, digest, size, rest, fetching: Mutex::default() })
    }

    /// A layer as it was read. One that is lacking is fetched now, with those above it: a host that lacks it lacks them.
    pub async fn source(&self, at: usize) -> Result<&Blob> {
        let source = &self.layers[at].source;
        if source.get().is_none() {
            let _turn = self.fetching.lock().await;
            if source.get().is_none() {
                self.fetch(at).await?;
            }
        }
        source.get().context("a layer did not come")
    }

    /// A layer in this encoding: as it was read, from the cache, or encoded now; once for all hosts.
    pub async fn encoded(&self, at: usize, encoding: Encoding, cache: &Cache) -> Result<&Blob> {
        let source = self.source(at).await?;
        if source.encoding == encoding {
            return Ok(source);
        }
        let layer = &self.layers[at];
        let make = || encode::encode(layer.diff_id.clone(), source.clone(), encoding, cache.clone());
        layer.others[encoding as usize].get_or_try_init(make).await
    }

    async fn fetch(&self, from: usize) -> Result<()> {
        let lacking = (from..self.layers.len()).filter(|at| self.layers[*at].source.get().is_none()).collect();
        for (at, blob) in self.rest.as_ref().context("a layer is missing")?(lacking).await? {
            // what is there is the same layer
            let _ = self.layers.get(at).context("a layer too many")?.source.set(blob);
        }
        Ok(())
    }

    /// Every layer that is there, by its place.
    pub(super) fn sources(&self) -> impl Iterator<Item = (usize, Blob)> {
        self.layers.iter().enumerate().filter_map(|(at, layer)| Some((at, layer.source.get()?.clone())))
    }
}

impl fmt::Debug for Image {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Image").field("id", &self.id).field("layers", &self.layers).finish_non_exhaustive()
    }
}
