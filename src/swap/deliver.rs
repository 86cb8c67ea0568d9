//! Images that come from here over SSH, and what the hosts have of them.

use crate::config::Config;
use crate::host::Host;
use crate::see::seen::state_paths;
use crate::ship::{Cache, Has, Image as Shipped};
use futures_util::future::join_all;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The images of a release that were read here; the same for every host.
#[derive(Clone, Default)]
pub struct Shipment {
    /// By the service's name; one that is not here comes from a registry.
    pub images: BTreeMap<String, Arc<Shipped>>,
    /// Where their layers are kept.
    pub cache: Option<Cache>,
    /// Those whose layers Docker here does not know by digest.
    pub unknown: Vec<Arc<Shipped>>,
    /// What hosts have, by host and record, asked ahead.
    asked: Arc<Mutex<HashMap<(String, String), Has>>>,
}

impl Shipment {
    /// Images, and where their layers are kept.
    pub fn new(images: BTreeMap<String, Arc<Shipped>>, cache: Cache, unknown: Vec<Arc<Shipped>>) -> Shipment {
        Shipment { images, cache: Some(cache), unknown, asked: Arc::default() }
    }

    /// Asks the hosts what they have while they are observed. What is not answered is asked again when it is needed.
    pub async fn ask_ahead(&self, hosts: &[Host], config: &Config) {
        let (_, state) = state_paths(config);
        let records: Vec<String> = self.images.keys().map(|service| record(&state, service)).collect();
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

    /// The ids by which a host that has a service's image may call it: Docker's classic store takes its configuration's
    /// digest, containerd's its manifest's.
    pub fn ids(&self, service: &str) -> Vec<String> {
        let image = self.images.get(service);
        image.map(|image| vec![image.id.to_string(), image.digest.to_string()]).unwrap_or_default()
    }

    pub(super) fn asked(&self) -> MutexGuard<'_, HashMap<(String, String), Has>> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The host's file of the layers that were sent for a service.
pub(super) fn record(state: &str, service: &str) -> String {
    format!("{state}/layers-{service}")
}
