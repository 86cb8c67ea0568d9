//! nginx outside of the compose project: in another container.

use crate::host::Host;
use crate::host::container::Container;
use crate::host::script::{SAY, Script, sections};
use anyhow::Result;

/// What was found.
#[derive(Debug, Default)]
pub struct Elsewhere {
    /// Running containers that are nginx by their name or image.
    pub containers: Vec<Container>,
}

/// Looks for it. `wanted` is a container's name.
pub async fn elsewhere(host: &Host, wanted: Option<&str>) -> Result<Elsewhere> {
    let script = Script::new("to find nginx outside of the compose project", include_str!("elsewhere.sh"))
        .with(&[SAY])
        .set("wanted", wanted.unwrap_or_default());
    let mut found = Elsewhere::default();
    for section in sections(&host.run(&script).await?)? {
        if section.name == "containers" {
            found.containers = Container::list(&section.text)?;
        }
    }
    found.containers.retain(Container::is_running);
    Ok(found)
}
