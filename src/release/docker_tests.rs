//! docker's command line, with an executable that stands in for it.
#![allow(clippy::unwrap_used)]
use super::stand_in::StandIn;
use super::*;
use crate::config::{Build, BuildSecret, ImageName, SecretSource};
use crate::secret::Secret;
use std::path::{Path, PathBuf};
use std::time::Duration;

const DIGEST: &str = "sha256:0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a";
const NO_BUILDX: &str = "'buildx version') exit 1;;";

fn image() -> ImageName {
    "ghcr.io/devrank/api".parse().unwrap()
}

fn reference() -> String {
    "ghcr.io/devrank/api:v1.2.3_b".to_owned()
}

fn plain() -> Build {
    Build {
        context: "backend".into(),
        dockerfile: None,
        target: None,
        platform: None,
        args: Vec::new(),
        secrets: Vec::new(),
        cache_from: Vec::new(),
        cache_to: Vec::new(),
    }
}

fn credentials(server: &str) -> Credentials {
    Credentials {
        server: server.to_owned(),
        username: "devrank".to_owned(),
        password: Secret::new("hunter2"),
        password_env: "GHCR_TOKEN".to_owned(),
    }
}

fn quiet(_: DockerLine) {}

#[tokio::test]
async fn a_build_is_words_in_a_fixed_order() {
    let stand_in = StandIn::new("'image inspect'*) echo sha256:1d;;");
    let docker = stand_in.docker().await;
    let file = stand_in.dir.path().join("a,b");
    std::fs::write(&file, "x").unwrap();
    let build = Build {
        context: "-odd dir".into(),
        dockerfile: Some("-odd dir/Dockerfile.prod".into()),
        target: Some("prod".to_owned()),
        platform: Some("linux/amd64".to_owned()),
        args: vec![("A".to_owned(), Some("$(id) x".to_owned())), ("B".to_owned(), None)],
        secrets: vec![
            BuildSecret { id: "path".parse().unwrap(), source: SecretSource::Env("PATH".parse().unwrap()) },
            BuildSecret { id: "file".parse().unwrap(), source: SecretSource::File(file.clone()) },
        ],
        cache_from: vec!["type=gha".to_owned()],
        cache_to: vec!["type=gha,mode=max".to_owned()],
    };
    let built = docker.build(&image(), &reference(), &build, &mut quiet).await.unwrap();
    let expected = format!(
        "[buildx][build][--load][--progress=plain][--tag][ghcr.io/devrank/api:v1.2.3_b][--file][-odd dir/Dockerfile.prod]\
         [--target][prod][--platform][linux/amd64][--build-arg][A=$(id) x][--build-arg][B][--secret][id=path,env=PATH]\
         [--secret][id=file,\"src={}\"][--cache-from][type=gha][--cache-to][type=gha,mode=max][./-odd dir]",
        file.display()
    );
    assert_eq!(stand_in.words()[0], expected);
    let expected = Built { reference: "ghcr.io/devrank/api:v1.2.3_b".to_owned(), image_id: "sha256:1d".to_owned() };
    assert_eq!(built, expected);
}

#[tokio::test]
async fn without_buildx_the_old_builder_builds_what_it_can() {
    let stand_in = StandIn::new(&format!("{NO_BUILDX}\n'image inspect'*) echo sha256:1d;;"));
    let docker = stand_in.docker().await;
    docker.build(&image(), &reference(), &plain(), &mut quiet).await.unwrap();
    assert_eq!(stand_in.words()[0], "[build][--tag][ghcr.io/devrank/api:v1.2.3_b][backend]");
    let secrets = vec![BuildSecret { id: "x".parse().unwrap(), source: SecretSource::Env("PATH".parse().unwrap()) }];
    let error = docker.build(&image(), &reference(), &Build { secrets, ..plain() }, &mut quiet).await.unwrap_err();
    assert!(error.to_string().contains("build.secrets needs buildx"), "{error}");
    let cache_to = vec!["type=gha".to_owned()];
    let error = docker.build(&image(), &reference(), &Build { cache_to, ..plain() }, &mut quiet).await.unwrap_err();
    assert!(error.to_string().contains("build.cache-to needs buildx"), "{error}");
}

#[tokio::test]
async fn a_secret_that_is_not_there_stops_the_build_before_it_starts() {
    let stand_in = StandIn::new("");
    let docker = stand_in.docker().await;
    for (source, expected) in [
        (
            SecretSource::Env("NOT_SET_HERE".parse().unwrap()),
            "the environment variable NOT_SET_HERE of the build secret `x`",
        ),
        (SecretSource::File(PathBuf::from("/nowhere/x")), "the file /nowhere/x of the build secret `x` is not there"),
    ] {
        let secrets = vec![BuildSecret { id: "x".parse().unwrap(), source }];
        let error = docker.build(&image(), &reference(), &Build { secrets, ..plain() }, &mut quiet).await.unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    }
    assert!(stand_in.words().is_empty());
}

#[tokio::test]
async fn the_password_goes_through_stdin_into_a_directory_of_this_run() {
    let stand_in = StandIn::new("");
    let mut docker = stand_in.docker().await;
    docker.log_in(credentials("ghcr.io")).await.unwrap();
    assert_eq!(stand_in.words(), ["[login][--username][devrank][--password-stdin][ghcr.io]"]);
    assert_eq!(stand_in.read("stdin"), "hunter2");
    assert_eq!(stand_in.read("modes"), "700\n600\n");
    let config: serde_json::Value = serde_json::from_str(&stand_in.read("config.json")).unwrap();
    assert_eq!(config["auths"], serde_json::json!({"ghcr.io": {}}));
    assert!(config.get("credsStore").is_none());
    let dir = stand_in.read("config").trim().to_owned();
    assert_eq!(docker.config_dir(), Some(Path::new(&dir)));
    drop(docker);
    assert!(!Path::new(&dir).exists(), "the login is gone");
    assert!(!stand_in.read("words").contains("hunter2"));
}

#[tokio::test]
async fn docker_hub_has_no_name_for_login() {
    let stand_in = StandIn::new("");
    stand_in.docker().await.log_in(credentials("docker.io")).await.unwrap();
    assert_eq!(stand_in.words(), ["[login][--username][devrank][--password-stdin]"]);
    assert!(stand_in.read("config.json").contains("https://index.docker.io/v1/"));
}

#[tokio::test]
async fn a_refused_login_leaves_nothing_and_names_the_credentials() {
    let stand_in = StandIn::new("login*) echo 'Error response from daemon: denied: denied' >&2; exit 1;;");
    let mut docker = stand_in.docker().await;
    let error = docker.log_in(credentials("ghcr.io")).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "logging in to ghcr.io as devrank: docker ended with exit code 1\n  \
         command: docker login --username devrank --password-stdin ghcr.io\n  \
         │ Error response from daemon: denied: denied\n  \
         → ghcr.io refused the user devrank with the password in GHCR_TOKEN: look at both, and at the user's right to push there"
    );
    assert!(!Path::new(stand_in.read("config").trim()).exists());
    assert_eq!(docker.config_dir(), None);
}

#[tokio::test]
async fn a_push_tells_its_digest_line_by_line() {
    let stand_in = StandIn::new(&format!(
        "push*) printf '5f70: Preparing\\r5f70: Pushed\\n'; echo warning >&2; echo 'v1.2.3_b: digest: {DIGEST} size: 1234';;"
    ));
    let mut lines = Vec::new();
    let docker = stand_in.docker().await;
    let pushed = docker.push(&image(), "ghcr.io/devrank/api:v1.2.3_b", &mut |line| lines.push(line)).await.unwrap();
    assert_eq!(pushed.digest.as_str(), DIGEST);
    assert_eq!(stand_in.words(), ["[push][ghcr.io/devrank/api:v1.2.3_b]"]);
    let out: Vec<&str> = lines.iter().filter(|l| l.stream == DockerStream::Out).map(|l| l.text.as_str()).collect();
    assert_eq!(out[..2], ["5f70: Preparing", "5f70: Pushed"]);
    assert!(lines.contains(&DockerLine { stream: DockerStream::Err, text: "warning".to_owned() }));
}

#[tokio::test]
async fn a_push_that_prints_no_digest_is_asked_about() {
    let other = DIGEST.replace("0a", "0b");
    let script = format!("'image inspect'*) echo '[\"other/api@{other}\",\"ghcr.io/devrank/api@{DIGEST}\"]';;");
    let stand_in = StandIn::new(&script);
    let pushed = stand_in.docker().await.push(&image(), "ghcr.io/devrank/api:v1", &mut quiet).await.unwrap();
    assert_eq!(pushed.digest.as_str(), DIGEST);
    let script =
        format!("'image inspect'*) echo '[\"ghcr.io/devrank/api@{other}\",\"ghcr.io/devrank/api@{DIGEST}\"]';;");
    let error =
        StandIn::new(&script).docker().await.push(&image(), "ghcr.io/devrank/api:v1", &mut quiet).await.unwrap_err();
    assert!(error.to_string().contains("several digests"), "{error}");
}

#[tokio::test]
async fn latest_moves_in_the_registry_or_by_tag_and_push() {
    let digest: Digest = DIGEST.parse().unwrap();
    let (from, to) = (format!("ghcr.io/devrank/api@{DIGEST}"), "ghcr.io/devrank/api:latest");
    let stand_in = StandIn::new("");
    stand_in.docker().await.move_latest(&image(), &digest).await.unwrap();
    assert_eq!(stand_in.words(), [format!("[buildx][imagetools][create][--tag][{to}][{from}]")]);
    let stand_in = StandIn::new(NO_BUILDX);
    stand_in.docker().await.move_latest(&image(), &digest).await.unwrap();
    assert_eq!(stand_in.words(), [format!("[tag][{from}][{to}]"), format!("[push][{to}]")]);
    let stand_in = StandIn::new(&format!("{NO_BUILDX}\ntag*) [ -e $0.pulled ];;\npull*) touch $0.pulled;;"));
    stand_in.docker().await.move_latest(&image(), &digest).await.unwrap();
    let (tag, pull, push) = (format!("[tag][{from}][{to}]"), format!("[pull][{from}]"), format!("[push][{to}]"));
    assert_eq!(stand_in.words(), [tag.clone(), pull, tag, push]);
}

#[tokio::test]
async fn an_image_that_was_pushed_elsewhere_is_found() {
    let stand_in = StandIn::new(&format!("'buildx imagetools'*) echo {DIGEST};;"));
    let found = stand_in.docker().await.find_pushed(&image(), "ghcr.io/devrank/api:v1").await.unwrap();
    assert_eq!(found.digest.as_str(), DIGEST);
    let script = format!("{NO_BUILDX}\n'image inspect'*) echo '[\"ghcr.io/devrank/api@{DIGEST}\"]';;");
    let stand_in = StandIn::new(&script);
    let found = stand_in.docker().await.find_pushed(&image(), "ghcr.io/devrank/api:v1").await.unwrap();
    assert_eq!((found.digest.as_str(), &*stand_in.words()[0]), (DIGEST, "[pull][ghcr.io/devrank/api:v1]"));
}

#[tokio::test]
async fn an_error_has_the_last_lines_made_inert_and_no_argument_values() {
    // one stream: how docker's two interleave is the scheduler's choice
    let script = "'buildx build'*) { seq 1 100; printf '::error::x\\033[31m\\n'; } >&2; exit 7;;";
    let stand_in = StandIn::new(script);
    let docker = stand_in.docker().await;
    let build = Build { args: vec![("TOKEN".to_owned(), Some("hunter2".to_owned()))], ..plain() };
    let error = docker.build(&image(), &reference(), &build, &mut quiet).await.unwrap_err();
    assert_eq!((error.exit, error.lines.len()), (Some(7), 40));
    assert!(error.lines.contains(&"│ ::error::x\\u{1b}[31m".to_owned()), "{error}");
    assert!(error.command.contains(&"TOKEN=…".to_owned()) && !error.to_string().contains("hunter2"), "{error}");
}

#[tokio::test]
async fn what_docker_says_becomes_advice() {
    for (said, advice) in [
        ("Cannot connect to the Docker daemon at unix:///var/run/docker.sock.", "start the docker daemon"),
        ("permission denied while trying to connect to the Docker daemon socket", "group docker"),
        ("denied: requested access to the resource is denied", "ghcr.io was asked with docker's own login"),
        ("toomanyrequests: You have reached your pull rate limit", "log in"),
        ("write /x: no space left on device", "the disk is full"),
        ("unable to prepare context: path \"x\" not found", "build.context"),
    ] {
        let stand_in = StandIn::new(&format!("push*) echo '{said}' >&2; exit 1;;"));
        let error = stand_in.docker().await.push(&image(), "ghcr.io/devrank/api:v1", &mut quiet).await.unwrap_err();
        assert!(error.advice.as_ref().is_some_and(|text| text.contains(advice)), "{said}: {error}");
    }
    let error = DockerCli::at("/nowhere/docker").await.unwrap_err();
    assert!(error.to_string().contains("/nowhere/docker cannot be started"), "{error}");
    assert!(error.to_string().contains("on the PATH"), "{error}");
}

#[tokio::test]
async fn giving_up_kills_docker_and_what_it_started() {
    let stand_in = StandIn::new("push*) sleep 300 & echo $! >$0.child; echo $$ >$0.self; wait;;");
    let docker = stand_in.docker().await;
    let mut on_line = quiet;
    let image = image();
    let push = docker.push(&image, "ghcr.io/devrank/api:v1", &mut on_line);
    let started = async {
        while !stand_in.dir.path().join("docker.self").exists() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::select! { _ = push => panic!("it ended"), () = started => {} }
    for name in ["docker.self", "docker.child"] {
        let stat = PathBuf::from(format!("/proc/{}/stat", stand_in.read(name).trim()));
        let gone = || std::fs::read_to_string(&stat).map_or(true, |text| text.contains(") Z "));
        for _ in 0..200 {
            if gone() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert!(gone(), "{name} is alive");
    }
}

#[tokio::test]
async fn endless_lines_and_a_child_that_keeps_the_pipe_end_in_time() {
    let stand_in = StandIn::new("push*) head -c 3000000 /dev/zero; echo; sleep 60 & exit 3;;");
    let docker = stand_in.docker().await;
    let mut longest = 0;
    let begun = std::time::Instant::now();
    let error = docker.push(&image(), "x", &mut |line| longest = longest.max(line.text.len())).await.unwrap_err();
    assert_eq!((error.exit, longest), (Some(3), 8 * 1024));
    assert!(begun.elapsed() < Duration::from_secs(20));
}
