//! What a verb came to. Commands make it; programs read it as the `verb` and the `data` of a result, people in the words
//! of [`super::words`], a job as [`super::facts`].

mod check;
mod plan;
mod release;
mod stack;
mod status;
mod version;

use crate::config::Setting;
use crate::host::freeze::Frozen;
use crate::release::Version;
use crate::swap::history::Record;
use serde::{Serialize, Serializer};

pub use check::{HostCheck, ServiceCheck};
pub use plan::{HostPlan, PlannedStep};
pub use release::{HostReleased, ReleaseEnd, ServiceReleased};
pub use stack::{LineChange, StackNode, StackPlan, StackSlot, StackStatus};
pub use status::{Drift, Earlier, HealthNow, HostStatus, ServiceStatus, Unfinished};
pub use version::{Explained, ExplainedCandidate, ExplainedText, NothingToRelease, VersionEnd};

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
