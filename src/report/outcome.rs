//! What a verb came to. Commands make it; programs read it as the `verb` and the `data` of a result, people in the words
//! of [`super::words`], a job as [`super::facts`].

use crate::config::Setting;
use crate::host::freeze::Frozen;
use crate::release::Version;
use crate::see::interpret::evidence::Evidence;
use crate::see::judge::findings::Finding;
use crate::swap::history::Record;
use crate::swap::plan::Plan;
use serde::{Serialize, Serializer};
use std::collections::BTreeMap;

/// The end of a verb that did what it was asked for. The keys are documented.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "verb", content = "data", rename_all = "kebab-case", rename_all_fields = "kebab-case")]
pub enum Outcome {
    /// `init`: files were written.
    Init {
        /// The paths of those that are new.
        written: Vec<String>,
        /// How many pairs of slots were seen.
        found: usize,
        /// Every file, and whether it is new.
        #[serde(skip)]
        files: Vec<(String, bool)>,
        /// How to go on.
        #[serde(skip)]
        next: String,
    },
    /// `version`, or a verb for which there is nothing to release.
    Version(VersionEnd),
    /// `plan`.
    Plan {
        /// What would be released.
        version: Version,
        /// Where it was found.
        source: String,
        /// Each host.
        hosts: Vec<HostPlan>,
        /// How each service's image gets there.
        #[serde(skip)]
        images: Vec<String>,
    },
    /// `plan` of a stack.
    #[serde(rename = "plan")]
    StackPlan(StackPlan),
    /// `status` of a stack.
    #[serde(rename = "status")]
    StackStatus(StackStatus),
    /// `build`.
    Build {
        /// What was built.
        version: Version,
        /// Service → reference.
        images: Pairs,
    },
    /// `push`.
    Push {
        /// What was pushed.
        version: Version,
        /// Service → digest.
        digests: Pairs,
        /// Service → reference.
        images: Pairs,
    },
    /// `status`.
    Status {
        /// Each host that could be made out.
        hosts: Vec<HostStatus>,
        /// Services that are not the same on all of them.
        drift: Vec<Drift>,
    },
    /// `lock`.
    Lock {
        /// Each host.
        hosts: Vec<HostLock>,
    },
    /// `unlock`.
    Unlock {
        /// Each host.
        hosts: Vec<HostUnlock>,
    },
    /// `config`.
    Config {
        /// The file.
        file: String,
        /// Every setting, in the order of the documentation.
        #[serde(serialize_with = "super::settings::to_json")]
        settings: Vec<Setting>,
    },
    /// `check`.
    Check {
        /// Each host.
        hosts: Vec<HostCheck>,
    },
    /// `history`.
    History {
        /// Each host whose history could be read.
        hosts: Vec<HostHistory>,
    },
    /// `recover`.
    Recover {
        /// Something was unfinished, and is not any more.
        recovered: bool,
    },
    /// `release`, `deploy`, `rollback` and `restart`.
    Release(ReleaseEnd),
}

/// Names and values, in the order of the services; a map in JSON.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pairs(pub Vec<(String, String)>);

impl Serialize for Pairs {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

/// What a release to a stack would do.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct StackPlan {
    /// What would be released.
    pub version: Version,
    /// Where it was found.
    pub source: String,
    /// The stack.
    pub stack: String,
    /// What would be done, in order.
    pub steps: Vec<PlannedStep>,
    /// Lines of nginx's files that would change.
    pub changes: Vec<LineChange>,
}

/// A line of a file that would change.
#[derive(Debug, Clone, Serialize)]
pub struct LineChange {
    /// The host.
    pub host: String,
    /// The file on it, and the line's number.
    pub place: String,
    /// What it says.
    pub before: String,
    /// What it would say.
    pub after: String,
}

/// What is live of a stack.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct StackStatus {
    /// The stack.
    pub stack: String,
    /// What is live through nginx of each host.
    pub hosts: Vec<HostStatus>,
    /// The slots and their tasks.
    pub slots: Vec<StackSlot>,
    /// The nodes of the swarm.
    pub nodes: Vec<StackNode>,
    /// Where it is not as the last release left it.
    pub differs: Vec<String>,
}

/// A slot of a stack.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct StackSlot {
    /// The slot.
    pub slot: String,
    /// Its image.
    pub image: String,
    /// How many tasks it shall have.
    pub replicas: u64,
    /// The nodes on which they run.
    pub running: Vec<String>,
}

/// A node of the swarm.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct StackNode {
    /// Its name.
    pub node: String,
    /// It is there.
    pub ready: bool,
    /// It takes tasks.
    pub active: bool,
    /// It is a manager.
    pub manager: bool,
    /// It leads them.
    pub leader: bool,
}

/// Which version it is.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
pub enum VersionEnd {
    /// This one.
    Found {
        /// The version.
        version: Version,
        /// Where it was found.
        source: String,
        /// It has a pre-release part.
        prerelease: bool,
    },
    /// None: said already, and no error.
    Nothing {
        /// Always this.
        outcome: NothingToRelease,
        /// Why.
        why: String,
    },
    /// `version --explain`.
    Explained(Explained),
}

/// An outcome's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum NothingToRelease {
    /// There is no version.
    NothingToRelease,
}

/// What each text has, what became of it, and what it comes to.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Explained {
    /// Every text that was looked at.
    pub texts: Vec<ExplainedText>,
    /// The version that it comes to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<Version>,
    /// Where that was found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Why there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// Set where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<NothingToRelease>,
    /// What to do about that.
    #[serde(skip)]
    pub todo: Option<String>,
}

/// A text in which versions were looked for.
#[derive(Debug, Clone, Serialize)]
pub struct ExplainedText {
    /// Where it is from.
    pub source: String,
    /// What looks like a version in it.
    pub candidates: Vec<ExplainedCandidate>,
    /// Its first line.
    #[serde(skip)]
    pub first: String,
}

/// What looks like a version.
#[derive(Debug, Clone, Serialize)]
pub struct ExplainedCandidate {
    /// The words.
    pub text: String,
    /// The line, from 1.
    pub line: usize,
    /// What became of it, and why.
    pub verdict: String,
}

/// What a release would do on a host.
#[derive(Debug, Clone, Serialize)]
pub struct HostPlan {
    /// The host.
    pub host: String,
    /// What would be done, in order.
    pub steps: Vec<PlannedStep>,
    /// All of it.
    pub plan: Plan,
    /// What would prove that the version serves.
    #[serde(skip)]
    pub evidence: String,
}

/// A step that would be done.
#[derive(Debug, Clone, Serialize)]
pub struct PlannedStep {
    /// Its name.
    pub step: &'static str,
    /// What it does.
    pub text: String,
}

/// What is live on a host.
#[derive(Debug, Clone, Serialize)]
pub struct HostStatus {
    /// The host.
    pub host: String,
    /// Its services.
    pub services: Vec<ServiceStatus>,
    /// A person has frozen releases.
    pub frozen: Option<Frozen>,
    /// A swap that has not come to its end.
    pub unfinished: Option<Unfinished>,
}

/// What is live of a service.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct ServiceStatus {
    /// The service.
    pub service: String,
    /// The live slot.
    pub slot: Option<String>,
    /// It was seen to receive requests.
    pub proved: bool,
    /// Its version.
    pub version: Option<String>,
    /// Its image.
    pub digest: Option<String>,
    /// When it was started, in RFC 3339.
    pub since: Option<String>,
    /// What the live slot answers to the health check now.
    pub health: Option<HealthNow>,
    /// The other slot, where it runs too.
    pub also_running: Option<String>,
    /// What it can be rolled back to.
    pub rollback: Vec<Earlier>,
}

/// What a slot answered to the health check.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HealthNow {
    /// The HTTP status.
    pub status: Option<u16>,
    /// How long it took, in seconds.
    pub seconds: Option<f64>,
    /// It is one that counts as healthy.
    pub healthy: bool,
    /// Why there is no status.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// A service that is not the same on all hosts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Drift {
    /// The service.
    pub service: String,
    /// Version → hosts; with the start of its digest where one version is two images.
    pub versions: BTreeMap<String, Vec<String>>,
}

/// A version to go back to; its text in JSON.
#[derive(Debug, Clone)]
pub struct Earlier {
    /// The version.
    pub version: String,
    /// Where it comes from, for people.
    pub from: &'static str,
}

impl Serialize for Earlier {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.version)
    }
}

/// A swap that has not come to its end.
#[derive(Debug, Clone, Serialize)]
pub struct Unfinished {
    /// Its version, where that is known.
    pub version: Option<String>,
    /// The new version was confirmed: the next run finishes it, else it puts it back.
    pub confirmed: bool,
}

/// What stands in the way of a release on a host.
#[derive(Debug, Clone, Serialize)]
pub struct HostCheck {
    /// The host.
    pub host: String,
    /// Nothing does.
    pub ready: bool,
    /// What does, and what will one day.
    pub findings: Vec<Finding>,
    /// The services that were found.
    pub services: Vec<ServiceCheck>,
    /// `USER@HOST:PORT`.
    #[serde(skip)]
    pub login: String,
    /// Of its host key.
    #[serde(skip)]
    pub fingerprint: String,
}

/// A service as it was found.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct ServiceCheck {
    /// The service.
    pub service: String,
    /// Its slots.
    pub slots: [String; 2],
    /// What is particular about where they are, for people; empty where nothing is.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub about: String,
    /// The one that is live.
    pub live: Option<String>,
    /// Where nginx runs: its compose service or container, or `on the host`.
    pub nginx: String,
    /// The upstream that names them; empty where the words stand in none.
    pub upstream: String,
    /// Where those words stand.
    pub place: String,
    /// The port of the slot that they name.
    pub port: u16,
    /// The port of the other one.
    pub other_port: u16,
    /// The status that the health check answers.
    pub health: Option<u16>,
    /// What would prove that a version serves.
    pub evidence: Evidence,
    /// The same, for people.
    pub evidence_text: String,
    /// The host in the upstream.
    #[serde(skip)]
    pub named: String,
    /// What was asked and what came back.
    #[serde(skip)]
    pub health_text: String,
}

/// A host that a person has frozen.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct HostLock {
    /// The host.
    pub host: String,
    /// By whom.
    pub frozen: Frozen,
    /// It was before.
    pub already: bool,
    /// A run that goes on to its end: its own description.
    pub under_way: Option<String>,
}

/// A host that nobody has frozen any more.
#[derive(Debug, Clone, Serialize)]
pub struct HostUnlock {
    /// The host.
    pub host: String,
    /// Who had.
    pub was: Option<Frozen>,
}

/// The releases of a host.
#[derive(Debug, Clone, Serialize)]
pub struct HostHistory {
    /// The host.
    pub host: String,
    /// Oldest first.
    pub releases: Vec<Record>,
}

/// How a release ended that did not fail.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "outcome", rename_all = "kebab-case", rename_all_fields = "kebab-case")]
pub enum ReleaseEnd {
    /// The version is live.
    Released {
        /// Which; one that was deployed by hand need not be a version.
        version: String,
        /// After so many seconds.
        live_seconds: f64,
        /// All was done after so many.
        seconds: f64,
        /// Each host.
        hosts: Vec<HostReleased>,
    },
    /// It was live before.
    AlreadyLive {
        /// Which.
        version: Version,
        /// What it would be released with now and is not live with.
        differing: Vec<String>,
    },
    /// It was live before, from another commit.
    LiveFromAnotherCommit {
        /// Which.
        version: Version,
        /// The commit that is live.
        commit: String,
        /// This run's.
        #[serde(skip)]
        here: String,
    },
}

/// A host on which a version went live.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct HostReleased {
    /// The host.
    pub host: String,
    /// What was switched.
    pub services: Vec<ServiceReleased>,
    /// What came of nginx's old workers.
    pub drained: String,
    /// Step → seconds.
    pub seconds: BTreeMap<&'static str, f64>,
    /// How often the network was waited for, there and back, one after the other.
    pub round_trips: u32,
    /// The same until every host was live.
    pub round_trips_to_live: u32,
    /// The steps in the order in which they were begun.
    #[serde(skip)]
    pub steps: Vec<&'static str>,
}

/// A service that was switched.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct ServiceReleased {
    /// The service.
    pub service: String,
    /// The slot that is live now.
    pub slot: String,
    /// The one that was.
    pub previous_slot: Option<String>,
    /// Its version.
    pub previous_version: Option<String>,
    /// What is live, where a registry knows it.
    pub digest: Option<String>,
    /// The image's id.
    pub image: String,
    /// `REPOSITORY:VERSION`.
    pub reference: Option<String>,
}

impl Outcome {
    /// The verb, as it is in JSON.
    pub(super) fn verb(&self) -> &'static str {
        match self {
            Outcome::Init { .. } => "init",
            Outcome::Version(_) => "version",
            Outcome::Plan { .. } | Outcome::StackPlan(_) => "plan",
            Outcome::Build { .. } => "build",
            Outcome::Push { .. } => "push",
            Outcome::Status { .. } | Outcome::StackStatus(_) => "status",
            Outcome::Lock { .. } => "lock",
            Outcome::Unlock { .. } => "unlock",
            Outcome::Config { .. } => "config",
            Outcome::Check { .. } => "check",
            Outcome::History { .. } => "history",
            Outcome::Recover { .. } => "recover",
            Outcome::Release(_) => "release",
        }
    }
}
