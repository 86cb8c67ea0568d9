//! What a job's outputs and summary need of an outcome.

use super::outcome::{
    HostReleased, HostStatus, Outcome, Pairs, ReleaseEnd, ServiceReleased, ServiceStatus, StackStatus, VersionEnd,
};
use crate::release::Version;

/// What a job's outputs and summary need of an outcome.
#[derive(Debug, Clone, Default)]
pub(super) struct Facts {
    /// How it ended, where the outcome says it more exactly than the exit.
    pub(super) outcome: Option<&'static str>,
    pub(super) version: Option<String>,
    pub(super) services: Option<Vec<ServiceFacts>>,
    pub(super) digests: Option<Pairs>,
    pub(super) images: Option<Pairs>,
}

/// A service of a host, in a job's outputs and summary.
#[derive(Debug, Clone, Default)]
pub(super) struct ServiceFacts {
    pub(super) host: String,
    pub(super) service: String,
    pub(super) slot: Option<String>,
    pub(super) previous_slot: Option<String>,
    pub(super) previous_version: Option<String>,
    pub(super) digest: Option<String>,
    pub(super) reference: Option<String>,
}

impl Outcome {
    /// What a job needs of it.
    pub(super) fn facts(&self) -> Facts {
        let of = |version: &Version| Facts { version: Some(version.to_string()), ..Facts::default() };
        match self {
            Outcome::Version(end) => end.facts(),
            Outcome::Plan { version, .. } => of(version),
            Outcome::StackPlan(plan) => of(&plan.version),
            Outcome::Build { version, images } => Facts { images: Some(images.clone()), ..of(version) },
            Outcome::Push { version, digests, images } => {
                Facts { digests: Some(digests.clone()), images: Some(images.clone()), ..of(version) }
            }
            Outcome::Status { hosts, .. } | Outcome::StackStatus(StackStatus { hosts, .. }) => {
                let services = hosts.iter().flat_map(|host| host.services.iter().map(|service| service.facts(host)));
                Facts { services: Some(services.collect()), ..Facts::default() }
            }
            Outcome::Release(end) => end.facts(),
            Outcome::Config { .. }
            | Outcome::Lock { .. }
            | Outcome::Unlock { .. }
            | Outcome::Check { .. }
            | Outcome::History { .. }
            | Outcome::Recover { .. }
            | Outcome::Init { .. } => Facts::default(),
        }
    }
}

impl VersionEnd {
    fn facts(&self) -> Facts {
        let (version, nothing) = match self {
            VersionEnd::Found { version, .. } => (Some(version), false),
            VersionEnd::Nothing { .. } => (None, true),
            VersionEnd::Explained(explained) => (explained.version.as_ref(), explained.outcome.is_some()),
        };
        let outcome = nothing.then_some("nothing-to-release");
        Facts { version: version.map(Version::to_string), outcome, ..Facts::default() }
    }
}

impl ReleaseEnd {
    fn facts(&self) -> Facts {
        let (outcome, version) = match self {
            ReleaseEnd::Released { version, .. } => ("released", version.clone()),
            ReleaseEnd::AlreadyLive { version, .. } => ("already-live", version.to_string()),
            ReleaseEnd::LiveFromAnotherCommit { version, .. } => ("live-from-another-commit", version.to_string()),
        };
        let services = match self {
            ReleaseEnd::Released { hosts, .. } => {
                let services = hosts.iter().flat_map(|host| host.services.iter().map(|service| service.facts(host)));
                Some(services.collect())
            }
            _ => None,
        };
        Facts { outcome: Some(outcome), version: Some(version), services, ..Facts::default() }
    }
}

impl ServiceStatus {
    fn facts(&self, host: &HostStatus) -> ServiceFacts {
        ServiceFacts {
            host: host.host.clone(),
            service: self.service.clone(),
            slot: self.slot.clone(),
            digest: self.digest.clone(),
            ..ServiceFacts::default()
        }
    }
}

impl ServiceReleased {
    fn facts(&self, host: &HostReleased) -> ServiceFacts {
        ServiceFacts {
            host: host.host.clone(),
            service: self.service.clone(),
            slot: Some(self.slot.clone()),
            previous_slot: self.previous_slot.clone(),
            previous_version: self.previous_version.clone(),
            digest: self.digest.clone(),
            reference: self.reference.clone(),
        }
    }
}

impl Facts {
    /// Every text of others in it.
    pub(super) fn texts(&mut self) -> impl Iterator<Item = &mut String> {
        let pairs = [&mut self.digests, &mut self.images].into_iter().flatten();
        let pairs = pairs.flat_map(|pairs| pairs.0.iter_mut().flat_map(|(name, value)| [name, value]));
        let services = self.services.iter_mut().flatten().flat_map(ServiceFacts::texts);
        self.version.iter_mut().chain(pairs).chain(services)
    }

    /// Takes what a later outcome says over what an earlier one did.
    pub(super) fn extend(&mut self, later: Facts) {
        let Facts { outcome, version, services, digests, images } = later;
        self.outcome = outcome.or(self.outcome);
        self.version = version.or(self.version.take());
        self.services = services.or(self.services.take());
        self.digests = digests.or(self.digests.take());
        self.images = images.or(self.images.take());
    }
}

impl ServiceFacts {
    fn texts(&mut self) -> impl Iterator<Item = &mut String> {
        let ServiceFacts { host, service, slot, previous_slot, previous_version, digest, reference } = self;
        let maybe = [slot, previous_slot, previous_version, digest, reference].into_iter().flatten();
        [host, service].into_iter().chain(maybe)
    }
}
