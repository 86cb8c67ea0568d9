//! Where a value comes from.
#![allow(clippy::unwrap_used)]
use super::yaml::{Value, YamlNode};
use super::*;
use std::collections::BTreeMap;

fn explained(text: &str, environment: Option<&str>, variables: &[(&str, &str)]) -> BTreeMap<String, Setting> {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("cutover.yml");
    std::fs::write(&file, text).unwrap();
    let variable = |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| value.to_string());
    let all = Config::explain(&file, environment, &variable).unwrap_or_else(|error| panic!("{error}"));
    let count = all.len();
    let by_key: BTreeMap<String, Setting> = all.into_iter().map(|one| (one.key.clone(), one)).collect();
    assert_eq!(by_key.len(), count, "a key is there twice");
    by_key
}

/// Every key that has a value of its own, and its line.
fn stated(node: &YamlNode, before: &str, to: &mut Vec<(String, usize)>) {
    let Value::Map(entries) = &node.value else { return };
    for (key, below) in entries {
        let path = format!("{before}{}", key.text);
        let whole = ["build.args", "build.secrets"].iter().any(|one| path.ends_with(one));
        match &below.value {
            Value::Map(_) if !whole => stated(below, &format!("{path}."), to),
            _ => to.push((path, key.at.line)),
        }
    }
}

#[test]
fn every_key_that_a_file_states_is_said_with_its_line() {
    let text = include_str!("testdata/every-key.yml");
    let common: String =
        text.lines().take_while(|line| !line.starts_with("environments:")).collect::<Vec<_>>().join("\n");
    let all = explained(&common, None, &[]);
    let mut keys = Vec::new();
    stated(&yaml::read(&common).unwrap().unwrap(), "", &mut keys);
    assert!(keys.len() > 50, "{keys:?}");
    for (key, line) in keys {
        let short = [key.clone(), format!("{key}.path"), format!("{key}.command")];
        // a time at the top holds for the services that have none of their own
        let of = if key == "stop-timeout" { "services.frontend.stop-timeout".to_owned() } else { key.clone() };
        let found = short.iter().chain([&of]).find_map(|key| all.get(key));
        assert_eq!(found.map(|one| &one.origin), Some(&Origin::File(line)), "{key}");
    }
}

#[test]
fn an_environment_a_variable_a_default_and_the_hosts_are_told_apart() {
    let text = "image: devrank/api\nhost: deploy@a\ndirectory: /srv\nkeep: 3\nhealth: {timeout: 9s}\n\
                environments:\n  staging:\n    hosts: [deploy@b, deploy@c]\n    health: /up\n";
    let given = [("CUTOVER_SSH_KEY", "a-secret"), ("CUTOVER_REGISTRY_USERNAME", "me")];
    let all = explained(text, Some("staging"), &given);
    let is = |key: &str, value: serde_json::Value, origin: Origin| {
        let one = all.get(key).unwrap_or_else(|| panic!("{key}: {all:#?}"));
        assert_eq!((&one.value, &one.origin), (&value, &origin), "{key}");
    };
    is("hosts", serde_json::json!(["deploy@b", "deploy@c"]), Origin::File(8));
    is("health.path", "/up".into(), Origin::File(9));
    is("health.timeout", "9s".into(), Origin::File(5));
    is("health.interval", "50ms".into(), Origin::Default);
    is("keep", 3.into(), Origin::File(4));
    is("slots", serde_json::Value::Null, Origin::Found);
    is("registry.username", "me".into(), Origin::Variable("CUTOVER_REGISTRY_USERNAME".to_owned()));
    is("ssh.key-env", "CUTOVER_SSH_KEY".into(), Origin::Default);
    assert_eq!((all["ssh.key-env"].set, all["registry.password-env"].set), (Some(true), Some(false)));
    assert!(!format!("{all:?}").contains("a-secret"));
}
