//! An outcome in words, for people.

use super::outcome::{
    Explained, HostCheck, HostHistory, HostPlan, HostReleased, HostStatus, Outcome, Pairs, ReleaseEnd, ServiceCheck,
    ServiceReleased, ServiceStatus, VersionEnd,
};
use super::text::one_line;
use crate::see::judge::findings::{Finding, Weight};
use crate::swap::history::{self, Record};

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
        Outcome::Status { hosts } => hosts.iter().map(of_status).collect(),
        Outcome::Check { hosts } => hosts.iter().map(of_check).collect(),
        Outcome::History { hosts } => hosts.iter().map(of_history).collect(),
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

fn of_status(host: &HostStatus) -> String {
    let mut text = format!("{}\n", host.host);
    for service in &host.services {
        text += &of_live(service);
        if let Some(other) = &service.also_running {
            text += &format!("{:19}both slots run: {other} does too, and gets no requests\n", "");
        }
        let back: Vec<String> =
            service.rollback.iter().map(|each| format!("{} ({})", each.version, each.from)).collect();
        let back = if back.is_empty() { "nothing".to_owned() } else { back.join(", ") };
        text += &format!("{:19}can be rolled back to: {back}\n", "");
    }
    if let Some(unfinished) = &host.unfinished {
        let version = unfinished.version.as_deref().unwrap_or("an unknown version");
        let will = if unfinished.confirmed { "finishes it" } else { "puts it back" };
        text += &format!(
            "  a swap to {version} is under way or was cut off; if no run goes on with it, the next one {will}\n"
        );
    }
    text
}

fn of_live(service: &ServiceStatus) -> String {
    let Some(slot) = &service.slot else { return format!("  {:<16} not running\n", service.service) };
    let since = service.since.as_deref().unwrap_or_default();
    let digest = service.digest.as_deref().unwrap_or("no digest");
    let proof = if service.proved {
        "seen to receive requests"
    } else {
        "named by nginx's configuration; not seen to receive requests"
    };
    format!(
        "  {:<16} {} in {slot} since {}, {digest}\n{:19}{proof}\n",
        service.service,
        service.version.as_deref().unwrap_or("unknown version"),
        since.split('.').next().unwrap_or(since),
        ""
    )
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

fn of_history(host: &HostHistory) -> String {
    format!("{}\n", host.host) + &host.releases.iter().map(of_record).collect::<String>()
}

fn of_record(record: &Record) -> String {
    let outcome = match record.outcome {
        history::Outcome::Released => "released",
        history::Outcome::RolledBack => "rolled back",
        history::Outcome::PutBack => "failed, put back",
        history::Outcome::Stuck => "failed, not put back",
    };
    let seconds: f64 = record.seconds.values().sum();
    let reason: String = record.reason.lines().map(|line| format!("\n{:24}{line}", "")).collect();
    format!("  {}  {:<16} {outcome} in {seconds:.1} s by {}{reason}\n", record.at, record.version, record.by)
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
            service.digest.as_deref().unwrap_or("no digest")
        );
    }
    if !host.drained.is_empty() {
        text += &format!("    drained: {}\n", host.drained);
    }
    let seconds = host.steps.iter().filter_map(|step| Some(format!("{step} {:.2}", host.seconds.get(step)?)));
    text + &format!("    seconds: {}\n", seconds.collect::<Vec<_>>().join(", "))
}
