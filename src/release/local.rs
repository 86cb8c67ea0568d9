//! Images that change hands between docker on this side and this process, over loopback.
use super::digest::Digest;
use super::docker_cli::{DockerCli, DockerJob};
use super::docker_error::DockerError;
use std::ffi::OsString;
use std::os::unix::process::CommandExt as _;
use std::process::Stdio;

/// An image of a daemon on this machine that keeps images in Docker's classic store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Classic {
    /// The digest of its configuration.
    pub id: Digest,
    /// Bytes of its layers.
    pub size: u64,
}

impl DockerCli {
    /// What the daemon says of an image; an error says why it is none of a classic store on this machine.
    pub async fn classic(&self, reference: &str) -> Result<Classic, DockerError> {
        let purpose = format!("inspecting {reference}");
        let run = |words: &[&str]| self.run(DockerJob::new(&purpose, words));
        let image = ["image", "inspect", "--format", "{{.Id}} {{.Size}} {{json .RepoDigests}}", reference];
        let place = ["context", "inspect", "--format", "{{.Endpoints.docker.Host}}"];
        let (image, place) = tokio::try_join!(run(&image), run(&place))?;
        let not = |what: &str| DockerError::before(&purpose, what);
        if !place.starts_with("unix://") {
            return Err(not("Docker runs elsewhere"));
        }
        let words: Vec<&str> = image.split_whitespace().collect();
        let [id, size, digests @ ..] = &words[..] else { return Err(not(&format!("docker printed {image:?}"))) };
        // it calls an image by the digest of its manifest
        if digests.iter().any(|digest| digest.contains(id)) {
            return Err(not("Docker uses containerd's store"));
        }
        match (id.parse(), size.parse()) {
            (Ok(id), Ok(size)) => Ok(Classic { id, size }),
            _ => Err(not(&format!("docker printed {image:?}"))),
        }
    }

    /// Pushes an image to `to`, a name that leads to this process.
    pub async fn hand_over(&self, id: &Digest, to: &str) -> Result<(), DockerError> {
        let _name = Borrowed { program: self.program().to_owned(), name: to.to_owned() };
        let run = |words: [&str; 3]| self.run(DockerJob::new("handing an image over", words));
        run(["tag", id.as_str(), to]).await?;
        run(["push", "-q", to]).await.map(drop)
    }

    /// Pulls an image from `from`, a name that leads to this process.
    pub async fn take_over(&self, from: &str) -> Result<(), DockerError> {
        let _name = Borrowed { program: self.program().to_owned(), name: from.to_owned() };
        self.run(DockerJob::new("taking an image over", ["pull", "-q", from])).await.map(drop)
    }
}

/// A name that an image has for a moment; taken back without waiting.
struct Borrowed {
    program: OsString,
    name: String,
}

impl Drop for Borrowed {
    fn drop(&mut self) {
        let mut command = crate::child::command(&self.program, &[]);
        command.args(["rmi", &self.name]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        // it outlives an interrupt of this run; a name that stays is only untidy
        let _ = command.process_group(0).spawn();
    }
}
