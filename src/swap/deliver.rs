//! The image comes to a host: from a registry, or from here over SSH.

use super::execute::HostSwap;
use super::observe::{Observation, state_paths};
use super::plan::Plan;
use crate::cancel::Cancel;
use crate::config::Config;
use crate::host::Host;
use crate::host::container::Image;
use crate::host::docker::{Docker, Login, Pulled};
use crate::host::script::Script;
use crate::report::Event;
use crate::ship::send::{Delivery, send};
use crate::ship::{Cache, Has, Image as Shipped};
use anyhow::{Context as _, Result, bail};
use futures_util::future::{join_all, try_join_all};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The images of a release that were read here; the same for every host.
#[derive(Clone, Default)]
pub struct Shipment {
    /// One a service, in the order of the configuration; `None`: it comes from a registry.
    pub images: Vec<Option<Arc<Shipped>>>,
    /// Where their layers are kept.
    pub cache: Option<Cache>,
    /// Those whose layers Docker here does not know by digest.
    pub unknown: Vec<Arc<Shipped>>,
    /// What hosts have, by host and record, asked ahead.
    asked: Arc<Mutex<HashMap<(String, String), Has>>>,
}

impl Shipment {
    /// Images, and where their layers are kept.
    pub fn new(images: Vec<Option<Arc<Shipped>>>, cache: Cache, unknown: Vec<Arc<Shipped>>) -> Shipment {
        Shipment { images, cache: Some(cache), unknown, asked: Arc::default() }
    }

    /// Asks the hosts what they have while they are observed. What is not answered is asked again when it is needed.
    pub async fn ask_ahead(&self, hosts: &[Host], config: &Config) {
        let (_, state) = state_paths(config);
        let services = config.services.iter().zip(&self.images).filter(|(_, image)| image.is_some());
        let records: Vec<String> = services.map(|(service, _)| record(&state, service.name.as_str())).collect();
        let each = hosts.iter().flat_map(|host| records.iter().map(move |record| (host, record)));
        join_all(each.map(async |(host, record)| {
            if let Ok(has) = Has::ask(host, record).await {
                self.asked().insert((host.name.clone(), record.clone()), has);
            }
        }))
        .await;
    }

    /// Has everything asked again.
    pub fn forget(&self) {
        self.asked().clear();
    }

    fn asked(&self) -> MutexGuard<'_, HashMap<(String, String), Has>> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets the plan know which of the images the host has already: Docker's classic store calls an image by its
    /// configuration's digest, containerd's by its manifest's.
    pub fn note_present(&self, plan: &mut Plan, seen: &Observation) {
        for ((service, seen), image) in plan.services.iter_mut().zip(&seen.services).zip(&self.images) {
            let Some(image) = image.as_ref().filter(|_| service.present.is_none()) else { continue };
            let known = [&image.id, &image.digest].into_iter().find(|id| seen.has_image(id.as_str()));
            service.present = known.map(ToString::to_string);
        }
    }
}

/// An image that is on the host now.
struct Brought {
    /// Its id there.
    id: Option<String>,
    /// The registry's digest, where the host learnt it.
    digest: Option<String>,
    /// For people.
    text: String,
}

impl HostSwap<'_> {
    /// Brings what is missing.
    pub(super) async fn pull(&mut self, cancel: &Cancel) -> Result<String> {
        let brought = tokio::select! {
            brought = self.bring_all() => brought?,
            signal = cancel.wait() => bail!("stopped by {}", signal.name()),
        };
        let mut said = Vec::new();
        for (service, Brought { id, digest, text }) in self.plan.services.iter_mut().zip(brought) {
            service.present = id;
            service.digest = digest.or(service.digest.take());
            said.push(text);
        }
        Ok(said.join(", "))
    }

    /// One a service. Pulls wait for the registry, so all at once; what goes over SSH shares one connection.
    async fn bring_all(&self) -> Result<Vec<Brought>> {
        let one_by_one = tokio::sync::Mutex::new(());
        let each = self.plan.services.iter().enumerate().map(async |(number, service)| {
            let _turn = if service.ship { Some(one_by_one.lock().await) } else { None };
            self.bring(number).await
        });
        try_join_all(each).await
    }

    /// Brings the image of one service.
    async fn bring(&self, number: usize) -> Result<Brought> {
        let service = &self.plan.services[number];
        if service.present.is_some() {
            let text = format!("{} is there", service.pull);
            return Ok(Brought { id: service.present.clone(), digest: None, text });
        }
        if service.ship {
            let sent = self.ship(number).await?;
            return Ok(Brought { id: Some(sent.id), digest: None, text: format!("{}: {}", service.pull, sent.text) });
        }
        let image = match &self.login {
            Some(login) => with_login(self.host, self.host.docker(&self.plan.engine)?, &service.pull, login).await?,
            None => by_host(self.host, &service.pull).await?,
        };
        let digest = image.as_ref().and_then(|image| image.digest_in(&service.repository)).map(str::to_owned);
        Ok(Brought { id: image.map(|image| image.id), digest, text: service.pull.clone() })
    }

    async fn ship(&self, number: usize) -> Result<crate::ship::send::Sent> {
        let service = &self.plan.services[number];
        let image = self.shipment.images.get(number).and_then(Option::as_ref);
        let (Some(image), Some(cache)) = (image, &self.shipment.cache) else {
            bail!(
                "{} is not on the host any more, and there is no registry: deploy {} from where its image is",
                service.pull,
                self.plan.version
            );
        };
        // the tag that keeps the release's image
        let name = service.tags.last().map(|(name, _)| name.clone()).context("the plan has no name for the image")?;
        let record = record(&self.state, &service.name);
        let asked = self.shipment.asked().remove(&(self.host.name.clone(), record.clone()));
        let delivery =
            Delivery { host: self.host, image, cache, engine: &self.plan.engine, name, record, fence: self.fence() };
        send(&delivery, asked).await
    }
}

/// The host's file of the layers that were sent for a service.
fn record(state: &str, service: &str) -> String {
    format!("{state}/layers-{service}")
}

/// Pulls through the API, so that the password never rests on the host. Gives the image.
async fn with_login(host: &Host, docker: &Docker, reference: &str, login: &Login) -> Result<Option<Image>> {
    let progress = |pulled: Pulled| {
        host.reporter.emit(Event::Progress {
            host: host.name.clone(),
            text: format!("pull {reference}"),
            done: pulled.done,
            total: pulled.total,
            unit: "bytes",
        });
    };
    docker.pull(reference, Some(login), progress).await?;
    docker.image(reference).await
}

/// Pulls by the host's own `docker`, which may have a login of its own. Gives the image.
async fn by_host(host: &Host, reference: &str) -> Result<Option<Image>> {
    const PULL: &str = "docker pull -q \"$1\" >/dev/null && docker image inspect \"$1\"";
    let script = Script::new("to bring the image to the host", PULL).arg(reference);
    let printed = host.run(&script.limit(Duration::from_secs(3600))).await?;
    Ok(Image::list(&String::from_utf8_lossy(&printed))?.pop())
}
