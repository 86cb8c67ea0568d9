//! An image as it travels: its configuration, its layers, and the manifests that name them.

use super::bytes::Source;
use super::cache::Cache;
use super::encode;
use super::oci::{self, Descriptor};
use crate::release::digest::Digest;
use anyhow::{Result, ensure};
use hyper::body::Bytes;
use serde::{Deserialize, Serialize};
use tokio::sync::OnceCell;

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
    pub bytes: Source,
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
    /// As it was read.
    pub source: Blob,
    others: [OnceCell<Blob>; 3],
}

impl Layer {
    /// A layer as it was read.
    pub fn new(diff_id: Digest, source: Blob) -> Self {
        Layer { diff_id, source, others: Default::default() }
    }

    /// The layer in this encoding: as it was read, from the cache, or encoded now; once for all hosts.
    pub async fn encoded(&self, encoding: Encoding, cache: &Cache) -> Result<&Blob> {
        if self.source.encoding == encoding {
            return Ok(&self.source);
        }
        let make = || encode::encode(self.diff_id.clone(), self.source.clone(), encoding, cache.clone());
        self.others[encoding as usize].get_or_try_init(make).await
    }
}

/// An image that was read here.
#[derive(Debug)]
pub struct Image {
    /// The configuration's bytes; their digest is what Docker's classic store calls the image's id.
    pub config: Bytes,
    /// SHA-256 of the configuration.
    pub id: Digest,
    /// The layers, lowest first.
    pub layers: Vec<Layer>,
    /// The image's manifest: its own, where it came with one, else with the layers as they are.
    pub manifest: Bytes,
    /// SHA-256 of the manifest: the digest that plans, reports and histories name.
    pub digest: Digest,
}

impl Image {
    /// Puts an image together. `manifest` is its own, where it came with one.
    pub fn new(config: Bytes, layers: Vec<Blob>, manifest: Option<Bytes>) -> Result<Image> {
        let diff_ids = oci::diff_ids(&config)?;
        ensure!(
            diff_ids.len() == layers.len(),
            "the image's configuration names {} layers, but {} came",
            diff_ids.len(),
            layers.len()
        );
        for (diff_id, layer) in diff_ids.iter().zip(&layers) {
            let right = layer.encoding != Encoding::Plain || layer.digest == *diff_id;
            ensure!(right, "layer {} arrived damaged: its digest is {}", diff_id.short(), layer.digest.short());
        }
        let id = Digest::of(&config);
        let layers: Vec<Layer> = diff_ids.into_iter().zip(layers).map(|(id, blob)| Layer::new(id, blob)).collect();
        let own = || {
            let descriptors: Vec<_> = layers.iter().map(|layer| layer.source.descriptor()).collect();
            oci::manifest(&id, config.len(), &descriptors)
        };
        let manifest = manifest.unwrap_or_else(own);
        let digest = Digest::of(&manifest);
        Ok(Image { config, id, layers, manifest, digest })
    }

    /// Bytes of all layers as they were read.
    pub fn size(&self) -> u64 {
        self.layers.iter().map(|layer| layer.source.size).sum()
    }
}
