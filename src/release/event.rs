//! What a GitHub event says of a release: which texts to look into, or that there is none.
use super::source::{Text, VersionSource};
use super::version::VersionError;
use serde_json::Value;
use std::path::Path;

/// What an event says.
#[derive(Debug, PartialEq)]
pub(super) enum JobEvent {
    /// Look into these in turn; the first that holds a version decides.
    Texts(Vec<Text>),
    /// As `Texts`, and the last commit if none of them holds one.
    ThenLastCommit(Vec<Text>),
    /// Nothing to release, whatever any text says.
    Nothing(String),
}

impl JobEvent {
    fn nothing(why: impl Into<String>) -> JobEvent {
        JobEvent::Nothing(why.into())
    }
}

/// GitHub's webhook payloads (docs: "Webhook events and payloads").
pub(super) fn event(name: &str, event: &Value) -> JobEvent {
    match name {
        "push" if event["deleted"] == true => JobEvent::nothing("a branch or tag was deleted"),
        "push" => match event["ref"].as_str().and_then(|r| r.strip_prefix("refs/tags/")) {
            Some(tag) => {
                JobEvent::Texts(vec![Text { source: VersionSource::PushedTag, text: tag.to_owned(), author: None }])
            }
            None => of_commit(&event["head_commit"]),
        },
        "create" if event["ref_type"] == "tag" => {
            JobEvent::Texts(text(VersionSource::PushedTag, &event["ref"], &Value::Null))
        }
        "delete" => JobEvent::nothing("a branch or tag was deleted"),
        "merge_group" => JobEvent::nothing("a merge queue tries a merge"),
        "workflow_run" => workflow_run(&event["workflow_run"], event),
        "check_run" | "check_suite" => of_conclusion(name, &event[name]["conclusion"], "success"),
        "status" => of_conclusion(name, &event["state"], "success"),
        "deployment_status" => of_conclusion(name, &event["deployment_status"]["state"], "success"),
        "pull_request" | "pull_request_target" => pull_request(event),
        "release" => release(event),
        "repository_dispatch" => {
            JobEvent::ThenLastCommit(text(VersionSource::Input, &event["client_payload"]["version"], &Value::Null))
        }
        _ => JobEvent::ThenLastCommit(text(VersionSource::Input, &event["inputs"]["version"], &Value::Null)),
    }
}

fn of_commit(commit: &Value) -> JobEvent {
    let author = &commit["author"];
    let author = if author["username"].is_string() { &author["username"] } else { &author["name"] };
    match text(VersionSource::PushedCommit, &commit["message"], author) {
        none if none.is_empty() => JobEvent::ThenLastCommit(none),
        texts => JobEvent::Texts(texts),
    }
}

/// A run that ended well, of a commit of this repository: that of a pull request says what its author likes.
fn workflow_run(run: &Value, event: &Value) -> JobEvent {
    let word = |value: &Value| value.as_str().unwrap_or("nothing").to_owned();
    if run["conclusion"] != "success" {
        let how = if run["conclusion"].is_string() { &run["conclusion"] } else { &run["status"] };
        return JobEvent::nothing(format!("the workflow run before has not succeeded: {}", word(how)));
    }
    if run["event"].as_str().is_some_and(|name| name.starts_with("pull_request")) {
        return JobEvent::nothing("the workflow run before was that of a pull request");
    }
    let (from, here) = (&run["head_repository"]["full_name"], &event["repository"]["full_name"]);
    if from.is_string() && here.is_string() && from != here {
        return JobEvent::nothing(format!("the workflow run before was of a commit in {}", word(from)));
    }
    of_commit(&run["head_commit"])
}

/// Events that only say how something else has ended: the last commit is released if it ended well.
fn of_conclusion(name: &str, conclusion: &Value, good: &str) -> JobEvent {
    match conclusion.as_str() {
        Some(how) if how == good => JobEvent::ThenLastCommit(Vec::new()),
        how => JobEvent::nothing(format!("the {} is {}", name.replace('_', " "), how.unwrap_or("not finished"))),
    }
}

fn pull_request(event: &Value) -> JobEvent {
    let request = &event["pull_request"];
    if event["action"] != "closed" || request["merged"] != true {
        return JobEvent::nothing("the pull request is not merged");
    }
    let author = &request["user"]["login"];
    let mut texts = text(VersionSource::PullRequestTitle, &request["title"], author);
    texts.extend(text(VersionSource::PullRequestBody, &request["body"], author));
    JobEvent::ThenLastCommit(texts)
}

/// A release that somebody published; one that was edited or taken away releases nothing anew.
fn release(event: &Value) -> JobEvent {
    match event["action"].as_str() {
        None | Some("published" | "released" | "prereleased" | "created") => {}
        Some(other) => return JobEvent::nothing(format!("the GitHub release was {other}")),
    }
    if event["release"]["draft"] == true {
        return JobEvent::nothing("the GitHub release is a draft");
    }
    JobEvent::Texts(text(VersionSource::ReleaseTag, &event["release"]["tag_name"], &Value::Null))
}

/// The text, unless it is absent, null or blank.
fn text(source: VersionSource, value: &Value, author: &Value) -> Vec<Text> {
    let text = value.as_str().filter(|text| !text.trim().is_empty());
    let author = author.as_str().map(str::to_owned);
    text.map(|text| Text { source, text: text.to_owned(), author }).into_iter().collect()
}

pub(super) fn read_event(path: &Path) -> Result<Value, VersionError> {
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
pub(super) async fn last_commit(directory: &Path) -> Result<Text, VersionError> {
    let failed = |why: String| {
        VersionError::Unreadable(format!("the last commit's message cannot be read: {why}; or give --version"))
    };
    let words = ["log", "-1", "--no-show-signature", "--format=%an%n%B", "--encoding=UTF-8"];
    let said = super::tree::git(directory, &words).await.map_err(failed)?;
    let (author, text) = said.split_once('\n').unwrap_or_default();
    Ok(Text { source: VersionSource::LastCommit, text: text.to_owned(), author: Some(author.to_owned()) })
}
