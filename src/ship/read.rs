//! Images out of archives: what `docker save` writes, old and new, and OCI layouts as directories or tars.

use super::bytes::ByteSource;
use super::cache::{Cache, Written};
use super::image::{Blob, Encoding, Image};
use super::oci::{Descriptor, Index, Manifest};
use crate::release::digest::Digest;
use anyhow::{Context as _, Result, anyhow, bail};
use hyper::body::Bytes;
use serde::Deserialize;
use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read};
use std::path::Path;
use std::sync::Arc;
use tar::EntryType;

/// Entries up to this size are kept in memory and never in the cache.
const SMALL: u64 = 128 << 10;
/// No document is larger.
const LARGEST_DOCUMENT: u64 = 8 << 20;

/// One file of an archive.
enum TarEntry {
    Bytes(ByteSource, u64),
    /// Read from a stream into the cache; not yet kept.
    Written(Written),
    /// The name says which one it is, and the cache has it.
    Cached(Blob),
    /// Another name.
    Link(String),
}

/// An archive's files by name.
#[derive(Default)]
struct Archive(HashMap<String, TarEntry>);

/// The image in what `docker save IMAGE` writes. Large layers go into the cache.
pub fn save(stream: impl Read, cache: &Cache) -> Result<Image> {
    let mut archive = Archive::default();
    let mut tar = tar::Archive::new(stream);
    for entry in tar.entries()? {
        let mut entry = entry.context("docker's archive ended early")?;
        let name = entry.path()?.to_string_lossy().into_owned();
        let found = match entry.header().entry_type() {
            EntryType::Directory => continue,
            EntryType::Symlink | EntryType::Link => linked(&name, &entry)?,
            _ => spool(&name, &mut entry, cache)?,
        };
        archive.0.insert(name, found);
    }
    archive.image(cache)
}

/// The image in a file or directory: an OCI layout (buildx's `type=oci`), or what `docker save` wrote.
pub fn path(path: &Path, cache: &Cache) -> Result<Image> {
    let mut archive = Archive::default();
    if path.is_dir() {
        walk(path, "", &mut archive)?;
        return archive.image(cache);
    }
    let file = Arc::new(File::open(path)?);
    let mut tar = tar::Archive::new(&*file);
    for entry in tar.entries_with_seek()? {
        let entry = entry.context("it is no tar archive, or ended early")?;
        let name = entry.path()?.to_string_lossy().into_owned();
        let found = match entry.header().entry_type() {
            EntryType::Directory => continue,
            EntryType::Symlink | EntryType::Link => linked(&name, &entry)?,
            _ => TarEntry::Bytes(ByteSource::File(Arc::clone(&file), entry.raw_file_position()), entry.size()),
        };
        archive.0.insert(name, found);
    }
    archive.image(cache)
}

fn walk(root: &Path, under: &str, archive: &mut Archive) -> Result<()> {
    for entry in std::fs::read_dir(root.join(under))? {
        let entry = entry?;
        let name = Path::new(under).join(entry.file_name()).to_string_lossy().into_owned();
        let about = std::fs::metadata(entry.path())?;
        if about.is_dir() {
            walk(root, &name, archive)?;
        } else if about.is_file() {
            let file = Arc::new(File::open(entry.path())?);
            archive.0.insert(name, TarEntry::Bytes(ByteSource::File(file, 0), about.len()));
        }
    }
    Ok(())
}

/// A link's target, as a name from the archive's root.
fn linked<R: Read>(name: &str, entry: &tar::Entry<'_, R>) -> Result<TarEntry> {
    let target = entry.link_name()?.context("a link without a target")?.to_string_lossy().into_owned();
    let mut parts: Vec<&str> = if entry.header().entry_type() == EntryType::Link { vec![] } else { parents(name) };
    for part in target.split('/') {
        match part {
            ".." => drop(parts.pop()),
            "." | "" => {}
            part => parts.push(part),
        }
    }
    Ok(TarEntry::Link(parts.join("/")))
}

fn parents(name: &str) -> Vec<&str> {
    let mut parts: Vec<&str> = name.split('/').collect();
    parts.pop();
    parts
}

fn spool<R: Read>(name: &str, entry: &mut tar::Entry<'_, R>, cache: &Cache) -> Result<TarEntry> {
    let size = entry.size();
    if size <= SMALL {
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).context("docker's archive ended early")?;
        return Ok(TarEntry::Bytes(ByteSource::Memory(bytes.into()), size));
    }
    // a layer that is stored by its digest and was read before
    let named = name.strip_prefix("blobs/sha256/").and_then(|hex| format!("sha256:{hex}").parse().ok());
    if let Some(blob) = named.and_then(|digest| cache.by_digest(&digest)) {
        return Ok(TarEntry::Cached(blob));
    }
    let mut out = cache.writer()?;
    let mut block = vec![0; 256 << 10];
    loop {
        match entry.read(&mut block).context("docker's archive ended early")? {
            0 => break,
            count => std::io::Write::write_all(&mut out, &block[..count]).context("the cache can't be written")?,
        }
    }
    let written = out.finish().context("the cache can't be written")?;
    if written.size != size {
        bail!("docker's archive ended early");
    }
    Ok(TarEntry::Written(written))
}

/// `manifest.json` of `docker save`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Saved {
    config: String,
    layers: Vec<String>,
}

impl Archive {
    fn image(mut self, cache: &Cache) -> Result<Image> {
        if self.0.contains_key("index.json") {
            return self.read_layout(cache);
        }
        let text = self.document("manifest.json").context("it is neither an OCI layout nor what docker save writes")?;
        let saved: Vec<Saved> = serde_json::from_slice(&text).context("its manifest.json can't be read")?;
        let [saved] = &saved[..] else { bail!("it holds {} images; expected one", saved.len()) };
        let config = self.document(&saved.config)?;
        let mut layers = Vec::new();
        for (name, diff_id) in saved.layers.iter().zip(super::oci::diff_ids(&config)?) {
            layers.push(self.layer(name, &diff_id, None, cache)?);
        }
        Image::new(config, layers, None)
    }

    fn read_layout(&mut self, cache: &Cache) -> Result<Image> {
        let index: Index = serde_json::from_slice(&self.document("index.json")?)?;
        let descriptor = self.choose(index, 0)?;
        let text = self.document(&blob_name(&descriptor.digest))?;
        let manifest: Manifest = serde_json::from_slice(&text).context("the image's manifest can't be read")?;
        let config = self.document(&blob_name(&manifest.config.digest))?;
        let diff_ids = super::oci::diff_ids(&config)?;
        let mut layers = Vec::new();
        for (layer, diff_id) in manifest.layers.iter().zip(&diff_ids) {
            layers.push(self.layer(&blob_name(&layer.digest), diff_id, Some(layer), cache)?);
        }
        Image::new(config, layers, Some(text))
    }

    /// The manifest in an index that suits this machine best.
    fn choose(&mut self, index: Index, depth: usize) -> Result<Descriptor> {
        let suited = index.manifests.into_iter().filter_map(|each| Some((each.distance()?, each)));
        let (_, best) = suited.min_by_key(|(distance, _)| *distance).context("the layout holds no image for Linux")?;
        if best.is_index() && depth < 4 {
            let inner = serde_json::from_slice(&self.document(&blob_name(&best.digest))?)?;
            return self.choose(inner, depth + 1);
        }
        Ok(best)
    }

    fn layer(&mut self, name: &str, diff_id: &Digest, said: Option<&Descriptor>, cache: &Cache) -> Result<Blob> {
        let name = self.real_name(name);
        let encoding = said.map_or(Encoding::Plain, |said| Encoding::of_media_type(&said.media_type));
        let entry = self.0.remove(&name).ok_or_else(|| anyhow!("the archive lacks the layer {name}"))?;
        let blob = match entry {
            TarEntry::Cached(blob) => blob,
            TarEntry::Written(written) => {
                cache.keep(diff_id, encoding, written).context("the cache can't be written")?
            }
            TarEntry::Bytes(bytes, size) => {
                let digest = said.map_or_else(|| hash(&bytes, size), |said| Ok(said.digest.clone()))?;
                Blob { encoding, digest, size, bytes }
            }
            TarEntry::Link(to) => bail!("the layer {name} is a link to {to}, which is a link"),
        };
        if said.is_some_and(|said| said.digest != blob.digest || said.size != blob.size) {
            bail!("layer {} is damaged: its digest is {}", diff_id.short(), blob.digest.short());
        }
        // the same layer may be there twice
        self.0.insert(name, TarEntry::Cached(blob.clone()));
        Ok(blob)
    }

    fn real_name(&self, name: &str) -> String {
        match self.0.get(name) {
            Some(TarEntry::Link(to)) => to.clone(),
            _ => name.to_owned(),
        }
    }

    fn document(&self, name: &str) -> Result<Bytes> {
        match self.0.get(&self.real_name(name)) {
            Some(TarEntry::Bytes(bytes, size)) if *size <= LARGEST_DOCUMENT => {
                let mut text = Vec::new();
                bytes.reader(*size).read_to_end(&mut text)?;
                Ok(text.into())
            }
            Some(_) => bail!("{name} is too large for a document"),
            None => bail!("the archive lacks {name}"),
        }
    }
}

fn blob_name(digest: &Digest) -> String {
    format!("blobs/sha256/{}", digest.hex())
}

fn hash(bytes: &ByteSource, size: u64) -> Result<Digest> {
    use sha2::Digest as _;
    let mut hash = sha2::Sha256::default();
    let mut bytes = BufReader::with_capacity(256 << 10, bytes.reader(size));
    loop {
        let part = bytes.fill_buf()?;
        if part.is_empty() {
            break;
        }
        let length = part.len();
        hash.update(part);
        bytes.consume(length);
    }
    Ok(Digest::from_hash(&hash.finalize()))
}
