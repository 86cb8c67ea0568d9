//! Faults, the moments at which they come, and a run of cutover that is watched step by step.

use super::{Bench, Ran};
use serde_json::Value;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStdout, Stdio};
use std::time::Duration;

/// When the fault comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    Before,
    After,
}

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The client is killed and can do nothing any more.
    Killed,
    /// The job is cancelled.
    Terminated,
    /// The connection's sshd process is killed.
    Cut,
    /// Packets are dropped for longer than the lease.
    Silence,
    /// The new container dies and is not started again.
    NewSlotDies,
    /// nginx's configuration becomes invalid.
    ConfBroken,
    /// The step's docker command fails, every time.
    CommandFails,
    /// The project's filesystem is full.
    DiskFull,
    /// dockerd restarts (live-restore off: every container restarts with it).
    DockerRestarts,
    /// Somebody else releases at the same time.
    SecondClient,
    /// The connection's packets are dropped for so many seconds.
    Dropped(u64),
    /// The same, while somebody else waits for the lock.
    DroppedTaken(u64),
    /// The client is stopped for so many seconds.
    Stopped(u64),
    /// The same, while somebody else waits for the lock.
    StoppedTaken(u64),
}

/// Below, at and above what the lease and the connection outlive.
pub const STALLS: [u64; 3] = [5, 20, 60];

impl Fault {
    /// Its name in the table, such as `Dropped20`.
    pub fn name(self) -> String {
        format!("{self:?}").replace(['(', ')'], "")
    }

    /// Somebody else waits for the lock meanwhile.
    pub fn is_taken(self) -> bool {
        matches!(self, Fault::DroppedTaken(_) | Fault::StoppedTaken(_))
    }
}

/// The steps of a deploy with everything that can be configured, in order.
pub const STEPS: [&str; 14] = [
    "pull",
    "env-file",
    "hook",
    "start",
    "guard",
    "health",
    "before-switch",
    "route",
    "confirm",
    "bake",
    "after-switch",
    "drain",
    "retire",
    "record",
];

/// The configuration that makes a deploy have them all.
pub const EVERYTHING: &str = "env-file: {path: .env, values: {RELEASED: RELEASED_ENV}}\nbake: 1s\nhooks:\n  \
                              release: {command: [node, -e, '0']}\n  before-switch: [docker, info]\n  \
                              after-switch: [docker, container, ls]\n";

/// The steps that only [`EVERYTHING`] has.
pub const CONFIGURED: [&str; 5] = ["env-file", "hook", "before-switch", "bake", "after-switch"];

/// Where a step stands.
pub fn place(step: &str) -> usize {
    STEPS.iter().position(|known| *known == step).expect("a step")
}

/// Stands in for docker: the arguments that the file names make it fail.
const DOCKER: &str = "#!/bin/sh\nif read -r word 2>/dev/null < /run/docker-fails; then\n  case \" $* \" in *\" $word \"*) \
                      echo 'docker: no such luck' >&2; exit 1 ;; esac\nfi\nexec /usr/bin/docker \"$@\"\n";

/// A run under way, its events read one by one.
pub struct Running {
    child: Child,
    events: BufReader<ChildStdout>,
    seen: Vec<Value>,
}

impl Running {
    /// Starts cutover; the words hold `--json`.
    pub fn start(bench: &Bench, words: &[&str]) -> Running {
        Running::spawn(bench.command(words))
    }

    /// The same with a command that is ready.
    pub fn spawn(mut command: std::process::Command) -> Running {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let events = BufReader::new(child.stdout.take().unwrap());
        Running { child, events, seen: Vec::new() }
    }

    /// Reads events until this step begins or ends; false if the run is over before.
    pub fn until(&mut self, step: &str, moment: Moment) -> bool {
        let event = if moment == Moment::Before { "step-begin" } else { "step-end" };
        let mut line = String::new();
        while self.events.read_line(&mut line).unwrap() > 0 {
            let value: Value = serde_json::from_str(&line).unwrap();
            let here = value["event"] == event && value["step"] == step;
            self.seen.push(value);
            if here {
                return true;
            }
            line.clear();
        }
        false
    }

    /// Whether it has ended.
    pub fn is_over(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Sends a signal, such as `-KILL`.
    pub fn signal(&self, signal: &str) {
        let sent = std::process::Command::new("kill").args([signal, &self.child.id().to_string()]).status();
        assert!(sent.unwrap().success());
    }

    /// How it ended.
    pub fn end(mut self) -> Ran {
        let mut stdout = String::new();
        self.events.read_to_string(&mut stdout).unwrap();
        let before: String = self.seen.iter().map(|event| format!("{event}\n")).collect();
        let output = self.child.wait_with_output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        Ran { code: output.status.code().unwrap_or(-1), stdout: before + &stdout, stderr }
    }
}

/// The docker command of a step, by a word that only it has.
pub fn command_of(step: &str) -> Option<&'static str> {
    match step {
        "pull" => Some("pull"),
        "hook" => Some("run"),
        "before-switch" => Some("info"),
        "after-switch" => Some("container"),
        "start" => Some("up"),
        "guard" | "route" => Some("exec"),
        "drain" => Some("top"),
        "retire" => Some("stop"),
        "record" => Some("rmi"),
        _ => None,
    }
}

/// Makes it happen, with the client held still meanwhile where the fault is about a moment.
pub fn inject(bench: &Bench, run: &Running, step: &str, fault: Fault) {
    use Fault::{CommandFails, ConfBroken, DiskFull, NewSlotDies, SecondClient};
    let held = matches!(fault, NewSlotDies | ConfBroken | CommandFails | DiskFull | SecondClient);
    if held {
        run.signal("-STOP");
    }
    let instance = &bench.instance;
    match fault {
        Fault::Killed => run.signal("-KILL"),
        Fault::Terminated => run.signal("-TERM"),
        // the process of the session itself: commands that it started go on, as after a real cut
        Fault::Cut => drop(instance.root("pkill -KILL -f '^sshd.*: deploy' || true")),
        Fault::Silence => drop(instance.root("iptables -I INPUT -p tcp --dport 22 -j DROP")),
        Fault::NewSlotDies => drop(instance.root(&format!("docker kill {}", idle_slot(bench)))),
        Fault::ConfBroken => {
            instance.write(&bench.project.path("nginx/broken.conf"), "this is no directive\n").unwrap();
        }
        Fault::CommandFails => {
            let word = command_of(step).unwrap();
            instance.root(&format!("echo {word} > /run/docker-fails")).unwrap();
        }
        Fault::DiskFull => drop(bench.project.sh("dd if=/dev/zero of=full bs=4k 2>/dev/null").unwrap()),
        Fault::DockerRestarts => instance.restart_dockerd().unwrap(),
        Fault::Dropped(_) | Fault::DroppedTaken(_) | Fault::Stopped(_) | Fault::StoppedTaken(_) => {
            stall(bench, run, fault, || {});
        }
        Fault::SecondClient => {
            bench.cutover(&["deploy", "--version", "v9.0.0"]).expect(5).says("locked by another run");
        }
    }
    if held {
        run.signal("-CONT");
    }
}

/// A stall, and what somebody else does as it begins; false for another fault.
pub fn stall(bench: &Bench, run: &Running, fault: Fault, meanwhile: impl FnOnce()) -> bool {
    match fault {
        Fault::Dropped(seconds) | Fault::DroppedTaken(seconds) => {
            drop_packets(bench, fault.is_taken(), seconds, meanwhile);
        }
        Fault::Stopped(seconds) | Fault::StoppedTaken(seconds) => {
            run.signal("-STOP");
            meanwhile();
            std::thread::sleep(Duration::from_secs(seconds));
            run.signal("-CONT");
        }
        _ => return false,
    }
    true
}

/// A network that swallows everything both ways for a while: what goes through the connections that are open, if `open`,
/// else all that SSH sends.
fn drop_packets(bench: &Bench, open: bool, seconds: u64, meanwhile: impl FnOnce()) {
    let ports = "ss -Htn state established '( sport = :22 )' | awk '{ print $4 }' | sed 's/.*://'";
    let ports = if open { bench.instance.root(ports).unwrap() } else { "1:65535".to_owned() };
    let rules = |what: &str| {
        let rule = |port: &str| {
            format!(
                "iptables {what} INPUT -p tcp --dport 22 --sport {port} -j DROP\n\
                 iptables {what} OUTPUT -p tcp --sport 22 --dport {port} -j DROP\n"
            )
        };
        ports.lines().map(rule).collect::<String>()
    };
    bench.instance.root(&rules("-I")).unwrap();
    meanwhile();
    std::thread::sleep(Duration::from_secs(seconds));
    bench.instance.root(&rules("-D")).unwrap();
}

/// Takes a fault that lasts away again.
pub fn repair(bench: &Bench, fault: Fault) {
    match fault {
        Fault::ConfBroken => drop(bench.project.ok("rm -f nginx/broken.conf").unwrap()),
        Fault::Silence => drop(bench.instance.root("iptables -D INPUT -p tcp --dport 22 -j DROP")),
        Fault::CommandFails => drop(bench.instance.root("rm -f /run/docker-fails").unwrap()),
        Fault::DiskFull => drop(bench.project.ok("rm -f full").unwrap()),
        _ => {}
    }
}

/// A project that faults can be put into: on a small filesystem, with a docker that can be made to fail.
pub fn fragile() -> Bench {
    let instance = lab::Instance::start(lab::Kind::V2).unwrap();
    let options = lab::Options::default();
    let directory = &options.directory;
    let mount = format!(
        "mkdir -p {directory} && mount -t tmpfs -o size=8m,mode=755 none {directory} &&
         chown -R deploy:deploy /home/deploy/app"
    );
    instance.root(&mount).unwrap();
    let_docker_fail(&instance);
    let bench = Bench::on(instance, options);
    let first = bench.image("v1.0.0", &[]);
    bench.project.bring_up(&[&first]).unwrap();
    bench
}

/// From now on a word in /run/docker-fails makes the docker commands that have it fail.
pub fn let_docker_fail(instance: &lab::Instance) {
    let path = "/usr/local/bin/docker";
    instance.root(&format!("cat > {path} <<'END'\n{DOCKER}END\nchmod 755 {path}")).unwrap();
}

/// The slot that serves no requests: the one that nginx's file does not name.
pub fn idle_slot(bench: &Bench) -> &'static str {
    let started = bench.project.ok("grep -c '\"outcome\":\"released\"' .cutover/default/history.jsonl || true");
    if started.unwrap().trim().parse::<u32>().unwrap_or(0) % 2 == 0 { "green" } else { "blue" }
}

/// One slot runs, with the restart policy that it shall have, and no file of a swap is left.
pub fn assert_clean(bench: &Bench, name: &str) {
    let running = [bench.instance.is_running("blue").unwrap(), bench.instance.is_running("green").unwrap()];
    assert_eq!(running.iter().filter(|running| **running).count(), 1, "{name}: {running:?}");
    let left =
        "find . -name '*cutover-next*' -o -name journal.jsonl -o -name '*.next' -o -name next -o -name 'conf.before'";
    assert_eq!(bench.project.ok(left).unwrap(), "", "{name}: files are left");
    let hooks = bench.instance.root("docker ps -aq --filter name=cutover-hook").unwrap();
    assert_eq!(hooks, "", "{name}: a hook's container is left");
    let policies =
        bench.project.ok("docker inspect -f '{{.State.Running}} {{.HostConfig.RestartPolicy.Name}}' blue green");
    for line in policies.unwrap_or_default().lines() {
        assert!(matches!(line, "true always" | "false no"), "{name}: {line}");
    }
}
