//! Images that go to the hosts over SSH, read where this runs.

use super::build::failed;
use super::session::variable;
use super::{Exit, Run, Stop};
use crate::release::build::reference;
use crate::release::docker_cli::DockerCli;
use crate::release::push::pinned;
use crate::release::version::Version;
use crate::ship::local::{self, Local};
use crate::ship::{Cache, Image, read};
use crate::swap::deliver::Shipment;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

/// What shall be live: a reference a service, and the images that were read here.
#[derive(Default)]
pub(super) struct ToRelease {
    /// `REPOSITORY@DIGEST` or `REPOSITORY:TAG`, in the order of the configuration.
    pub(super) references: Vec<String>,
    /// The images.
    pub(super) shipment: Shipment,
}

impl Run {
    /// Whether any image goes over SSH.
    pub(super) fn ships(&self) -> bool {
        self.config.services.iter().any(|service| service.ship)
    }

    /// Reads the images that go over SSH: from the files named, else from the Docker daemon here.
    pub(super) async fn shipment(&self, version: &Version, from: &[String]) -> Result<Shipment, Stop> {
        let files = self.files(from)?;
        if !self.ships() {
            return Ok(Shipment::default());
        }
        let cache = Cache::open().map_err(|error| Stop::from(anyhow::anyhow!("no directory for layers: {error}")))?;
        let (mut images, mut unknown) = (BTreeMap::<String, Arc<Image>>::new(), Vec::new());
        for (number, service) in self.config.services.iter().enumerate().filter(|(_, service)| service.ship) {
            let twin = self.config.services[..number].iter().position(|other| other.image == service.image);
            let twin =
                twin.filter(|twin| files[*twin] == files[number]).map(|twin| self.config.services[twin].name.as_str());
            let image = match twin.and_then(|twin| images.get(twin)) {
                Some(twin) => Arc::clone(twin),
                None => {
                    let reference = reference(service, version);
                    let read = self.read_image(&reference, files[number].clone(), &cache).await?;
                    let image = Arc::new(read.image);
                    unknown.extend(read.unknown.then(|| Arc::clone(&image)));
                    image
                }
            };
            images.insert(service.name.to_string(), image);
        }
        Ok(Shipment::new(images, cache, unknown))
    }

    /// One image, with a step that says so.
    async fn read_image(&self, reference: &str, file: Option<PathBuf>, cache: &Cache) -> Result<Local, Stop> {
        let place = file.as_ref().map_or_else(|| "docker".to_owned(), |file| file.display().to_string());
        let running = self.reporter.step("", "read", format!("read {reference} from {place}"));
        let read = match file {
            Some(file) => {
                let cache = cache.clone();
                let work = tokio::task::spawn_blocking(move || read::path(&file, &cache));
                let done = self.until_signal(work).await?.map_err(anyhow::Error::from).and_then(|read| read);
                let done = done.map_err(|error| {
                    Stop::new(Exit::Refused, format!("{place}: {error:#}\nnothing was changed on any host"))
                });
                done.map(|image| Local { image, how: String::new(), unknown: false })
            }
            None => {
                let docker = Arc::new(DockerCli::plain("docker"));
                self.until_signal(local::image(&docker, reference, cache)).await?.map_err(failed)
            }
        };
        match &read {
            Ok(Local { image, how, .. }) => {
                let how = if how.is_empty() { String::new() } else { format!(", by {how}") };
                running.done(format!("{} in {} layers{how}", image.digest, image.layers.len()))
            }
            Err(_) => running.failed(""),
        };
        read
    }

    /// Once a release is live, has Docker here learn what makes the next one fast. A hosted runner's forgets it anyway.
    pub(super) async fn teach(&self, shipment: &Shipment) {
        if variable("RUNNER_ENVIRONMENT").is_some_and(|kind| kind == "github-hosted") {
            return;
        }
        let Some(cache) = &shipment.cache else { return };
        for image in &shipment.unknown {
            let running = self.reporter.step("", "note", "have Docker here note its layers, for the next release");
            let docker = DockerCli::plain("docker");
            let taught = local::teach(&docker, image, cache, &self.reporter);
            let taught = tokio::select! {
                taught = taught => taught,
                signal = self.cancel.wait() => Err(anyhow::anyhow!("stopped by {}", signal.name())),
            };
            match taught {
                Ok(()) => running.done(""),
                Err(error) => running.failed(format!("{error:#}")),
            };
        }
    }

    /// `[SERVICE=]PATH` for each service.
    fn files(&self, from: &[String]) -> Result<Vec<Option<PathBuf>>, Stop> {
        let usage = |message: String| Stop::new(Exit::Usage, message);
        let services = &self.config.services;
        let mut files = vec![None; services.len()];
        for text in from {
            let named = text
                .split_once('=')
                .and_then(|(name, path)| Some((services.iter().position(|service| service.name == *name)?, path)));
            let (at, path) = match (named, services.len()) {
                (Some(named), _) => named,
                (None, 1) => (0, text.as_str()),
                (None, _) => return Err(usage(format!("--image {text}: say of which service, as in SERVICE={text}"))),
            };
            if !services[at].ship {
                let name = &services[at].name;
                return Err(usage(format!("--image {text}: {name} comes from a registry; expected `registry: none`")));
            }
            files[at] = Some(PathBuf::from(path));
        }
        Ok(files)
    }

    /// References in the order of the configuration: of the images that were read, else as `others` has them.
    pub(super) fn wanted(&self, shipment: Shipment, others: impl IntoIterator<Item = String>) -> ToRelease {
        let mut others = others.into_iter();
        let services = self.config.services.iter();
        let references = services.map(|service| match shipment.images.get(service.name.as_str()) {
            Some(image) => pinned(&service.image, &image.digest),
            _ => others.next().unwrap_or_default(),
        });
        ToRelease { references: references.collect(), shipment }
    }
}
