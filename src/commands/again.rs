//! What a version that is live would have now and was not released with: said where nothing else is to be done.

use super::{Run, Stop};
use crate::config::Config;
use crate::host::Host;
use crate::host::script::Script;
use crate::parallel;
use crate::release::version::Version;
use crate::secret::Secret;
use crate::see::{Observation, state_paths};
use crate::swap::env_file;

/// The file that was kept with the version, else the one that is there.
const READ: &str = "# Prints the env file that a version was released with. Words: where it is kept, the file.\n\
                    cat \"$1\" 2>/dev/null || cat \"$2\" 2>/dev/null || true";

impl Run {
    /// Names of what differs, never what it is: keys of the env file, and services whose image is another one.
    pub(super) async fn differing(
        &self,
        hosts: &[Host],
        seen: &[Observation],
        version: &Version,
        images: &[String],
    ) -> Result<Vec<String>, Stop> {
        let mut names = Vec::new();
        for (service, wanted) in seen.iter().flat_map(|seen| seen.services.iter().zip(images)) {
            let live = service.live.slot().and_then(|slot| service.slots[slot].digest.as_deref());
            let wanted = wanted.split_once('@').map(|(_, digest)| digest);
            if live.zip(wanted).is_some_and(|(live, wanted)| live != wanted) {
                names.push(format!("the image of {}", service.name));
            }
        }
        // who only looks need not have the secrets
        if let (Some(file), Ok(given)) = (&self.config.env_file, self.env_given(false)) {
            let each = hosts.iter().zip(seen).map(async |(host, seen)| {
                let there = host.run(&reading(&self.config, seen, &file.path, version)).await?;
                let there = Secret::new(String::from_utf8_lossy(&there));
                anyhow::Ok(env_file::differing(&given, &there, &file.path, seen.compose))
            });
            for found in parallel::all(self.config.parallel, each).await {
                names.extend(found?);
            }
        }
        names.sort_unstable();
        names.dedup();
        Ok(names)
    }
}

fn reading(config: &Config, seen: &Observation, path: &str, version: &Version) -> Script {
    let (_, state) = state_paths(config);
    let file = if path.starts_with('/') { path.to_owned() } else { format!("{}/{path}", seen.directory) };
    let kept = format!("{state}/env/{}", env_file::key(&seen.directory, &file, &version.to_string()));
    Script::new("to see whether the env file is still what it was", READ).args([kept, file])
}
