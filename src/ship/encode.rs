//! A layer from one encoding into another, into the cache.

use super::cache::{Cache, Writer};
use super::image::{Blob, Encoding};
use crate::release::digest::Digest;
use anyhow::{Context as _, Result};
use std::io::{self, BufReader, Read, Write};

/// Layers that are compressed at once.
static TURNS: tokio::sync::Semaphore = tokio::sync::Semaphore::const_new(1);
/// What a thread of the compressor takes at once; three such buffers a thread are kept, and five more. Its own choice is
/// 8 MiB.
const JOB: u32 = 2 << 20;
/// One read of a layer.
const BLOCK: usize = 256 << 10;

/// The layer in this encoding, from the cache if it is there; on a thread of its own.
pub(super) async fn encode(diff_id: Digest, source: Blob, to: Encoding, cache: Cache) -> Result<Blob> {
    let short = diff_id.short().to_owned();
    let work = move || match cache.find(&diff_id, to) {
        Some(blob) => Ok(blob),
        None => make(&diff_id, &source, to, &cache),
    };
    // a Zstandard compressor takes every processor, and some 10 MiB for each: one at a time bounds the memory
    let _turn = TURNS.acquire().await?;
    let done = tokio::task::spawn_blocking(work).await.context("the compressor stopped")?;
    done.with_context(|| format!("layer {short} can't be written as {}", to.word()))
}

fn make(diff_id: &Digest, source: &Blob, to: Encoding, cache: &Cache) -> io::Result<Blob> {
    let mut plain = plain(source)?;
    let out = cache.writer()?;
    let out = match to {
        Encoding::Plain => copy(&mut plain, out)?,
        Encoding::Gzip => {
            let out = flate2::write::GzEncoder::new(out, flate2::Compression::new(1));
            copy(&mut plain, out)?.finish()?
        }
        Encoding::Zstd => zstd(&mut plain, out)?,
    };
    cache.keep(diff_id, to, out.finish()?)
}

fn zstd(plain: &mut dyn Read, out: Writer) -> io::Result<Writer> {
    let mut out = zstd::stream::write::Encoder::new(out, 3)?;
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(8);
    out.multithread(u32::try_from(threads).unwrap_or(1))?;
    out.set_parameter(zstd::zstd_safe::CParameter::JobSize(JOB))?;
    copy(plain, out)?.finish()
}

/// The layer's tar.
pub(super) fn plain(source: &Blob) -> io::Result<Box<dyn Read + Send>> {
    let bytes = BufReader::with_capacity(BLOCK, source.bytes.reader(source.size));
    Ok(match source.encoding {
        Encoding::Plain => Box::new(bytes),
        Encoding::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(bytes)),
        Encoding::Zstd => Box::new(zstd::stream::read::Decoder::with_buffer(bytes)?),
    })
}

fn copy<W: Write>(from: &mut dyn Read, mut to: W) -> io::Result<W> {
    let mut block = vec![0; BLOCK];
    loop {
        match from.read(&mut block)? {
            0 => return Ok(to),
            count => to.write_all(&block[..count])?,
        }
    }
}
