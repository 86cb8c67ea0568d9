#![allow(clippy::unwrap_used)]
use super::*;
use serde_json::json;
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
        }
    }

    async fn show(&self, event: Option<(&str, Value)>) -> String {
        show(&self.places(event)).await
    }
}

async fn show(places: &Places) -> String {
    match resolve(places).await {
        Ok(Resolved::Found(version, source)) => format!("{version} from {source}"),
        Ok(Resolved::Nothing(why)) => why,
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
        ("pull_request", merged("Release", "This is v1.2.3."), "v1.2.3 from the description of the pull request"),
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
            json!({"workflow_run": {"head_commit": {"message": "v1.2.3"}}}),
            "v1.2.3 from the message of the pushed commit",
        ),
        ("schedule", json!({}), "v9.0.0 from the message of the last commit"),
    ];
    for (name, event, expected) in table {
        assert_eq!(here.show(Some((name, event.clone()))).await, expected, "{name} {event}");
    }
}

#[tokio::test]
async fn without_an_event_the_last_commit_decides() {
    assert_eq!(Here::with_commit("x\n\nv1.2.3 & more").show(None).await, "v1.2.3 from the message of the last commit");
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
