//! Containers: processes in the namespaces that the host has ready for their services.

use std::fs;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::image;
use crate::state::as_root;

/// A container, running or not.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Container {
    pub(crate) id: String,
    /// Its compose service, and its name.
    pub(crate) service: String,
    pub(crate) project: String,
    /// Of the compose project.
    pub(crate) directory: String,
    /// The image's id.
    pub(crate) image: String,
    /// RFC 3339; it is started when it is created.
    pub(crate) created: String,
    pub(crate) pid: u32,
    /// Of its end, if it was asked to stop; a crash has 1.
    pub(crate) exit_code: i64,
    pub(crate) restart: String,
}

impl Container {
    /// Starts the process of a service.
    pub(crate) fn start(service: &str, directory: &str, image: &str) -> Result<u32> {
        let netns = format!("--net=/run/netns/{service}");
        let version = image::version(image);
        let words: Vec<&str> = match service {
            "nginx" => vec!["unshare", "-m", "nsenter", &netns, "sh", "/lab/nginx", directory],
            "redis" => vec!["sleep", "infinity"],
            _ => vec!["nsenter", &netns, "/usr/local/bin/docker", "app", &version],
        };
        // an engine would not inherit the lock that the calling script holds
        let mut command = Command::new("sh");
        command.args(["-c", "exec 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&-; exec \"$@\"", "sh"]).args(words);
        as_root(&mut command).process_group(0);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Ok(command.spawn()?.id())
    }

    /// Called so: its id or its name.
    pub(crate) fn is(&self, name: &str) -> bool {
        self.id == name || self.service == name
    }

    pub(crate) fn runs(&self) -> bool {
        runs(self.pid)
    }

    pub(crate) fn status(&self) -> &'static str {
        if self.runs() { "running" } else { "exited" }
    }

    /// As the engine's API has it.
    pub(crate) fn inspect(&self) -> Value {
        let running = self.runs();
        let addresses = fs::read_to_string("/lab/addresses").unwrap_or_default();
        let address = addresses.lines().find_map(|line| line.strip_prefix(&self.service)?.strip_prefix(' '));
        let mounts = match self.service.as_str() {
            "nginx" => json!([{ "Type": "bind", "Source": format!("{}/nginx", self.directory),
                                "Destination": "/etc/nginx/conf.d", "Mode": "rw", "RW": true, "Propagation": "rprivate" }]),
            _ => json!([]),
        };
        json!({
            "Id": self.id, "Name": format!("/{}", self.service), "Image": self.image, "Created": self.created,
            "RestartCount": 0,
            "State": { "Status": self.status(), "Running": running, "Restarting": false, "OOMKilled": false,
                       "Pid": if running { self.pid } else { 0 }, "ExitCode": if running { 0 } else { self.exit_code },
                       "StartedAt": self.created },
            "Config": { "Entrypoint": null, "Cmd": ["app"], "Labels": {
                "com.docker.compose.project": self.project, "com.docker.compose.service": self.service,
                "com.docker.compose.oneoff": "False", "com.docker.compose.project.working_dir": self.directory } },
            "Mounts": mounts,
            "NetworkSettings": { "Networks": { format!("{}_default", self.project): {
                "IPAddress": address.filter(|_| running).unwrap_or_default(), "GlobalIPv6Address": "" } } },
            "HostConfig": { "RestartPolicy": { "Name": self.restart, "MaximumRetryCount": 0 } },
        })
    }

    /// SIGTERM, and SIGKILL after so many seconds; gives the exit code.
    pub(crate) fn stop(&self, seconds: u64) -> Result<i64> {
        let signal = |name: &str| as_root(Command::new("kill").args([name, &self.pid.to_string()])).status();
        if !self.runs() {
            return Ok(self.exit_code);
        }
        signal("-TERM")?;
        let end = Instant::now() + Duration::from_secs(seconds);
        while self.runs() {
            if Instant::now() > end {
                signal("-KILL")?;
                return Ok(137);
            }
            sleep(Duration::from_millis(10));
        }
        Ok(0)
    }

    /// `docker top`: its process and that one's children.
    pub(crate) fn top(&self, columns: &str) -> Result<()> {
        ensure!(self.runs(), "container {} is not running", self.id);
        let children = fs::read_to_string(format!("/proc/{0}/task/{0}/children", self.pid))?;
        println!("{}", if columns == "pid" { "PID" } else { "PID COMMAND" });
        for pid in std::iter::once(self.pid.to_string()).chain(children.split_whitespace().map(str::to_owned)) {
            let line = fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default().replace('\0', " ");
            println!("{}", if columns == "pid" { pid } else { format!("{pid} {line}") });
        }
        Ok(())
    }
}

/// It is there, and not only for its parent to ask after.
pub(crate) fn runs(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(')').next().is_some_and(|rest| !rest.is_empty() && !rest.starts_with(" Z"))
}
