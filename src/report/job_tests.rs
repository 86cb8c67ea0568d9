//! What a job leaves behind.
#![allow(clippy::unwrap_used)]
use super::*;
use crate::report::StepState;
use serde_json::json;

fn released() -> JobReport {
    let mut job = JobReport::default();
    let service = |slot: &str| {
        json!({"service": "api", "slot": slot, "previous-slot": "blue", "previous-version": "v1.1.0",
               "digest": "sha256:00", "reference": "devrank/api:v1.2.0"})
    };
    let hosts =
        json!([{"host": "web-1", "services": [service("green")]}, {"host": "web-2", "services": [service("blue")]}]);
    let data = json!({"version": "v1.2.0", "outcome": "released", "hosts": hosts});
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
        Event::Result { verb: "release", data, text: String::new() },
        Event::Published { kind: "release", id: "1".into(), url: "https://github.example/r/1".into() },
        Event::Published { kind: "deployment", id: "42".into(), url: String::new() },
    ];
    for (n, event) in events.iter().enumerate() {
        job.record(event, Duration::from_secs(n as u64 + 2));
    }
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
    let text = summary::markdown(&job);
    for part in [
        "### ✅ v1.2.0 is live\n",
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
    job.version = "v1.2.0".to_owned();
    job.write("put-back", Duration::ZERO).unwrap();
    let text = summary::markdown(&job);
    // the reason first, then what to do, then all the rest
    let parts =
        ["### ❌ v1.2.0: failed", "**What went wrong.**", "**What to do.**", "nginx is old", "| Version | `v1.2.0` |"];
    let places: Vec<_> = parts.iter().map(|part| text.find(part).unwrap_or_else(|| panic!("{part}: {text}"))).collect();
    assert!(places.is_sorted(), "{places:?}: {text}");
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
    let data = json!({"version": "v1.0.0", "digests": {"api": "sha256:1", "web": "sha256:2"}, "images": {"api": "a:1", "web": "b:1"}});
    job.record(&Event::Result { verb: "push", data, text: String::new() }, Duration::ZERO);
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
