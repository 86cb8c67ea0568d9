//! nginx outside of the compose project: in another container, or on the host itself.

use crate::host::Host;
use crate::host::container::Container;
use crate::host::script::{SAY, Script, sections};
use crate::see::read::files::Nginx;
use anyhow::Result;

/// What was found.
#[derive(Debug, Default)]
pub struct Elsewhere {
    /// Running containers that are nginx by their name or image.
    pub containers: Vec<Container>,
    /// nginx on the host.
    pub host: Option<OnHost>,
}

/// nginx on the host itself.
#[derive(Debug, Default)]
pub struct OnHost {
    /// Its master's process.
    pub pid: i64,
    /// With what that was started.
    pub command: String,
    /// The program.
    pub program: String,
    /// It takes `sudo` to have its configuration tested and loaded.
    pub sudo: bool,
    /// What it says of itself, or its complaint; `None`: this user may not ask.
    pub said: Option<Result<Nginx, String>>,
}

impl OnHost {
    /// What it says of itself, where it does.
    pub fn known(&self) -> Option<Nginx> {
        self.said.as_ref()?.as_ref().ok().cloned()
    }

    /// The directories of its files, each under the path by which it knows it: its own.
    pub fn directories(&self) -> Vec<(String, String)> {
        let known = self.known();
        let files = known.iter().flat_map(Nginx::paths).filter(|path| !path.starts_with("/etc/nginx/"));
        let directories = files.filter_map(|path| path.rsplit_once('/')).map(|(directory, _)| directory.to_owned());
        let all: std::collections::BTreeSet<String> = directories.chain(["/etc/nginx".to_owned()]).collect();
        all.into_iter().map(|directory| (directory.clone(), directory)).collect()
    }

    /// What scripts call it.
    pub fn target(&self) -> String {
        format!("host:{}:{}", if self.sudo { "sudo" } else { "" }, self.program)
    }
}

/// Looks for it. `wanted` is a container's name; without one, the host itself is looked at as well.
pub async fn elsewhere(host: &Host, wanted: Option<&str>) -> Result<Elsewhere> {
    let script = Script::new("to find nginx outside of the compose project", include_str!("elsewhere.sh"))
        .with(&[SAY])
        .set("wanted", wanted.unwrap_or_default());
    let mut found = Elsewhere::default();
    let mut version = String::new();
    for section in sections(&host.run(&script).await?)? {
        let text = section.text;
        let on_host = found.host.get_or_insert_with(OnHost::default);
        match section.name.as_str() {
            "containers" => found.containers = Container::list(&text)?,
            "master" => {
                let (pid, command) = text.split_once(' ').unwrap_or((&text, ""));
                (on_host.pid, on_host.command) = (pid.parse().unwrap_or_default(), command.to_owned());
            }
            "program" => on_host.program = text,
            "host-version" => version = text,
            "sudo" => on_host.sudo = true,
            "host-dump" if section.status == 0 => {
                on_host.said = Some(Ok(Nginx::read("host".to_owned(), &format!("{version}\n{text}"))));
            }
            "host-dump" => on_host.said = Some(Err(text)),
            _ => {}
        }
    }
    found.host = found.host.filter(|host| host.pid != 0);
    found.containers.retain(Container::is_running);
    Ok(found)
}
