//! Root in nginx's container can write the mounted directory. That must not make it the user that cutover logs in as, nor
//! hang a release.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

mod common;

use common::fault::{Moment, Running};
use common::{Bench, run};
use lab::{Kind, Options};
use std::process::Command;

const KEYS: &str = "/home/deploy/.ssh/authorized_keys";

/// A key that may log in, as users have them.
fn with_keys(bench: Bench) -> Bench {
    bench.instance.ok("mkdir -pm 700 .ssh; cp /lab/authorized_keys .ssh; chmod 600 .ssh/authorized_keys").unwrap();
    bench
}

/// What may have been there to be overwritten, or made accessible to others.
fn keys(bench: &Bench) -> String {
    bench.instance.root(&format!("stat -c '%a %U %s %Y' {KEYS}; sha256sum {KEYS}")).unwrap()
}

/// Runs a script as root in nginx's container, in the mounted directory; with `&` it goes on.
fn inside(bench: &Bench, script: &str) -> String {
    bench.instance.root(&format!("docker exec nginx sh -c 'cd /etc/nginx/conf.d; {script}'")).unwrap()
}

#[test]
fn links_that_a_container_plants_lead_nowhere() {
    let mut bench = with_keys(Bench::reference(Kind::V2));
    bench.config += "env-file: {path: .env, values: {RELEASED: RELEASED_ENV}}\n";
    let deploy = |version: &str| {
        bench.image(version, &[]);
        run(bench.command(&["deploy", "--version", version]).env("RELEASED_ENV", version))
    };
    let before = keys(&bench);

    // every name that can be foreseen, and a directory and a queue among them
    let foreseen = ".default.conf.cutover-next cutover-keepalive.conf.cutover-next default.conf.next \
                    .cutover-next .cutover-next-1";
    inside(
        &bench,
        &format!("for name in {foreseen}; do ln -s {KEYS} $name; done; mkfifo .queue; mkdir .cutover-next-2"),
    );
    bench.project.ok(&format!("ln -s {KEYS} .env.cutover-next")).unwrap();
    deploy("v1.1.0").expect(0);
    assert_eq!(keys(&bench), before);
    let guard = bench.project.ok("stat -c '%F %a' nginx/cutover-keepalive.conf nginx/default.conf .env").unwrap();
    assert_eq!(guard, "regular file 644\nregular file 644\nregular file 600");

    // one that watches, and swaps whatever appears for a link
    let watching = format!(
        "while [ ! -e .enough ]; do for name in .cutover-next-*; do [ ! -f $name ] || ln -sfT {KEYS} $name; done; done"
    );
    bench.instance.root(&format!("docker exec -d nginx sh -c 'cd /etc/nginx/conf.d; {watching}'")).unwrap();
    for version in ["v1.2.0", "v1.3.0"] {
        deploy(version);
        assert_eq!(keys(&bench), before);
    }
    inside(&bench, "touch .enough");
}

#[test]
fn a_link_or_a_queue_in_the_place_of_a_file_is_refused_with_words() {
    let mut bench = with_keys(Bench::reference(Kind::V2));
    let before = keys(&bench);
    bench.image("v1.1.0", &[("START_DELAY_MS", "1500")]);
    // swapped while the release is under way
    for swap in ["ln -s KEYS default.conf", "mkfifo default.conf"] {
        inside(&bench, "cp -p default.conf /tmp/kept");
        let mut running = Running::start(&bench, &["deploy", "--version", "v1.1.0", "--json"]);
        if !running.until("health", Moment::Before) {
            panic!("{swap}: {}", running.end());
        }
        inside(&bench, &format!("rm default.conf; {}", swap.replace("KEYS", KEYS)));
        let ran = running.end().expect(3).says("default.conf is no plain file");
        assert_eq!(keys(&bench), before, "{ran}");
        assert_eq!(bench.project.served_version().as_deref(), Some("v1.0.0"));
        inside(&bench, "rm default.conf; cp -p /tmp/kept default.conf");
    }
    // there before it begins
    bench.project.ok("cd nginx && mv default.conf .real && ln -s .real default.conf").unwrap();
    bench.cutover(&["check"]).expect(3).says("nginx/default.conf is a link");
    bench.cutover(&["deploy", "--version", "v1.1.0"]).expect(3).says("nginx/default.conf is a link");
    bench.project.ok("cd nginx && mv -f .real default.conf").unwrap();

    bench.config += "env-file: {path: .env, values: {RELEASED: RELEASED_ENV}}\n";
    bench.project.ok("mv .env real.env && ln -s real.env .env && cp real.env copy").unwrap();
    let mut deploy = bench.command(&["deploy", "--version", "v1.1.0"]);
    run(deploy.env("RELEASED_ENV", "x")).expect(3).says(".env is a link, which is not followed");
    bench.project.ok("cmp real.env copy && [ -L .env ]").unwrap();
}

#[test]
fn a_file_that_a_power_cut_tore_is_put_back_and_one_that_a_person_wrote_is_not() {
    let bench = Bench::with(Kind::V2, Options { single_file_mount: true, ..Options::default() });
    bench.image("v1.1.0", &[]);
    let conf = bench.project.conf().unwrap();
    let torn = "head -c 40 .cutover/default/conf.next";
    let zeros = "head -c 200 /dev/zero";
    for (wrote, ours) in [(torn, true), (zeros, true), ("printf ''", true), ("echo '# mine'", false)] {
        let mut running = Running::start(&bench, &["deploy", "--version", "v1.1.0", "--json"]);
        assert!(running.until("route", Moment::After));
        running.signal("-KILL");
        running.end();
        // as the power cut left it: what was to be written is on the disk, and the file has a part of it
        bench
            .project
            .ok(&format!("cp nginx/default.conf .cutover/default/conf.next; {wrote} > nginx/default.conf"))
            .unwrap();
        if ours {
            bench.cutover(&["check"]).expect(3).says("a run ended half-way").says("`cutover recover` puts it right");
            bench.cutover(&["recover"]).expect(0).says("was half written");
        } else {
            bench.cutover(&["recover"]).expect(3).never_says("was half written");
            assert_eq!(bench.project.conf().unwrap(), "# mine\n");
            bench.project.ok("cat .cutover/default/conf.before > nginx/default.conf").unwrap();
            bench.cutover(&["recover"]).expect(0);
        }
        assert_eq!(bench.project.conf().unwrap(), conf, "{wrote}");
        assert_eq!(bench.project.served_version().as_deref(), Some("v1.0.0"), "{wrote}");
        assert_eq!(bench.project.ok("find .cutover -name 'conf.*'").unwrap(), "", "{wrote}");
    }
}

/// The part of every swap's script that writes, with the shells that are here.
#[test]
fn files_are_written_whole_and_through_nothing_that_is_there_already() {
    let dir = tempfile::tempdir().unwrap();
    let script = concat!(
        include_str!("../src/host/alone.sh"),
        include_str!("../src/host/fence.sh"),
        include_str!("../src/host/say.sh"),
        include_str!("../src/host/core.sh"),
        include_str!("../src/router/nginx.sh"),
        r#"
set -e
mkdir "$state/../conf" && cd "$state/../conf"
echo secret > ../target; chmod 600 ../target
same() { [ "$(cat ../target)" = secret ] && [ "$(stat -c %a ../target)" = 600 ] || fail "$1: the target was touched"; }
no() { if "$@"; then fail "done although it must not be: $*"; fi; same "$*"; }
here=$PWD
echo old > f; chmod 640 f; echo new > "$state/n"
ln -s ../target link; mkfifo queue; mkdir dir
no replace "$here/link" "$state/n" rename
no replace "$here/link" "$state/n" in-place
no replace "$here/queue" "$state/n" in-place
no fetch "$here/link" "$state/fetched"
no fetch "$here/queue" "$state/fetched"
no digest_of "$here/queue"
no new_file "$state/n" "$here/link"
no place "$state/n" "$here/dir"
[ -z "$(ls -A dir)" ] || fail "it went into the directory"
before=$(stat -c %i f)
replace "$here/f" "$state/n" in-place
[ "$(cat f) $(stat -c '%a %i' f)" = "new 640 $before" ] || fail "in place: $(stat f)"
echo newer > "$state/n"
replace "$here/f" "$state/n" rename
[ "$(cat f) $(stat -c %a f)" = "newer 640" ] && [ "$(stat -c %i f)" != "$before" ] || fail "renamed: $(stat f)"
chmod 604 "$state/n"; new_file "$state/n" "$here/fresh"
[ "$(cat fresh) $(stat -c %a fresh)" = "newer 604" ] || fail "new: $(stat fresh)"
cp "$state/n" "$state/m"; place "$state/m" "$here/link"
[ "$(cat link)" = newer ] && [ ! -L link ] && [ ! -e "$state/m" ] || fail "the link itself is replaced"
same "at the end"
[ "$(ls -A | tr '\n' ' ')" = "dir f fresh link queue " ] || fail "left: $(ls -A)"
"#
    );
    let mut shells = 0;
    for shell in [&["dash"][..], &["bash", "--posix"], &["busybox", "sh"]] {
        let root = dir.path().join(shell[0]);
        std::fs::create_dir_all(root.join("default")).unwrap();
        std::fs::write(root.join("lock"), "me\n").unwrap();
        let mut command = Command::new(shell[0]);
        command.args(&shell[1..]).args(["-c", script, "cutover"]).arg(root.join("default")).args(["me", "60", "0"]);
        // whatever goes wrong in it, it goes wrong in there
        command.current_dir(&root);
        let Ok(output) = command.output() else { continue };
        shells += 1;
        assert!(output.status.success(), "{shell:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
    assert!(shells > 0, "there is no shell to try");
}
