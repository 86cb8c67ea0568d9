//! Journals of earlier versions, whose runs died half-way.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

mod common;

use common::Bench;
use common::fault::{Moment, Running};
use cutover::swap::journal::Journal;
use lab::Kind;
use serde_json::{Map, Value};

/// The journal of a real run, killed while its command after the switch ran, before journals named their format.
const BEFORE: &str = include_str!("journal/before-formats.jsonl");

#[test]
fn a_journal_of_before_there_were_formats_is_read() {
    let journal = Journal::read(BEFORE);
    let plan = journal.plan.as_ref().expect("a plan");
    assert_eq!((plan.format, plan.version.as_str(), journal.newer), (0, "v1.1.0", None));
    let service = &plan.services[0];
    assert_eq!((service.to.slot.as_str(), service.from.as_ref().unwrap().slot.as_str()), ("blue", "green"));
    assert_eq!(service.tags.len(), 3);
    let names: Vec<&str> = journal.begun.iter().map(|step| step.name()).collect();
    assert_eq!(names, ["env-file", "hook", "start", "route", "after-switch"]);
    assert!(journal.is_confirmed());
}

#[test]
fn what_a_run_of_an_earlier_version_left_is_put_back() {
    let mut bench = Bench::reference(Kind::V2);
    let conf = bench.project.conf().unwrap();
    bench.image("v1.1.0", &[]);
    bench.config += "bake: 60s\n";
    let mut run = Running::start(&bench, &["deploy", "--version", "v1.1.0", "--json"]);
    assert!(run.until("bake", Moment::Before));
    run.signal("-KILL");
    run.end().expect(-1);
    // as the earlier version would have written it: no key that it did not know
    let path = bench.project.path(".cutover/default/journal.jsonl");
    let journal = bench.instance.root(&format!("cat {path}")).unwrap();
    let (first, steps) = journal.split_once('\n').unwrap();
    let known: Value = serde_json::from_str(BEFORE.lines().next().unwrap()).unwrap();
    let mut plan: Value = serde_json::from_str(first).unwrap();
    // it had one file
    plan["conf"] = plan["conf"][0].take();
    let older = as_known(&plan, &known);
    assert!(older.get("format").is_none() && older["services"][0].get("keep_tag").is_none(), "{older}");
    assert!(older["conf"]["before"].is_string() && older["conf"].get("link").is_none(), "{older}");
    // the plan's first key is what the host knows the journal by
    let mut keys = older.as_object().unwrap().clone();
    let id = keys.remove("id").unwrap();
    let rest = Value::Object(keys).to_string();
    let text = format!("{{\"id\":{id},{}\n{steps}", &rest[1..]);
    bench.instance.write(&path, text.as_bytes()).unwrap();
    bench.cutover(&["recover", "--wait", "60s"]).expect(0).says("put back the release");
    bench.assert_untouched(&conf);
}

/// A value without the keys that `known` does not have.
fn as_known(value: &Value, known: &Value) -> Value {
    match (value, known) {
        (Value::Object(map), Value::Object(known)) => {
            let kept = map.iter().filter_map(|(key, value)| Some((key.clone(), as_known(value, known.get(key)?))));
            Value::Object(kept.collect::<Map<_, _>>())
        }
        (Value::Array(list), Value::Array(known)) if !known.is_empty() => {
            Value::Array(list.iter().map(|each| as_known(each, &known[0])).collect())
        }
        _ => value.clone(),
    }
}
