//! An outcome in words, for people.

use super::outcome::{
    Explained, HostCheck, HostLock, HostPlan, HostReleased, HostUnlock, Outcome, Pairs, ReleaseEnd, ServiceCheck,
    ServiceReleased, VersionEnd,
};
use super::text::one_line;
use super::{fleet, stack};
use crate::see::judge::findings::{Finding, Weight};

/// The whole text; empty where it was all said already.
pub(super) fn of(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Init { files, next, .. } => {
            let said = |(path, new): &(String, bool)| {
                format!("{path} {}\n", if *new { "written" } else { "is there already; not touched" })
            };
            files.iter().map(said).collect::<String>() + next
        }
        Outcome::Version(VersionEnd::Found { version, .. }) => version.to_string(),
        Outcome::Version(VersionEnd::Nothing { .. }) => String::new(),
        Outcome::Version(VersionEnd::Explained(explained)) => of_explained(explained),
        Outcome::Plan { version, source, hosts, images } => {
            let images: String = images.iter().map(|image| format!("  {image}\n")).collect();
            format!("{version} (from {source}) would be released so:\n{images}")
                + &hosts.iter().map(of_plan).collect::<String>()
        }
        Outcome::Build { images: Pairs(images), .. } => lines(images.iter().map(|(_, image)| image.clone())),
        Outcome::Push { digests: Pairs(digests), images: Pairs(images), .. } => {
            lines(images.iter().zip(digests).map(|((_, image), (_, digest))| format!("{image} {digest}")))
        }
        Outcome::StackPlan(plan) => stack::plan(plan),
        Outcome::StackStatus(status) => stack::status(status, jiff::Timestamp::now()),
        Outcome::Status { hosts, drift } => fleet::status(hosts, drift, jiff::Timestamp::now()),
        Outcome::Lock { hosts } => hosts.iter().map(of_lock).collect(),
        Outcome::Unlock { hosts } => lines(hosts.iter().map(of_unlock)),
        Outcome::Config { file, settings } => super::settings::of(file, settings),
        Outcome::Check { hosts } => hosts.iter().map(of_check).collect(),
        Outcome::History { hosts } => hosts.iter().map(fleet::history).collect(),
        Outcome::Recover { recovered: true } => "recovered".to_owned(),
        Outcome::Recover { recovered: false } => "nothing is unfinished".to_owned(),
        Outcome::Release(end) => of_release(end),
    }
}

/// A finding on one line.
pub fn finding(finding: &Finding) -> String {
    format!("{}: {}; {}", finding.about, finding.what, finding.todo)
}

fn lines(each: impl Iterator<Item = String>) -> String {
    each.collect::<Vec<_>>().join("\n")
}

fn of_explained(explained: &Explained) -> String {
    let mut text = String::new();
    for each in &explained.texts {
        text += &format!("{}: `{}`\n", each.source, one_line(&each.first, 100));
        for one in &each.candidates {
            text += &format!("  line {}: {:<16} {}\n", one.line, one_line(&one.text, 40), one.verdict);
        }
    }
    if let (Some(version), Some(source)) = (&explained.version, &explained.source) {
        text += &format!("{version}, from {source}\n");
    }
    if let Some(why) = &explained.why {
        text += &format!("nothing to release: {why}\n");
    }
    text + &explained.todo.as_ref().map(|todo| format!("{todo}\n")).unwrap_or_default()
}

fn of_plan(host: &HostPlan) -> String {
    let mut text = format!("  on {}:\n    evidence {}\n", host.host, host.evidence);
    for step in &host.steps {
        text += &format!("    {:<8} {}\n", step.step, step.text);
    }
    for conf in &host.plan.conf {
        for (number, (before, after)) in conf.before.lines().zip(conf.after.lines()).enumerate() {
            if before != after {
                let place =
                    if conf.link { format!("{} →", conf.path) } else { format!("{}:{}", conf.path, number + 1) };
                text += &format!("    {place}\n      - {before}\n      + {after}\n");
            }
        }
    }
    text
}

fn of_check(host: &HostCheck) -> String {
    let mut text = format!("{}: {}, host key {}\n", host.host, host.login, host.fingerprint);
    for each in &host.findings {
        let mark = if each.weight == Weight::Refusal { "✘" } else { "!" };
        text += &format!("  {mark} {}\n", finding(each));
    }
    let mark = if host.ready { "✔ ready" } else { "  found" };
    text + &host.services.iter().map(|service| format!("  {mark}: {}\n", of_found(service))).collect::<String>()
}

/// What was found of a service, on one line.
fn of_found(service: &ServiceCheck) -> String {
    let [one, two] = &service.slots;
    let about = if service.about.is_empty() { String::new() } else { format!(" ({})", service.about) };
    let route = match service.upstream.as_str() {
        "" => service.place.clone(),
        upstream => format!("upstream {upstream} ({})", service.place),
    };
    // a name alone is that of the project's own service
    let nginx = if service.nginx.contains(' ') { format!("nginx {}; ", service.nginx) } else { String::new() };
    let other = match service.other_port {
        port if port == service.port => String::new(),
        port => format!(" (the other one on {port})"),
    };
    format!(
        "{}: slots {one}, {two}{about}; {nginx}{route} on {}:{}{other}; health {}; evidence: {}",
        service.service, service.named, service.port, service.health_text, service.evidence_text
    )
}

fn of_lock(host: &HostLock) -> String {
    let run = host.under_way.as_ref().map(|run| format!("  a run that began before goes on to its end: {run}\n"));
    format!("{} is {}\n{}", host.host, host.frozen, run.unwrap_or_default())
}

fn of_unlock(host: &HostUnlock) -> String {
    match &host.was {
        Some(frozen) => format!("{}: releases go on; it was {frozen}", host.host),
        None => format!("{} was not frozen", host.host),
    }
}

fn of_release(end: &ReleaseEnd) -> String {
    match end {
        ReleaseEnd::Released { version, live_seconds, seconds, hosts } => {
            let text = format!("\n{version} is live after {live_seconds:.2} s; done after {seconds:.2} s\n");
            text + &hosts.iter().map(|host| of_released(host, version)).collect::<String>()
        }
        ReleaseEnd::AlreadyLive { version, differing } => {
            let again = if differing.is_empty() { "" } else { ", and was not released again" };
            format!("{version} is already live{again}")
        }
        ReleaseEnd::LiveFromAnotherCommit { version, commit, here } => {
            format!("{version} is live from another commit, {commit}; this one, {here}, was not released")
        }
    }
}

/// The version that was left, where there was one.
fn came_from(service: &ServiceReleased) -> String {
    match (&service.previous_slot, &service.previous_version) {
        (_, Some(version)) => format!("{version} → "),
        (Some(_), None) => "unknown version → ".to_owned(),
        (None, None) => String::new(),
    }
}

fn of_released(host: &HostReleased, version: &str) -> String {
    let mut text = format!("  {}\n", host.host);
    for service in &host.services {
        text += &format!(
            "    {:<16} {} → {}   {}{version}   {}\n",
            service.service,
            service.previous_slot.as_deref().unwrap_or("nothing"),
            service.slot,
            came_from(service),
            fleet::digest(service.digest.as_deref())
        );
    }
    if !host.drained.is_empty() {
        text += &format!("    drained: {}\n", host.drained);
    }
    let seconds = host.steps.iter().filter_map(|step| Some(format!("{step} {:.2}", host.seconds.get(step)?)));
    text + &format!("    seconds: {}\n", seconds.collect::<Vec<_>>().join(", "))
}
