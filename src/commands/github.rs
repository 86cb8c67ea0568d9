//! What GitHub is told of a release: its tag and release, and the deployment. Nothing of it stops or undoes a swap.

use super::session::variable;
use super::{Exit, Run, Stop};
use crate::config::WhenReleased;
use crate::github::{Deployment, Ended, GitHub, Repository, Trouble, Wanted};
use crate::release::Version;
use crate::report::{Event, Level};
use std::time::Duration;

/// How long a release may wait for GitHub before the swap…
const BEFORE: Duration = Duration::from_secs(15);
/// … and when nothing waits any more.
const AFTERWARDS: Duration = Duration::from_secs(90);
/// A cancelled job is killed 10 seconds after its first signal.
const CANCELLED: Duration = Duration::from_secs(2);

/// GitHub, as far as it is to be told.
pub(super) struct Told<'a> {
    run: &'a Run,
    version: Version,
    github: Option<(GitHub, String)>,
    /// Whether the release is this verb's to make.
    releases: bool,
    deployment: Option<Deployment>,
}

impl Run {
    /// Finds repository, commit and token. Without a token nothing is told; in a job that is said.
    pub(super) async fn github(&self, version: &Version, releases: bool) -> Told<'_> {
        let wanted = &self.config.github;
        let releases = releases && wanted.release != WhenReleased::Never;
        let mut told = Told { run: self, version: version.clone(), github: None, releases, deployment: None };
        if !releases && !wanted.deployments {
            return told;
        }
        let Some(token) = Repository::token() else {
            if variable("GITHUB_ACTIONS").is_some() {
                let text = "no GitHub token: release and deployment are skipped; `github-token: ${{ github.token }}` gives one";
                self.reporter.note(Level::Info, "", text);
            }
            return told;
        };
        self.reporter.hide(&token);
        match Repository::find(&self.config.root).await {
            Ok(place) => {
                let commit = place.commit.clone();
                told.github = told.kept(GitHub::new(place, AFTERWARDS)).map(|github| (github, commit));
            }
            Err(why) => {
                self.reporter.note(Level::Warning, "", format!("release and deployment on GitHub are skipped: {why}"))
            }
        }
        told
    }
}

impl Told<'_> {
    /// The commit that is released; empty where they are skipped.
    pub(super) fn commit(&self) -> String {
        self.github.as_ref().map_or_else(String::new, |(_, commit)| commit.clone())
    }

    /// Before anything is built: says that the version's tag is at another commit already.
    pub(super) async fn look_at_tag(&self) {
        let Some((github, _)) = self.github.as_ref().filter(|_| self.releases) else { return };
        let github = github.patient(BEFORE);
        let looked = tokio::select! {
            looked = github.tag_elsewhere(&self.version) => looked,
            _ = self.run.cancel.wait() => return,
        };
        // a refusal is said where the release is made
        if let Ok(Some(remark)) = looked {
            self.run.reporter.note(Level::Warning, "", remark);
        }
    }

    /// Before the swap: the release if it is wanted that early, and the deployment of this commit or tag.
    pub(super) async fn begin(&mut self, reference: &str) {
        let Some((github, _)) = self.github.clone() else { return };
        let github = github.patient(BEFORE);
        if self.run.config.github.release == WhenReleased::Before {
            self.release(&github).await;
        }
        if !self.run.config.github.deployments {
            return;
        }
        let config = &self.run.config;
        let environment = config.environment.as_ref().map_or("production", |name| name.as_str());
        let url = config.github.environment_url.as_deref();
        let version = self.version.to_string();
        let made = tokio::select! {
            made = github.deploy(reference, environment, &version, url) => made,
            _ = self.run.cancel.wait() => return,
        };
        if let Some(deployment) = self.kept(made) {
            let id = deployment.id.to_string();
            self.run.reporter.emit(Event::Published {
                kind: "deployment",
                id,
                url: url.unwrap_or_default().to_owned(),
            });
            self.deployment = Some(deployment);
        }
    }

    /// After the swap: how it ended, and the release if it went well.
    pub(super) async fn end(&mut self, ended: &Result<Exit, Stop>) {
        let Some((github, _)) = self.github.clone() else { return };
        let cancelled = self.run.cancel.raised().is_some();
        let github = if cancelled { github.patient(CANCELLED) } else { github };
        let live = matches!(ended, Ok(Exit::Done));
        if live && self.run.config.github.release == WhenReleased::Confirmed {
            self.release(&github).await;
        }
        if let Some(deployment) = self.deployment.take() {
            let state = if live { Ended::Success } else { Ended::Failure };
            let said = match ended {
                Ok(Exit::Done) => format!("{} is live", self.version),
                Err(Stop::Overtaken(_)) => format!("{} was overtaken by another run", self.version),
                Err(stop) if stop.exit() == Exit::Stuck => {
                    format!("{} failed and could not be rolled back", self.version)
                }
                _ => format!("{} is not live", self.version),
            };
            self.kept(github.end(&deployment, state, &said).await);
        }
    }

    /// The same, where this run still holds its locks: one that was overtaken reports no success. Gives how it ended.
    pub(super) async fn end_if_ours(&mut self, ended: Result<Exit, Stop>) -> Result<Exit, Stop> {
        let ended = if self.github.is_some() { self.run.if_still_ours(ended).await } else { ended };
        self.end(&ended).await;
        ended
    }

    /// The release of a version that is live already: an earlier run may not have been able to make it.
    pub(super) async fn publish(&self) {
        if let Some((github, _)) = &self.github {
            self.release(github).await;
        }
    }

    async fn release(&self, github: &GitHub) {
        if !self.releases {
            return;
        }
        if let Some(published) = self.kept(github.release(&Wanted { version: &self.version }).await) {
            if let Some(remark) = published.remark {
                self.run.reporter.note(Level::Warning, "", remark);
            }
            let id = published.id.to_string();
            self.run.reporter.emit(Event::Published { kind: "release", id, url: published.url });
        }
    }

    /// A refusal is a warning.
    fn kept<T>(&self, result: Result<T, Trouble>) -> Option<T> {
        result
            .map_err(|trouble| {
                let text = format!("{trouble}. The release itself does not depend on it.");
                self.run.reporter.note(Level::Warning, "", text);
            })
            .ok()
    }
}
