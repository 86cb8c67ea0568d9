//! Layers that were read or compressed before, by diff id, so that a second release reads and sends only what changed.

use super::bytes::ByteSource;
use super::image::{Blob, Encoding};
use crate::release::digest::Digest;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, BufWriter, Read as _, Seek as _, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;
use tempfile::{NamedTempFile, TempDir};

/// What the cache may take on disk once a run has ended, in bytes.
const MOST: u64 = 4 << 30;

/// A directory of layers. Everything in it can be made anew; docker verifies whatever comes out of it.
///
/// A file's name is the layer's diff id, the encoding, and the digest of the bytes as written: `DIFF.zstd.DIGEST`.
#[derive(Debug, Clone)]
pub struct Cache {
    dir: Arc<PathBuf>,
    /// It goes with the last clone, where it is this run's alone.
    _own: Option<Arc<TempDir>>,
}

impl Cache {
    /// `CUTOVER_CACHE`, else `cutover` in `XDG_CACHE_HOME` or `~/.cache`; a directory for this run where there is none of
    /// these, or where others can write it.
    pub fn open() -> io::Result<Cache> {
        match usual(|name| std::env::var_os(name), std::env::home_dir()) {
            Some(dir) => Cache::at(&dir.join("layers")).or_else(|_| Cache::of_this_run()),
            None => Cache::of_this_run(),
        }
    }

    /// This directory: it and what it lies in are this user's, and nobody else can write it.
    pub fn at(dir: &Path) -> io::Result<Cache> {
        use std::os::unix::fs::{DirBuilderExt, MetadataExt};
        fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
        let about = fs::metadata(dir)?;
        if about.uid() != rustix::process::geteuid().as_raw() || about.mode() & 0o022 != 0 {
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, "others can write it"));
        }
        Ok(Cache { dir: Arc::new(dir.to_owned()), _own: None })
    }

    fn of_this_run() -> io::Result<Cache> {
        let own = tempfile::Builder::new().prefix("cutover-layers-").tempdir()?;
        Ok(Cache { dir: Arc::new(own.path().to_owned()), _own: Some(Arc::new(own)) })
    }

    /// A layer that is there.
    pub fn find(&self, diff_id: &Digest, encoding: Encoding) -> Option<Blob> {
        let start = format!("{}.{}.", diff_id.hex(), encoding.word());
        self.file(|name| name.starts_with(&start))
    }

    /// The layer that is written with this digest.
    pub fn by_digest(&self, digest: &Digest) -> Option<Blob> {
        self.file(|name| name.ends_with(digest.hex()))
    }

    fn file(&self, wanted: impl Fn(&str) -> bool) -> Option<Blob> {
        let entry =
            fs::read_dir(&*self.dir).ok()?.flatten().find(|entry| entry.file_name().to_str().is_some_and(&wanted));
        let path = entry?.path();
        let [_, encoding, digest] = path.file_name()?.to_str()?.split('.').collect::<Vec<_>>()[..] else { return None };
        let (encoding, digest) = (Encoding::of_word(encoding)?, format!("sha256:{digest}").parse().ok()?);
        let file = File::open(&path).ok()?;
        let _ = File::options().append(true).open(&path).and_then(|file| file.set_modified(SystemTime::now()));
        let size = file.metadata().ok()?.len();
        Some(Blob { encoding, digest, size, bytes: ByteSource::File(Arc::new(file), 0) })
    }

    /// A layer that is there, however it is written.
    pub fn any(&self, diff_id: &Digest) -> Option<Blob> {
        [Encoding::Plain, Encoding::Zstd, Encoding::Gzip].into_iter().find_map(|each| self.find(diff_id, each))
    }

    /// A file to write a layer into.
    pub fn writer(&self) -> io::Result<Writer> {
        let file = tempfile::Builder::new().prefix("part-").tempfile_in(&*self.dir)?;
        Ok(Writer { file: BufWriter::with_capacity(256 << 10, file), hash: Default::default(), size: 0 })
    }

    /// Keeps what was written.
    pub fn keep(&self, diff_id: &Digest, encoding: Encoding, written: Written) -> io::Result<Blob> {
        let name = format!("{}.{}.{}", diff_id.hex(), encoding.word(), written.digest.hex());
        let file = written.file.persist(self.dir.join(name)).map_err(|error| error.error)?;
        let bytes = ByteSource::File(Arc::new(file), 0);
        Ok(Blob { encoding, digest: written.digest, size: written.size, bytes })
    }

    /// Removes what was used longest ago, until the rest fits, and what killed runs left half written.
    pub fn trim(&self) {
        let entries = fs::read_dir(&*self.dir).into_iter().flatten().flatten();
        let mut files: Vec<_> = entries
            .filter_map(|entry| {
                let about = entry.metadata().ok()?;
                Some((about.modified().ok()?, about.len(), entry.path()))
            })
            .collect();
        files.sort();
        let mut total: u64 = files.iter().map(|(_, size, _)| size).sum();
        for (modified, size, path) in files {
            let part = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("part-"));
            let old = modified.elapsed().is_ok_and(|age| age.as_secs() > 24 * 3600);
            if (part && old) || (!part && total > MOST) {
                let _ = fs::remove_file(&path);
                total -= size;
            }
        }
    }
}

/// Where the cache is, if the environment says so: a home that is no absolute path is none.
fn usual(variable: impl Fn(&str) -> Option<OsString>, home: Option<PathBuf>) -> Option<PathBuf> {
    let set = |name: &str| variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let absolute = |path: &PathBuf| path.is_absolute();
    let own = || set("XDG_CACHE_HOME").filter(absolute).or_else(|| Some(home.filter(absolute)?.join(".cache")));
    set("CUTOVER_CACHE").or_else(|| Some(own()?.join("cutover")))
}

/// Writes a layer and learns its digest.
pub struct Writer {
    file: BufWriter<NamedTempFile>,
    hash: sha2::Sha256,
    size: u64,
}

/// A layer that was written and has no name yet; dropped, it is gone.
#[derive(Debug)]
pub struct Written {
    file: NamedTempFile,
    /// SHA-256 of what was written.
    pub digest: Digest,
    /// How many bytes.
    pub size: u64,
}

impl Written {
    /// All of it, if it is no larger than this.
    pub fn read(mut self, most: usize) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.file.rewind()?;
        self.file.take(most as u64 + 1).read_to_end(&mut bytes)?;
        if bytes.len() > most { Err(io::ErrorKind::FileTooLarge.into()) } else { Ok(bytes) }
    }
}

impl Writer {
    /// Bytes so far.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The end.
    pub fn finish(self) -> io::Result<Written> {
        use sha2::Digest as _;
        let file = self.file.into_inner().map_err(io::IntoInnerError::into_error)?;
        Ok(Written { file, digest: Digest::from_hash(&self.hash.finalize()), size: self.size })
    }
}

impl Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        use sha2::Digest as _;
        let count = self.file.write(bytes)?;
        self.hash.update(&bytes[..count]);
        self.size += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn without_a_home_the_cache_is_this_runs_own() {
        let of = |variables: &'static [(&str, &str)], home: Option<&str>| {
            let variable = |name: &str| variables.iter().find(|(n, _)| *n == name).map(|(_, value)| value.into());
            usual(variable, home.map(PathBuf::from)).map(|path| path.display().to_string())
        };
        assert_eq!(of(&[], None), None);
        assert_eq!(of(&[], Some("")), None);
        assert_eq!(of(&[], Some("/home/x")).as_deref(), Some("/home/x/.cache/cutover"));
        assert_eq!(of(&[("XDG_CACHE_HOME", "relative")], Some("/home/x")).as_deref(), Some("/home/x/.cache/cutover"));
        assert_eq!(of(&[("XDG_CACHE_HOME", "/c"), ("CUTOVER_CACHE", "")], None).as_deref(), Some("/c/cutover"));
        assert_eq!(of(&[("CUTOVER_CACHE", "here")], None).as_deref(), Some("here"));
        let own = Cache::of_this_run().unwrap();
        let (dir, kept) = (own.dir.clone(), own.clone());
        drop(own);
        assert!(dir.is_dir());
        drop(kept);
        assert!(!dir.exists());
    }

    #[test]
    fn a_directory_that_others_can_write_is_no_cache() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        for (mode, good) in [(0o777, false), (0o720, false), (0o755, true)] {
            fs::set_permissions(dir.path(), fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(Cache::at(dir.path()).is_ok(), good, "{mode:o}");
        }
    }

    #[test]
    fn a_layer_is_found_by_what_it_is_and_by_how_it_is_written() {
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache::at(dir.path()).unwrap();
        let mut writer = cache.writer().unwrap();
        writer.write_all(b"written").unwrap();
        let diff_id = Digest::of(b"plain");
        let kept = cache.keep(&diff_id, Encoding::Gzip, writer.finish().unwrap()).unwrap();
        assert_eq!(kept.digest, Digest::of(b"written"));
        for found in [cache.find(&diff_id, Encoding::Gzip), cache.by_digest(&kept.digest), cache.any(&diff_id)] {
            let found = found.unwrap();
            assert_eq!((found.encoding, &found.digest, found.size), (Encoding::Gzip, &kept.digest, 7));
        }
        assert!(cache.find(&diff_id, Encoding::Plain).is_none() && cache.by_digest(&diff_id).is_none());
    }
}
