//! What people and other projects on the host have to do with a service: slots that somebody started, and references that
//! are not this project's alone.

use super::findings::Findings;
use crate::host::container::{Container, same_reference};
use crate::see::seen::{Observation, ServiceSeen, SlotSeen};

impl ServiceSeen {
    /// The slot that runs although the other one serves.
    pub fn also_running(&self) -> Option<&SlotSeen> {
        let other = &self.slots[1 - self.live.slot()?];
        other.container.as_ref().is_some_and(Container::is_running).then_some(other)
    }
}

/// Says what was found.
pub(crate) fn judge(seen: &Observation, containers: &[Container], findings: &mut Findings) {
    for service in &seen.services {
        if seen.journal.is_none() {
            of_both(service, findings);
        }
        let [one, two] = &service.slots;
        of_reference(seen, one, containers, findings);
        if !same_reference(&one.reference, &two.reference) {
            of_reference(seen, two, containers, findings);
        }
    }
}

/// A `docker compose up` by hand starts the stopped slot as well.
fn of_both(service: &ServiceSeen, findings: &mut Findings) {
    let Some((other, live)) = service.also_running().zip(service.live.slot()).filter(|_| !service.stays) else {
        return;
    };
    let live = &service.slots[live].service;
    let what = format!("both slots run: {live} serves, and {} does whatever it does without requests", other.service);
    let todo = format!("the next release replaces it; until then: docker compose stop {}", other.service);
    findings.advise(format!("slot {}", other.service), what, todo);
}

/// A release makes the slot's reference name another image, on the whole host.
fn of_reference(seen: &Observation, slot: &SlotSeen, containers: &[Container], findings: &mut Findings) {
    let about = format!("slot {}", slot.service);
    if let Some(tag) = tag(&slot.reference).filter(|tag| is_fixed(tag)) {
        let name = &slot.reference[..slot.reference.len() - tag.len() - 1];
        let what = format!(
            "its image is {}, and a release would have to make {tag}, which is the name of one image, mean another one on \
             this host",
            slot.reference
        );
        let todo = format!("write `image: {name}:latest` (or another tag that is no version) in the compose file");
        findings.refuse(&about, what, todo);
    }
    let slots = || seen.services.iter().flat_map(|service| &service.slots);
    let is_ours =
        |project: &str| project == seen.scope.project || slots().any(|slot| slot.within.scope.project == project);
    let others = containers.iter().filter(|container| {
        let project = container.label("com.docker.compose.project");
        !is_ours(project) && same_reference(&container.config.image, &slot.reference)
    });
    let mut others: Vec<String> = others
        .map(|container| {
            let directory = container.label("com.docker.compose.project.working_dir");
            let place = if directory.is_empty() { String::new() } else { format!(" in {directory}") };
            format!(
                "{} ({}{place})",
                container.name.trim_start_matches('/'),
                container.label("com.docker.compose.project")
            )
        })
        .collect();
    others.sort_unstable();
    if !others.is_empty() {
        let what = format!(
            "its image {} is also that of {}, of another compose project: a release here would change what `docker compose \
             up` starts there",
            slot.reference,
            others.join(", ")
        );
        let todo = format!(
            "give one of the projects a tag of its own: docker tag {} {}, and the same in its compose file",
            slot.reference,
            of_its_own(&slot.reference, &seen.scope.project)
        );
        findings.refuse(about, what, todo);
    }
}

fn of_its_own(reference: &str, project: &str) -> String {
    let name = tag(reference).map_or(reference, |tag| &reference[..reference.len() - tag.len() - 1]);
    format!("{name}:{project}")
}

/// The tag of a reference, as it is written.
fn tag(reference: &str) -> Option<&str> {
    let last = reference.rsplit('/').next()?;
    if last.contains('@') { None } else { last.split_once(':').map(|(_, tag)| tag) }
}

/// A tag that is the name of one image for good: a version (also half of one, a build's number, a date), or a commit.
fn is_fixed(tag: &str) -> bool {
    let number = tag.strip_prefix(['v', 'V']).unwrap_or(tag);
    let (digits, rest) = number.split_at(number.bytes().take_while(u8::is_ascii_digit).count());
    let version = !digits.is_empty() && (rest.is_empty() || rest.starts_with(['.', '-', '_', '+']));
    let hash = tag.strip_prefix("sha-").unwrap_or(tag);
    let digit = hash.bytes().any(|byte| byte.is_ascii_digit());
    let commit = (7..=64).contains(&hash.len()) && digit && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
    version || commit
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_that_name_one_image_for_good_are_told_from_those_that_move() {
        for fixed in ["v1.0.0", "1.2.3-rc.1", "v1", "1.2", "1.2.3_7", "20241125", "2024-11-25", "build-7"] {
            assert_eq!(is_fixed(fixed), fixed != "build-7", "{fixed}");
        }
        for commit in ["sha-1a2b3c4", "0fe81b7c2d4f8a90", "e86644a"] {
            assert!(is_fixed(commit), "{commit}");
        }
        for moves in ["latest", "production", "main", "staging-2", "live", "vnext", "deadbeef", "7zip"] {
            assert!(!is_fixed(moves), "{moves}");
        }
    }

    #[test]
    fn a_tag_is_none_of_the_registrys_port() {
        assert_eq!(tag("127.0.0.1:5000/a/b"), None);
        assert_eq!(tag("127.0.0.1:5000/a/b:v1.0.0"), Some("v1.0.0"));
        assert_eq!(tag("a/b:latest@sha256:1"), None);
        assert_eq!(of_its_own("host:1/a:latest", "shop"), "host:1/a:shop");
    }
}
