#![allow(clippy::unwrap_used)]
use super::*;
use serde_json::{Value, json};
use std::process::Command;

struct Here {
    dir: tempfile::TempDir,
}

impl Here {
    /// A git work tree whose last commit has this message.
    fn with_commit(message: &str) -> Here {
        let dir = tempfile::tempdir().unwrap();
        let git = |args: &[&str]| {
            let mut git = Command::new("git");
            git.args(["-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false"]);
            let status = git.args(args).current_dir(dir.path()).env("GIT_CONFIG_GLOBAL", "/dev/null").status().unwrap();
            assert!(status.success());
        };
        git(&["init", "-q"]);
        std::fs::write(dir.path().join(".message"), message).unwrap();
        git(&["commit", "-q", "--allow-empty", "-F", ".message"]);
        Here { dir }
    }

    fn places(&self, event: Option<(&str, Value)>) -> Places {
        let path = self.dir.path().join("event.json");
        let name = event.map(|(name, event)| {
            std::fs::write(&path, event.to_string()).unwrap();
            name.to_owned()
        });
        Places {
            asked: None,
            event_path: name.is_some().then_some(path),
            event_name: name,
            directory: self.dir.path().into(),
            ..Places::default()
        }
    }

    async fn show(&self, event: Option<(&str, Value)>) -> String {
        show(&self.places(event)).await
    }
}

async fn show(places: &Places) -> String {
    match search(places).await.outcome {
        Ok(Resolved::Found(version, source)) => format!("{version} from {source}"),
        Ok(Resolved::Nothing(nothing)) => nothing.why,
        Err(error) => format!("error: {error}"),
    }
}

#[tokio::test]
async fn each_event_is_read_where_it_names_the_version() {
    let here = Here::with_commit("v9.0.0");
    let merged =
        |title, body| json!({"action": "closed", "pull_request": {"merged": true, "title": title, "body": body}});
    let table = [
        (
            "push",
            json!({"ref": "refs/heads/main", "head_commit": {"message": "fix\n\nv1.2.3"}}),
            "v1.2.3 from the message of the pushed commit",
        ),
        (
            "push",
            json!({"head_commit": {"message": "fix"}}),
            "no version (vMAJOR.MINOR.PATCH) in the message of the pushed commit",
        ),
        ("push", json!({"head_commit": null, "deleted": true}), "a branch or tag was deleted"),
        ("push", json!({"head_commit": null}), "v9.0.0 from the message of the last commit"),
        (
            "push",
            json!({"ref": "refs/tags/v2.0.0", "head_commit": {"message": "v1.2.3"}}),
            "v2.0.0 from the pushed tag",
        ),
        ("push", json!({"ref": "refs/tags/2.0.0"}), "v2.0.0 from the pushed tag"),
        ("pull_request", merged("Release v1.2.3", "after v1.2.2"), "v1.2.3 from the title of the pull request"),
        ("pull_request", merged("Release", "Search.\n\nv1.2.3\n"), "v1.2.3 from the description of the pull request"),
        ("pull_request_target", merged("Release", ""), "v9.0.0 from the message of the last commit"),
        (
            "pull_request",
            json!({"action": "closed", "pull_request": {"merged": false, "title": "v1.2.3"}}),
            "the pull request is not merged",
        ),
        (
            "pull_request",
            json!({"action": "opened", "pull_request": {"merged": false, "title": "v1.2.3"}}),
            "the pull request is not merged",
        ),
        ("release", json!({"release": {"tag_name": "v1.2.3-rc.1"}}), "v1.2.3-rc.1 from the tag of the GitHub release"),
        (
            "release",
            json!({"release": {"tag_name": "nightly"}}),
            "no version (vMAJOR.MINOR.PATCH) in the tag of the GitHub release",
        ),
        ("workflow_dispatch", json!({"inputs": {"version": "1.2.3"}}), "v1.2.3 from the input `version`"),
        ("workflow_dispatch", json!({"inputs": {"version": " "}}), "v9.0.0 from the message of the last commit"),
        ("workflow_dispatch", json!({"inputs": null}), "v9.0.0 from the message of the last commit"),
        (
            "workflow_run",
            json!({"workflow_run": {"conclusion": "success", "head_commit": {"message": "v1.2.3"}}}),
            "v1.2.3 from the message of the pushed commit",
        ),
        ("schedule", json!({}), "v9.0.0 from the message of the last commit"),
        ("repository_dispatch", json!({"client_payload": {"version": "v1.2.3"}}), "v1.2.3 from the input `version`"),
        ("create", json!({"ref_type": "tag", "ref": "v1.2.3"}), "v1.2.3 from the pushed tag"),
        (
            "check_suite",
            json!({"check_suite": {"conclusion": "success"}}),
            "v9.0.0 from the message of the last commit",
        ),
    ];
    for (name, event, expected) in table {
        assert_eq!(here.show(Some((name, event.clone()))).await, expected, "{name} {event}");
    }
}

#[tokio::test]
async fn what_failed_or_was_taken_away_releases_nothing() {
    let here = Here::with_commit("v9.0.0");
    let run = |conclusion: Value, more: Value| {
        let mut run = json!({"conclusion": conclusion, "head_commit": {"message": "v1.2.3"}});
        run.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({"workflow_run": run, "repository": {"full_name": "devrank/api"}})
    };
    let release = |action: &str| json!({"action": action, "release": {"tag_name": "v1.2.3"}});
    let fork = json!({"head_repository": {"full_name": "somebody/api"}});
    let table = [
        ("workflow_run", run(json!("failure"), json!({})), "the workflow run before has not succeeded: failure"),
        ("workflow_run", run(json!("cancelled"), json!({})), "the workflow run before has not succeeded: cancelled"),
        ("workflow_run", run(json!("skipped"), json!({})), "the workflow run before has not succeeded: skipped"),
        (
            "workflow_run",
            run(Value::Null, json!({"status": "in_progress"})),
            "the workflow run before has not succeeded: in_progress",
        ),
        (
            "workflow_run",
            run(json!("success"), json!({"event": "pull_request"})),
            "the workflow run before was that of a pull request",
        ),
        ("workflow_run", run(json!("success"), fork), "the workflow run before was of a commit in somebody/api"),
        ("release", release("deleted"), "the GitHub release was deleted"),
        ("release", release("unpublished"), "the GitHub release was unpublished"),
        ("release", release("edited"), "the GitHub release was edited"),
        (
            "release",
            json!({"action": "created", "release": {"tag_name": "v1.2.3", "draft": true}}),
            "the GitHub release is a draft",
        ),
        ("check_suite", json!({"check_suite": {"conclusion": "failure"}}), "the check suite is failure"),
        ("check_run", json!({"check_run": {"conclusion": null}}), "the check run is not finished"),
        ("status", json!({"state": "pending"}), "the status is pending"),
        ("deployment_status", json!({"deployment_status": {"state": "error"}}), "the deployment status is error"),
        ("merge_group", json!({}), "a merge queue tries a merge"),
        ("delete", json!({"ref_type": "tag"}), "a branch or tag was deleted"),
    ];
    for (name, event, expected) in table {
        assert_eq!(here.show(Some((name, event.clone()))).await, expected, "{name} {event}");
    }
}

#[tokio::test]
async fn a_version_that_is_not_taken_is_said_with_what_would_have_made_it_a_release() {
    let here = Here::with_commit("tidy up");
    let nothing = async |message: &str, author: &str| {
        let event = json!({"head_commit": {"message": message, "author": {"username": author}}});
        match search(&here.places(Some(("push", event)))).await.outcome {
            Ok(Resolved::Nothing(nothing)) => nothing,
            other => panic!("{message}: {other:?}"),
        }
    };
    let lone = nothing("Search is faster v1.2.3", "ann").await;
    let expected = "v1.2.3 in the message of the pushed commit is not taken, `Search is faster v1.2.3`: nothing says that \
                    it is this app's";
    assert_eq!(lone.why, expected);
    let version = Version::parse("v1.2.3").unwrap();
    assert_eq!(lone.lone, Some((version, VersionSource::PushedCommit)));
    let todo = lone.todo.unwrap();
    assert!(
        todo.contains("`v1.2.3: …`") && todo.contains("version-from: anywhere") && todo.contains("--version v1.2.3")
    );
    let revert = nothing("Revert \"v4.17.21 bad\"", "ann").await;
    assert!(revert.why.contains("takes back") && revert.todo.unwrap().contains("cutover rollback"));
    let bot = nothing("v4.17.21", "renovate[bot]").await;
    assert!(bot.why.contains("something else that the app uses") && bot.lone.is_none(), "{bot:?}");
    let none = nothing("tidy up", "ann").await;
    assert_eq!((none.todo, none.lone), (None, None));
    // what a bot's pull request says is no release, whoever merged it, and however its merge is called
    let merged = json!({"action": "closed", "pull_request": {
        "merged": true, "title": "Update dependency lodash to v4.17.21", "body": "v4.17.21", "user": {"login": "renovate[bot]"}
    }});
    let other = Here::with_commit("v9.0.0");
    let said = other.show(Some(("pull_request", merged))).await;
    assert!(said.starts_with("v4.17.21 in the title of the pull request is not taken"), "{said}");
}

#[tokio::test]
async fn by_other_rules_a_version_is_taken_wherever_it_stands() {
    let here = Here::with_commit("Search is faster v1.2.3");
    let mut places = here.places(None);
    places.rule = Rule::Anywhere;
    assert_eq!(show(&places).await, "v1.2.3 from the message of the last commit");
    places.message = Some("Update dependency lodash to v4.17.21".to_owned());
    assert_eq!(show(&places).await, "v4.17.21 from the message given");
    places.rule = Rule::Pattern(regex::Regex::new("build-(?P<version>[0-9.]+)").unwrap());
    let expected = "no version (vMAJOR.MINOR.PATCH) in the message given";
    assert_eq!(show(&places).await, expected);
    places.message = Some("build-1.2.3 with v9.9.9".to_owned());
    assert_eq!(show(&places).await, "v1.2.3 from the message given");
}

#[tokio::test]
async fn without_an_event_the_last_commit_decides() {
    assert_eq!(Here::with_commit("x\n\nRelease v1.2.3").show(None).await, "v1.2.3 from the message of the last commit");
    let none = "no version (vMAJOR.MINOR.PATCH) in the message of the last commit";
    assert_eq!(Here::with_commit("$(id) `id`").show(None).await, none);
}

#[tokio::test]
async fn what_is_asked_for_wins() {
    let mut places = Here::with_commit("v1.0.0").places(None);
    places.asked = Some("2.0.0".to_owned());
    assert_eq!(show(&places).await, "v2.0.0 from --version");
    places.asked = Some("2.0".to_owned());
    let expected =
        "error: in --version: `2.0` is not a version; expected vMAJOR.MINOR.PATCH, such as v1.2.3 or v1.2.3-rc.1";
    assert_eq!(show(&places).await, expected);
}

#[tokio::test]
async fn trouble_is_said_with_its_place() {
    let here = Here::with_commit("v1.2");
    assert!(here.show(None).await.starts_with("error: in the message of the last commit: `v1.2` is not a version"));
    let push = json!({"head_commit": {"message": "v1.2.3 v1.2.4"}});
    let said = here.show(Some(("push", push))).await;
    assert!(
        said.starts_with("error: in the message of the pushed commit: different versions: v1.2.3, v1.2.4"),
        "{said}"
    );
    let mut places = here.places(None);
    (places.event_name, places.event_path) = (Some("push".to_owned()), Some("/nowhere".into()));
    assert!(show(&places).await.starts_with("error: the event in /nowhere (GITHUB_EVENT_PATH) cannot be read: "));
    let empty = tempfile::tempdir().unwrap();
    let said = show(&Places { directory: empty.path().into(), ..Places::default() }).await;
    assert!(said.starts_with("error: the last commit's message cannot be read: git log: "), "{said}");
}
