//! Pushing the image, its digest, and the tag `latest`.
use super::digest::Digest;
use super::docker_cli::{DockerCli, DockerJob, OnLine};
use super::docker_error::DockerError;
use crate::config::ImageName;

/// An image that the registry has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pushed {
    /// `IMAGE:vX.Y.Z`.
    pub reference: String,
    /// The digest in the registry: what gets deployed.
    pub digest: Digest,
}

/// `IMAGE@sha256:…`.
pub fn pinned(image: &ImageName, digest: &Digest) -> String {
    format!("{image}@{digest}")
}

impl DockerCli {
    /// Pushes an image that docker has here, and learns its digest: from what the push prints, else from docker's
    /// RepoDigests for this repository.
    pub async fn push(&self, image: &ImageName, reference: &str, on_line: OnLine<'_>) -> Result<Pushed, DockerError> {
        let purpose = format!("pushing {reference}");
        let mut digest = None;
        let job = DockerJob::new(&purpose, ["push", reference]).with_registry(image.registry());
        self.stream(job, &mut |line| {
            digest = printed_digest(&line.text).or(digest.take());
            on_line(line);
        })
        .await?;
        let digest = match digest {
            Some(digest) => digest,
            None => self.repo_digest(image, reference).await?,
        };
        Ok(Pushed { reference: reference.to_owned(), digest })
    }

    /// The digest of a tag that is in the registry already (`build: false`).
    pub async fn find_pushed(&self, image: &ImageName, reference: &str) -> Result<Pushed, DockerError> {
        let purpose = format!("looking for {reference} in {}", image.registry());
        if !self.has_buildx() {
            self.run(DockerJob::new(&purpose, ["pull", reference]).with_registry(image.registry())).await?;
            let digest = self.repo_digest(image, reference).await?;
            return Ok(Pushed { reference: reference.to_owned(), digest });
        }
        let words = ["buildx", "imagetools", "inspect", "--format", "{{.Manifest.Digest}}", reference];
        let printed = self.run(DockerJob::new(&purpose, words).with_registry(image.registry())).await?;
        let wrong = |expected: String| {
            DockerError::before(&purpose, &format!("docker printed {printed:?}; expected {expected}"))
        };
        let digest = printed.trim().parse().map_err(wrong)?;
        Ok(Pushed { reference: reference.to_owned(), digest })
    }

    /// Points `IMAGE:latest` at a digest of the same repository: in the registry itself where buildx can, else by a tag
    /// and a push from here. Doing it twice is harmless.
    pub async fn move_latest(&self, image: &ImageName, digest: &Digest) -> Result<(), DockerError> {
        let (from, to) = (pinned(image, digest), format!("{image}:latest"));
        let purpose = format!("moving {to} to {}", digest.short());
        let job = |words: &[&str]| DockerJob::new(&purpose, words).with_registry(image.registry());
        if self.has_buildx() && self.run(job(&["buildx", "imagetools", "create", "--tag", &to, &from])).await.is_ok() {
            return Ok(());
        }
        if self.run(job(&["tag", &from, &to])).await.is_err() {
            self.run(job(&["pull", &from])).await?;
            self.run(job(&["tag", &from, &to])).await?;
        }
        self.run(job(&["push", &to])).await.map(drop)
    }

    async fn repo_digest(&self, image: &ImageName, reference: &str) -> Result<Digest, DockerError> {
        let purpose = format!("reading the digest of {reference}");
        let words = ["image", "inspect", "--format", "{{json .RepoDigests}}", reference];
        let printed = self.run(DockerJob::new(&purpose, words)).await?;
        match &digests_of(image, &printed)[..] {
            [only] => Ok(only.clone()),
            [] => Err(DockerError::before(&purpose, "docker knows no digest for it")),
            _ => Err(DockerError::before(&purpose, "docker knows several digests for it, and printed none")
                .with_advice("remove the other images of the same content (docker image rm)")),
        }
    }
}

/// `vX.Y.Z: digest: sha256:… size: 1234`, the last line of a push.
fn printed_digest(line: &str) -> Option<Digest> {
    let (_, rest) = line.split_once("digest: ")?;
    rest.split_whitespace().next()?.parse().ok()
}

/// The digests that docker has recorded for this repository.
fn digests_of(image: &ImageName, repo_digests: &str) -> Vec<Digest> {
    let all: Vec<String> = serde_json::from_str(repo_digests.trim()).unwrap_or_default();
    let ours = all.iter().filter(|reference| image.same_repository(reference));
    ours.filter_map(|reference| reference.split_once('@')?.1.parse().ok()).collect()
}
