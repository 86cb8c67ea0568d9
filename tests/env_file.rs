//! The env file: single values, what compose makes of them, and how long earlier files are kept.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

mod common;

use common::{Bench, Ran, run};
use lab::{Kind, Load, Mix};

/// What a secret may look like.
const VALUES: [(&str, &str); 17] = [
    ("PASSWORD", "pa$1wor$D"),
    ("PEM", "-----BEGIN KEY-----\nMIIB+/secretline1==\nMIIB+/secretline2==\n-----END KEY-----\n"),
    ("QUOTES", "it's \"secret\" 'x'"),
    ("DOLLARS", "$$secret ${HOME} ${A:-b} ${ $( `id` $"),
    ("BACKSLASH", "C:\\new\\\\secret\\"),
    ("ESCAPED", "secret\\' \\\" \\$x \\${y} \\n\\\\"),
    ("APOSTROPHE", "'"),
    ("LINES", "secret\r\nof another system\rand an old one\n"),
    ("BLANKS", "  secret \t "),
    ("HASH", "secret #no comment"),
    ("EQUALS", "=secret=="),
    ("LETTERS", "sécrët 版 🔑"),
    ("JSON", "{\"a\": \"b\\n\", 'c': [\"$d\"]}"),
    ("MARKER", "secret\n# cutover: end of values\nKEPT=lost"),
    ("BEGINNING", "secret\n# cutover: values from here on are written at each release\nKEPT=lost"),
    ("SHELL", "; rm -rf / & $(touch /tmp/secret) | > < * ?"),
    ("REPLACED", "new-secret"),
];

const BEFORE: &str = "# a comment\r\nREPLACED=old\nexport OTHER=\"it is\" # kept\n\n  KEPT=kept-as-it-is";

fn with(bench: &Bench, values: &[(&str, &str)], words: &[&str]) -> Ran {
    run(bench.command(words).envs(values.iter().map(|(key, value)| (format!("MY_{key}"), *value))))
}

fn environment(bench: &Bench, container: &str) -> Vec<String> {
    let text = bench.project.ok(&format!("docker inspect -f '{{{{json .Config.Env}}}}' {container}")).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn kept(bench: &Bench) -> String {
    bench.project.ok("ls -A .cutover/default/env | grep -v before").unwrap()
}

fn single_values_arrive_byte_for_byte(kind: Kind) {
    let mut bench = Bench::reference(kind);
    let keys: Vec<String> = VALUES.iter().map(|(key, _)| format!("{key}: MY_{key}")).collect();
    bench.config += &format!("env-file: {{path: .env, values: {{{}}}}}\n", keys.join(", "));
    bench.instance.write(&bench.project.path(".env"), BEFORE).unwrap();
    bench.image("v1.1.0", &[]);
    let deploy = ["deploy", "--version", "v1.1.0", "--json", "-v"];
    // a variable that is not there is no empty secret
    with(&bench, &VALUES[1..], &deploy).expect(2).says("MY_PASSWORD");
    let first = with(&bench, &VALUES, &deploy).expect(0);
    let seen = environment(&bench, "green");
    for (key, value) in VALUES {
        assert!(seen.contains(&format!("{key}={value}")), "{key} is not {value:?} in {seen:?}");
    }
    assert!(seen.contains(&"OTHER=it is".to_owned()) && seen.contains(&"KEPT=kept-as-it-is".to_owned()), "{seen:?}");
    let file = bench.instance.read(&bench.project.path(".env")).unwrap();
    assert!(file.starts_with(&format!("{BEFORE}\n# cutover: ")), "{file}");
    assert_eq!(bench.project.ok("stat -c '%a %U' .env .cutover/default/env/v1.1.0").unwrap(), "600 deploy\n600 deploy");

    // the next release replaces the values and no other line
    bench.image("v1.2.0", &[]);
    let others = VALUES.map(|(key, _)| (key, "another-secret"));
    let second = with(&bench, &others, &["deploy", "--version", "v1.2.0"]).expect(0);
    let replaced = bench.instance.read(&bench.project.path(".env")).unwrap();
    assert!(replaced.starts_with(&format!("{BEFORE}\n# cutover: ")), "{replaced}");
    assert_eq!((replaced.matches("='another-secret'").count(), replaced.matches("# cutover:").count()), (17, 2));

    // a file that was written before such a line was escaped
    let line = "# cutover: values from here on are written at each release";
    bench.project.ok(&format!("cp -p .env whole && sed -i \"s/^APOSTROPHE=.*/X='\\n{line}\\n'/\" .env")).unwrap();
    bench.image("v1.2.1", &[]);
    with(&bench, &others, &["deploy", "--version", "v1.2.1"]).expect(0);
    bench.project.ok("cmp .env whole && rm whole").unwrap();
    bench.cutover(&["rollback"]).expect(0);

    // going back needs none of the secrets
    let third = bench.cutover(&["rollback"]).expect(0);
    assert_eq!(bench.instance.read(&bench.project.path(".env")).unwrap(), file);
    // a line of ours that somebody took away takes nothing else with it
    bench.project.ok("sed -i '/cutover: end/d' .env && cp .env torn").unwrap();
    bench.image("v1.3.0", &[]);
    with(&bench, &VALUES, &["deploy", "--version", "v1.3.0"]).expect(3).says("only one of these lines is there");
    bench.project.ok("cmp .env torn").unwrap();
    for ran in [first, second, third, bench.cutover(&["history", "--json"])] {
        for secret in ["pa$1wor", "secretline", "another-secret", "C:\\new", "touch /tmp"] {
            assert!(!ran.to_string().contains(secret), "{secret} is shown: {ran}");
        }
    }
    let known = bench.project.ok("grep -rlF -e 'pa$1wor$D' -e secretline .cutover || true").unwrap();
    assert_eq!(known, ".cutover/default/env/v1.1.0");
}

lab::on_each_kind!(single_values_arrive_byte_for_byte);

#[test]
fn env_files_are_kept_as_long_as_their_versions_and_survive_a_rollback_that_fails() {
    let mut bench = Bench::reference(Kind::V2);
    bench.config += "keep: 2\nenv-file: {path: .env, from-env: MY_ENV}\n";
    let deploy = |version: &str, settings: &[(&str, &str)]| {
        bench.image(version, settings);
        let content = format!("OF={version}");
        with(&bench, &[("ENV", &content)], &["deploy", "--version", version])
    };
    let file = || bench.instance.read(&bench.project.path(".env")).unwrap();
    deploy("v1.1.0", &[]).expect(0);
    assert_eq!(kept(&bench), "v1.1.0");
    let before = bench.project.ok("cat .cutover/default/env/before").unwrap();
    assert!(before.contains("NODE_ENV"), "the file that was there first is lost: {before}");
    deploy("v1.2.0", &[]).expect(0);
    deploy("v1.3.0", &[]).expect(0);
    deploy("v1.4.0", &[("CRASH", "1")]).expect(3);
    assert_eq!(file(), "OF=v1.3.0");
    deploy("v1.5.0", &[]).expect(0);
    assert_eq!(kept(&bench), "v1.3.0\nv1.5.0");

    bench.instance.write(&bench.project.path("nginx/broken.conf"), "this is no directive\n").unwrap();
    bench.cutover(&["rollback"]).expect(3);
    bench.project.ok("rm nginx/broken.conf").unwrap();
    assert_eq!((file(), kept(&bench)), ("OF=v1.5.0".to_owned(), "v1.3.0\nv1.5.0".to_owned()));
    bench.cutover(&["rollback"]).expect(0);
    assert_eq!((file(), kept(&bench)), ("OF=v1.3.0".to_owned(), "v1.3.0\nv1.5.0".to_owned()));
}

#[test]
fn a_secret_that_changed_under_a_live_version_is_named_and_goes_live_when_it_is_asked_for() {
    let mut bench = Bench::reference(Kind::V2);
    bench.config += "env-file: {path: .env, values: {PASSWORD: MY_PASSWORD, TOKEN: MY_TOKEN}}\n";
    let old = [("PASSWORD", "old-secret"), ("TOKEN", "same-token")];
    let new = [("PASSWORD", "new-secret"), ("TOKEN", "same-token")];
    let deploy = ["deploy", "--version", "v1.1.0"];
    bench.image("v1.1.0", &[]);
    with(&bench, &old, &deploy).expect(0);
    with(&bench, &old, &deploy).expect(0).says("already live").never_says("--again");
    let load = Load::start(&bench.project.url(), Mix::quick(60.0)).unwrap();

    let said = with(&bench, &new, &deploy).expect(0).says("already live, and was not released again");
    let said = said.says("PASSWORD differ").says("`cutover deploy --version v1.1.0 --again`");
    said.never_says("TOKEN").never_says("new-secret").never_says("old-secret");
    let in_ci = run(bench
        .command(&deploy)
        .envs(new.map(|(key, value)| (format!("MY_{key}"), value)))
        .env("GITHUB_ACTIONS", "true"));
    in_ci.expect(0).says("::warning").says("PASSWORD differ").says("`args: --again`");
    let data = with(&bench, &new, &["deploy", "--version", "v1.1.0", "--json"]).expect(0).result();
    assert_eq!(data["differing"], serde_json::json!(["PASSWORD"]));
    // so is another image of the version
    let digest = bench.image("v1.2.0", &[]).digest;
    with(&bench, &old, &[&deploy[..], &["--digest", &digest]].concat())
        .expect(0)
        .says("the image of backend-api differ");
    assert!(environment(&bench, "green").contains(&"PASSWORD=old-secret".to_owned()));

    with(&bench, &new, &[&deploy[..], &["--again"]].concat()).expect(0).says("green → blue").says("v1.1.0 is live");
    assert!(environment(&bench, "blue").contains(&"PASSWORD=new-secret".to_owned()));
    with(&bench, &new, &deploy).expect(0).says("already live").never_says("--again");
    // a release takes what the registry has of this version, and builds nothing
    let tree = bench.work_tree("v1.1.0", "Release v1.1.0");
    let mut release = bench.command(&["release", "--again"]);
    release.current_dir(tree.path()).envs(old.map(|(key, value)| (format!("MY_{key}"), value)));
    run(&mut release).expect(0).says("blue → green").never_says("Push");
    assert!(environment(&bench, "green").contains(&"PASSWORD=old-secret".to_owned()));
    let report = load.stop_blocking().unwrap();
    assert_eq!(report.failed, report.failures("reset-idle"), "{report}");
    assert_eq!(bench.project.served_version().as_deref(), Some("v1.1.0"));
}

#[test]
fn a_secret_that_the_new_version_prints_is_neither_shown_nor_kept() {
    let mut bench = Bench::reference(Kind::V2);
    bench.config += "health: {timeout: 5s}\nenv-file: {path: .env, values: {LOG: MY_LOG}}\n";
    bench.image("v1.1.0", &[("CRASH", "1")]);
    let logged = [("LOG", "hunter2-was-here")];
    let failed = with(&bench, &logged, &["deploy", "--version", "v1.1.0", "--json"]).expect(3).says("***");
    let plain = with(&bench, &logged, &["deploy", "--version", "v1.1.0"]).expect(3).says("***");
    // whoever reads the history does not know what to hide
    let history = bench.cutover(&["history", "--json"]).expect(0);
    let status = bench.cutover(&["status", "--json"]).expect(0);
    for ran in [failed, plain, history, status] {
        ran.never_says("hunter2");
    }
    assert_eq!(bench.project.ok("grep -rl hunter2 .cutover || true").unwrap(), "");
}
