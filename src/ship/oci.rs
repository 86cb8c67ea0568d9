//! The documents of the OCI image spec that cutover reads and writes: descriptor, index, manifest, configuration.

use crate::release::digest::Digest;
use anyhow::{Context as _, Result};
use hyper::body::Bytes;
use serde::{Deserialize, Serialize};

/// Media type of a manifest.
pub(super) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const INDEXES: [&str; 2] =
    ["application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json"];

/// Points at a document or a layer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Descriptor {
    /// What it is.
    #[serde(default)]
    pub(super) media_type: String,
    /// SHA-256 of its bytes.
    pub(super) digest: Digest,
    /// How many bytes.
    pub(super) size: u64,
    /// For which system; only in an index.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) platform: Option<Platform>,
}

/// A system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Platform {
    /// "linux", or "unknown" for what is no image.
    #[serde(default)]
    pub(super) os: String,
    /// "amd64", "arm64", …
    #[serde(default)]
    pub(super) architecture: String,
}

/// An index.
#[derive(Debug, Deserialize)]
pub(super) struct Index {
    /// Its manifests.
    pub(super) manifests: Vec<Descriptor>,
}

/// A manifest.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Manifest {
    /// 2.
    pub(super) schema_version: u32,
    /// [`MANIFEST`].
    #[serde(default)]
    pub(super) media_type: String,
    /// The configuration.
    pub(super) config: Descriptor,
    /// The layers, lowest first.
    pub(super) layers: Vec<Descriptor>,
}

#[derive(Serialize, Deserialize)]
struct OciConfig {
    #[serde(default)]
    author: String,
    #[serde(default)]
    architecture: String,
    #[serde(default)]
    os: String,
    rootfs: RootFs,
}

#[derive(Serialize, Deserialize)]
struct RootFs {
    #[serde(default, rename = "type")]
    kind: String,
    #[serde(default)]
    diff_ids: Vec<Digest>,
}

impl Descriptor {
    /// Of these bytes.
    pub(super) fn new(media_type: &str, digest: &Digest, size: u64) -> Self {
        Descriptor { media_type: media_type.to_owned(), digest: digest.clone(), size, platform: None }
    }

    /// It points at another index.
    pub(super) fn is_index(&self) -> bool {
        INDEXES.contains(&self.media_type.as_str())
    }

    /// How well it suits this machine, the smaller the better; `None`: it is no image to run.
    pub(super) fn distance(&self) -> Option<usize> {
        let Some(platform) = &self.platform else { return Some(1) };
        if platform.os != "linux" {
            return None;
        }
        let here = match std::env::consts::ARCH {
            "x86_64" => "amd64",
            "aarch64" => "arm64",
            other => other,
        };
        Some(if platform.architecture == here { 0 } else { 2 })
    }
}

/// The layers' diff ids in an image's configuration.
pub(super) fn diff_ids(config: &[u8]) -> Result<Vec<Digest>> {
    Ok(read(config)?.rootfs.diff_ids)
}

/// A configuration of an image with the same layers that is good for nothing, and the only one of this author.
pub(super) fn bare_config(config: &[u8], author: &str) -> Result<Bytes> {
    let config = OciConfig { author: author.to_owned(), ..read(config)? };
    Ok(serde_json::to_vec(&config)?.into())
}

fn read(config: &[u8]) -> Result<OciConfig> {
    serde_json::from_slice(config).context("the image's configuration can't be read")
}

/// A manifest of these layers: the same layers give the same bytes.
pub(super) fn manifest(config: &Digest, size: usize, layers: &[Descriptor]) -> Bytes {
    let manifest = Manifest {
        schema_version: 2,
        media_type: MANIFEST.to_owned(),
        config: Descriptor::new(CONFIG, config, size as u64),
        layers: layers.to_vec(),
    };
    serde_json::to_vec(&manifest).unwrap_or_default().into()
}
