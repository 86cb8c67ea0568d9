//! The app as docker-rollout serves it: a compose service without a fixed name, behind an nginx that finds its containers
//! by itself. Beside the reference project on the same instance, on port 81.

use std::time::Duration;

use anyhow::Result;

use crate::app::Image;
use crate::instance::{Instance, Output};
use crate::project::wait_until_serves;

const DIRECTORY: &str = "/home/deploy/rollout";

/// What a deploy runs on the host, from the home directory.
pub const ROLLOUT: &str = "cd rollout && docker compose pull -q web && sh ./rollout.sh web";

/// A project that docker-rollout's procedure deploys.
#[derive(Debug)]
pub struct Rollout {
    instance: Instance,
}

impl Rollout {
    /// Writes the project, brings this version up and waits until nginx serves it.
    pub fn bring_up(instance: &Instance, image: &Image) -> Result<Rollout> {
        let compose = include_str!("../rollout/docker-compose.yml").replace("devrank/backend-api", &image.repository);
        let conf = include_str!("../rollout/nginx/default.conf").to_owned();
        let script = include_str!("../rollout/rollout.sh").to_owned();
        let path = |name: &str| format!("{DIRECTORY}/{name}");
        instance.write_all(&[
            (path("docker-compose.yml"), compose),
            (path("nginx/default.conf"), conf),
            (path("rollout.sh"), script),
        ])?;
        instance.ok(&format!("cd {DIRECTORY} && docker compose pull -q web && docker compose up -d 2>&1"))?;
        let rollout = Rollout { instance: instance.clone() };
        wait_until_serves(&rollout.url(), &image.version, Duration::from_secs(30))?;
        Ok(rollout)
    }

    /// Where its nginx answers.
    pub fn url(&self) -> String {
        format!("http://{}:81", self.instance.address)
    }

    /// The version that answers a request through nginx now; `None` if nothing healthy does.
    pub fn served_version(&self) -> Option<String> {
        crate::load::get_version(&self.url(), "/").ok().flatten()
    }

    /// Pulls and deploys `:latest` over OpenSSH.
    pub fn deploy(&self) -> Result<Output> {
        self.instance.sh(&format!("{{ {ROLLOUT}; }} 2>&1"))
    }
}
