//! Which repository, which commit, whose token: from a job's environment, or from the git work tree.

use crate::secret::Secret;
use serde_json::Value;
use std::path::Path;

/// Where to write to, and as whom.
#[derive(Debug, Clone)]
pub struct Repository {
    /// `GITHUB_API_URL`, such as `https://api.github.com` or `https://git.example/api/v3`.
    pub api: String,
    /// `OWNER/NAME`.
    pub repository: String,
    /// The commit that is released.
    pub commit: String,
    /// The token.
    pub token: Secret,
    /// The job, if this is one.
    pub job: Option<Job>,
}

/// A run of a workflow.
#[derive(Debug, Clone)]
pub struct Job {
    /// `GITHUB_RUN_ID`.
    pub run: String,
    /// `GITHUB_RUN_ATTEMPT`.
    pub attempt: String,
    /// The run's page.
    pub url: String,
}

/// Where the token may be; the first one that is set.
const TOKENS: [&str; 3] = ["CUTOVER_GITHUB_TOKEN", "GITHUB_TOKEN", "GH_TOKEN"];

impl Repository {
    /// The token of the environment; without one nothing can be written.
    pub fn token() -> Option<Secret> {
        TOKENS.into_iter().find_map(variable).map(Secret::new)
    }

    /// In a job, its repository and commit. Elsewhere, those of the work tree in `directory`, if its `origin` is on
    /// github.com (or on the server that `GITHUB_SERVER_URL` names): a token goes to no other host.
    ///
    /// The error says what is missing.
    pub async fn find(directory: &Path) -> Result<Repository, String> {
        let token = Repository::token().ok_or("no token in CUTOVER_GITHUB_TOKEN or GITHUB_TOKEN")?;
        let server = variable("GITHUB_SERVER_URL").unwrap_or_else(|| "https://github.com".to_owned());
        let api = variable("GITHUB_API_URL").unwrap_or_else(|| "https://api.github.com".to_owned());
        let repository = match variable("GITHUB_REPOSITORY") {
            Some(repository) => repository,
            None => {
                let origin = git(directory, &["remote", "get-url", "origin"]).await?;
                of_remote(&origin, &server).ok_or("the remote `origin` is no repository on GitHub")?
            }
        };
        if !is_repository(&repository) {
            return Err("GITHUB_REPOSITORY is not OWNER/NAME".to_owned());
        }
        let commit = match event_commit().or_else(|| variable("GITHUB_SHA")) {
            Some(commit) => commit,
            None => git(directory, &["rev-parse", "HEAD"]).await?,
        };
        let job = variable("GITHUB_RUN_ID").map(|run| Job {
            url: format!("{server}/{repository}/actions/runs/{run}"),
            attempt: variable("GITHUB_RUN_ATTEMPT").unwrap_or_else(|| "1".to_owned()),
            run,
        });
        Ok(Repository { api, repository, commit, token, job })
    }
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|text| !text.trim().is_empty())
}

/// `GITHUB_SHA` of these events is not the commit that they are about (docs: "Events that trigger workflows").
pub fn event_commit() -> Option<String> {
    let event: Value = serde_json::from_slice(&std::fs::read(variable("GITHUB_EVENT_PATH")?).ok()?).ok()?;
    let merged = event["pull_request"]["merged"] == true;
    let merge = event["pull_request"]["merge_commit_sha"].as_str().filter(|_| merged);
    merge.or_else(|| event["workflow_run"]["head_sha"].as_str()).map(str::to_owned)
}

/// `OWNER/NAME` of a remote on this server, in any form that git takes.
fn of_remote(remote: &str, server: &str) -> Option<String> {
    let host = server.split_once("://")?.1.trim_end_matches('/');
    let rest = remote.split_once("://").map_or(remote, |(_, rest)| rest);
    let rest = rest.split_once('@').map_or(rest, |(_, rest)| rest);
    let path = rest.strip_prefix(host)?.strip_prefix(['/', ':'])?;
    let path = path.trim_end_matches('/');
    let path = path.strip_suffix(".git").unwrap_or(path);
    is_repository(path).then(|| path.to_owned())
}

fn is_repository(text: &str) -> bool {
    let good = |part: &str| {
        !matches!(part, "" | "." | "..") && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
    };
    text.split_once('/').is_some_and(|(owner, name)| good(owner) && good(name))
}

async fn git(directory: &Path, words: &[&str]) -> Result<String, String> {
    let here = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
    let mut git = crate::child::command("git", &[]);
    git.args(words).current_dir(here);
    let said =
        crate::child::output(git).await.map_err(|error| format!("git {} failed here: {error}", words.join(" ")))?;
    Ok(said.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_remote_on_the_server_is_a_repository_and_no_other() {
        let of = |remote| of_remote(remote, "https://github.com");
        for remote in [
            "git@github.com:devrank/api.git",
            "https://github.com/devrank/api",
            "https://x:y@github.com/devrank/api.git/",
            "ssh://git@github.com/devrank/api.git",
        ] {
            assert_eq!(of(remote).as_deref(), Some("devrank/api"), "{remote}");
        }
        for remote in
            ["git@gitlab.com:a/b.git", "https://github.com.evil.example/a/b", "/srv/git/a.git", "git@github.com:a"]
        {
            assert_eq!(of(remote), None, "{remote}");
        }
    }
}
