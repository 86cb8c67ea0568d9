//! What is true on a host, once it was read and interpreted: slots, nginx, its file, and what earlier releases left.

use super::interpret::evidence::{Live, Looked};
use super::read::survey::Disk;
use super::read::traffic::Place;
use crate::config::{Config, HealthSettings, TagForm};
use crate::host::compose::Compose;
use crate::host::compose::Scope;
use crate::host::container::Container;
use crate::host::freeze::Frozen;
use crate::host::nginx::Probe;
use crate::router::Router;
use crate::slots::making::Making;
use crate::slots::within::Within;
use crate::slots::workers::Worker;
use crate::swap::history::Record;
use crate::swap::journal::Journal;
use crate::swap::plan::{First, How};
use std::collections::BTreeMap;
use std::time::Duration;

/// Everything that a plan needs of a host.
#[derive(Debug)]
pub struct Observation {
    /// Stamp of what releases had written before it was looked at.
    pub stamp: String,
    /// A person has frozen releases.
    pub frozen: Option<Frozen>,
    /// The project's directory, without symbolic links.
    pub directory: String,
    /// Version of the engine.
    pub engine: String,
    /// Which compose.
    pub compose: Compose,
    /// As what its compose project is called.
    pub scope: Scope,
    /// What sets the tags of this project and environment apart: `PROJECT` or `PROJECT-ENVIRONMENT`.
    pub keep_prefix: String,
    /// The services, in the order of the configuration.
    pub services: Vec<ServiceSeen>,
    /// nginx.
    pub nginx: NginxSeen,
    /// The files that a release changes: those with the words that name a slot.
    pub confs: Vec<ConfSeen>,
    /// Compose services that the slots need and that are not running.
    pub needs: Vec<String>,
    /// How compose makes them, the slots and nginx.
    pub makings: BTreeMap<String, Making>,
    /// What depends on a slot would be made anew together with one that stays behind, stopped, on an earlier image.
    pub leaned_on: bool,
    /// What must be healthy, or have run to its end, before a slot is started.
    pub first: Vec<First>,
    /// Earlier releases, oldest first.
    pub history: Vec<Record>,
    /// An unfinished swap.
    pub journal: Option<Journal>,
    /// Free space.
    pub disk: Option<Disk>,
}

/// One service on a host.
#[derive(Debug)]
pub struct ServiceSeen {
    /// Its name in the configuration.
    pub name: String,
    /// The image's repository.
    pub image: String,
    /// What a version's tag looks like.
    pub tag: TagForm,
    /// It comes from here over SSH, and through no registry.
    pub ship: bool,
    /// Its slots.
    pub slots: [SlotSeen; 2],
    /// What runs its image beside the slots and is moved with a release.
    pub workers: Vec<Worker>,
    /// The upstream that routes to it; empty where its words stand in none.
    pub upstream: String,
    /// The port that each of its slots listens on.
    pub ports: [u16; 2],
    /// The slot that the configuration files name.
    pub in_conf: usize,
    /// The slot that serves.
    pub live: Live,
    /// When a slot is healthy.
    pub health: HealthSettings,
    /// How long a container may take to stop.
    pub stop_timeout: Duration,
    /// The words in nginx's files that name the slot: where they stand.
    pub word: String,
    /// nginx looks the slot's name up at each request, so that only a request can prove where it leads.
    pub late: bool,
    /// nginx names both slots for good, so that it can't be reloaded or started while one of them does not run.
    pub stays: bool,
    /// Requests through nginx that lead to it, plainest first.
    pub candidates: Vec<Probe>,
    /// What was seen of it.
    pub looked: Looked,
    /// What the slot in nginx's file answered to the health check, if it was asked.
    pub health_answer: Option<Result<(u16, Duration), String>>,
    /// Tags of the repository on the host, each with its image.
    pub tagged: Vec<(String, String)>,
    /// Digests of the repository on the host, each with its image.
    pub digests: Vec<(String, String)>,
}

/// One slot on a host.
#[derive(Debug)]
pub struct SlotSeen {
    /// What it is called: its compose service, with its project before it where both slots have the same.
    pub service: String,
    /// Where it is.
    pub within: Within,
    /// What nginx calls it.
    pub host: String,
    /// The port of the host that leads to it, where nginx is there.
    pub published: Option<u16>,
    /// The image reference in the compose file.
    pub reference: String,
    /// The image that the reference names now.
    pub reference_image: Option<String>,
    /// Its container, running or not.
    pub container: Option<Container>,
    /// The profiles that it is in.
    pub profiles: Vec<String>,
    /// The restart policy that the compose file gives it.
    pub restart: String,
    /// The version that the container runs.
    pub version: Option<String>,
    /// The digest of the container's image.
    pub digest: Option<String>,
}

/// nginx on a host.
#[derive(Debug)]
pub struct NginxSeen {
    /// Where it runs.
    pub kind: Router,
    /// Its compose service, or its container's name.
    pub service: String,
    /// Its container, if it runs in one.
    pub running: Option<Container>,
    /// What scripts call it, if it runs: its container, or where it is on the host.
    pub target: Option<String>,
    /// Where it is asked, and where its connections come from.
    pub place: Place,
    /// Where the guard's file could be written, if it is needed and nginx would read it.
    pub guard: Option<String>,
}

/// One of nginx's files on the host, or a link.
#[derive(Debug, Clone)]
pub struct ConfSeen {
    /// Its path on the host.
    pub path: String,
    /// Its text; of a link, where it leads.
    pub text: String,
    /// How it is written.
    pub how: How,
    /// The words in it that name slots.
    pub changes: Vec<Change>,
}

/// A part of a file that is another one for either slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Which service's slots.
    pub service: usize,
    /// From and to which byte.
    pub at: (usize, usize),
    /// What stands there for either slot.
    pub texts: [String; 2],
}

/// Where cutover keeps its state on a host: `(root, state of this environment)`.
pub fn state_paths(config: &Config) -> (String, String) {
    let root = format!("{}/.cutover", config.directory);
    let environment = config.environment.as_ref().map_or("default", |name| name.as_str());
    let state = format!("{root}/{environment}");
    (root, state)
}

impl NginxSeen {
    /// Where it runs, for people.
    pub fn words(&self) -> String {
        match self.kind {
            Router::Compose => self.service.clone(),
            Router::Container => format!("in the container {}", self.service),
            Router::Host => "on the host".to_owned(),
        }
    }
}

impl SlotSeen {
    /// Where it is asked, which listens on `port`: at this address and port, where it has any.
    pub fn asked(&self, port: u16, nginx: Option<&Container>) -> Option<(String, u16)> {
        let container = self.container.as_ref()?;
        if let Some(published) = self.published {
            return Some(("127.0.0.1".to_owned(), published));
        }
        let beside = nginx.and_then(|nginx| container.address_beside(nginx));
        Some((beside.or(container.address())?.to_owned(), port))
    }
}

impl ServiceSeen {
    /// The words that name its slot, for people: the upstream that they stand in, else where they stand.
    pub fn route(&self) -> String {
        if self.upstream.is_empty() { self.word.clone() } else { format!("upstream {}", self.upstream) }
    }

    /// Whether an image is on the host under a name of this repository.
    pub fn has_image(&self, id: &str) -> bool {
        self.tagged.iter().chain(&self.digests).any(|(_, image)| image == id)
    }

    /// The image on the host that a reference by digest names.
    pub fn present(&self, reference: &str) -> Option<String> {
        if reference.starts_with("sha256:") {
            return Some(reference.to_owned());
        }
        let (_, digest) = reference.split_once('@')?;
        let found =
            self.digests.iter().find(|(known, _)| known.split_once('@').is_some_and(|(_, known)| known == digest));
        found.map(|(_, image)| image.clone())
    }
}
