//! OCI layouts made here, of layers with bytes that no compressor makes smaller.

use cutover::release::digest::Digest;
use serde_json::json;
use std::io::Read;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// An OCI layout in a directory.
pub struct Layout {
    pub dir: TempDir,
    pub layers: Vec<Digest>,
}

impl Layout {
    /// An image of these layers, as plain tars.
    pub fn of(layers: &[Vec<u8>]) -> Layout {
        let dir = TempDir::new().expect("a directory");
        std::fs::create_dir_all(dir.path().join("blobs/sha256")).expect("blobs");
        let layout = Layout { layers: layers.iter().map(|layer| Digest::of(layer)).collect(), dir };
        for layer in layers {
            layout.blob(layer);
        }
        let config = json!({
            "architecture": "amd64",
            "os": "linux",
            "config": {},
            "rootfs": { "type": "layers", "diff_ids": layout.layers },
        });
        let config = config.to_string();
        let descriptor = |kind: &str, digest: &Digest, size: usize| json!({ "mediaType": format!("application/vnd.oci.image.{kind}"), "digest": digest, "size": size });
        let named = layout.layers.iter().zip(layers);
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": descriptor("config.v1+json", &layout.blob(config.as_bytes()), config.len()),
            "layers": named.map(|(id, layer)| descriptor("layer.v1.tar", id, layer.len())).collect::<Vec<_>>(),
        });
        let manifest = manifest.to_string();
        let entry = descriptor("manifest.v1+json", &layout.blob(manifest.as_bytes()), manifest.len());
        let index = json!({ "schemaVersion": 2, "manifests": [entry] });
        std::fs::write(layout.dir.path().join("index.json"), index.to_string()).expect("index.json");
        layout
    }

    /// Where the blob of this digest is.
    pub fn path(&self, digest: &Digest) -> PathBuf {
        self.dir.path().join("blobs/sha256").join(digest.hex())
    }

    /// As a tar, as buildx's `type=oci,dest=FILE` writes it.
    pub fn tar(&self, to: &Path) {
        let file = std::fs::File::create(to).expect("a file");
        let mut tar = tar::Builder::new(file);
        tar.append_dir_all("", self.dir.path()).expect("a tar");
        tar.finish().expect("a tar");
    }

    fn blob(&self, bytes: &[u8]) -> Digest {
        let digest = Digest::of(bytes);
        std::fs::write(self.path(&digest), bytes).expect("a blob");
        digest
    }
}

/// A layer with one file of so many random bytes.
pub fn layer(name: &str, size: usize) -> Vec<u8> {
    let mut noise = vec![0; size];
    std::fs::File::open("/dev/urandom").expect("noise").read_exact(&mut noise).expect("noise");
    let mut tar = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(size as u64);
    header.set_mode(0o644);
    tar.append_data(&mut header, name, &*noise).expect("a file");
    tar.into_inner().expect("a tar")
}
