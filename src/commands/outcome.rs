//! What is said of a swap at its end.

use super::Stop;
use crate::report::Outcome;
use crate::report::outcome::{HostReleased, ReleaseEnd, ServiceReleased};
use crate::report::stop::Reason;
use crate::swap::execute::Failure;
use crate::swap::run::HostSwap;
use std::time::Duration;

/// What a failed release comes to. `seen` is what answered through nginx on each host after it was put back, where that was
/// seen.
pub(super) fn failed(version: &str, failure: Failure, seen: Vec<(String, Option<String>)>) -> Stop {
    let (version, Failure { causes, left, signal }) = (version.to_owned(), failure);
    if !left.is_empty() {
        return Stop::Stuck { version, causes, left };
    }
    match signal {
        Some(signal) => Stop::Interrupted(signal),
        None => {
            let serves = seen.into_iter().map(|(host, what)| Some(Reason { host, why: what? }));
            Stop::PutBack { version, causes, serves: serves.collect::<Option<_>>().unwrap_or_default() }
        }
    }
}

/// What a release that is live comes to.
pub(super) fn finished(swaps: &[HostSwap<'_>], live: Duration, whole: Duration) -> Outcome {
    Outcome::Release(ReleaseEnd::Released {
        version: swaps.first().map(|swap| swap.plan.version.clone()).unwrap_or_default(),
        live_seconds: live.as_secs_f64(),
        seconds: whole.as_secs_f64(),
        hosts: swaps.iter().map(on_host).collect(),
    })
}

fn on_host(swap: &HostSwap<'_>) -> HostReleased {
    let services = swap.services.iter().filter_map(|service| {
        let (plan, container) = (service.plan, service.started.as_ref()?);
        Some(ServiceReleased {
            service: plan.name.clone(),
            slot: plan.to.slot.clone(),
            previous_slot: plan.from.as_ref().map(|old| old.slot.clone()),
            previous_version: plan.from.as_ref().and_then(|old| old.version.clone()),
            digest: service.digest.clone(),
            image: container.image.clone(),
            reference: tagged(&plan.pull, &swap.plan.version),
        })
    });
    HostReleased {
        host: swap.host.name.clone(),
        services: services.collect(),
        drained: swap.drained.as_ref().map(|drained| drained.text.clone()).unwrap_or_default(),
        seconds: swap.seconds.clone(),
        round_trips: swap.host.session.round_trips(),
        round_trips_to_live: swap.trips_to_live,
        steps: swap.begun.iter().map(|step| step.name()).collect(),
    }
}

/// `REPOSITORY:VERSION` of what was pulled; `None` for an image that has only its id.
fn tagged(pull: &str, version: &str) -> Option<String> {
    let name = pull.split_once('@').map_or(pull, |(name, _)| name);
    let (path, last) = name.rsplit_once('/').map_or(("", name), |(path, last)| (path, last));
    let last = last.split(':').next().unwrap_or(last);
    let slash = if path.is_empty() { "" } else { "/" };
    (!pull.starts_with("sha256:")).then(|| format!("{path}{slash}{last}:{}", version.replace('+', "_")))
}
