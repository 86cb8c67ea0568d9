//! What files mean, and the one message that each bad file gets.
#![allow(clippy::unwrap_used)]
use super::*;
use std::path::PathBuf;
use std::time::Duration;

const THREE: &str = "image: devrank/backend-api\nhost: deploy@203.0.113.10\ndirectory: /home/deploy/app/backend\n";

fn good(text: &str, environment: Option<&str>) -> Config {
    Config::parse(text, "cutover.yml", environment).unwrap_or_else(|error| panic!("{error}"))
}

/// The message for three good lines and these.
fn bad_after_three(text: &str) -> String {
    bad(&format!("{THREE}{text}\n"))
}

fn bad(text: &str) -> String {
    Config::parse(text, "cutover.yml", None)
        .map_or_else(|error| error.to_string(), |config| format!("good: {config:?}"))
}

#[test]
fn three_lines_are_enough() {
    let config = good(THREE, None);
    let [service] = &config.services[..] else { panic!("{config:?}") };
    assert_eq!(service.name, "backend-api");
    assert_eq!(service.image.as_str(), "devrank/backend-api");
    assert_eq!(service.build.as_ref().map(|b| b.context.clone()), Some(PathBuf::from(".")));
    assert_eq!((&service.slots, &service.upstream, &service.port, service.stop_timeout), (&None, &None, &None, None));
    assert_eq!((&*service.health.path, &service.health.host, service.health.successes), ("/", &None, 2));
    assert_eq!(service.health.timeout, Duration::from_secs(60));
    assert_eq!(service.health.interval, Duration::from_millis(50));
    assert!(service.health.accepts(204) && !service.health.accepts(301));
    assert_eq!(config.hosts[0].address.to_string(), "deploy@203.0.113.10");
    assert_eq!(config.directory, "/home/deploy/app/backend");
    assert_eq!((config.keep, config.drain_timeout, config.lock_wait), (5, Duration::from_secs(60), Duration::ZERO));
    assert_eq!((config.latest, config.when_missing), (Latest::Confirmed, WhenMissing::Skip));
    assert!(config.nginx.keepalive_guard && config.compose_files.is_empty() && config.environment.is_none());
    assert_eq!((config.registry, config.bake, config.env_file, config.parallel), (None, None, None, None));
    assert_eq!((config.ssh, config.hooks), (Ssh::default(), Hooks::default()));
}

#[test]
fn an_image_goes_over_ssh_where_the_file_says_so_or_nobody_could_push_it() {
    let ships = |image: &str, more: &str| {
        let text = format!("image: {image}\nhost: deploy@203.0.113.10\ndirectory: /app\n{more}\n");
        let config = good(&text, None);
        assert!(config.registry.is_none() || !more.contains("none"));
        config.services[0].ship
    };
    assert!(ships("devrank/backend-api", "registry: none"));
    assert!(!ships("devrank/backend-api", ""), "Docker Hub, perhaps with docker's own login");
    assert!(ships("backend-api", ""), "only Docker can push to docker.io/library");
    assert!(!ships("nginx", "build: false"), "one of Docker's own images");
    assert!(!ships("backend-api", "registry: {username: devrank}"));
    assert!(!ships("ghcr.io/backend-api", ""));
}

#[test]
fn every_key_is_read() {
    let text = include_str!("testdata/every-key.yml");
    let config = Config::parse(text, "deploy/cutover.yml", None).unwrap_or_else(|error| panic!("{error}"));
    let expected = include_str!("testdata/every-key.txt");
    let shown = format!("{config:#?}\n").replace(&std::env::home_dir().unwrap().display().to_string(), "HOME");
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        std::fs::write("src/config/testdata/every-key.txt", &shown).unwrap();
        return;
    }
    assert_eq!(shown, expected, "UPDATE_SNAPSHOTS=1 writes the new one");
}

#[test]
fn every_bad_file_gets_one_message_with_its_place() {
    let all = include_str!("testdata/messages.txt");
    let mut shown = String::new();
    for case in all.split("=====\n").filter(|case| !case.is_empty()) {
        let text = case.split("-----\n").next().unwrap_or_default();
        let message = bad(&text.replace("<three>\n", THREE).replace("<tab>", "\t"));
        assert!(!message.contains('\n'), "{message}");
        shown.push_str(&format!("{text}-----\n{message}\n=====\n"));
    }
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        std::fs::write("src/config/testdata/messages.txt", &shown).unwrap();
        return;
    }
    assert_eq!(shown, all, "UPDATE_SNAPSHOTS=1 writes the new ones");
}

#[test]
fn an_environment_lies_over_the_rest_field_by_field() {
    let text = "\
image: devrank/backend-api
hosts: [a, b]
directory: /srv/app
health: {path: /health, timeout: 90s}
build: {context: backend, target: prod, args: {A: 1}}
bake: 60s
environments:
  staging:
    host: c
    health: {timeout: 10s}
    build: {target: dev}
    bake: 0s
  production: {build: false}
";
    let staging = good(text, Some("staging"));
    assert_eq!(staging.environment.as_ref().map(Name::as_str), Some("staging"));
    assert_eq!(staging.hosts.iter().map(HostSettings::label).collect::<Vec<_>>(), ["c"]);
    assert_eq!((&*staging.services[0].health.path, staging.services[0].health.timeout.as_secs()), ("/health", 10));
    let build = staging.services[0].build.clone().unwrap();
    assert_eq!((build.context, build.target.as_deref()), (PathBuf::from("backend"), Some("dev")));
    assert_eq!(build.args, [("A".to_owned(), Some("1".to_owned()))]);
    assert_eq!(staging.bake, None);
    let production = good(text, Some("production"));
    assert_eq!((production.hosts.len(), &production.services[0].build), (2, &None));
    assert_eq!(good(text, None).bake.map(|b| b.duration.as_secs()), Some(60));
}

#[test]
fn an_environment_may_have_single_values_where_the_rest_has_a_whole_env_file() {
    let text = format!(
        "{THREE}env-file: {{path: .env, from-env: ALL}}\nenvironments:\n  staging: {{env-file: {{values: [TOKEN]}}}}\n"
    );
    let content = |environment| good(&text, environment).env_file.map(|file| (file.path, file.content));
    let token: EnvName = "TOKEN".parse().unwrap();
    assert_eq!(content(Some("staging")), Some((".env".to_owned(), EnvContent::Values(vec![(token.clone(), token)]))));
    assert_eq!(content(None), Some((".env".to_owned(), EnvContent::Whole("ALL".parse().unwrap()))));
}

#[test]
fn services_are_laid_over_by_name() {
    let text = "\
host: h
directory: /srv/app
health: {timeout: 90s}
services:
  api: {image: a/api, port: 1, health: {path: /h}}
  web: {image: a/web}
environments:
  staging: {services: {web: {port: 2}, more: {image: a/more}}}
";
    let staging = good(text, Some("staging"));
    let seen: Vec<_> = staging
        .services
        .iter()
        .map(|s| (s.name.as_str(), s.port.as_ref().and_then(|port| port.of("blue")), s.health.timeout.as_secs()))
        .collect();
    assert_eq!(seen, [("api", Some(1), 90), ("web", Some(2), 90), ("more", None, 90)]);
    assert_eq!(staging.services[0].health.path, "/h");
}

#[test]
fn an_unknown_environment_is_named() {
    let with = format!("{THREE}environments:\n  staging: {{keep: 3}}\n  production: {{keep: 9}}\n");
    let ask = |text: &str, name| Config::parse(text, "cutover.yml", Some(name)).unwrap_err().to_string();
    assert_eq!(ask(&with, "producton"), "cutover.yml:4:1: no environment `producton`; did you mean `production`?");
    assert_eq!(ask(&with, "x\n::y"), "cutover.yml:4:1: no environment `x⏎│ ::y`; expected one of staging, production");
    assert_eq!(
        ask(THREE, "staging"),
        "cutover.yml:1:1: no environment `staging`; expected `environments:` with it in this file"
    );
}

#[test]
fn what_an_environment_lacks_is_said_at_the_environment() {
    let text = "image: a/b\nhost: h\nenvironments:\n  staging: {keep: 3}\n";
    let error = Config::parse(text, "cutover.yml", Some("staging")).unwrap_err().to_string();
    assert_eq!(error, "cutover.yml:4:3: no `directory`; expected `directory: /path/on/the/host`");
    let error = bad(text);
    assert_eq!(
        error,
        "cutover.yml:1:1: no `directory`; expected `directory: /path/on/the/host`, or --environment with one of staging"
    );
}

#[test]
fn what_aliases_copy_is_counted() {
    let big = "x".repeat(200_000);
    let many = (0..1000).map(|n| format!("x{n}: *big\n")).collect::<String>();
    let nested = (0..25).map(|n| format!("&a{n} [")).collect::<String>();
    for text in [
        format!("a: &big {big}\n{many}"),
        // keys count, too
        format!("a: &big {{{}: 1}}\n{}", &big[..900], (0..6000).map(|n| format!("x{n}: *big\n")).collect::<String>()),
        // anchors within anchors are kept once each
        format!("a: {nested}{big}{}\n", "]".repeat(25)),
    ] {
        let message = bad(&text);
        assert!(message.contains("too much; expected at most 4194304 bytes"), "{message}");
    }
}

#[test]
fn aliases_bytes_and_endings_of_other_systems_are_read() {
    let text = format!("\u{feff}{}", THREE.replace('\n', "\r\n"));
    assert_eq!(good(&text, None).directory, "/home/deploy/app/backend");
    let text = format!("{THREE}hooks:\n  before-switch: &hook [echo, hi]\n  after-switch: *hook\n");
    let hooks = good(&text, None).hooks;
    assert_eq!(hooks.before_switch, hooks.after_switch);
}

#[test]
fn hostile_files_end_soon_with_one_message() {
    let deep = format!("image: {}", "[".repeat(10_000));
    let laughs = (1..12).map(|n| format!("a{n}: &a{n} [{}]\n", vec![format!("*a{}", n - 1); 10].join(", ")));
    let laughs = format!("a0: &a0 [x]\n{}", laughs.collect::<String>());
    let itself = "image: &a [*a]";
    let keys: String = (0..15_000).map(|n| format!("k{n}: 1\n")).collect();
    // The processor's time: the clock's says as much about what else runs.
    let spent = || rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime).tv_sec;
    for text in [&deep, &laughs, itself, &keys] {
        let begun = spent();
        let message = bad(text);
        assert!(message.starts_with("cutover.yml:") && message.len() < 800, "{message}");
        assert!(spent() - begun < 5);
    }
}

#[test]
fn files_that_are_no_text_are_refused_at_the_byte() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("cutover.yml");
    let load = || Config::load(&path, None).unwrap_err();
    assert_eq!(load().message, "there is no such file; `cutover init` writes it, or --config names another one");
    assert_eq!(load().to_string(), format!("{}: {}", path.display(), load().message));
    std::fs::write(&path, b"image: a/b\nhost: \xc3\xa4\xffx\n").unwrap();
    let error = load();
    assert_eq!(
        (error.line, error.column, &*error.message),
        (2, 8, "the byte 0xff is not UTF-8; expected a UTF-8 text")
    );
    std::fs::write(&path, vec![b'#'; LONGEST + 1]).unwrap();
    assert!(load().message.ends_with("expected at most 1048576"));
    std::fs::write(&path, THREE).unwrap();
    assert_eq!(Config::load(&path, None).unwrap().root, dir.path());
}

#[test]
fn secrets_are_never_part_of_the_file() {
    let text = "ssh:\n  key-env: \"-----BEGIN OPENSSH PRIVATE KEY-----\"";
    assert!(bad_after_three(text).contains("expected the name of an environment variable"));
}

#[test]
fn no_change_to_a_good_file_makes_it_panic() {
    let seed: Vec<char> =
        include_str!("testdata/every-key.yml").chars().chain("\t\r\0\u{feff}&*!|>%@".chars()).collect();
    let mut random = 7_u64;
    let mut next = |below: usize| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(random >> 33).unwrap() % below
    };
    for _ in 0..500 {
        let mut letters = seed.clone();
        for _ in 0..=next(4) {
            let (at, from) = (next(letters.len()), next(seed.len()));
            letters[at] = seed[from];
        }
        letters.truncate(next(seed.len()) + 1);
        let message = bad(&letters.iter().collect::<String>());
        assert!(message.starts_with("good: ") || message.lines().count() == 1, "{message}");
    }
}
