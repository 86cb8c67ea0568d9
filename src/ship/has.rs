//! What a host has of an image before it is sent: layers, the store's kind, and how fast the link is.

use super::image::{Encoding, Image};
use crate::host::script::{Script, sections};
use crate::host::ssh::{Limits, Lines};
use crate::host::{Host, on_host};
use crate::release::digest::Digest;
use anyhow::{Context as _, Result, anyhow, ensure};
use serde::Deserialize;
use std::time::{Duration, Instant};
use tokio::io::AsyncWriteExt as _;

/// Bytes by which the link is measured: 84 ms at 100 Mbit/s.
const MEASURED: usize = 1 << 20;
const MEASURED_WITHIN: Duration = Duration::from_secs(60);
/// Fewer bytes of layers than this are compressed without measuring: it takes a moment on any machine.
const MUCH: u64 = 8 << 20;
/// Above this many bytes a second, sending is faster than compressing.
const FAST: f64 = 80e6;

/// What a host has.
#[derive(Debug, Default)]
pub struct Has {
    /// Docker keeps images in containerd's store, which finds layers by content, whatever their digest as sent. `None`:
    /// there is no image to tell by.
    containerd: Option<bool>,
    /// Layers of each image, lowest first.
    chains: Vec<Vec<Digest>>,
    /// Layers that an earlier release of this service sent.
    pub(super) sent: Vec<LayerSent>,
}

/// One image, as the script prints it.
#[derive(Deserialize)]
struct Listed {
    id: String,
    digests: Option<Vec<String>>,
    layers: Vec<Digest>,
}

/// One layer as it was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LayerSent {
    pub(super) diff_id: Digest,
    pub(super) encoding: Encoding,
    pub(super) digest: Digest,
    pub(super) size: u64,
}

impl LayerSent {
    /// One line of the file on the host.
    pub(super) fn line(&self) -> String {
        format!("{} {} {} {}", self.diff_id, self.encoding.word(), self.digest, self.size)
    }

    fn read(line: &str) -> Option<LayerSent> {
        let mut words = line.split(' ');
        let diff_id = words.next()?.parse().ok()?;
        let encoding = Encoding::of_word(words.next()?)?;
        Some(LayerSent { diff_id, encoding, digest: words.next()?.parse().ok()?, size: words.next()?.parse().ok()? })
    }
}

impl Has {
    /// Asks the host.
    pub async fn ask(host: &Host, record: &str) -> Result<Has> {
        let script = Script::new("to see which layers it has", include_str!("scripts/has.sh")).arg(record);
        read(&host.run(&script).await?)
    }

    /// Images are certainly in containerd's store.
    pub(super) fn is_containerd(&self) -> bool {
        self.containerd == Some(true)
    }

    /// Images are certainly in Docker's classic store.
    pub(super) fn is_classic(&self) -> bool {
        self.containerd == Some(false)
    }

    /// How many of the image's lowest layers the host has.
    pub(super) fn common(&self, image: &Image) -> usize {
        let same = |chain: &Vec<Digest>| chain.iter().zip(&image.layers).take_while(|(a, b)| **a == b.diff_id).count();
        self.chains.iter().map(same).max().unwrap_or(0)
    }

    /// A layer as an earlier release sent it.
    pub(super) fn sent(&self, diff_id: &Digest) -> Option<&LayerSent> {
        self.sent.iter().find(|sent| sent.diff_id == *diff_id)
    }

    /// How to write layers for this host: `engine` is its version. Where much is to be sent, the link is measured.
    pub(super) async fn encoding(&self, host: &Host, engine: &str, image: &Image) -> Result<Encoding> {
        // of a layer that has not come yet nothing is known
        let missing = image.layers[self.common(image)..].iter().map(|layer| layer.size().unwrap_or(MUCH + 1));
        let rate = if missing.sum::<u64>() > MUCH { measure(host).await? } else { 0.0 };
        Ok(suited(rate, engine))
    }
}

/// What suits a link of so many bytes a second, and an engine: 20.10 can't read zstd.
fn suited(rate: f64, engine: &str) -> Encoding {
    let major: u32 = engine.split('.').next().and_then(|major| major.parse().ok()).unwrap_or(0);
    match (rate > FAST, major >= 23) {
        (true, _) => Encoding::Plain,
        (false, true) => Encoding::Zstd,
        (false, false) => Encoding::Gzip,
    }
}

/// Bytes a second, a round trip included.
async fn measure(host: &Host) -> Result<f64> {
    const TAKE: &str = "echo ready; head -c \"$1\" >/dev/null; echo measured";
    let script = Script::new("to measure the link", TAKE).arg(MEASURED.to_string());
    let work = async {
        let mut child = host.start(&script).await?;
        let mut lines = Lines::new(&mut child.stdout, Limits { timeout: MEASURED_WITHIN, max_bytes: 1024 });
        let mut noise = vec![0; MEASURED];
        getrandom::fill(&mut noise).map_err(|error| anyhow!("no random bytes: {error}"))?;
        ensure!(lines.next().await?.is_some(), "no answer");
        let began = Instant::now();
        child.stdin.write_all(&noise).await?;
        ensure!(lines.next().await?.is_some(), "no answer");
        Ok(MEASURED as f64 / began.elapsed().as_secs_f64().max(1e-6))
    };
    let measured = crate::awake::timeout(MEASURED_WITHIN, work).await.context("no end within 60 s");
    measured.and_then(|measured| measured).map_err(|error| on_host(&host.name, script.why, error))
}

fn read(said: &[u8]) -> Result<Has> {
    let mut has = Has::default();
    for section in sections(said)? {
        match section.name.as_str() {
            "images" => {
                for line in section.text.lines() {
                    let Ok(Listed { id, digests, layers }) = serde_json::from_str(line) else { continue };
                    // containerd's store calls an image by the digest of its manifest
                    let named = digests.iter().flatten().any(|digest| digest.ends_with(&id));
                    has.containerd = Some(named || has.is_containerd());
                    has.chains.push(layers);
                }
            }
            "sent" => has.sent = section.text.lines().filter_map(LayerSent::read).collect(),
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
        let sent = LayerSent { diff_id, encoding: Encoding::Zstd, digest, size: 7 };
        assert_eq!(LayerSent::read(&sent.line()).unwrap(), sent);
        assert_eq!(LayerSent::read("sha256:0 tar x"), None);
    }

    #[test]
    fn what_an_engine_reads_and_the_link_needs_decides() {
        assert_eq!(suited(1e9, "20.10.24"), Encoding::Plain);
        assert_eq!(suited(1e6, "20.10.24"), Encoding::Gzip);
        assert_eq!(suited(1e6, "26.1.5+dfsg1"), Encoding::Zstd);
    }

    #[test]
    fn the_store_is_told_by_how_it_calls_images() {
        let (id, layer) = (Digest::of(b"id"), Digest::of(b"layer"));
        let said = |digests: &str| {
            let line = format!("{{\"id\":\"{id}\",\"digests\":{digests},\"layers\":[\"{layer}\"]}}");
            read(format!("@images 0 {}\n{line}\n", line.len()).as_bytes()).unwrap()
        };
        assert!(said("[]").is_classic() && said("null").is_classic());
        assert!(said(&format!("[\"a/b@{layer}\"]")).is_classic());
        assert!(said(&format!("[\"a/b@{id}\"]")).is_containerd());
        let nothing = read(b"@images 0 0\n\n").unwrap();
        assert!(!nothing.is_classic() && !nothing.is_containerd());
    }
}
