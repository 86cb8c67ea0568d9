//! Looking at an instance: what there is on it, who answers, and waiting until something is so.

use lab::{Instance, Project};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Every container, image, file of nginx and file of cutover's state: two equal texts mean that nothing was changed.
pub fn state(project: &Project) -> String {
    let script = format!(
        "cd '{}' && docker ps -aq --no-trunc | xargs -r docker inspect \
           -f '{{{{.Name}}}} {{{{.Id}}}} {{{{.Image}}}} {{{{.State.Status}}}} {{{{.State.StartedAt}}}} {{{{.HostConfig.RestartPolicy.Name}}}}' | sort
         docker images --no-trunc --digests --format '{{{{.ID}}}} {{{{.Repository}}}}:{{{{.Tag}}}} {{{{.Digest}}}}' | sort
         find nginx .cutover -exec ls -ldi {{}} + 2>&1; sha256sum nginx/* docker-compose.yml",
        project.options.directory
    );
    project.instance.root(&script).expect("the state of an instance")
}

/// The same without cutover's own directory: to ask for the lock changes files there.
pub fn state_beside_cutover(project: &Project) -> String {
    state(project).lines().filter(|line| !line.contains(".cutover")).map(|line| format!("{line}\n")).collect()
}

/// PID of a container's first process, as the instance counts.
pub fn pid(instance: &Instance, container: &str) -> String {
    instance.root(&format!("docker inspect -f '{{{{.State.Pid}}}}' {container}")).expect("a pid")
}

/// Connections that are open to port 3001 of a container.
pub fn connections(instance: &Instance, container: &str) -> usize {
    let script = format!("cat /proc/{}/net/tcp /proc/{0}/net/tcp6", pid(instance, container));
    let table = instance.root(&script).expect("connections");
    // 0BB9 is 3001, 01 is ESTABLISHED (proc_net_tcp)
    table
        .lines()
        .filter(|line| line.split_whitespace().nth(1).is_some_and(|local| local.ends_with(":0BB9")))
        .filter(|line| line.split_whitespace().nth(3) == Some("01"))
        .count()
}

/// Waits until something is so; panics when it takes longer than a minute.
pub fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !is_so() {
        assert!(Instant::now() < deadline, "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// A client that asks all the time and writes down each answer that it has not had before. (While nginx reloads, old and
/// new workers answer side by side, so the order of single answers says nothing.)
pub struct Client {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Vec<String>>,
}

impl Client {
    /// Asks for `/`; an answer that is no version counts as `failed`.
    pub fn start(url: &str) -> Client {
        let stop = Arc::new(AtomicBool::new(false));
        let (stopped, url) = (Arc::clone(&stop), url.to_owned());
        let thread = std::thread::spawn(move || {
            let mut seen: Vec<String> = Vec::new();
            while !stopped.load(Ordering::Relaxed) {
                let answer = lab::load::get_version(&url, "/").ok().flatten().unwrap_or_else(|| "failed".to_owned());
                if !seen.contains(&answer) {
                    seen.push(answer);
                }
                std::thread::sleep(Duration::from_millis(5));
            }
            seen
        });
        Client { stop, thread }
    }

    /// Everything that was answered, in the order of the first time.
    pub fn stop(self) -> Vec<String> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().expect("the client")
    }
}
