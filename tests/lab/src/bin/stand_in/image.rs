//! Images: nothing but names for versions.

use anyhow::{Context, Result, bail};
use lab::Image as Made;
use serde::{Deserialize, Serialize};

use crate::state::State;

/// An image on the host.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Image {
    /// `sha256:…`, the version in hexadecimal.
    pub(crate) id: String,
    pub(crate) tags: Vec<String>,
    pub(crate) digests: Vec<String>,
}

/// The version of a digest: the bytes that it is made of.
pub(crate) fn version(digest: &str) -> String {
    let hex = digest.trim_start_matches("sha256:").as_bytes();
    let bytes = hex.chunks(2).filter_map(|two| u8::from_str_radix(std::str::from_utf8(two).ok()?, 16).ok());
    String::from_utf8_lossy(&bytes.take_while(|byte| *byte != 0).collect::<Vec<u8>>()).into_owned()
}

impl State {
    /// By id, tag or `NAME@sha256:…`.
    pub(crate) fn image(&self, name: &str) -> Result<&Image> {
        let is_it =
            |image: &&Image| image.id == name || image.tags.iter().chain(&image.digests).any(|known| known == name);
        self.images.iter().find(is_it).with_context(|| format!("No such image: {name}"))
    }

    /// Has the image of `NAME:VERSION` or `NAME@sha256:…` from now on.
    pub(crate) fn pull(&mut self, reference: &str) -> Result<()> {
        let (made, tag) = match (reference.split_once('@'), reference.rsplit_once(':')) {
            (Some((name, digest)), _) => (Made::made_up(name, &version(digest)), None),
            (None, Some((name, version))) => (Made::made_up(name, version), Some(reference)),
            (None, None) => bail!("{reference} has no tag"),
        };
        if self.image(&made.digest).is_err() {
            self.images.push(Image { id: made.digest.clone(), tags: Vec::new(), digests: vec![made.by_digest()] });
        }
        tag.map_or(Ok(()), |tag| self.tag(&made.digest, tag))
    }

    /// Gives an image a name, which others lose.
    pub(crate) fn tag(&mut self, image: &str, name: &str) -> Result<()> {
        let id = self.image(image)?.id.clone();
        for image in &mut self.images {
            image.tags.retain(|tag| tag != name);
            if image.id == id {
                image.tags.push(name.to_owned());
            }
        }
        Ok(())
    }

    /// Takes a name away, and the image with the last one.
    pub(crate) fn untag(&mut self, name: &str) -> Result<()> {
        self.image(name)?;
        self.images.iter_mut().for_each(|image| image.tags.retain(|tag| tag != name));
        let used: Vec<&String> = self.containers.iter().map(|container| &container.image).collect();
        self.images.retain(|image| !image.tags.is_empty() || used.contains(&&image.id));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_holds_its_version() {
        let digest = Made::made_up("r/app", "v1.0.10").digest;
        assert_eq!((digest.len(), version(&digest).as_str()), ("sha256:".len() + 64, "v1.0.10"));
    }

    #[test]
    fn a_tag_names_one_image() -> Result<()> {
        let (mut state, second) = (State::default(), Made::made_up("r/app", "v2.0.0"));
        state.pull("r/app:v1.0.0")?;
        state.pull(&second.by_digest())?;
        state.tag(&second.digest, "r/app:v1.0.0")?;
        assert_eq!(state.image("r/app:v1.0.0")?.id, second.digest);
        assert!(state.image(&Made::made_up("r/app", "v1.0.0").digest)?.tags.is_empty());
        Ok(())
    }
}
