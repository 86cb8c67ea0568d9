//! Where the version of a release comes from: the command line, the event, or the last commit.
use super::event::{JobEvent, event, last_commit, read_event};
use super::grammar::{Reading, Shape, read};
use super::missing;
use super::scan::{anywhere, by_pattern};
use super::version::{Version, VersionError};
use regex::Regex;
use std::fmt;
use std::path::{Path, PathBuf};

/// Where a version was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VersionSource {
    /// `--version`.
    Asked,
    /// The message of the commit that was pushed, or that the event is about.
    PushedCommit,
    /// The tag that was pushed.
    PushedTag,
    /// The title of the merged pull request.
    PullRequestTitle,
    /// The description of the merged pull request.
    PullRequestBody,
    /// The tag of the GitHub release.
    ReleaseTag,
    /// The `version` input of a run that was started by hand.
    Input,
    /// `git log -1`.
    LastCommit,
    /// A message that was given to look into.
    Given,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resolved {
    /// A version, and where.
    Found(Version, VersionSource),
    /// Nothing to release.
    Nothing(Nothing),
}

/// Why there is nothing to release.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Nothing {
    /// In words, as in "no version in the message of the pushed commit".
    pub why: String,
    /// A version stands there all the same: how it, or this commit, would be released.
    pub todo: Option<String>,
    /// The only version that is there and that the grammar can't place.
    pub lone: Option<(Version, VersionSource)>,
}

/// Which version in a text counts.
#[derive(Debug, Clone, Default)]
pub enum Rule {
    /// One that stands where releases are named.
    #[default]
    Grammar,
    /// Any.
    Anywhere,
    /// What the group `version` of this pattern matches.
    Pattern(Regex),
}

/// Where to look.
#[derive(Debug, Clone, Default)]
pub struct Places {
    /// `--version`; with or without the leading `v`.
    pub asked: Option<String>,
    /// A message to look into instead of any event and commit.
    pub message: Option<String>,
    /// `GITHUB_EVENT_NAME`.
    pub event_name: Option<String>,
    /// `GITHUB_EVENT_PATH`: the event as JSON.
    pub event_path: Option<PathBuf>,
    /// A directory in the git work tree.
    pub directory: PathBuf,
    /// Which version counts.
    pub rule: Rule,
    /// Names of what is released: a raise of their version is a release.
    pub own: Vec<String>,
}

/// A text that was looked into.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextLooked {
    /// Where it is from.
    pub source: VersionSource,
    /// The text.
    pub text: String,
    /// What the grammar made of it; nothing by any other rule.
    pub reading: Reading,
}

/// What was looked into, and what came of it.
#[derive(Debug)]
pub struct Search {
    /// In order.
    pub looked: Vec<TextLooked>,
    /// The version, nothing, or what is wrong.
    pub outcome: Result<Resolved, VersionError>,
}

impl Places {
    /// The event from the environment of a GitHub job, if this is one.
    pub fn from_env(asked: Option<String>, directory: &Path) -> Self {
        let set = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        Places {
            asked,
            event_name: set("GITHUB_EVENT_NAME").and_then(|name| name.into_string().ok()),
            event_path: set("GITHUB_EVENT_PATH").map(PathBuf::from),
            directory: directory.to_owned(),
            ..Places::default()
        }
    }
}

impl fmt::Display for VersionSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            VersionSource::Asked => "--version",
            VersionSource::PushedCommit => "the message of the pushed commit",
            VersionSource::PushedTag => "the pushed tag",
            VersionSource::PullRequestTitle => "the title of the pull request",
            VersionSource::PullRequestBody => "the description of the pull request",
            VersionSource::ReleaseTag => "the tag of the GitHub release",
            VersionSource::Input => "the input `version`",
            VersionSource::LastCommit => "the message of the last commit",
            VersionSource::Given => "the message given",
        })
    }
}

/// A text to look into.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Text {
    pub(super) source: VersionSource,
    pub(super) text: String,
    /// Who wrote it, where the event says so.
    pub(super) author: Option<String>,
}

/// Finds the version to release: `--version`, else the event, else the last commit.
///
/// - push: the message of the head commit; of a tag: the tag itself. A deleted branch or tag releases nothing.
/// - pull_request, merged: the title; the description if the title has none; then the last commit. Not merged: nothing.
/// - release: its tag, if it was published. workflow_run: the message of its head commit, if it succeeded.
/// - workflow_dispatch: the input `version`, with or without `v`; without one, the last commit. Any other event: that too.
///
/// A text that names a release without a version, or with different ones, is an error that names the text.
pub async fn search(places: &Places) -> Search {
    let mut looked = Vec::new();
    let outcome = look(places, &mut looked).await;
    Search { looked, outcome }
}

async fn look(places: &Places, looked: &mut Vec<TextLooked>) -> Result<Resolved, VersionError> {
    if let Some(asked) = &places.asked {
        return Ok(Resolved::Found(named(VersionSource::Asked, Version::parse(asked))?, VersionSource::Asked));
    }
    let event = match (&places.message, &places.event_name, &places.event_path) {
        (Some(message), ..) => {
            JobEvent::Texts(vec![Text { source: VersionSource::Given, text: message.clone(), author: None }])
        }
        (None, Some(name), Some(path)) => event(name, &read_event(path)?),
        _ => JobEvent::ThenLastCommit(Vec::new()),
    };
    let (texts, also_last_commit) = match event {
        JobEvent::Nothing(why) => return Ok(Resolved::Nothing(Nothing { why: why.to_owned(), ..Nothing::default() })),
        JobEvent::Texts(texts) => (texts, false),
        JobEvent::ThenLastCommit(texts) => (texts, true),
    };
    for text in texts {
        if let Some(version) = places.version_in(&text, looked)? {
            return Ok(Resolved::Found(version, text.source));
        }
    }
    // a bot's pull request is no release, whoever merged it
    if also_last_commit && !looked.iter().any(|looked| looked.reading.never.is_some()) {
        let last = last_commit(&places.directory).await?;
        if let Some(version) = places.version_in(&last, looked)? {
            return Ok(Resolved::Found(version, last.source));
        }
    }
    Ok(Resolved::Nothing(missing::nothing(looked)))
}

impl Places {
    fn version_in(&self, text: &Text, looked: &mut Vec<TextLooked>) -> Result<Option<Version>, VersionError> {
        let Text { source, text, author } = text;
        let shape = match source {
            VersionSource::PullRequestTitle => Shape::Title,
            VersionSource::PullRequestBody => Shape::Description,
            _ => Shape::Message,
        };
        let tag = matches!(source, VersionSource::ReleaseTag | VersionSource::PushedTag);
        let mut reading = Reading::default();
        let found = match &self.rule {
            _ if *source == VersionSource::Input => Version::parse(text).map(Some),
            _ if tag && Version::parse(text).is_ok() => Version::parse(text).map(Some),
            Rule::Pattern(pattern) => by_pattern(pattern, text),
            Rule::Anywhere => anywhere(text),
            Rule::Grammar if tag => anywhere(text),
            Rule::Grammar => {
                // what the title says goes for the description as well
                let never = looked.iter().any(|looked| looked.reading.never.is_some());
                reading = if never { reading } else { read(text, shape, &self.own, author.as_deref()) };
                reading.version()
            }
        };
        looked.push(TextLooked { source: *source, text: text.clone(), reading });
        named(*source, found)
    }
}

/// Says in which text the trouble is.
fn named<T>(source: VersionSource, result: Result<T, VersionError>) -> Result<T, VersionError> {
    result.map_err(|error| VersionError::In(source, Box::new(error)))
}

#[cfg(test)]
#[path = "source_tests.rs"]
mod tests;
