//! A host that prints for ever takes no more of the runner than one that behaves: little memory, and an end.
#![allow(clippy::print_stdout, missing_docs, clippy::unwrap_used, clippy::expect_used)]

mod common;

use common::{Bench, Ran};
use lab::{Kind, Options, Start};
use std::io::Read as _;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Runs what was asked for, but prints without an end instead of the command that has these words.
const FOREVER: &str = "#!/bin/sh\nread -r words < /run/forever; read -r how < /run/how\ncase \"$SSH_ORIGINAL_COMMAND\" in \
                       *\"$words\"*) case $how in\n  endless) exec tr '\\0' x < /dev/zero ;;\n  lines) exec yes 'a line' ;;\n  \
                       errors) exec tr '\\0' x < /dev/zero >&2 ;;\nesac ;; esac\nexec /bin/sh -c \"$SSH_ORIGINAL_COMMAND\"\n";

/// Words of the commands that a deploy and its undoing run.
const COMMANDS: [&str; 7] = [
    "Holds the lock of this host",
    "What is on the host: engine",
    "configuration as files and as its container",
    "Starts the idle slots on the new image",
    "docker system dial-stdio",
    "Points nginx at other slots",
    "Waits until the workers that are leaving",
];

/// The most that a run may take, in MiB.
const MOST: u64 = 100;

/// The largest resident set of a process, in MiB, read until it ends or has taken too long.
fn watched(command: &mut Command, limit: Duration) -> (Ran, u64) {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let (stdout, stderr) = (reader(child.stdout.take().unwrap()), reader(child.stderr.take().unwrap()));
    let began = Instant::now();
    let mut peak = 0;
    let status = loop {
        peak = peak.max(peak_of(&child));
        if peak > 10 * MOST || began.elapsed() > limit {
            child.kill().unwrap();
        }
        match child.try_wait().unwrap() {
            Some(status) => break status,
            None => std::thread::sleep(Duration::from_millis(5)),
        }
    };
    let ran = Ran { code: status.code().unwrap_or(-1), stdout: stdout.join().unwrap(), stderr: stderr.join().unwrap() };
    (ran, peak)
}

/// What a process prints, the first MiB of it.
fn reader(mut pipe: impl std::io::Read + Send + 'static) -> std::thread::JoinHandle<String> {
    std::thread::spawn(move || {
        let mut kept = Vec::new();
        pipe.by_ref().take(1 << 20).read_to_end(&mut kept).unwrap();
        std::io::copy(&mut pipe, &mut std::io::sink()).unwrap();
        String::from_utf8_lossy(&kept).into_owned()
    })
}

fn peak_of(child: &Child) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap_or_default() / 1024
}

#[test]
fn a_host_that_prints_for_ever_costs_a_run_little_memory_and_no_more_time_than_it_had() {
    let mut start = Start::new(Kind::V2);
    start.sshd = vec!["ForceCommand /usr/local/bin/forever".to_owned()];
    let instance = start.start().unwrap();
    let install = format!(
        "cat > /usr/local/bin/forever <<'END'\n{FOREVER}END\nchmod 755 /usr/local/bin/forever; echo none > /run/how; \
         echo nothing-of-this > /run/forever"
    );
    instance.root(&install).unwrap();
    let mut bench = Bench::on(instance, Options::default());
    bench.config += "drain-timeout: 2s\nhealth: {timeout: 3s}\n";
    let first = bench.image("v1.0.0", &[]);
    bench.project.bring_up(&[&first]).unwrap();
    bench.deploy("v1.1.0", &[]).expect(0);
    bench.image("v1.2.0", &[]);
    let (ran, usual) = watched(&mut bench.command(&["deploy", "--version", "v1.2.0"]), Duration::from_secs(60));
    ran.expect(0);

    let mut largest = 0;
    for words in COMMANDS {
        let hows = match words {
            // a drain may take its time, and a watch that ends is waited out
            _ if words.starts_with("Waits") || words.starts_with("docker") => &["lines"][..],
            _ if words.starts_with("Holds") => &["endless", "lines", "errors"],
            _ => &["endless", "lines"],
        };
        for how in hows {
            let version = if bench.project.served_version().as_deref() == Some("v1.1.0") { "v1.2.0" } else { "v1.1.0" };
            bench.instance.root(&format!("echo '{words}' > /run/forever; echo {how} > /run/how")).unwrap();
            let began = Instant::now();
            let (ran, peak) = watched(&mut bench.command(&["rollback", version]), Duration::from_secs(180));
            println!("{words}, {how}: {peak} MiB, {:.1} s, exit {}", began.elapsed().as_secs_f64(), ran.code);
            largest = largest.max(peak);
            assert!(peak < MOST, "{words}, {how}: {peak} MiB\n{ran}");
            bench.instance.root("echo nothing-of-this > /run/forever").unwrap();
            bench.cutover(&["recover"]).expect(0);
            assert!(bench.project.served_version().is_some(), "{words}, {how}: {ran}");
        }
    }
    println!("a deploy takes {usual} MiB; against a host that prints for ever at most {largest} MiB");
}
