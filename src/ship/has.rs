//! What a host has of an image before it is sent: layers, the store's kind, and how fast the link is.

use super::image::{Encoding, Image};
use crate::host::Host;
use crate::host::script::{Script, sections};
use crate::release::digest::Digest;
use anyhow::{Context as _, Result};
use std::time::{Duration, Instant};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};

/// Bytes by which the link is measured: 20 ms at 100 Mbit/s.
const MEASURED: usize = 256 << 10;
/// Above this many bytes a second, sending is faster than compressing.
const FAST: f64 = 80e6;

/// What a host has.
#[derive(Debug, Default)]
pub(super) struct Has {
    /// Docker keeps images in containerd's store, which finds layers by content, whatever their digest as sent.
    pub(super) containerd: bool,
    /// Layers of each image, lowest first.
    chains: Vec<Vec<Digest>>,
    /// Layers that an earlier release of this service sent.
    pub(super) sent: Vec<Sent>,
    /// Bytes a second.
    pub(super) rate: f64,
}

/// One layer as it was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sent {
    pub(super) diff_id: Digest,
    pub(super) encoding: Encoding,
    pub(super) digest: Digest,
    pub(super) size: u64,
}

impl Sent {
    /// One line of the file on the host.
    pub(super) fn line(&self) -> String {
        format!("{} {} {} {}", self.diff_id, self.encoding.word(), self.digest, self.size)
    }

    fn read(line: &str) -> Option<Sent> {
        let mut words = line.split(' ');
        let diff_id = words.next()?.parse().ok()?;
        let encoding = match words.next()? {
            "tar" => Encoding::Plain,
            "gzip" => Encoding::Gzip,
            "zstd" => Encoding::Zstd,
            _ => return None,
        };
        Some(Sent { diff_id, encoding, digest: words.next()?.parse().ok()?, size: words.next()?.parse().ok()? })
    }
}

impl Has {
    /// Asks the host: two round trips at most, and a quarter of a MiB.
    pub(super) async fn ask(host: &Host, record: &str) -> Result<Has> {
        let script = Script::new("to see which layers it has", include_str!("scripts/has.sh"))
            .arg(MEASURED.to_string())
            .arg(record);
        let asked = tokio::time::timeout(Duration::from_secs(60), ask(host, &script));
        asked.await.context("no answer within 60 s")?.with_context(|| format!("on {}, {}", host.name, script.why))
    }

    /// How many of the image's lowest layers the host has.
    pub(super) fn common(&self, image: &Image) -> usize {
        let same = |chain: &Vec<Digest>| chain.iter().zip(&image.layers).take_while(|(a, b)| **a == b.diff_id).count();
        self.chains.iter().map(same).max().unwrap_or(0)
    }

    /// A layer as an earlier release sent it.
    pub(super) fn sent(&self, diff_id: &Digest) -> Option<&Sent> {
        self.sent.iter().find(|sent| sent.diff_id == *diff_id)
    }

    /// How to write layers for this host: `engine` is its version. 20.10 can't read zstd.
    pub(super) fn encoding(&self, engine: &str) -> Encoding {
        let major: u32 = engine.split('.').next().and_then(|major| major.parse().ok()).unwrap_or(0);
        match (self.rate > FAST, major >= 23) {
            (true, _) => Encoding::Plain,
            (false, true) => Encoding::Zstd,
            (false, false) => Encoding::Gzip,
        }
    }
}

async fn ask(host: &Host, script: &Script) -> Result<Has> {
    let mut child = host.start(script).await?;
    let mut noise = vec![0; MEASURED];
    getrandom::fill(&mut noise).map_err(|error| anyhow::anyhow!("no random bytes: {error}"))?;
    let mut lines = BufReader::new(&mut child.stdout);
    let mut line = String::new();
    let stdin = &mut child.stdin;
    let write = async {
        let _ = stdin.write_all(&noise).await;
        stdin.flush().await
    };
    let read = async {
        lines.read_line(&mut line).await?;
        let began = Instant::now();
        lines.read_line(&mut line).await?;
        Ok::<_, std::io::Error>(began.elapsed())
    };
    let (_, took) = tokio::join!(write, read);
    let mut has = Has { rate: MEASURED as f64 / took?.as_secs_f64().max(1e-6), ..Has::default() };
    let mut rest = Vec::new();
    lines.read_to_end(&mut rest).await?;
    for section in sections(&rest)? {
        match section.name.as_str() {
            "store" => has.containerd = section.text.contains("io.containerd.snapshotter"),
            "layers" => has.chains = section.text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect(),
            "sent" => has.sent = section.text.lines().filter_map(Sent::read).collect(),
            _ => {}
        }
    }
    Ok(has)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_line_of_the_record_is_read_as_it_was_written() {
        let (diff_id, digest) = (Digest::of(b"a"), Digest::of(b"b"));
        let sent = Sent { diff_id, encoding: Encoding::Zstd, digest, size: 7 };
        assert_eq!(Sent::read(&sent.line()).unwrap(), sent);
        assert_eq!(Sent::read("sha256:0 tar x"), None);
    }

    #[test]
    fn what_an_engine_reads_and_the_link_needs_decides() {
        let has = |rate| Has { rate, ..Has::default() };
        assert_eq!(has(1e9).encoding("20.10.24"), Encoding::Plain);
        assert_eq!(has(1e6).encoding("20.10.24"), Encoding::Gzip);
        assert_eq!(has(1e6).encoding("26.1.5+dfsg1"), Encoding::Zstd);
    }
}
