//! Brings an image to a host: asks what is there, chooses a way, and falls back where one is barred.

use super::cache::Cache;
use super::has::Has;
use super::image::{Encoding, Image};
use super::meter::{Meter, size};
use super::{load, pull};
use crate::host::Host;
use crate::host::script::Fence;
use crate::report::Level;
use anyhow::{Result, anyhow, bail};
use std::sync::Arc;
use std::time::Instant;

/// Layers that are sent a second time rather than by another way, in bytes.
const NEGLIGIBLE: u64 = 256 << 10;

/// One image for one host.
pub struct Delivery<'a> {
    /// The host.
    pub host: &'a Host,
    /// The image.
    pub image: &'a Image,
    /// Where encoded layers are.
    pub cache: &'a Cache,
    /// Version of the host's engine.
    pub engine: &'a str,
    /// The name that the image gets there: `REPOSITORY:TAG`.
    pub name: String,
    /// The lock under which the image gets its name.
    pub fence: Fence,
    /// The host's file of the layers that were sent for this service before.
    pub record: String,
}

/// Why a way did not lead there.
pub(super) enum Obstacle {
    /// It is barred; another one may not be.
    Way(String),
    /// It broke.
    Failed(anyhow::Error),
}

/// An image that is on the host now.
#[derive(Debug)]
pub struct Sent {
    /// Its id there.
    pub id: String,
    /// How it came, for people.
    pub text: String,
    /// Bytes of layers that travelled.
    pub bytes: u64,
}

impl Delivery<'_> {
    /// The repository that the host's Docker sees in the forwarded port.
    pub(super) fn port_name(&self) -> String {
        let last = self.name.rsplit('/').next().unwrap_or_default();
        format!("cutover/{}", last.split(':').next().unwrap_or_default())
    }
}

/// Sends the image. The host's Docker verifies every layer and the configuration by digest. `asked` is what the host has,
/// where that is known.
pub async fn send(delivery: &Delivery<'_>, asked: Option<Has>) -> Result<Sent> {
    let began = Instant::now();
    let (host, image) = (delivery.host, delivery.image);
    let has = match asked {
        Some(has) => has,
        None => Has::ask(host, &delivery.record).await?,
    };
    let encoding = has.encoding(host, delivery.engine, image).await?;
    let meter = Arc::new(Meter::new(host.reporter.clone(), &host.name, &format!("send {}", delivery.name)));
    let (id, way) = match by_load(image, &has) {
        Some(why) => {
            (load::load(delivery, has.common(image), encoding, &meter).await?, format!("by docker load: {why}"))
        }
        None => match pull::pull(delivery, &has, encoding, &meter).await {
            Ok(id) => (id, "by docker pull".to_owned()),
            Err(Obstacle::Failed(error)) => return Err(error),
            Err(Obstacle::Way(why)) => {
                (load_instead(delivery, &has, encoding, &meter).await?, format!("by docker load: {why}"))
            }
        },
    };
    if has.is_classic() && id != image.id.as_str() {
        bail!("the host has {id} now, which is not the image {}", image.id);
    }
    let (bytes, seconds) = (meter.done(), began.elapsed().as_secs_f64());
    let text = format!(
        "sent {} of {} as {} {way}, {:.1} MiB/s",
        size(bytes),
        size(image.size),
        encoding.word(),
        bytes as f64 / seconds / 1_048_576.0
    );
    Ok(Sent { id, text, bytes })
}

/// Why this host is better served by `docker load`. Docker's classic store finds a layer that came from elsewhere by
/// content when it loads, but only by the digest that it came under when it pulls: it would pull it once more.
fn by_load(image: &Image, has: &Has) -> Option<String> {
    let common = &image.layers[..has.common(image)];
    let unknown = common.iter().filter(|layer| has.sent(&layer.diff_id).is_none());
    let bytes: u64 = unknown.map(|layer| layer.size().unwrap_or(NEGLIGIBLE + 1)).sum();
    (!has.is_containerd() && bytes > NEGLIGIBLE).then(|| "it has layers from elsewhere".to_owned())
}

/// Without the layers that the host has; then the whole image.
async fn load_instead(delivery: &Delivery<'_>, has: &Has, encoding: Encoding, meter: &Arc<Meter>) -> Result<String> {
    let common = has.common(delivery.image);
    let failed = match load::load(delivery, common, encoding, meter).await {
        Ok(id) => return Ok(id),
        Err(error) if common == 0 || delivery.host.session.is_closed() => return Err(error),
        Err(error) => error,
    };
    let text = format!("docker load needs the whole image: {failed:#}");
    delivery.host.reporter.note(Level::Info, &delivery.host.name, text);
    load::load(delivery, 0, encoding, meter).await.map_err(|error| anyhow!("{error:#}; before that: {failed:#}"))
}
