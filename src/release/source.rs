//! Where the version of a release comes from: the command line, the event, or the last commit.
use super::version::{Version, VersionError, find};
use serde_json::Value;
use std::fmt;
use std::path::{Path, PathBuf};

/// Where a version was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
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
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resolved {
    /// A version, and where.
    Found(Version, Source),
    /// Nothing to release; the text says why, as in "no version in the message of the pushed commit".
    Nothing(String),
}

/// Where to look.
#[derive(Debug, Clone, Default)]
pub struct Places {
    /// `--version`; with or without the leading `v`.
    pub asked: Option<String>,
    /// `GITHUB_EVENT_NAME`.
    pub event_name: Option<String>,
    /// `GITHUB_EVENT_PATH`: the event as JSON.
    pub event_path: Option<PathBuf>,
    /// A directory in the git work tree.
    pub directory: PathBuf,
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
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Source::Asked => "--version",
            Source::PushedCommit => "the message of the pushed commit",
            Source::PushedTag => "the pushed tag",
            Source::PullRequestTitle => "the title of the pull request",
            Source::PullRequestBody => "the description of the pull request",
            Source::ReleaseTag => "the tag of the GitHub release",
            Source::Input => "the input `version`",
            Source::LastCommit => "the message of the last commit",
        })
    }
}

/// A text to look into, and where it is from.
type Text = (Source, String);

/// What an event says.
#[derive(Debug, PartialEq)]
enum Event {
    /// Look into these in turn; the first that holds a version decides.
    Texts(Vec<Text>),
    /// As `Texts`, and the last commit if none of them holds one.
    ThenLastCommit(Vec<Text>),
    /// Nothing to release, whatever any text says.
    Nothing(&'static str),
}

/// Finds the version to release: `--version`, else the event, else the last commit.
///
/// - push: the message of the head commit; of a tag: the tag itself. A deleted branch or tag releases nothing.
/// - pull_request, merged: the title; the description if the title has none; then the last commit. Not merged: nothing.
/// - release: its tag. workflow_run: the message of its head commit.
/// - workflow_dispatch: the input `version`, with or without `v`; without one, the last commit. Any other event: that too.
///
/// A text with a malformed version, or with different ones, is an error that names the text.
pub async fn resolve(places: &Places) -> Result<Resolved, VersionError> {
    if let Some(asked) = &places.asked {
        return Ok(Resolved::Found(named(Source::Asked, Version::parse(asked))?, Source::Asked));
    }
    let event = match (&places.event_name, &places.event_path) {
        (Some(name), Some(path)) => event(name, &read_event(path)?),
        _ => Event::ThenLastCommit(Vec::new()),
    };
    let (mut texts, also_last_commit) = match event {
        Event::Nothing(why) => return Ok(Resolved::Nothing(why.to_owned())),
        Event::Texts(texts) => (texts, false),
        Event::ThenLastCommit(texts) => (texts, true),
    };
    if let Some((version, source)) = first(&texts)? {
        return Ok(Resolved::Found(version, source));
    }
    if also_last_commit {
        let last = (Source::LastCommit, last_commit(&places.directory).await?);
        if let Some((version, source)) = first(std::slice::from_ref(&last))? {
            return Ok(Resolved::Found(version, source));
        }
        texts.push(last);
    }
    let looked: Vec<String> = texts.iter().map(|(source, _)| source.to_string()).collect();
    Ok(Resolved::Nothing(format!("no version (vMAJOR.MINOR.PATCH) in {}", looked.join(" or "))))
}

fn first(texts: &[Text]) -> Result<Option<(Version, Source)>, VersionError> {
    for (source, text) in texts {
        let found = match source {
            Source::Input => Version::parse(text).map(Some),
            Source::ReleaseTag | Source::PushedTag => Version::parse(text).map(Some).or_else(|_| find(text)),
            _ => find(text),
        };
        if let Some(version) = named(*source, found)? {
            return Ok(Some((version, *source)));
        }
    }
    Ok(None)
}

/// Says in which text the trouble is.
fn named<T>(source: Source, result: Result<T, VersionError>) -> Result<T, VersionError> {
    result.map_err(|error| VersionError::In(source, Box::new(error)))
}

/// GitHub's webhook payloads (docs: "Webhook events and payloads").
fn event(name: &str, event: &Value) -> Event {
    match name {
        "push" if event["deleted"] == true => Event::Nothing("a branch or tag was deleted"),
        "push" => match event["ref"].as_str().and_then(|r| r.strip_prefix("refs/tags/")) {
            Some(tag) => Event::Texts(vec![(Source::PushedTag, tag.to_owned())]),
            None => of_commit(&event["head_commit"]),
        },
        "workflow_run" => of_commit(&event["workflow_run"]["head_commit"]),
        "pull_request" | "pull_request_target" => pull_request(event),
        "release" => Event::Texts(text(Source::ReleaseTag, &event["release"]["tag_name"])),
        _ => Event::ThenLastCommit(text(Source::Input, &event["inputs"]["version"])),
    }
}

fn of_commit(commit: &Value) -> Event {
    match text(Source::PushedCommit, &commit["message"]) {
        none if none.is_empty() => Event::ThenLastCommit(none),
        texts => Event::Texts(texts),
    }
}

fn pull_request(event: &Value) -> Event {
    let request = &event["pull_request"];
    if event["action"] != "closed" || request["merged"] != true {
        return Event::Nothing("the pull request is not merged");
    }
    let mut texts = text(Source::PullRequestTitle, &request["title"]);
    texts.extend(text(Source::PullRequestBody, &request["body"]));
    Event::ThenLastCommit(texts)
}

/// The text, unless it is absent, null or blank.
fn text(source: Source, value: &Value) -> Vec<Text> {
    let text = value.as_str().filter(|text| !text.trim().is_empty());
    text.map(|text| (source, text.to_owned())).into_iter().collect()
}

fn read_event(path: &Path) -> Result<Value, VersionError> {
    let failed = |why: String| {
        let path = path.display();
        VersionError::Unreadable(format!(
            "the event in {path} (GITHUB_EVENT_PATH) cannot be read: {why}; or give --version"
        ))
    };
    let bytes = std::fs::read(path).map_err(|error| failed(error.to_string()))?;
    serde_json::from_slice(&bytes).map_err(|error| failed(error.to_string()))
}

/// The message of the commit that is checked out.
async fn last_commit(directory: &Path) -> Result<String, VersionError> {
    let failed = |why: String| {
        VersionError::Unreadable(format!("the last commit's message cannot be read: {why}; or give --version"))
    };
    let here = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
    let mut git = crate::child::command("git", &[]);
    git.args(["log", "-1", "--no-show-signature", "--format=%B", "--encoding=UTF-8"]).current_dir(here);
    crate::child::output(git).await.map_err(|error| failed(format!("git log: {error}")))
}

#[cfg(test)]
#[path = "source_tests.rs"]
mod tests;
