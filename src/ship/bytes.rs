//! Bytes that can be read anywhere and by many at once: in memory, or a part of an open file.

use hyper::body::Bytes;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

/// Bytes to read. An open file stays readable when the cache removes it.
#[derive(Debug, Clone)]
pub enum ByteSource {
    /// In memory.
    Memory(Bytes),
    /// From this offset of a file on.
    File(Arc<File>, u64),
}

impl ByteSource {
    /// Reads at an offset; 0 at the end.
    pub fn read_at(&self, buffer: &mut [u8], at: u64) -> io::Result<usize> {
        match self {
            ByteSource::Memory(bytes) => {
                let rest = usize::try_from(at).ok().and_then(|at| bytes.get(at..)).unwrap_or_default();
                let count = rest.len().min(buffer.len());
                buffer[..count].copy_from_slice(&rest[..count]);
                Ok(count)
            }
            ByteSource::File(file, offset) => file.read_at(buffer, offset + at),
        }
    }

    /// All of it, one after the other.
    pub fn reader(&self, size: u64) -> ByteReader {
        ByteReader { source: self.clone(), at: 0, left: size }
    }
}

/// Reads a [`ByteSource`] from its start to its end.
#[derive(Debug)]
pub struct ByteReader {
    source: ByteSource,
    at: u64,
    left: u64,
}

impl Read for ByteReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        let count = self.source.read_at(&mut buffer[..most], self.at)?;
        if count == 0 && most > 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.at += count as u64;
        self.left -= count as u64;
        Ok(count)
    }
}

/// One read for the network.
const BLOCK: usize = 256 << 10;

/// A part of a source, read ahead by a thread of its own: `from` and `to` as offsets, `to` excluded.
pub(super) fn blocks(source: ByteSource, from: u64, to: u64) -> tokio::sync::mpsc::Receiver<io::Result<Bytes>> {
    let (sender, blocks) = tokio::sync::mpsc::channel(4);
    tokio::task::spawn_blocking(move || {
        let mut at = from;
        while at < to {
            let wanted = usize::try_from(to - at).unwrap_or(BLOCK).min(BLOCK);
            let mut block = vec![0; wanted];
            let read = source.read_at(&mut block, at).and_then(|count| match count {
                0 => Err(io::ErrorKind::UnexpectedEof.into()),
                count => Ok(count),
            });
            let read = read.map(|count| {
                block.truncate(count);
                at += count as u64;
                Bytes::from(block)
            });
            let failed = read.is_err();
            // nobody reads on: the connection is gone
            if sender.blocking_send(read).is_err() || failed {
                return;
            }
        }
    });
    blocks
}
