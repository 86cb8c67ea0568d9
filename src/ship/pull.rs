//! The first way: the host's Docker pulls from a registry inside this process, through a forwarded port.

use super::has::{Has, LayerSent};
use super::image::{Encoding, Image};
use super::meter::Meter;
use super::oci;
use super::registry::Registry;
use super::send::{Delivery, Obstacle};
use crate::host::script::Script;
use crate::host::ssh::{Child, ForwardError, Limits, RemoteForward, whole};
use crate::host::{lock, on_host};
use crate::release::digest::Digest;
use crate::report::text::one_line;
use anyhow::{Context as _, Result, anyhow};
use futures_util::future::try_join_all;
use hyper::body::Bytes;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio::task::JoinSet;

const LOOPBACK: &str = "127.0.0.1";
/// Nothing takes longer: 10 GiB at 25 Mbit/s.
const LIMIT: Duration = Duration::from_secs(3600);
/// An image's id, and what a daemon may have to remark.
const SAID: Limits = Limits { timeout: LIMIT, max_bytes: 64 << 10 };

/// An image as one host gets it.
struct Wire {
    registry: Registry,
    /// Every layer as the manifest names it, for the next release.
    sent: Vec<LayerSent>,
}

/// Lets the host pull; gives the image's id there.
pub(super) async fn pull(
    delivery: &Delivery<'_>,
    has: &Has,
    encoding: Encoding,
    meter: &Arc<Meter>,
) -> Result<String, Obstacle> {
    let (forward, wire) = tokio::join!(forward(delivery), wire(delivery, has, encoding, meter));
    let (forward, wire) = (forward?, wire?);
    let reference = format!("{LOOPBACK}:{}/{}@{}", forward.port(), wire.registry.name, wire.registry.manifest.0);
    let script = Script::new("to bring the image to the host", include_str!("scripts/pull.sh"))
        .fenced(&delivery.fence)
        .limit(LIMIT)
        .args([&reference, &delivery.name, &delivery.record])
        .args(wire.sent.iter().map(LayerSent::line));
    let connections = AtomicU32::new(0);
    let pulled = tokio::select! {
        pulled = crate::awake::timeout(LIMIT, run(delivery, &script)) => {
            pulled.unwrap_or_else(|_| Err(anyhow!("no end after {} s", LIMIT.as_secs())))
        }
        () = serve(forward, Arc::new(wire.registry), &connections) => Err(anyhow!("the SSH connection was lost")),
    };
    pulled.map_err(|error| match connections.load(Ordering::Relaxed) {
        0 if !delivery.host.session.is_closed() => {
            Obstacle::Way("Docker on the host does not reach the host's loopback".to_owned())
        }
        _ => Obstacle::Failed(on_host(&delivery.host.name, script.why, error)),
    })
}

/// Answers every connection until the SSH connection ends; dropped, it ends them all and gives the port back.
async fn serve(mut forward: RemoteForward, registry: Arc<Registry>, connections: &AtomicU32) {
    let mut open = JoinSet::new();
    while let Some(stream) = forward.next().await {
        connections.fetch_add(1, Ordering::Relaxed);
        open.spawn(Arc::clone(&registry).serve(stream));
        while open.try_join_next().is_some() {}
    }
}

async fn run(delivery: &Delivery<'_>, script: &Script) -> Result<String> {
    let mut child = delivery.host.start(script).await?;
    finished(delivery, &mut child).await
}

/// Waits for a script that prints the image's id.
pub(super) async fn finished(delivery: &Delivery<'_>, child: &mut Child) -> Result<String> {
    let printed = whole(&mut child.stdout, SAID).await?;
    let status = child.wait().await?;
    if status == lock::OVERTAKEN {
        let by = one_line(&String::from_utf8_lossy(&child.stderr()), 500);
        return Err(lock::Overtaken { host: delivery.host.name.clone(), by }.into());
    }
    if status != 0 {
        let said = String::from_utf8_lossy(&child.stderr()).into_owned();
        return Err(anyhow!("{} (exit status {status})", one_line(&said, 500)));
    }
    Ok(printed.trim().to_owned())
}

/// A port of the host's loopback: the same one for every release of this service to this host where it is free.
async fn forward(delivery: &Delivery<'_>) -> Result<RemoteForward, Obstacle> {
    let session = &delivery.host.session;
    let preferred = port(&format!("{} {}", session.place(), delivery.record));
    for port in [preferred, preferred + 1, 0] {
        match session.remote_forward(LOOPBACK, port).await {
            Ok(forward) => return Ok(forward),
            // a port that is taken and a server that forbids forwarding look the same
            Err(ForwardError::Prohibited) => {}
            Err(ForwardError::Refused(why)) => return Err(Obstacle::Way(why)),
            Err(error) => return Err(Obstacle::Failed(anyhow!("{error}"))),
        }
    }
    Err(Obstacle::Way("the SSH server does not forward ports".to_owned()))
}

/// Between 20000 and 29999: below the ports that Linux gives to outgoing connections.
fn port(of: &str) -> u16 {
    let digest = Digest::of(of.as_bytes());
    20_000 + u16::from_str_radix(digest.hex().get(..4).unwrap_or_default(), 16).unwrap_or_default() % 10_000
}

/// What the host will be offered. A layer that it has is named as it was sent before, so that Docker does not ask for it.
async fn wire(delivery: &Delivery<'_>, has: &Has, encoding: Encoding, meter: &Arc<Meter>) -> Result<Wire, Obstacle> {
    let image = delivery.image;
    let common = has.common(image);
    let each = image.layers.iter().enumerate().map(|(at, layer)| async move {
        if let Some(sent) = has.sent(&layer.diff_id).filter(|_| at < common) {
            return Ok((sent.clone(), None));
        }
        let source = image.source(at).await?.encoding;
        let encoding = if at < common { source } else { suited(source, encoding) };
        let blob = image.encoded(at, encoding, delivery.cache).await?;
        let sent = LayerSent { diff_id: layer.diff_id.clone(), encoding, digest: blob.digest.clone(), size: blob.size };
        Ok::<_, anyhow::Error>((sent, Some((blob.clone(), at >= common))))
    });
    let named = try_join_all(each).await.context("the image can't be prepared").map_err(Obstacle::Failed)?;
    let missing = named.iter().filter_map(|(_, blob)| blob.as_ref()).filter(|(_, missing)| *missing);
    meter.expect(missing.map(|(blob, _)| blob.size).sum());
    let descriptors: Vec<_> = named
        .iter()
        .map(|(sent, _)| oci::Descriptor::new(sent.encoding.media_type(), &sent.digest, sent.size))
        .collect();
    let manifest = manifest(image, &descriptors);
    let (sent, blobs): (Vec<_>, Vec<_>) = named.into_iter().unzip();
    let layers = blobs.into_iter().flatten().map(|(blob, _)| (blob.digest.clone(), blob)).collect();
    let registry = Registry {
        name: delivery.port_name(),
        manifest: (Digest::of(&manifest), manifest),
        config: (image.id.clone(), image.config.clone()),
        layers,
        meter: Arc::clone(meter),
    };
    Ok(Wire { registry, sent })
}

/// The image's own manifest where every layer travels as it names them.
fn manifest(image: &Image, descriptors: &[oci::Descriptor]) -> Bytes {
    let named = |own: &&Bytes| serde_json::from_slice(own).map(|own: oci::Manifest| own.layers).unwrap_or_default();
    let same = |own: &&Bytes| named(own).iter().map(|layer| &layer.digest).eq(descriptors.iter().map(|d| &d.digest));
    let own = image.manifest.as_ref().filter(same).cloned();
    own.unwrap_or_else(|| oci::manifest(&image.id, image.config.len(), descriptors))
}

/// A layer that came compressed stays so, unless the engine can't read it.
fn suited(source: Encoding, wanted: Encoding) -> Encoding {
    match (source, wanted) {
        (Encoding::Gzip, _) => Encoding::Gzip,
        (Encoding::Zstd, Encoding::Gzip) => Encoding::Gzip,
        (Encoding::Zstd, _) => Encoding::Zstd,
        (Encoding::Plain, wanted) => wanted,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_keeps_its_port() {
        assert_eq!(port("a"), port("a"));
        assert!((20_000..30_000).contains(&port("deploy@198.18.0.10:22")));
    }
}
