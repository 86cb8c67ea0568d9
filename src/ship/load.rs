//! The second way: an archive for `docker load` over a channel, without the layers that the host has.

use super::bytes::blocks;
use super::image::{Blob, Encoding};
use super::meter::Meter;
use super::pull::finished;
use super::send::Delivery;
use crate::host::on_host;
use crate::host::script::Script;
use crate::host::ssh::Child;
use anyhow::{Context as _, Result, anyhow};
use futures_util::future::try_join_all;
use hyper::body::Bytes;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncWriteExt as _;

const LIMIT: Duration = Duration::from_secs(3600);
/// tar's unit (POSIX pax, "ustar Interchange Format").
const RECORD: usize = 512;

/// Loads the layers from `from` on; gives the image's id on the host.
pub(super) async fn load(
    delivery: &Delivery<'_>,
    from: usize,
    encoding: Encoding,
    meter: &Arc<Meter>,
) -> Result<String> {
    let image = delivery.image;
    let missing = (from..image.layers.len()).map(|at| image.encoded(at, encoding, delivery.cache));
    let blobs = try_join_all(missing).await.context("the image can't be prepared")?;
    meter.expect(blobs.iter().map(|blob| blob.size).sum());
    let script = Script::new("to load the image", include_str!("scripts/load.sh"));
    let script = script.fenced(&delivery.fence).arg(&delivery.name).limit(LIMIT);
    let mut child = delivery.host.start(&script).await?;
    let work = async {
        let written = write(&mut child, delivery, from, &blobs, meter).await;
        // docker's own words say more than a pipe that broke
        let id = finished(delivery, &mut child).await?;
        written.map(|()| id)
    };
    let loaded = crate::awake::timeout(LIMIT, work).await;
    let loaded = loaded.unwrap_or_else(|_| Err(anyhow!("no end after {} s", LIMIT.as_secs())));
    loaded.map_err(|error| on_host(&delivery.host.name, script.why, error))
}

/// Writes the archive: `manifest.json`, configuration, layers (Docker's image spec v1.2, "Combined Image JSON").
async fn write(
    child: &mut Child,
    delivery: &Delivery<'_>,
    from: usize,
    blobs: &[&Blob],
    meter: &Arc<Meter>,
) -> Result<()> {
    let image = delivery.image;
    let names: Vec<String> = image.layers.iter().map(|layer| format!("{}.tar", layer.diff_id.hex())).collect();
    let config = format!("{}.json", image.id.hex());
    // it is named under the lock, not by whoever is late
    let manifest = serde_json::json!([{ "Config": config, "RepoTags": null, "Layers": names }]);
    let manifest: Bytes = manifest.to_string().into();
    for (name, bytes) in [("manifest.json", &manifest), (&config, &image.config)] {
        child.stdin.write_all(&header(name, bytes.len() as u64)?).await?;
        child.stdin.write_all(bytes).await?;
        child.stdin.write_all(padding(bytes.len() as u64)).await?;
    }
    for (name, blob) in names.iter().skip(from).zip(blobs) {
        child.stdin.write_all(&header(name, blob.size)?).await?;
        let mut read = blocks(blob.bytes.clone(), 0, blob.size);
        while let Some(block) = read.recv().await {
            let block = block?;
            child.stdin.write_all(&block).await?;
            meter.add(block.len() as u64);
        }
        child.stdin.write_all(padding(blob.size)).await?;
    }
    child.stdin.write_all(&[0; 2 * RECORD]).await?;
    child.stdin.shutdown().await?;
    Ok(())
}

fn header(name: &str, size: u64) -> Result<[u8; RECORD]> {
    let mut header = tar::Header::new_gnu();
    header.set_path(name)?;
    header.set_size(size);
    header.set_mode(0o644);
    header.set_cksum();
    Ok(*header.as_bytes())
}

fn padding(size: u64) -> &'static [u8] {
    const ZEROS: [u8; RECORD] = [0; RECORD];
    let over = usize::try_from(size % RECORD as u64).unwrap_or_default();
    if over == 0 { &[] } else { &ZEROS[over..] }
}
