#![allow(clippy::unwrap_used)]
use super::*;

#[test]
fn a_version_is_a_text_in_json() {
    let version = Version::parse("1.2.3+b").unwrap();
    assert_eq!(serde_json::to_string(&version).unwrap(), "\"v1.2.3+b\"");
    assert_eq!(serde_json::from_str::<Version>("\"v1.2.3+b\"").unwrap(), version);
    assert!(serde_json::from_str::<Version>("\"v1.2\"").is_err());
}

#[test]
fn tags_hold_the_whole_version() {
    let version = Version::parse("v1.2.3-rc.1+b.5").unwrap();
    assert_eq!(version.tag(), "v1.2.3-rc.1_b.5");
    assert_eq!(Version::from_tag("v1.2.3-rc.1_b.5"), Some(version));
    for other in ["latest", "1.2.3", "v1.2.3+b", "v1.2", "v1.2.3_a_b", ""] {
        assert_eq!(Version::from_tag(other), None, "{other}");
    }
    assert!(Version::parse(&format!("1.2.3-{}", "a".repeat(121))).is_ok());
    assert!(Version::parse(&format!("1.2.3-{}", "a".repeat(122))).is_err());
}

#[test]
fn versions_stand_in_semver_order() {
    let table = [
        ("v1.2.3", "v1.2.3", Compared::Same),
        ("v1.10.0", "v1.9.0", Compared::Newer),
        ("v1.0.0-rc.1", "v1.0.0", Compared::Older),
        ("v1.0.0+2", "v1.0.0+1", Compared::Newer),
        ("v1.0.0+1", "v1.0.0+2", Compared::Newer),
    ];
    for (a, b, expected) in table {
        assert_eq!(Version::parse(a).unwrap().compared_to(&Version::parse(b).unwrap()), expected, "{a} {b}");
    }
    let jumps = |new: &str, live: &str| Version::parse(new).unwrap().jumps_from(&Version::parse(live).unwrap());
    assert!(jumps("v20.11.1", "v1.0.2") && jumps("v2.0.0", "v0.9.0") && !jumps("v2.0.0", "v1.9.9"));
    assert!(!jumps("v1.2.3", "v2.0.0") && !jumps("v1.99.0", "v1.0.0"));
    assert!(!Version::parse("v1.0.0-rc.1").unwrap().moves_latest());
    assert!(Version::parse("v1.0.0+5").unwrap().moves_latest());
}
