//! Many releases in a row – good ones, bad ones, rollbacks – leave nothing behind.
//!
//! `CUTOVER_SOAK_DEPLOYS` makes it longer; see scripts/soak.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

mod common;

use common::Bench;
use common::watch::until;
use lab::Kind;
use std::fmt::Write as _;
use std::time::Instant;

/// What there is on the host, a line each: name and number. What belongs to a person looking in is left out.
const COUNT: &str = r#"
say() { echo "$1 $(($2))"; }
say containers "$(docker ps -aq | wc -l)"
say images "$(docker images -aq | wc -l)"
say tags "$(docker images -q | wc -l)"
say networks "$(docker network ls -q | wc -l)"
say volumes "$(docker volume ls -q | wc -l)"
say state-files "$(find .cutover ! -name history.jsonl | wc -l)"
say project-files "$(find . -path ./.cutover -prune -o -path ./logs -prune -o -path ./data -prune -o -print | wc -l)"
say temporary-files "$(find /tmp /var/tmp /run/lock -xdev | wc -l)"
say sshd-sessions "$(ps -eo args= | grep -c '^sshd.*deploy')"
say processes "$(ps -eo pid=,comm= | grep -cv -e ' ps$' -e ' grep$' -e ' sh$' -e ' wc$' -e ' bash$' -e ' find$')"
say nginx-workers "$(ps -eo args= | grep -c '^nginx: worker')"
"#;

/// What may grow a little and is looked at by a person: descriptors, and memory in KiB.
const WEIGH: &str = r#"
for name in dockerd containerd; do
  pid=$(pgrep -ox $name) || continue
  echo "$name-descriptors $(ls /proc/$pid/fd | wc -l)"
  echo "$name-KiB $(awk '/^VmRSS/ { print $2 }' /proc/$pid/status)"
done
for name in sshd nginx redis-server containerd-shim; do
  echo "$name-KiB $(ps -eo rss=,args= | awk -v name="$name" 'index($2, name) { n += $1 } END { print n + 0 }')"
done
echo "state-bytes $(du -sb .cutover | cut -f 1)"
echo "history-lines $(wc -l < .cutover/default/history.jsonl)"
"#;

fn numbers(bench: &Bench, script: &str) -> Vec<(String, u64)> {
    let directory = &bench.project.options.directory;
    let printed = bench.instance.root(&format!("cd '{directory}'\n{script}")).unwrap();
    let number = |line: &str| {
        let (name, number) = line.split_once(' ').unwrap();
        (name.to_owned(), number.trim().parse().unwrap())
    };
    printed.lines().map(number).collect()
}

/// The version of the next release; each is another one.
struct Releases<'a> {
    bench: &'a Bench,
    number: usize,
}

impl Releases<'_> {
    fn next(&mut self, settings: &[(&str, &str)], code: i32) {
        self.number += 1;
        let version = format!("v1.{}.0", self.number);
        self.bench.image(&version, settings);
        let mut command = self.bench.command(&["deploy", "--version", &version]);
        common::run(command.env("RELEASED_ENV", format!("OF={version}"))).expect(code);
    }

    /// Six runs that end as they began: with a new version live and the one before it kept.
    fn round(&mut self) {
        self.next(&[], 0);
        self.next(&[("CRASH", "1")], 3);
        self.next(&[], 0);
        self.bench.cutover(&["rollback"]).expect(0);
        self.next(&[], 0);
        self.next(&[], 0);
    }
}

#[test]
fn many_releases_leave_nothing_behind() {
    let deploys = std::env::var("CUTOVER_SOAK_DEPLOYS").map_or(6, |text| text.parse::<usize>().unwrap());
    let mut bench = Bench::reference(Kind::V2);
    bench.config += "keep: 2\nenv-file: {path: .env, from-env: RELEASED_ENV}\n";
    let mut releases = Releases { bench: &bench, number: 0 };
    let began = Instant::now();
    // what is kept is there after the first round
    releases.round();
    let (counted, weighed) = (numbers(&bench, COUNT), numbers(&bench, WEIGH));
    let mut most = weighed.clone();
    for _ in 0..deploys.div_ceil(6) {
        releases.round();
        for (most, (_, now)) in most.iter_mut().zip(numbers(&bench, WEIGH)) {
            most.1 = most.1.max(now);
        }
    }
    let last = numbers(&bench, WEIGH);
    // a session's own processes go a moment after it
    let mut now = Vec::new();
    until("the host is as it was", || {
        now = numbers(&bench, COUNT);
        now == counted
    });
    let mut table = format!("{:<24} {:>10} {:>10} {:>10}\n", "on the host", "at first", "at last", "most");
    for ((name, first), (_, last)) in counted.iter().zip(&now) {
        let _ = writeln!(table, "{name:<24} {first:>10} {last:>10}");
    }
    for (((name, first), (_, last)), (_, most)) in weighed.iter().zip(&last).zip(&most) {
        let _ = writeln!(table, "{name:<24} {first:>10} {last:>10} {most:>10}");
    }
    println!("\n{} runs in {} s\n{table}", deploys.div_ceil(6) * 6, began.elapsed().as_secs());
    for ((name, first), (_, last)) in weighed.iter().zip(&last).filter(|((name, _), _)| name.ends_with("-descriptors"))
    {
        assert!(*last < first + 50, "{name}: {first}, then {last}");
    }
}
