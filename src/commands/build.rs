//! `cutover build` and `cutover push`: the image of every service, tagged with the version.

use super::hooks::When;
use super::{Exit, Run, Stop};
use crate::cli::VersionAsked;
use crate::config::{ServiceSettings, TagForm};
use crate::release::build::{reference, tag};
use crate::release::docker_cli::{DockerCli, DockerLine};
use crate::release::push::Pushed;
use crate::release::version::Version;
use crate::report::outcome::Pairs;
use crate::report::{Event, Level, Outcome, Reporter};

/// Builds and tags.
pub(super) async fn build(run: &Run, asked: &VersionAsked) -> Result<Exit, Stop> {
    let Some((version, _)) = run.version(asked).await? else { return Ok(Exit::Done) };
    let docker = DockerCli::find().await.map_err(failed)?;
    let images = run.build_all(&docker, &version).await?;
    let built = run.config.services.iter().filter(|service| service.build.is_some());
    let names = built.map(|service| service.name.to_string());
    let images = Pairs(names.zip(images).collect());
    run.reporter.outcome(&Outcome::Build { version, images });
    Ok(Exit::Done)
}

/// Pushes what was built; prints the digests.
pub(super) async fn push(run: &Run, asked: &VersionAsked) -> Result<Exit, Stop> {
    if run.config.services.iter().all(|service| service.ship) {
        let message = "there is no registry to push to: the image goes to the hosts over SSH with release or deploy";
        return Err(Stop::new(Exit::Usage, message));
    }
    let Some((version, _)) = run.version(asked).await? else { return Ok(Exit::Done) };
    let docker = run.docker().await?;
    let pushed = run.push_all(&docker, &version).await?;
    let names = run.config.services.iter().filter(|service| !service.ship).map(|service| service.name.to_string());
    let named = |what: fn(&Pushed) -> String| Pairs(names.clone().zip(pushed.iter().map(what)).collect());
    let (digests, images) = (named(|pushed| pushed.digest.to_string()), named(|pushed| pushed.reference.clone()));
    run.reporter.outcome(&Outcome::Push { version, digests, images });
    Ok(Exit::Done)
}

impl Run {
    /// docker's command line, logged in for this run where credentials are given.
    pub(super) async fn docker(&self) -> Result<DockerCli, Stop> {
        let mut docker = DockerCli::find().await.map_err(failed)?;
        if let Some(credentials) = self.credentials()? {
            self.until_signal(docker.log_in(credentials)).await?.map_err(failed)?;
        }
        Ok(docker)
    }

    /// Builds the image of every service that has a build; gives the references.
    pub(super) async fn build_all(&self, docker: &DockerCli, version: &Version) -> Result<Vec<String>, Stop> {
        self.hook_before(When::BeforeBuild).await?;
        let mut images = Vec::new();
        for service in &self.config.services {
            let Some(build) = &service.build else { continue };
            let image = reference(service, version);
            let running = self.reporter.step("", "build", format!("build {image}"));
            let mut show = show(&self.reporter, "build");
            let built = self.until_signal(docker.build(&service.image, &image, build, &mut show)).await?;
            match built {
                Ok(built) => running.done(format!("{} {}", built.reference, &built.image_id)),
                Err(error) => {
                    running.failed("");
                    return Err(failed(error));
                }
            };
            images.push(image);
        }
        Ok(images)
    }

    /// Pushes the image of every service that has a build, and looks the others up; one result a service that has a
    /// registry, in order.
    pub(super) async fn push_all(&self, docker: &DockerCli, version: &Version) -> Result<Vec<Pushed>, Stop> {
        let mut all = Vec::new();
        for service in self.config.services.iter().filter(|service| !service.ship) {
            let image = reference(service, version);
            let what = if service.build.is_some() { "push" } else { "find" };
            let running = self.reporter.step("", what, format!("{what} {image}"));
            let mut show = layers(&self.reporter, &image);
            let pushed = match service.build {
                Some(_) => self.until_signal(docker.push(&service.image, &image, &mut show)).await?,
                None => self.until_signal(docker.find_pushed(&service.image, &image)).await?,
            };
            match pushed {
                Ok(pushed) => {
                    running.done(format!("{} {}", pushed.reference, pushed.digest));
                    all.push(pushed);
                }
                Err(error) => {
                    running.failed("");
                    let other = match service.build {
                        Some(_) => String::new(),
                        None => self.until_signal(other_tag(docker, service, version)).await?,
                    };
                    return Err(failed_with(&error, &other));
                }
            }
        }
        Ok(all)
    }

    /// Moves `latest` of every service; a failure is a warning, since the release is live.
    pub(super) async fn move_latest(&self, docker: &DockerCli, pushed: &[Pushed]) {
        let services = self.config.services.iter().filter(|service| !service.ship);
        for (service, pushed) in services.zip(pushed) {
            let running = self.reporter.step(
                "",
                "latest",
                format!("point {}:latest at {}", service.image, pushed.digest.short()),
            );
            match docker.move_latest(&service.image, &pushed.digest).await {
                Ok(()) => running.done(""),
                Err(error) => {
                    self.reporter.note(Level::Warning, "", format!("the tag latest was not moved: {error}"));
                    running.failed("")
                }
            };
        }
    }

    /// Gives up when a signal comes; nothing is on any host yet, so there is nothing to put back.
    pub(super) async fn until_signal<T>(&self, work: impl Future<Output = T>) -> Result<T, Stop> {
        tokio::select! {
            done = work => Ok(done),
            signal = self.cancel.wait() => {
                let message = format!("stopped by {}; nothing was changed on any host", signal.name());
                Err(Stop::new(Exit::Interrupted(signal.exit_code()), message))
            }
        }
    }
}

/// What there is of a version that its tag does not find: people write it with a `v` and without.
async fn other_tag(docker: &DockerCli, service: &ServiceSettings, version: &Version) -> String {
    let forms = ["v{version}", "{version}"].into_iter().filter_map(|form| form.parse::<TagForm>().ok());
    let Some(form) = forms.into_iter().find(|form| *form != service.tag) else { return String::new() };
    let other = format!("{}:{}", service.image, tag(&form, version));
    match docker.find_pushed(&service.image, &other).await {
        Ok(_) => format!("\n{other} is there: `tag: \"{form}\"` in cutover.yml takes it"),
        Err(_) => {
            format!("\n{other} was tried too, and is not there: `tag: …` in cutover.yml says what tags look like")
        }
    }
}

pub(super) fn failed(error: crate::release::DockerError) -> Stop {
    failed_with(&error, "")
}

fn failed_with(error: &crate::release::DockerError, more: &str) -> Stop {
    Stop::new(Exit::Refused, format!("{error}{more}\nnothing was changed on any host"))
}

fn show(reporter: &Reporter, source: &'static str) -> impl FnMut(DockerLine) + Send {
    let reporter = reporter.clone();
    move |line: DockerLine| {
        reporter.emit(Event::Output { host: String::new(), source: source.to_owned(), text: line.text })
    }
}

/// Counts layers as docker's push names them: `abc: Preparing`, then `abc: Pushed` or `abc: Layer already exists`.
fn layers(reporter: &Reporter, image: &str) -> impl FnMut(DockerLine) + Send {
    let (reporter, text) = (reporter.clone(), format!("push {image}"));
    let (mut done, mut total) = (0, 0);
    move |line: DockerLine| {
        let Some((_, state)) = line.text.split_once(": ") else { return };
        match state {
            "Preparing" => total += 1,
            "Pushed" | "Layer already exists" => done += 1,
            state if state.starts_with("Mounted from") => done += 1,
            _ => return,
        }
        reporter.emit(Event::Progress { host: String::new(), text: text.clone(), done, total, unit: "layers" });
    }
}
