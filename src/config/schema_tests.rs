//! The committed JSON schema has exactly the keys that the reader knows, at every level.
#![allow(clippy::unwrap_used)]
use super::raw::{Raw, RawHost, RawService, RawSlot};
use super::raw_build::{BuildSettings, RawSecret};
use super::raw_parts::{
    RawBake, RawEnvFile, RawGitHub, RawHealth, RawHooks, RawHostHook, RawLocalHook, RawLock, RawNginx, RawProbe,
    RawRegistry, RawReleaseHook, RawSsh,
};
use serde_json::Value;
use std::collections::BTreeSet;

/// The keys of the map at this place of the schema, which must allow no others.
fn keys(schema: &Value, pointer: &str) -> BTreeSet<String> {
    let map = schema.pointer(pointer).unwrap_or_else(|| panic!("nothing at {pointer}"));
    assert_eq!(map["additionalProperties"], false, "{pointer} allows other keys");
    map["properties"].as_object().unwrap().keys().cloned().collect()
}

#[test]
fn the_schema_has_the_keys_of_the_reader() {
    let schema: Value = serde_json::from_str(include_str!("../../cutover.schema.json")).unwrap();
    let table: [(&str, &[&str]); 24] = [
        ("", Raw::KEYS),
        ("/$defs/service", RawService::KEYS),
        ("/$defs/host/oneOf/1", RawHost::KEYS),
        ("/$defs/slot/oneOf/1", RawSlot::KEYS),
        ("/properties/host/oneOf/1", RawHost::KEYS),
        ("/$defs/health/oneOf/1", RawHealth::KEYS),
        ("/$defs/build/oneOf/2", BuildSettings::KEYS),
        ("/$defs/build/oneOf/2/properties/secrets/oneOf/1/items", RawSecret::KEYS),
        ("/properties/nginx", RawNginx::KEYS),
        ("/properties/nginx/properties/probe/oneOf/1", RawProbe::KEYS),
        ("/properties/registry/oneOf/1", RawRegistry::KEYS),
        ("/properties/ssh", RawSsh::KEYS),
        ("/properties/bake/oneOf/1", RawBake::KEYS),
        ("/properties/lock", RawLock::KEYS),
        ("/properties/hooks", RawHooks::KEYS),
        ("/properties/hooks/properties/release", RawReleaseHook::KEYS),
        ("/properties/hooks/properties/before-switch/oneOf/1", RawHostHook::KEYS),
        ("/properties/hooks/properties/after-switch/oneOf/1", RawHostHook::KEYS),
        ("/properties/hooks/properties/before-build/oneOf/1", RawLocalHook::KEYS),
        ("/properties/hooks/properties/before-release/oneOf/1", RawLocalHook::KEYS),
        ("/properties/hooks/properties/after-release/oneOf/1", RawLocalHook::KEYS),
        ("/properties/hooks/properties/on-failure/oneOf/1", RawLocalHook::KEYS),
        ("/properties/env-file", RawEnvFile::KEYS),
        ("/properties/github", RawGitHub::KEYS),
    ];
    for (pointer, known) in table {
        let known: BTreeSet<String> = known.iter().map(|key| (*key).to_owned()).collect();
        assert_eq!(keys(&schema, pointer), known, "at {pointer:?}");
    }
    let inside: BTreeSet<String> =
        Raw::KEYS.iter().filter(|key| **key != "environments").map(|k| (*k).to_owned()).collect();
    assert_eq!(keys(&schema, "/$defs/environment"), inside);
}
