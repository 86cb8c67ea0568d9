//! What a job leaves behind.
#![allow(clippy::unwrap_used)]
use super::*;
use crate::report::StepState;
use crate::report::outcome::{HostReleased, Outcome, ReleaseEnd, ServiceReleased};

fn released() -> JobReport {
    let mut job = JobReport::default();
    let service = |slot: &str| ServiceReleased {
        service: "api".into(),
        slot: slot.into(),
        previous_slot: Some("blue".into()),
        previous_version: Some("v1.1.0".into()),
        digest: Some("sha256:00".into()),
        image: "sha256:11".into(),
        reference: Some("devrank/api:v1.2.0".into()),
    };
    let host = |name: &str, slot: &str| HostReleased {
        host: name.into(),
        services: vec![service(slot)],
        drained: String::new(),
        seconds: [("pull", 1.5)].into(),
        round_trips: 9,
        round_trips_to_live: 7,
        steps: vec!["pull"],
    };
    let hosts = vec![host("web-1", "green"), host("web-2", "blue")];
    let outcome = ReleaseEnd::Released { version: "v1.2.0".into(), live_seconds: 3.0, seconds: 4.0, hosts };
    let events = [
        Event::StepEnd {
            host: "web-1".into(),
            step: "pull".into(),
            state: StepState::Done,
            text: String::new(),
            seconds: 1.5,
        },
        Event::StepEnd {
            host: "web-1".into(),
            step: "bake".into(),
            state: StepState::Done,
            text: "0 of 9 answers failed".into(),
            seconds: 1.0,
        },
        Event::Published { kind: "release", id: "1".into(), url: "https://github.example/r/1".into() },
        Event::Published { kind: "deployment", id: "42".into(), url: String::new() },
    ];
    for (n, event) in events.iter().enumerate() {
        job.record(event, Duration::from_secs(n as u64 + 2));
    }
    let outcome = Outcome::Release(outcome);
    job.ended(outcome.verb(), outcome.facts());
    job
}

#[test]
fn a_release_has_every_output() {
    let mut job = released();
    job.write("done", Duration::from_millis(12_345)).unwrap();
    let outputs = job.outputs();
    let expected = [
        ("version", "v1.2.0"),
        ("image", "devrank/api:v1.2.0"),
        ("digest", "sha256:00"),
        ("slot", "green/blue"),
        ("previous-version", "v1.1.0"),
        ("released", "true"),
        ("outcome", "released"),
        ("release-url", "https://github.example/r/1"),
        ("deployment-id", "42"),
        ("seconds", "12.35"),
    ];
    assert_eq!(outputs, expected.map(|(name, value)| (name, value.to_owned())));
}

#[test]
fn the_summary_shows_what_was_switched_and_when() {
    let mut job = released();
    job.write("done", Duration::from_secs(12)).unwrap();
    job.commit = Some(("0123456789abcdef".to_owned(), "https://github.example/a/b/commit/0123456789abcdef".to_owned()));
    let text = summary::markdown(&job);
    for part in [
        "### ✅ v1.2.0 is live\n\n| Version | `v1.2.0` |\n| --- | --- |\n",
        "| Commit | [0123456](https://github.example/a/b/commit/0123456789abcdef) |\n",
        "| Release | [its page](https://github.example/r/1) |\n",
        "| Digest | `sha256:00` |\n",
        "| web-1 | api | blue (v1.1.0) | green |\n",
        "- web-1: 0 of 9 answers failed\n",
        "```mermaid\ngantt\n",
        "  pull 1.5 s :500, 2000\n",
    ] {
        assert!(text.contains(part), "{part}\n--- in\n{text}");
    }
    assert!(!text.contains("What to do"), "{text}");
}

#[test]
fn a_failure_says_why_and_what_to_do_and_its_text_stays_text() {
    let mut job = JobReport::default();
    let text = "````\n# not a title <img src=x> ::error::".to_owned();
    job.record(&Event::Note { level: Level::Error, host: "web-1".into(), text }, Duration::ZERO);
    let text = "nginx is old".to_owned();
    job.record(&Event::Note { level: Level::Warning, host: String::new(), text }, Duration::ZERO);
    for (step, state) in [("pull", StepState::Done), ("health", StepState::Failed), ("start", StepState::Undone)] {
        let (host, step, text) = ("web-1".to_owned(), step.to_owned(), String::new());
        job.record(&Event::StepEnd { host, step, state, text, seconds: 1.0 }, Duration::from_secs(1));
    }
    job.version = "v1.2.0".to_owned();
    job.release_url = Some("javascript:alert(1)".to_owned());
    job.write("put-back", Duration::ZERO).unwrap();
    let text = summary::markdown(&job);
    // the reason first, then what to do, then all the rest
    let parts = [
        "### ❌ v1.2.0: failed",
        "**What went wrong.**",
        "**What to do.**",
        "nginx is old",
        "| Version | `v1.2.0` |",
        "| web-1 | pull | health | start |",
        "```mermaid",
    ];
    let places: Vec<_> = parts.iter().map(|part| text.find(part).unwrap_or_else(|| panic!("{part}: {text}"))).collect();
    assert!(places.is_sorted(), "{places:?}: {text}");
    assert!(!text.contains("](javascript"), "{text}");
    // nobody has counted requests, or seen what serves
    assert!(!text.contains("lost") && !text.contains("the old version serves"), "{text}");
    assert!(text.contains("`````text\nweb-1: ````\n"), "{text}");
    let outputs = job.outputs();
    assert!(
        outputs.contains(&("released", "false".to_owned())) && outputs.contains(&("outcome", "put-back".to_owned()))
    );
    assert!(outputs.contains(&("version", "v1.2.0".to_owned())), "a failed run keeps its version");
}

#[test]
fn a_refusal_says_that_nothing_was_changed_and_is_no_failure() {
    let mut job = JobReport::default();
    job.write("refused", Duration::ZERO).unwrap();
    let text = summary::markdown(&job);
    assert!(text.contains("refused, and nothing was changed") && !text.contains("failed"), "{text}");
}

#[test]
fn several_services_are_named_in_the_outputs() {
    let mut job = JobReport::default();
    let pairs = |api: &str, web: &str| Pairs(vec![("web".into(), web.into()), ("api".into(), api.into())]);
    let version = crate::release::Version::parse("v1.0.0").unwrap();
    let outcome = Outcome::Push { version, digests: pairs("sha256:1", "sha256:2"), images: pairs("a:1", "b:1") };
    job.ended(outcome.verb(), outcome.facts());
    job.write("done", Duration::ZERO).unwrap();
    let outputs = job.outputs();
    assert!(outputs.contains(&("digest", "api=sha256:1,web=sha256:2".to_owned())), "{outputs:?}");
    assert!(outputs.contains(&("image", "api=a:1,web=b:1".to_owned())), "{outputs:?}");
}

#[test]
fn a_value_cannot_end_its_own_output() {
    let file = file_of(&[("version", "v1\nEOF\nslot=evil".to_owned()), ("slot", "green".to_owned())]);
    let delimiters: Vec<&str> = file.lines().filter_map(|line| line.split_once("<<")).map(|(_, d)| d).collect();
    assert_eq!(delimiters.len(), 2);
    assert!(delimiters[0] != delimiters[1] && file.contains(&format!("slot=evil\n{}\n", delimiters[0])));
}
