//! What a host has of an image before it is sent: layers, the store's kind, and how fast the link is.

use super::image::{Encoding, Image};
use crate::host::Host;
use crate::host::script::{Script, sections};
use crate::release::digest::Digest;
use anyhow::{Context as _, Result, anyhow, ensure};
use std::time::{Duration, Instant};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};

/// Bytes by which the link is measured: 84 ms at 100 Mbit/s.
const MEASURED: usize = 1 << 20;
/// Fewer bytes of layers than this are compressed without measuring: it takes a moment on any machine.
const MUCH: u64 = 8 << 20;
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
    /// Bytes a second, a round trip included; 0 where it was not measured.
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
    /// Asks the host: one round trip; one more, and a MiB, where much is to be sent.
    pub(super) async fn ask(host: &Host, engine: &str, image: &Image, record: &str) -> Result<Has> {
        let script = Script::new("to see which layers it has", include_str!("scripts/has.sh"))
            .arg(MEASURED.to_string())
            .arg(record);
        let both = async { tokio::try_join!(ask(host, &script, image), host.docker(engine)?.has_containerd_store()) };
        let asked = tokio::time::timeout(Duration::from_secs(60), both).await.context("no answer within 60 s");
        let asked = asked.and_then(|asked| asked).with_context(|| format!("on {}, {}", host.name, script.why));
        asked.map(|(has, containerd)| Has { containerd, ..has })
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

async fn ask(host: &Host, script: &Script, image: &Image) -> Result<Has> {
    let mut child = host.start(script).await?;
    let mut lines = BufReader::new(&mut child.stdout);
    let (mut said, mut last) = (Vec::new(), 0);
    while &said[last..] != b"ready\n" {
        last = said.len();
        ensure!(lines.read_until(b'\n', &mut said).await? > 0, "the host's answer ended early");
    }
    said.truncate(last);
    let mut has = read(&said)?;
    // of a layer that has not come yet nothing is known
    let missing: u64 = image.layers[has.common(image)..].iter().map(|layer| layer.size().unwrap_or(MUCH + 1)).sum();
    if missing > MUCH {
        let mut noise = vec![0; MEASURED];
        getrandom::fill(&mut noise).map_err(|error| anyhow!("no random bytes: {error}"))?;
        let began = Instant::now();
        child.stdin.write_all(&noise).await?;
        lines.read_until(b'\n', &mut said).await?;
        has.rate = MEASURED as f64 / began.elapsed().as_secs_f64().max(1e-6);
    }
    Ok(has)
}

fn read(said: &[u8]) -> Result<Has> {
    let mut has = Has::default();
    for section in sections(said)? {
        match section.name.as_str() {
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
