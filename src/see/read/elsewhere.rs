//! nginx outside of the compose project: in another container, or on the host itself.

use crate::host::Host;
use crate::host::container::Container;
use crate::host::script::{SAY, Script, Section, sections};
use crate::router::NGINX;
use crate::see::read::files::{Look, Nginx};
use crate::see::read::sudo::Sudo;
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
    /// The program that writes files for root.
    pub tee: String,
    /// With whose rights it is asked.
    pub rights: Rights,
    /// What it says of itself, or its complaint.
    pub said: Option<Result<Nginx, String>>,
    /// Files that it reads and that lie elsewhere than below its own directory, and what lies beside those.
    pub outside: Vec<String>,
}

/// With whose rights nginx on the host is tested, reloaded, and given its files.
#[derive(Debug, Default, PartialEq, Eq)]
pub enum Rights {
    /// With those of the login.
    #[default]
    Own,
    /// With what sudo lets it do.
    Sudo(Sudo),
    /// The login may not, and there is no sudo.
    None,
}

impl OnHost {
    /// The directory of its configuration.
    pub fn directory(&self) -> &str {
        let known = self.said.as_ref().and_then(|said| said.as_ref().ok());
        let main = known.and_then(|known| known.paths().next()).unwrap_or_default();
        main.strip_suffix("/nginx.conf").unwrap_or("/etc/nginx")
    }

    /// What scripts call it.
    pub fn target(&self) -> String {
        format!("host:{}:{}", if self.rights == Rights::Own { "" } else { "sudo" }, self.program)
    }

    /// What it says of itself becomes part of what was looked at.
    pub fn tell(&self, look: &mut Look) {
        look.on_host = true;
        look.dump = match &self.said {
            Some(Ok(nginx)) => {
                look.nginx_version.clone_from(&nginx.version);
                Some(Ok(nginx.files.clone()))
            }
            Some(Err(complaint)) => Some(Err(complaint.clone())),
            None => None,
        };
    }

    /// Adds a part of what the host printed; `version` is what `nginx -v` said.
    fn add(&mut self, section: Section, version: &mut String) {
        let Section { name, status, text } = section;
        match name.as_str() {
            "master" => {
                let (pid, command) = text.split_once(' ').unwrap_or((&text, ""));
                (self.pid, self.command) = (pid.parse().unwrap_or_default(), command.trim_end().to_owned());
            }
            "program" => self.program = text,
            "tee" => self.tee = text,
            "host-version" => *version = text,
            "sudo" => self.rights = if status == 0 { Rights::Sudo(Sudo::listed(&text)) } else { Rights::None },
            "host-dump" if status == 0 => {
                self.said = Some(Ok(Nginx::read(String::new(), &format!("{version}\n{text}"))));
            }
            "host-dump" => self.said = Some(Err(text)).filter(|_| self.may(&format!("{} -T", self.program))),
            "outside" => self.outside.push(text),
            _ => {}
        }
    }

    /// Whether the login may have this done.
    pub fn may(&self, command: &str) -> bool {
        match &self.rights {
            Rights::Own => true,
            Rights::Sudo(sudo) => sudo.allows(command),
            Rights::None => false,
        }
    }
}

/// Looks for it. `wanted` is a container's name; without one, the host itself is looked at as well.
pub async fn elsewhere(host: &Host, wanted: Option<&str>) -> Result<Elsewhere> {
    let script = Script::new("to find nginx outside of the compose project", include_str!("elsewhere.sh"))
        .with(&[SAY, NGINX])
        .set("wanted", wanted.unwrap_or_default())
        .limit(std::time::Duration::from_secs(120));
    let (mut found, mut on_host, mut version) = (Elsewhere::default(), OnHost::default(), String::new());
    for section in sections(&host.run(&script).await?)? {
        match section.name.as_str() {
            "containers" => found.containers = Container::list(&section.text)?,
            _ => on_host.add(section, &mut version),
        }
    }
    found.host = Some(on_host).filter(|host| host.pid != 0);
    found.containers.retain(Container::is_running);
    Ok(found)
}
