#![allow(clippy::unwrap_used)]
use super::*;
use crate::release::grammar::{Shape, read};

fn show(text: &str) -> String {
    match anywhere(text) {
        Ok(Some(version)) => version.to_string(),
        Ok(None) => "none".to_owned(),
        Err(error) => error.to_string(),
    }
}

#[test]
fn a_version_is_found_wherever_it_stands() {
    let table = [
        ("v1.2.3", "v1.2.3"),
        ("Release v1.2.3.", "v1.2.3"),
        ("fix: x (v1.2.3), again `v1.2.3`!", "v1.2.3"),
        ("Merge branch 'release/v1.2.3' into main", "v1.2.3"),
        ("Merge pull request #3 from a/release-v1.2.3\n\nv1.2.3", "v1.2.3"),
        ("**v1.2.3** __v1.2.3__ v1.2.3...", "v1.2.3"),
        ("v1.2.3을 배포한다. 버전v1.2.3", "v1.2.3"),
        ("v1.2.3-rc.1+build.5: x", "v1.2.3-rc.1+build.5"),
        ("v1.2.3 $(touch /tmp/x) `id` \"; rm -rf / #", "v1.2.3"),
        ("v1.2.3%0A::set-output name=x::y", "v1.2.3"),
        ("\u{1b}[31mv1.2.3\u{1b}[0m\r\n", "v1.2.3"),
        ("(v1.2.3)\u{1b}[0m\0", "v1.2.3"),
    ];
    for (text, expected) in table {
        assert_eq!(show(text), expected, "{text:?}");
    }
}

#[test]
fn what_is_no_attempt_is_passed_over() {
    for text in [
        "",
        "use API v2",
        "v2.",
        "v2.x",
        "v2-beta",
        "TLS v1.3 only",
        "v1.2.x",
        "dev1.2.3",
        "1.2.3",
        "env1.2.3",
        "Dév1.2.3",
        "lodash@v4.17.21",
        "https://example.com/compare/v1.0.0...v1.1.0",
        "IPv4.0",
        "v",
        "vv1.2.3",
        "3v1.2.3",
        "1.v1.2.3",
    ] {
        assert_eq!(show(text), "none", "{text:?}");
    }
}

#[test]
fn a_bad_attempt_is_an_error_that_shows_it() {
    for bad in [
        "v01.2.3",
        "v1.2.3.4",
        "V1.2.3",
        "v1.2.3-01",
        "v1.2.3_rc1",
        "v1.2.3abc",
        "v1.2.3-β1",
        "v1.2.3-",
        "v1.2.3+",
        "v1.2.3–rc.1",
        "v1.2.3\u{2011}rc.1",
        "ｖ1.2.3",
        "v１.２.３",
        "v1.2.3-v1.3.0",
        "v99999999999999999999.0.0",
    ] {
        let expected = format!("`{bad}` is not a version; expected vMAJOR.MINOR.PATCH, such as v1.2.3 or v1.2.3-rc.1");
        assert_eq!(show(&format!("Release {bad}, really")), expected);
    }
    let long = format!("v1.2.3-{}", "a".repeat(200));
    assert!(show(&long).len() < 200);
}

#[test]
fn different_versions_are_an_error_that_shows_them() {
    let expected = "different versions: v1.2.3, v1.2.4; expected one, or the same one several times";
    assert_eq!(show("v1.2.3 to v1.2.4, not v1.2.3"), expected);
    assert!(show("v1.0.0+a v1.0.0+b").starts_with("different versions: v1.0.0+a, v1.0.0+b"));
}

#[test]
fn a_message_of_a_megabyte_takes_no_time() {
    let many: String = (0..100_000).map(|n| format!("v1.2.{n} ")).collect();
    let units =
        ["v1.2.3-", "v", "v1.", "vv1.2.3 ", "v1.2.3 ", "\u{1b}[", "@v1.2.3", "x://v1.2.3", "1.2.3\n", "in v1.2.3\n"];
    let repeated = units.map(|unit| unit.repeat((1 << 20) / unit.len()));
    // the processor's time: the clock's says as much about what else runs
    let spent = || rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime).tv_sec;
    for text in repeated.iter().chain([&many]) {
        let begun = spent();
        let _ = anywhere(text);
        let _ = read(text, Shape::Message, &[], None);
        assert!(spent() - begun < 4, "{:?}: {} s", &text[..7], spent() - begun);
    }
}

#[test]
fn no_text_makes_it_panic() {
    let seed = "Release v1.2.3-rc.1+b, V1.2, v01.2.3 (v1.2.3.4) https://x/v1.0.0 \u{1b}[0m v1.2.3을 a@v1.0.0";
    let mut random = 1_u64;
    let mut next = |below: usize| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(random >> 33).unwrap() % below
    };
    for _ in 0..5_000 {
        let mut letters: Vec<char> = seed.chars().collect();
        for _ in 0..8 {
            let (at, from) = (next(letters.len()), next(letters.len()));
            letters[at] = letters[from];
        }
        if let Ok(Some(version)) = anywhere(&letters.iter().collect::<String>()) {
            assert_eq!(Version::from_tag(&version.tag()), Some(version));
        }
    }
}

#[test]
fn a_pattern_of_ones_own_finds_what_its_group_matches() {
    let pattern = Regex::new(r"(?m)^deploy (?P<version>[0-9.]+)").unwrap();
    assert_eq!(by_pattern(&pattern, "x v9.9.9\ndeploy 1.2.3").unwrap(), Some(Version::parse("v1.2.3").unwrap()));
    assert_eq!(by_pattern(&pattern, "v1.2.3").unwrap(), None);
    assert!(matches!(by_pattern(&pattern, "deploy 1.2"), Err(VersionError::Malformed(_))));
    assert!(matches!(by_pattern(&pattern, "deploy 1.2.3\ndeploy 1.2.4"), Err(VersionError::Several(_))));
}
