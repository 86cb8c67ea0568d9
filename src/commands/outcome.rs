//! What is said of a swap at its end.

use super::{Exit, Stop};
use crate::report::Event;
use crate::swap::execute::{Failure, by_host};
use crate::swap::run::HostSwap;
use serde_json::json;
use std::collections::BTreeMap;
use std::time::Duration;

/// What a failed release comes to. `seen` is what answered through nginx on each host after it was put back, where that was
/// seen.
pub(super) fn failed(version: &str, failure: &Failure, seen: &[(String, Option<String>)]) -> Stop {
    if let Some(overtaken) = &failure.overtaken {
        return overtaken.clone().into();
    }
    let lines =
        |pairs: &[(String, String)]| by_host(pairs).iter().map(|line| format!("\n  {line}")).collect::<String>();
    let causes = lines(&failure.causes);
    if !failure.left.is_empty() {
        let left = lines(&failure.left);
        let message = format!("{version} failed and could not be put back.{causes}\nA person must look at:{left}");
        return Stop::new(Exit::Stuck, message);
    }
    match failure.signal {
        Some(signal) => {
            let message = format!("stopped by {}; what was changed was put back", signal.name());
            Stop::new(Exit::Interrupted(signal.exit_code()), message)
        }
        None => {
            let served: Option<Vec<(String, String)>> =
                seen.iter().map(|(host, what)| Some((host.clone(), what.clone()?))).collect();
            let serves = served
                .filter(|served| !served.is_empty())
                .map_or_else(String::new, |served| format!("\nThe old version serves:{}", lines(&served)));
            Stop::new(Exit::PutBack, format!("{version} failed, and what was changed was put back.{causes}{serves}"))
        }
    }
}

/// What a release that is live comes to.
pub(super) fn finished(swaps: &[HostSwap<'_>], live: Duration, whole: Duration) -> Event {
    let version = swaps.first().map_or("", |swap| swap.plan.version.as_str());
    let mut text =
        format!("\n{version} is live after {:.2} s; done after {:.2} s\n", live.as_secs_f64(), whole.as_secs_f64());
    let mut hosts = Vec::new();
    for swap in swaps {
        text += &format!("  {}\n", swap.host.name);
        let mut services = Vec::new();
        for (service, container) in swap.services.iter().filter_map(|each| Some((each, each.started.as_ref()?))) {
            let digest = service.digest.as_deref();
            let service = service.plan;
            let from = service.from.as_ref();
            let old = from.and_then(|old| old.version.clone());
            text += &format!(
                "    {:<16} {} → {}   {} → {version}   {}\n",
                service.name,
                from.map_or("nothing", |old| old.slot.as_str()),
                service.to.slot,
                old.as_deref().unwrap_or("unknown version"),
                digest.unwrap_or("no digest")
            );
            services.push(json!({
                "service": service.name,
                "slot": service.to.slot,
                "previous-slot": from.map(|old| &old.slot),
                "previous-version": old,
                "digest": digest,
                "image": container.image,
                "reference": tagged(&service.pull, version),
            }));
        }
        let drained = swap.drained.as_ref().map_or("", |drained| drained.text.as_str());
        if !drained.is_empty() {
            text += &format!("    drained: {drained}\n");
        }
        let seconds: Vec<String> = swap
            .begun
            .iter()
            .filter_map(|step| Some(format!("{} {:.2}", step.name(), swap.seconds.get(step.name())?)))
            .collect();
        text += &format!("    seconds: {}\n", seconds.join(", "));
        let seconds: BTreeMap<_, _> = swap.seconds.iter().collect();
        hosts.push(json!({
            "host": swap.host.name, "services": services, "drained": drained, "seconds": seconds,
            "round-trips": swap.host.session.round_trips(),
        }));
    }
    let data = json!({
        "version": version,
        "outcome": "released",
        "live-seconds": live.as_secs_f64(),
        "seconds": whole.as_secs_f64(),
        "hosts": hosts,
    });
    Event::Result { verb: "release", data, text }
}

/// `REPOSITORY:VERSION` of what was pulled; `None` for an image that has only its id.
fn tagged(pull: &str, version: &str) -> Option<String> {
    let name = pull.split_once('@').map_or(pull, |(name, _)| name);
    let (path, last) = name.rsplit_once('/').map_or(("", name), |(path, last)| (path, last));
    let last = last.split(':').next().unwrap_or(last);
    let slash = if path.is_empty() { "" } else { "/" };
    (!pull.starts_with("sha256:")).then(|| format!("{path}{slash}{last}:{}", version.replace('+', "_")))
}
