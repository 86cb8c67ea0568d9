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

/// Looks for it. `wanted` is a container's name; `outside`: on the host as well.
pub async fn elsewhere(host: &Host, wanted: Option<&str>, outside: bool) -> Result<Elsewhere> {
    let script = Script::new("to find nginx outside of the compose project", include_str!("elsewhere.sh"))
        .with(&[SAY])
        .set("wanted", wanted.unwrap_or_default())
        .set("outside", if outside { "host" } else { "" });
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
