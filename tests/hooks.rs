//! Commands around the switch, the env file, and several environments on one host.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

mod common;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use common::fault::{Moment, Running, assert_clean};
use common::{Bench, Ran, run};
use lab::{Kind, Options, Project};

const PASSWORD: &str = "pa$1wor$D \\ \"x\"";
const ENV: &str = "NODE_ENV=production\nPASSWORD='pa$1wor$D \\ \"x\"'\nPEM=\"-----BEGIN KEY-----\nMIIB+/secretline1==\n\
                   MIIB+/secretline2==\n-----END KEY-----\"\nLAST=no-newline-at-the-end";

fn with_env(bench: &Bench, content: &str, words: &[&str]) -> Ran {
    run(bench.command(words).env("PRODUCTION_ENV", content))
}

/// The bytes of the env file on the host, and its mode and owner.
fn env_on_host(bench: &Bench) -> (Vec<u8>, String) {
    let text = bench.project.ok("base64 -w0 .env").unwrap();
    (STANDARD.decode(text).unwrap(), bench.project.ok("stat -c '%a %U' .env").unwrap())
}

#[test]
fn hooks_run_around_the_switch_and_the_env_file_arrives_byte_for_byte_and_unseen() {
    let mut bench = Bench::reference(Kind::V2);
    bench.config += r#"env-file: {path: .env, from-env: PRODUCTION_ENV}
hooks:
  release:
    command: [node, -e, "console.log('in', require('./settings.json').VERSION, process.env.PASSWORD, process.env.PEM); require('fs').appendFileSync('/logs/ran', 'ran\\n')"]
  before-switch: [sh, -c, "echo before $CUTOVER_VERSION $(docker inspect -f '{{.State.Running}}' green) >> hooks.log"]
  after-switch: [sh, -c, "echo after $CUTOVER_VERSION; echo after >> hooks.log; exit 3"]
"#;
    // whoever looks at the processes of the host sees no secret
    bench.instance.root("printf '%s\\n' 'pa$1wor$D' secretline > /run/secrets").unwrap();
    let watch = "(while :; do grep -laF -f /run/secrets /proc/[0-9]*/cmdline >> /run/seen 2>/dev/null; sleep 0.01; done) \
                 >/dev/null 2>&1 & echo $! > /run/watch";
    bench.instance.root(watch).unwrap();
    bench.image("v1.1.0", &[]);
    let ran = with_env(&bench, ENV, &["deploy", "--version", "v1.1.0", "--json"]).expect(0);
    bench.instance.root("kill $(cat /run/watch)").unwrap();
    assert_eq!(bench.instance.root("cat /run/seen 2>/dev/null || true").unwrap(), "", "a secret in argv");

    assert_eq!(env_on_host(&bench), (ENV.as_bytes().to_vec(), "600 deploy".to_owned()));
    let env = bench.project.ok("docker inspect -f '{{json .Config.Env}}' green").unwrap();
    let env: Vec<String> = serde_json::from_str(&env).unwrap();
    assert!(env.contains(&format!("PASSWORD={PASSWORD}")), "{env:?}");
    assert_eq!(bench.project.ok("cat logs/nest/ran").unwrap(), "ran", "once");
    assert_eq!(bench.project.ok("cat hooks.log").unwrap(), "before v1.1.0 true\nafter");
    let output: Vec<_> = ran.events().into_iter().filter(|event| event["event"] == "output").collect();
    let said = output.iter().any(|event| event["source"] == "hook" && event["text"].to_string().contains("in v1.1.0"));
    assert!(said && output.iter().any(|event| event["source"] == "after-switch"), "{output:?}");
    let ran = ran.says("it ended with 3");
    let kept = bench.project.ok("grep -rlF -e 'pa$1wor$D' -e secretline .cutover || true").unwrap();
    assert_eq!(kept, ".cutover/default/env/v1.1.0");
    assert_eq!(bench.project.ok("stat -c %a .cutover/default/env/v1.1.0").unwrap(), "600");
    let history = bench.cutover(&["history", "--json"]);

    // a failure puts the file back; a rollback brings the version's own
    bench.image("v1.2.0", &[("CRASH", "1")]);
    let failed = with_env(&bench, "OTHER=failing-secret\n", &["deploy", "--version", "v1.2.0"]).expect(3);
    assert_eq!(env_on_host(&bench).0, ENV.as_bytes());
    bench.image("v1.3.0", &[]);
    let third = with_env(&bench, "OTHER=another-secret\n", &["deploy", "--version", "v1.3.0"]).expect(0);
    assert_eq!(env_on_host(&bench).0, b"OTHER=another-secret\n");
    let back = with_env(&bench, "OTHER=another-secret\n", &["rollback"]).expect(0);
    assert_eq!(env_on_host(&bench).0, ENV.as_bytes());
    for ran in [ran, history, failed, third, back] {
        for secret in ["pa$1wor", "secretline", "failing-secret", "another-secret"] {
            assert!(!ran.to_string().contains(secret), "{secret} is shown: {ran}");
        }
    }
}

#[test]
fn a_hook_that_fails_or_takes_too_long_is_put_back() {
    let bench = Bench::reference(Kind::V2);
    let conf = bench.project.conf().unwrap();
    bench.image("v1.1.0", &[]);
    let hooks = [
        ("release: {command: [node, -e, 'setTimeout(() => 0, 60000)'], timeout: 1s}", "no end after 1 s"),
        (
            "release: {command: [node, -e, 'console.log(\"::error::no\\u001b[31m such table\"); process.exit(4)']}",
            "it ended with 4",
        ),
        ("before-switch: [sh, -c, 'exit 3']", "it ended with 3"),
        ("before-switch: {command: [sleep, '60'], timeout: 1s}", "no end after 1 s"),
        ("release: {command: [no-such-program]}", "no-such-program"),
    ];
    for (hook, says) in hooks {
        let config = format!("{}hooks: {{{hook}}}\n", bench.config);
        std::fs::write(bench.dir.path().join("hooks.yml"), config).unwrap();
        let ran = bench.cutover(&["--config", "hooks.yml", "deploy", "--version", "v1.1.0"]).expect(3).says(says);
        let inert = |text: &str| !text.contains('\u{1b}') && !text.lines().any(|line| line.trim().starts_with("::"));
        assert!(inert(&ran.stdout) && inert(&ran.stderr), "{ran}");
        bench.assert_untouched(&conf);
        assert_eq!(bench.project.ok("docker ps -aq --filter name=cutover-hook").unwrap(), "", "{hook}");
    }
}

#[test]
fn after_an_irreversible_hook_nothing_goes_back_by_itself() {
    let mut bench = Bench::reference(Kind::V2);
    bench.config +=
        "bake: {for: 30s, max-failures: 2}\nhooks: {release: {command: [node, -e, '0'], irreversible: true}}\n";
    bench.image("v1.1.0", &[("FAIL_AFTER_MS", "6000")]);
    let deploy = ["deploy", "--version", "v1.1.0"];
    let stuck = || {
        bench.cutover(&deploy).expect(4).says("cutover recover --finish").says("A person must look");
        assert!(bench.instance.is_running("blue").unwrap() && bench.instance.is_running("green").unwrap());
        // the next run asks, too
        bench.cutover(&deploy).expect(4).says("decide");
    };
    stuck();
    bench.cutover(&["recover", "--put-back"]).expect(0);
    assert_eq!(bench.project.served_version().as_deref(), Some("v1.0.0"));
    stuck();
    bench.cutover(&["recover", "--finish"]).expect(0);
    assert!(bench.instance.is_running("green").unwrap() && !bench.instance.is_running("blue").unwrap());
    assert_clean(&bench, "finished");
    // before the switch nobody has seen the new version: it is put back as ever
    bench.image("v1.2.0", &[("CRASH", "1")]);
    bench.cutover(&["deploy", "--version", "v1.2.0"]).expect(3);
}

#[test]
fn environments_on_one_host_never_touch_each_other() {
    let mut bench = Bench::reference(Kind::V2);
    let options = Options { directory: "/home/deploy/staging/shop".to_owned(), ..Options::default() };
    let staging = Project::write(&bench.instance, &bench.repository, options).unwrap();
    // the same services beside each other: other names and ports outside, and a tag of their own
    bench.project.ok(&format!("docker tag {0}:latest {0}:staging", bench.repository)).unwrap();
    staging.ok("sed -i s/:latest/:staging/ docker-compose.yml").unwrap();
    staging
        .ok("sed -i -e '/container_name/d' -e s/80:80/8080:80/ -e s/6379:6379/6380:6379/ docker-compose.yml")
        .unwrap();
    staging.ok("docker-compose up -d redis blue 2>&1 && docker-compose up -d nginx 2>&1").unwrap();
    bench.config = format!(
        "image: {}\nhost: {}\nkeep: 1\nenvironments:\n  production: {{directory: {}}}\n  staging: {{directory: {}}}\n",
        bench.repository,
        bench.instance.destination(),
        bench.project.options.directory,
        staging.options.directory
    );
    bench.image("v1.1.0", &[("START_DELAY_MS", "3000")]);
    bench.image("v1.2.0", &[]);
    bench.image("v1.3.0", &[]);
    let tags = |environment: &str| {
        let list = format!("docker images --format '{{{{.Tag}}}}' | grep cutover-.*-{environment}-v | sort");
        bench.instance.ok(&list).unwrap().lines().map(str::to_owned).collect::<Vec<_>>()
    };
    let deploy =
        |environment, version| bench.cutover(&["--environment", environment, "deploy", "--version", version]).expect(0);
    // one is half-way with its lock held while the other releases
    let words = ["--environment", "production", "deploy", "--version", "v1.1.0", "--json"];
    let mut first = Running::start(&bench, &words);
    assert!(first.until("health", Moment::Before));
    deploy("staging", "v1.2.0");
    first.end().expect(0);
    assert_eq!(bench.project.served_version().as_deref(), Some("v1.1.0"));
    let kept = tags("production");
    assert_eq!(kept.len(), 1, "{kept:?}");
    deploy("staging", "v1.3.0");
    assert_eq!(tags("production"), kept, "pruning the other environment");
    // with keep: 1 the live one and the container that was kept
    assert_eq!(tags("staging").len(), 2);
    let versions = |environment| {
        let history = bench.cutover(&["--environment", environment, "history", "--json"]).expect(0).result();
        let all = history["hosts"][0]["releases"].as_array().unwrap().clone();
        all.iter().map(|each| each["version"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(versions("production"), ["v1.1.0"]);
    assert_eq!(versions("staging"), ["v1.2.0", "v1.3.0"]);
    bench.cutover(&["--environment", "staging", "rollback"]).expect(0).says("v1.2.0 is live");
    assert_eq!(bench.project.served_version().as_deref(), Some("v1.1.0"));
}
