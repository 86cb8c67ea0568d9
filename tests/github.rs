//! GitHub's API as cutover speaks it: valid by GitHub's own description, and right when GitHub says no.
#![allow(missing_docs, dead_code, unreachable_pub, clippy::unwrap_used, clippy::expect_used)]

#[path = "common/github.rs"]
mod fake;

use cutover::github::{Ended, GitHub, Job, Repository, Wanted};
use cutover::release::Version;
use cutover::secret::Secret;
use fake::{COMMIT, FakeGitHub, REPOSITORY, reply};
use serde_json::json;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

fn github(api: &str, patience: u64) -> GitHub {
    let job = Job {
        run: "4711".to_owned(),
        attempt: "1".to_owned(),
        url: format!("https://github.com/{REPOSITORY}/actions/runs/4711"),
    };
    let place = Repository {
        api: api.to_owned(),
        repository: REPOSITORY.to_owned(),
        commit: COMMIT.to_owned(),
        token: Secret::new("a-token"),
        job: Some(job),
    };
    GitHub::new(place, Duration::from_secs(patience)).unwrap()
}

fn version(text: &str) -> Version {
    Version::parse(text).unwrap()
}

/// Prism in front of the fake: it checks each request against GitHub's OpenAPI description and passes it on.
struct Prism {
    child: Child,
    url: String,
    log: Arc<Mutex<Vec<String>>>,
}

impl Prism {
    fn start(upstream: &str) -> Prism {
        let tools = Command::new("scripts/action-tools").arg("node").output().expect("scripts/action-tools");
        let tools = String::from_utf8(tools.stdout).unwrap().trim().to_owned();
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut child = Command::new("node")
            .arg(format!("{tools}/node_modules/@stoplight/prism-cli/dist/index.js"))
            .args(["proxy", "--port", &port.to_string(), &format!("{tools}/openapi.json"), upstream])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .expect("node");
        let log = Arc::new(Mutex::new(Vec::new()));
        let (lines, into) = (BufReader::new(child.stdout.take().unwrap()).lines(), Arc::clone(&log));
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(|line| into.lock().unwrap().push(line)));
        let prism = Prism { child, url: format!("http://127.0.0.1:{port}"), log };
        prism.wait_for("listening on");
        prism
    }

    fn wait_for(&self, text: &str) {
        let deadline = Instant::now() + Duration::from_secs(90);
        while !self.log.lock().unwrap().iter().any(|line| line.contains(text)) {
            assert!(Instant::now() < deadline, "Prism never said {text:?}: {:?}", self.log.lock().unwrap());
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Prism {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test]
async fn every_request_is_valid_by_githubs_own_description() {
    let fake = FakeGitHub::start();
    let prism = Prism::start(&fake.url);
    let github = github(&prism.url, 30);
    for text in ["v1.0.0", "v1.0.0", "v1.1.0-rc.1+build.7"] {
        github.release(&Wanted { version: &version(text) }).await.unwrap();
    }
    fake.state.lock().unwrap().releases[0]["draft"] = true.into();
    github.release(&Wanted { version: &version("v1.0.0") }).await.unwrap();
    for text in ["v1.0.0", "v1.1.0"] {
        let made = github.deploy(COMMIT, "production", text, Some("https://api.example.com")).await.unwrap();
        github.end(&made, Ended::Success, "live").await.unwrap();
    }
    assert_eq!(fake.states(101), ["in_progress", "success", "inactive"]);
    let log = prism.log.lock().unwrap();
    let wrong: Vec<&String> =
        log.iter().filter(|line| line.contains("Violation: request") || line.contains("not resolved")).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    let asked = fake.requests();
    for part in ["GET git/ref/tags", "POST releases", "PATCH releases/", "POST deployments", "GET deployments?"] {
        assert!(asked.iter().any(|request| request.starts_with(part)), "{part}: {asked:#?}");
    }
    drop(log);
    // the check itself checks: a request that is not valid is named
    let url = format!("{}/repos/{REPOSITORY}/releases", prism.url);
    let words = ["-s", "-o", "/dev/null", "-H", "content-type: application/json", "-d", "{}", &url];
    assert!(Command::new("curl").args(words).status().unwrap().success());
    prism.wait_for("Violation: request");
}

#[tokio::test]
async fn a_release_is_made_once_and_found_again() {
    let fake = FakeGitHub::start();
    let github = github(&fake.url, 10);
    let first = github.release(&Wanted { version: &version("v1.2.3") }).await.unwrap();
    assert_eq!((first.url.as_str(), &first.remark), ("https://github.com/devrank/api/releases/tag/v1.2.3", &None));
    {
        let state = fake.state.lock().unwrap();
        let made = &state.releases[0];
        assert_eq!((&made["target_commitish"], &made["generate_release_notes"]), (&json!(COMMIT), &json!(true)));
        assert_eq!((&made["prerelease"], &made["make_latest"]), (&json!(false), &json!("legacy")));
    }
    let again = github.release(&Wanted { version: &version("v1.2.3") }).await.unwrap();
    assert_eq!(again, first);
    let writes = fake.requests().into_iter().filter(|request| !request.starts_with("GET")).count();
    assert_eq!(writes, 1, "{:?}", fake.requests());
    let candidate = github.release(&Wanted { version: &version("v2.0.0-rc.1") }).await.unwrap();
    assert_eq!(candidate.id, 2);
    let state = fake.state.lock().unwrap();
    assert_eq!((&state.releases[1]["prerelease"], &state.releases[1]["make_latest"]), (&json!(true), &json!("false")));
}

#[tokio::test]
async fn a_release_that_turns_up_meanwhile_or_whose_answer_was_lost_is_no_error() {
    let fake = FakeGitHub::start();
    fake.lose("POST", "/releases", reply(502, json!({ "message": "Bad gateway" })), 1);
    let made = github(&fake.url, 10).release(&Wanted { version: &version("v1.2.3") }).await.unwrap();
    assert_eq!(made.id, 1);
    let asked = fake.requests();
    assert_eq!(asked.iter().filter(|request| *request == "POST releases").count(), 2, "{asked:?}");
    assert_eq!(fake.state.lock().unwrap().releases.len(), 1);
}

#[tokio::test]
async fn a_tag_at_another_commit_is_said_and_left_alone() {
    let fake = FakeGitHub::start();
    fake.state.lock().unwrap().tags.push(("v1.2.3".to_owned(), "fedcba9876543210".to_owned()));
    let made = github(&fake.url, 10).release(&Wanted { version: &version("v1.2.3") }).await.unwrap();
    assert!(made.remark.unwrap().contains("already, at commit fedcba9; this run is at 0123456"));
}

#[tokio::test]
async fn what_github_refuses_is_said_with_what_to_do() {
    let ours = |status: u16, message: &str| reply(status, json!({ "message": message }));
    let denied = ours(403, "Resource not accessible by integration");
    let table = [
        (
            denied.clone(),
            "GitHub: could not create the release v1.2.3: 403 Resource not accessible by integration; the job's token \
             may not; add this line to the job: `permissions: {contents: write}`",
        ),
        (
            denied.header("x-accepted-github-permissions", "contents=write,workflows=write; contents=write"),
            "GitHub: could not create the release v1.2.3: 403 Resource not accessible by integration; the job's token \
             may not; add this line to the job: `permissions: {contents: write, workflows: write}`",
        ),
        (
            ours(404, "Not Found"),
            "GitHub: could not create the release v1.2.3: 404 Not Found; no such repository, or the token may not see \
             it: the job's token may not; add this line to the job: `permissions: {contents: write}`",
        ),
        (
            ours(401, "Bad credentials"),
            "GitHub: could not create the release v1.2.3: 401 Bad credentials; the token is not valid; the action's \
             default is `github-token: ${{ github.token }}`",
        ),
        (
            reply(
                422,
                json!({ "message": "Validation Failed", "errors": [
                    { "resource": "Release", "code": "invalid", "field": "target_commitish" }
                ] }),
            ),
            "GitHub: could not create the release v1.2.3: 422 Validation Failed (Release target_commitish invalid)",
        ),
        (
            ours(429, "Too many").header("retry-after", "3600"),
            "GitHub: could not create the release v1.2.3: 429 Too many; the token's rate limit is used up; run the job \
             again later",
        ),
        (
            ours(403, "API rate limit exceeded for installation").header("x-ratelimit-remaining", "0"),
            "GitHub: could not create the release v1.2.3: 403 API rate limit exceeded for installation; the token's \
             rate limit is used up; run the job again later",
        ),
    ];
    for (answer, expected) in table {
        let fake = FakeGitHub::start();
        fake.fail("POST", "/releases", answer, 99);
        let began = Instant::now();
        let trouble = github(&fake.url, 10).release(&Wanted { version: &version("v1.2.3") }).await.unwrap_err();
        assert_eq!(trouble.to_string(), expected);
        assert!(began.elapsed() < Duration::from_secs(5), "took {:?}: {expected}", began.elapsed());
    }
}

#[tokio::test]
async fn what_passes_is_waited_for() {
    let fake = FakeGitHub::start();
    fake.fail("GET", "/git/ref", reply(500, json!({})), 2);
    fake.fail("GET", "/releases/tags", reply(429, json!({})).header("retry-after", "1"), 1);
    let secondary = json!({ "message": "You have exceeded a secondary rate limit." });
    fake.fail("POST", "/releases", reply(403, secondary).header("retry-after", "1"), 1);
    let began = Instant::now();
    github(&fake.url, 20).release(&Wanted { version: &version("v1.2.3") }).await.unwrap();
    let took = began.elapsed();
    assert!(took > Duration::from_secs(3) && took < Duration::from_secs(15), "{took:?}");
}

#[tokio::test]
async fn what_does_not_pass_is_given_up_within_bounds() {
    for answer in [reply(503, json!({})), reply(200, json!({})).after(Duration::from_secs(30))] {
        let fake = FakeGitHub::start();
        fake.fail("GET", "/git/ref", answer, 99);
        let began = Instant::now();
        let trouble = github(&fake.url, 2).release(&Wanted { version: &version("v1.2.3") }).await.unwrap_err();
        assert!(began.elapsed() < Duration::from_secs(6), "{trouble} after {:?}", began.elapsed());
        assert!(trouble.to_string().contains("could not look for the tag v1.2.3"), "{trouble}");
    }
    let nobody = github("http://127.0.0.1:1", 2).release(&Wanted { version: &version("v1.2.3") }).await.unwrap_err();
    assert!(nobody.status.is_none() && nobody.said.contains("refused"), "{nobody}");
}

#[tokio::test]
async fn a_deployment_begins_and_ends_and_those_before_it_become_inactive() {
    let fake = FakeGitHub::start();
    let github = github(&fake.url, 10);
    let first = github.deploy(COMMIT, "production", "v1.0.0", None).await.unwrap();
    github.end(&first, Ended::Success, "live").await.unwrap();
    let failed = github.deploy(COMMIT, "production", "v1.1.0", None).await.unwrap();
    github.end(&failed, Ended::Failure, "put back").await.unwrap();
    assert_eq!(fake.states(first.id), ["in_progress", "success"]);
    let third = github.deploy(COMMIT, "production", "v1.2.0", None).await.unwrap();
    github.end(&third, Ended::Success, "live").await.unwrap();
    assert_eq!(fake.states(first.id), ["in_progress", "success", "inactive"]);
    assert_eq!(fake.states(failed.id), ["in_progress", "failure"]);
    assert_eq!(fake.states(third.id), ["in_progress", "success"]);
}

#[tokio::test]
async fn a_job_with_an_environment_gets_no_second_deployment() {
    for name in ["production", "Production EU"] {
        let fake = FakeGitHub::start();
        let id = fake.job_deployment(name, "4711");
        let github = github(&fake.url, 10);
        let found = github.deploy(COMMIT, "production", "v1.0.0", None).await.unwrap();
        assert_eq!((found.id, found.own), (id, false));
        github.end(&found, Ended::Success, "live").await.unwrap();
        assert_eq!(fake.states(id), ["in_progress"], "the runner ends it");
        assert!(fake.requests().iter().all(|request| request.starts_with("GET")), "{:?}", fake.requests());
    }
}

#[tokio::test]
async fn another_run_or_two_other_environments_are_not_taken_for_the_jobs_own() {
    let fake = FakeGitHub::start();
    fake.job_deployment("production", "47110");
    let github = github(&fake.url, 10);
    assert!(github.deploy(COMMIT, "production", "v1.0.0", None).await.unwrap().own);
    fake.job_deployment("staging", "4711");
    fake.job_deployment("canary", "4711");
    assert!(github.deploy(COMMIT, "other", "v1.0.0", None).await.unwrap().own);
}

#[tokio::test]
async fn a_deployment_whose_answer_was_lost_is_not_made_twice() {
    let fake = FakeGitHub::start();
    fake.lose("POST", "/deployments", reply(502, json!({})), 1);
    let made = github(&fake.url, 10).deploy(COMMIT, "production", "v1.0.0", None).await.unwrap();
    assert_eq!((made.id, made.own, fake.state.lock().unwrap().deployments.len()), (101, true, 1));
}

#[tokio::test]
async fn deployments_that_the_token_may_not_write_are_said() {
    let fake = FakeGitHub::start();
    let denied = reply(403, json!({ "message": "Resource not accessible by integration" }));
    fake.fail("POST", "/deployments", denied, 1);
    let trouble = github(&fake.url, 10).deploy(COMMIT, "production", "v1.0.0", None).await.unwrap_err();
    assert!(
        trouble.to_string().ends_with("add this line to the job: `permissions: {deployments: write}`"),
        "{trouble}"
    );
}

#[tokio::test]
async fn a_path_in_the_apis_address_is_kept() {
    let fake = FakeGitHub::start();
    let api = format!("{}/api/v3/", fake.url);
    let _ = github(&api, 5).release(&Wanted { version: &version("v1.2.3") }).await;
    assert!(fake.requests()[0].starts_with("GET /api/v3"), "{:?}", fake.requests());
}
