//! What will be done on one host, as a value: printed by `plan`, executed by `release`, kept in the journal for undoing.

use crate::config::{Bake, HealthSettings, HostHook};
use crate::host::compose::Compose;
use crate::host::compose::{Condition, Scope};
use crate::host::nginx::Probe;
use crate::router::Router;
use crate::see::interpret::evidence::Evidence;
use crate::see::read::traffic::Place;
use crate::slots::making::Making;
use crate::slots::within::Within;
use crate::slots::workers::Worker;
use serde::{Deserialize, Deserializer, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

/// The format in which plans are written into journals. A new one is due where an older cutover could not undo by it.
pub const FORMAT: u32 = 3;

/// The swap of one host.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// Tells this release from every other one; the same on all its hosts.
    pub id: String,
    /// Of this text: [`FORMAT`], and 0 of those before there were formats.
    #[serde(default)]
    pub format: u32,
    /// The version that shall be live, with its `v`.
    pub version: String,
    /// The project's directory.
    pub directory: String,
    /// As what its compose project is called; a plan of before does not say it.
    #[serde(default)]
    pub scope: Scope,
    /// Version of the host's engine.
    pub engine: String,
    /// The host's compose.
    pub compose: Compose,
    /// The services that change, all in one reload.
    pub services: Vec<ServicePlan>,
    /// nginx, which is never recreated.
    pub nginx: NginxPlan,
    /// Its files that change, all before one reload; a plan of before has one.
    #[serde(deserialize_with = "one_or_many")]
    pub conf: Vec<ConfPlan>,
    /// Compose services that the slots need and that are not running.
    pub needs: Vec<String>,
    /// How compose makes those services, the slots and nginx.
    #[serde(default)]
    pub makings: BTreeMap<String, Making>,
    /// The old slots' containers are removed once they have stopped; their images stay.
    #[serde(default)]
    pub remove_old: bool,
    /// What must be healthy, or have run to its end on the new image, before the slots are started; in this order.
    #[serde(default)]
    pub first: Vec<First>,
    /// The env file to put on the host, by its path there. Its content is never part of a plan.
    pub env_file: Option<String>,
    /// The release's own command; on one host only.
    pub hook: Option<HookPlan>,
    /// The host's own command before the switch.
    pub before_switch: Option<HostHook>,
    /// The host's own command after the switch.
    pub after_switch: Option<HostHook>,
    /// Watching after the switch.
    pub bake: Option<Bake>,
    /// How long old workers may take.
    pub drain_timeout: Duration,
    /// Tags that need not be kept afterwards.
    pub prune: Vec<String>,
    /// Versions whose env files are kept afterwards.
    #[serde(default)]
    pub keep: Vec<String>,
    /// Goes back to an earlier version.
    pub rollback: bool,
    /// The commit of the version; empty where that is not known.
    #[serde(default)]
    pub commit: String,
}

/// A compose service that comes before the slots (Compose Specification, `depends_on` with a `condition`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct First {
    /// The service.
    pub service: String,
    /// What it must be: healthy, or completed.
    pub condition: Condition,
}

/// The release's own command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HookPlan {
    /// Words.
    pub command: Vec<String>,
    /// The slot whose image and settings it runs with.
    pub slot: String,
    /// Where that is; a plan of before does not say it.
    #[serde(default)]
    pub within: Within,
    /// Its time.
    pub timeout: Duration,
    /// Rolling back the code is unsafe once it has run.
    pub irreversible: bool,
}

/// The swap of one service.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ServicePlan {
    /// Its name in the configuration.
    pub name: String,
    /// What is pulled: `REPOSITORY@DIGEST`, or `REPOSITORY:TAG` where no digest is known.
    pub pull: String,
    /// The image's repository, as docker prints it.
    #[serde(default)]
    pub repository: String,
    /// The digest that the registry has it by, as far as it is known.
    #[serde(default)]
    pub digest: Option<String>,
    /// The image is on the host already, with this id.
    pub present: Option<String>,
    /// It comes from here over SSH, and through no registry.
    #[serde(default)]
    pub ship: bool,
    /// References that shall name the image, each with the image it names now (`None`: none).
    pub tags: Vec<(String, Option<String>)>,
    /// That of them which keeps the release's image.
    #[serde(default)]
    pub keep_tag: String,
    /// That of them by which the image comes, where it leaves one that was not there.
    #[serde(default)]
    pub pulled: Option<String>,
    /// The slot that serves now.
    pub from: Option<OldSlot>,
    /// The slot to start.
    pub to: NewSlot,
    /// What runs the image beside the slots and is moved after the switch.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub workers: Vec<Worker>,
    /// nginx's upstream; empty where the words that name the slot stand in none.
    pub upstream: String,
    /// Where those words stand, for people.
    #[serde(default)]
    pub words: String,
    /// nginx looks the slot's name up at each request, so that only a request can prove where it leads.
    #[serde(default)]
    pub late: bool,
    /// nginx names both slots for good, so that the old one goes on running: it could not be reloaded without it.
    #[serde(default)]
    pub stays: bool,
    /// The port that the slot listens on.
    pub port: u16,
    /// When it is healthy.
    pub health: HealthSettings,
    /// How long a container may take to stop.
    pub stop_timeout: Duration,
    /// How to ask for it through nginx.
    pub probe: Option<Probe>,
    /// What shall prove that the new slot serves.
    #[serde(default)]
    pub evidence: Evidence,
}

/// The slot that serves now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OldSlot {
    /// Its compose service.
    pub slot: String,
    /// Its container.
    pub container: String,
    /// The container's PID 1 as the host counts.
    pub pid: i64,
    /// The container's addresses.
    #[serde(default)]
    pub addresses: Vec<String>,
    /// The port that it listens on; 0: that of the new one.
    #[serde(default)]
    pub port: u16,
    /// The version that it runs, where known.
    pub version: Option<String>,
    /// It was seen to receive what nginx was asked for.
    pub proved: bool,
    /// The restart policy that its container has; empty where it was not noted.
    #[serde(default)]
    pub restart: String,
}

/// The slot to start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewSlot {
    /// What it is called: its compose service, with its project before it where both slots have the same.
    pub slot: String,
    /// Where that is; a plan of before does not say it: in the project of nginx.
    #[serde(default)]
    pub within: Within,
    /// What nginx calls it.
    pub host: String,
    /// The port of the host that leads to it, where nginx is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub published: Option<u16>,
    /// Its container before the swap, if it had one.
    pub before: Option<String>,
    /// A stopped container of this very version, to be started again instead of a new one.
    pub kept: Option<Kept>,
    /// Its container, where it runs although it does not serve.
    #[serde(default)]
    pub running: Option<Place>,
}

/// A stopped container that is kept for a rollback.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// Its id.
    pub container: String,
    /// The restart policy that it gets back.
    pub restart: String,
}

/// nginx on the host.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NginxPlan {
    /// Where it runs.
    #[serde(default)]
    pub kind: Router,
    /// Its compose service, or its container's name.
    pub service: String,
    /// What scripts call it: its running container, or where it is on the host; `None`: it is started when the slots are
    /// healthy.
    pub container: Option<String>,
    /// Its addresses.
    #[serde(default)]
    pub addresses: Vec<String>,
    /// Where it is asked, if not there.
    #[serde(default)]
    pub asked: Option<String>,
    /// Its PID 1 as the host counts.
    #[serde(default)]
    pub pid: Option<i64>,
    /// The guard's file, where it is to be written.
    pub guard: Option<String>,
}

/// One of nginx's files, or a link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfPlan {
    /// Its path on the host.
    pub path: String,
    /// Its text now; of a link, where it leads.
    pub before: String,
    /// Its text afterwards.
    pub after: String,
    /// Its text when the swap is put back: as `before`, and it names the slots that serve, even where `before` does not.
    pub back: String,
    /// The file alone is mounted: a rename would leave the container with the old one.
    pub in_place: bool,
    /// It is a link: where it leads changes.
    #[serde(default)]
    pub link: bool,
    /// Only root may write it: it is written in place, by `sudo tee`.
    #[serde(default)]
    pub sudo: bool,
}

/// How a file of nginx's is changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// As a whole, by rename.
    Rename,
    /// In place, since it alone is mounted.
    InPlace,
    /// It is a link, which is led elsewhere.
    Link,
    /// In place, by `sudo tee`.
    Sudo,
}

impl ConfPlan {
    /// How it is changed.
    pub fn how(&self) -> How {
        match (self.link, self.sudo, self.in_place) {
            (true, ..) => How::Link,
            (false, true, _) => How::Sudo,
            (false, false, true) => How::InPlace,
            (false, false, false) => How::Rename,
        }
    }
}

impl How {
    /// As scripts call it.
    pub fn word(self) -> &'static str {
        match self {
            How::Rename => "rename",
            How::InPlace => "in-place",
            How::Link => "link",
            How::Sudo => "sudo",
        }
    }
}

/// What plans of before have one of.
fn one_or_many<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<ConfPlan>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Confs {
        Many(Vec<ConfPlan>),
        One(ConfPlan),
    }
    Ok(match Confs::deserialize(from)? {
        Confs::Many(all) => all,
        Confs::One(one) => vec![one],
    })
}

impl OldSlot {
    /// Where its connections are to be seen.
    pub fn place(&self) -> Place {
        Place { pid: self.pid, addresses: self.addresses.clone(), asked: None }
    }
}

impl ServicePlan {
    /// The words that name its slot, for people: the upstream that they stand in, else where they stand.
    pub fn route(&self) -> String {
        if self.upstream.is_empty() { self.words.clone() } else { format!("upstream {}", self.upstream) }
    }

    /// Where the new slot is asked, for people.
    pub fn door(&self) -> String {
        self.to.published.map_or_else(|| format!("port {}", self.port), |_| self.to.host.clone())
    }

    /// The port that the old slot listens on.
    pub fn old_port(&self) -> u16 {
        self.from.as_ref().map(|old| old.port).filter(|port| *port != 0).unwrap_or(self.port)
    }
}

impl Plan {
    /// nginx runs: requests have to be moved, and nobody's may be lost.
    pub fn is_routing(&self) -> bool {
        self.nginx.container.is_some()
    }

    /// The guard is written before the switch.
    pub fn is_guarded(&self) -> bool {
        self.is_routing() && self.nginx.guard.is_some()
    }

    /// nginx has to take its file, or the file has to be changed for an nginx that is yet to be started.
    pub fn is_rerouted(&self) -> bool {
        self.is_routing() || self.conf.iter().any(|conf| conf.before != conf.after)
    }

    /// What there is to say of each service.
    pub(super) fn each(&self, text: impl Fn(&ServicePlan) -> String) -> String {
        self.services.iter().map(text).collect::<Vec<_>>().join(", ")
    }

    /// Some old slot is stopped once nginx has left it.
    pub fn is_retiring(&self) -> bool {
        self.services.iter().any(|service| service.from.is_some() && !service.stays)
    }

    /// Workers are moved.
    pub fn has_workers(&self) -> bool {
        self.services.iter().any(|service| !service.workers.is_empty())
    }

    /// Some slot serves now.
    pub fn replaces(&self) -> bool {
        self.services.iter().any(|service| service.from.is_some())
    }
}
