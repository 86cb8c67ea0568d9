//! Building the image, with buildx where there is one.
use super::docker_cli::{DockerCli, DockerJob, OnLine};
use super::docker_error::DockerError;
use super::version::Version;
use crate::config::{Build, BuildSecret, ImageName, SecretSource, ServiceSettings, TagForm};
use std::ffi::OsString;
use std::path::Path;

/// An image that was built here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Built {
    /// `IMAGE:vX.Y.Z`, where docker has it now.
    pub reference: String,
    /// docker's id of the image.
    pub image_id: String,
}

/// `IMAGE:vX.Y.Z`, or with the service's own form of tags; a `+` of the version is a `_` in the tag.
pub fn reference(service: &ServiceSettings, version: &Version) -> String {
    format!("{}:{}", service.image, tag(&service.tag, version))
}

/// The tag of a version in this form.
pub fn tag(form: &TagForm, version: &Version) -> String {
    form.made_of(version.tag().trim_start_matches('v'))
}

/// The version of a tag in this form; `None` for any other tag.
pub fn version_of(form: &TagForm, tag: &str) -> Option<Version> {
    Version::from_tag(&format!("v{}", form.within(tag)?))
}

impl DockerCli {
    /// Builds the image and tags it so. The tag `latest` stays where it is.
    ///
    /// Build secrets need buildx, and so does `cache-to`: without buildx they are refused before anything is built.
    pub async fn build(
        &self,
        image: &ImageName,
        reference: &str,
        build: &Build,
        on_line: OnLine<'_>,
    ) -> Result<Built, DockerError> {
        let purpose = format!("building {reference}");
        self.can_build(build).map_err(|what| DockerError::before(&purpose, &what))?;
        let job =
            DockerJob::new(purpose, self.words(build, reference)).with_registry(image.registry()).given(given(build));
        self.stream(job, on_line).await?;
        let image_id = self.image_id(reference).await?;
        Ok(Built { reference: reference.to_owned(), image_id })
    }

    /// docker's id of an image that it has.
    pub async fn image_id(&self, reference: &str) -> Result<String, DockerError> {
        let words = ["image", "inspect", "--format", "{{.Id}}", reference];
        let id = self.run(DockerJob::new(format!("inspecting {reference}"), words)).await?;
        Ok(id.trim().to_owned())
    }

    fn can_build(&self, build: &Build) -> Result<(), String> {
        let lacks =
            |what: &str| Err(format!("{what} needs buildx, which docker does not have here: install docker-buildx"));
        match (self.has_buildx(), &build.secrets[..], &build.cache_to[..]) {
            (false, [_, ..], _) => lacks("build.secrets"),
            (false, _, [_, ..]) => lacks("build.cache-to"),
            (_, secrets, _) => secrets.iter().try_for_each(there),
        }
    }

    /// The words of the build: plain options first, the context last.
    fn words(&self, build: &Build, reference: &str) -> Vec<OsString> {
        let mut words = Words(Vec::new());
        match self.has_buildx() {
            true => words.add(["buildx", "build", "--load", "--progress=plain"]),
            false => words.add(["build"]),
        }
        words.add(["--tag", reference]);
        words.option("--file", build.dockerfile.as_deref());
        words.option("--target", build.target.as_deref());
        words.option("--platform", build.platform.as_deref());
        for (name, value) in &build.args {
            let pair = value.as_ref().map_or_else(|| name.clone(), |value| format!("{name}={value}"));
            words.option("--build-arg", Some(pair));
        }
        words.options("--secret", build.secrets.iter().map(secret));
        words.options("--cache-from", build.cache_from.iter());
        words.options("--cache-to", build.cache_to.iter());
        words.add([context(&build.context)]);
        words.0
    }
}

/// What `type=gha` needs.
const OF_GITHUBS_CACHE: [&str; 4] =
    ["ACTIONS_CACHE_URL", "ACTIONS_RUNTIME_TOKEN", "ACTIONS_RESULTS_URL", "ACTIONS_CACHE_SERVICE_V2"];

/// The variables that the build asks for by name: its secrets, and arguments without a value. GitHub's cache is reached with
/// the job's own token (Docker's documentation, "GitHub Actions cache").
fn given(build: &Build) -> Vec<String> {
    let secrets = build.secrets.iter().filter_map(|secret| match &secret.source {
        SecretSource::Env(name) => Some(name.to_string()),
        SecretSource::File(_) => None,
    });
    let args = build.args.iter().filter(|(_, value)| value.is_none()).map(|(name, _)| name.clone());
    let mut names: Vec<String> = secrets.chain(args).collect();
    let of_github = |cache: &String| cache.split(',').any(|field| field.trim() == "type=gha");
    if build.cache_from.iter().chain(&build.cache_to).any(of_github) {
        names.extend(OF_GITHUBS_CACHE.map(str::to_owned));
    }
    names
}

struct Words(Vec<OsString>);

impl Words {
    fn add(&mut self, words: impl IntoIterator<Item = impl Into<OsString>>) {
        self.0.extend(words.into_iter().map(Into::into));
    }

    fn option(&mut self, name: &str, value: Option<impl Into<OsString>>) {
        self.options(name, value);
    }

    fn options(&mut self, name: &str, values: impl IntoIterator<Item = impl Into<OsString>>) {
        for value in values {
            self.add([OsString::from(name), value.into()]);
        }
    }
}

/// A directory whose name starts with `-` is no option.
fn context(context: &Path) -> OsString {
    match context.as_os_str().as_encoded_bytes().first() {
        Some(b'-') => Path::new(".").join(context).into_os_string(),
        _ => context.as_os_str().to_owned(),
    }
}

/// The secret's description; its value travels in the environment or stays in its file.
fn secret(secret: &BuildSecret) -> String {
    match &secret.source {
        SecretSource::Env(name) => format!("id={},env={name}", secret.id),
        SecretSource::File(file) => format!("id={},{}", secret.id, field("src", file)),
    }
}

/// One field of the comma-separated description (RFC 4180 quoting).
fn field(name: &str, file: &Path) -> String {
    let text = format!("{name}={}", file.display());
    match text.contains([',', '"']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text,
    }
}

/// docker takes an absent variable or file for an empty secret, or says so only after minutes of building.
fn there(secret: &BuildSecret) -> Result<(), String> {
    match &secret.source {
        SecretSource::Env(name) if std::env::var_os(name.as_str()).is_none() => {
            Err(format!("the environment variable {name} of the build secret `{}` is not set", secret.id))
        }
        SecretSource::File(file) if !file.is_file() => {
            Err(format!("the file {} of the build secret `{}` is not there", file.display(), secret.id))
        }
        _ => Ok(()),
    }
}
