//! A small GitHub: it keeps tags, releases and deployments in memory, and fails when it is told to.

use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

pub const REPOSITORY: &str = "devrank/api";
pub const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// A server on loopback; it lives as long as the test's process.
#[derive(Clone)]
pub struct FakeGitHub {
    pub url: String,
    pub state: Arc<Mutex<State>>,
}

#[derive(Default)]
pub struct State {
    pub tags: Vec<(String, String)>,
    pub releases: Vec<Value>,
    pub deployments: Vec<Value>,
    /// By deployment; newest first, as GitHub lists them.
    pub statuses: Vec<(u64, Value)>,
    /// Method, path and body of every request.
    pub log: Vec<(String, String, Value)>,
    failures: Vec<Failure>,
}

struct Failure {
    method: String,
    path: String,
    answer: Reply,
    /// Whether what was asked for is done all the same.
    done: bool,
    times: usize,
}

#[derive(Clone)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Value,
    pub delay: Duration,
}

pub fn reply(status: u16, body: Value) -> Reply {
    Reply { status, headers: Vec::new(), body, delay: Duration::ZERO }
}

impl Reply {
    pub fn header(mut self, name: &str, value: &str) -> Reply {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn after(mut self, delay: Duration) -> Reply {
        self.delay = delay;
        self
    }
}

impl FakeGitHub {
    pub fn start() -> FakeGitHub {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let fake = FakeGitHub { url, state: Arc::default() };
        let server = fake.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let server = server.clone();
                std::thread::spawn(move || server.serve(stream));
            }
        });
        fake
    }

    /// The next requests of this method whose path contains `path` get this answer instead.
    pub fn fail(&self, method: &str, path: &str, answer: Reply, times: usize) {
        self.failure(method, path, answer, false, times);
    }

    /// The same, and what was asked for is done all the same: an answer that gets lost.
    pub fn lose(&self, method: &str, path: &str, answer: Reply, times: usize) {
        self.failure(method, path, answer, true, times);
    }

    fn failure(&self, method: &str, path: &str, answer: Reply, done: bool, times: usize) {
        let failure = Failure { method: method.to_owned(), path: path.to_owned(), answer, done, times };
        self.state.lock().expect("state").failures.push(failure);
    }

    /// `METHOD path` of every request so far, without the repository's part.
    pub fn requests(&self) -> Vec<String> {
        let prefix = format!("/repos/{REPOSITORY}/");
        let state = self.state.lock().expect("state");
        let line = |(method, path, _): &(String, String, Value)| format!("{method} {}", path.replace(&prefix, ""));
        state.log.iter().map(line).collect()
    }

    /// The states that a deployment went through.
    pub fn states(&self, id: u64) -> Vec<String> {
        let state = self.state.lock().expect("state");
        let of = state.statuses.iter().rev().filter(|(of, _)| *of == id);
        of.map(|(_, status)| status["state"].as_str().unwrap_or_default().to_owned()).collect()
    }

    /// A deployment as the runner makes it for a job with `environment:`.
    pub fn job_deployment(&self, environment: &str, run: &str) -> u64 {
        let mut state = self.state.lock().expect("state");
        let id = state.deploy(json!({ "ref": COMMIT, "environment": environment, "payload": {} }));
        let url = format!("https://github.com/{REPOSITORY}/actions/runs/{run}/job/7");
        state.statuses.insert(0, (id, json!({ "state": "in_progress", "log_url": url })));
        id
    }

    fn serve(&self, stream: TcpStream) {
        let mut reader = BufReader::new(stream);
        while let Some((method, path, body)) = read(&mut reader) {
            let reply = self.answer(&method, &path, body);
            std::thread::sleep(reply.delay);
            let text = reply.body.to_string();
            let mut head = format!(
                "HTTP/1.1 {} X\r\ncontent-type: application/json\r\ncontent-length: {}\r\n",
                reply.status,
                text.len()
            );
            for (name, value) in &reply.headers {
                head += &format!("{name}: {value}\r\n");
            }
            if write!(reader.get_mut(), "{head}\r\n{text}").is_err() {
                return;
            }
        }
    }

    fn answer(&self, method: &str, path: &str, body: Value) -> Reply {
        let mut state = self.state.lock().expect("state");
        state.log.push((method.to_owned(), path.to_owned(), body.clone()));
        let due = |f: &&mut Failure| f.times > 0 && f.method == method && path.contains(&f.path);
        let failure = state.failures.iter_mut().find(due).map(|failure| {
            failure.times -= 1;
            (failure.answer.clone(), failure.done)
        });
        match failure {
            Some((answer, false)) => answer,
            Some((answer, true)) => {
                state.route(method, path, body);
                answer
            }
            None => state.route(method, path, body),
        }
    }
}

impl State {
    fn route(&mut self, method: &str, path: &str, body: Value) -> Reply {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let path = path.replace("%2F", "/").replace("%2B", "+");
        let Some(rest) = path.strip_prefix(&format!("/repos/{REPOSITORY}/")) else { return missing() };
        match (method, &rest.split('/').collect::<Vec<_>>()[..]) {
            ("GET", ["git", "ref", "tags", tag]) => match self.tags.iter().find(|(name, _)| name == tag) {
                Some((_, sha)) => reply(200, json!({ "object": { "type": "commit", "sha": sha } })),
                None => missing(),
            },
            ("GET", ["releases", "tags", tag]) => match self.releases.iter().find(|one| one["tag_name"] == *tag) {
                Some(release) => reply(200, release.clone()),
                None => missing(),
            },
            ("POST", ["releases"]) => self.release(body),
            ("PATCH", ["releases", id]) => self.correct(id, &body),
            ("GET", ["deployments"]) => {
                let value = |name: &str| query.split('&').find_map(|part| part.strip_prefix(&format!("{name}=")));
                let fits = |one: &&Value| {
                    value("sha").is_none_or(|sha| one["sha"] == sha)
                        && value("environment").is_none_or(|name| one["environment"] == name)
                };
                reply(200, self.deployments.iter().rev().filter(fits).cloned().collect())
            }
            ("POST", ["deployments"]) => {
                let id = self.deploy(body);
                reply(201, self.deployments.iter().find(|one| one["id"] == id).cloned().unwrap_or_default())
            }
            ("GET", ["deployments", id, "statuses"]) => {
                let of = self.statuses.iter().filter(|(of, _)| of.to_string() == *id);
                reply(200, of.map(|(_, status)| status.clone()).collect())
            }
            ("POST", ["deployments", id, "statuses"]) => {
                self.statuses.insert(0, (id.parse().unwrap_or_default(), body.clone()));
                reply(201, body)
            }
            _ => missing(),
        }
    }

    fn release(&mut self, mut body: Value) -> Reply {
        let tag = body["tag_name"].as_str().unwrap_or_default().to_owned();
        if self.releases.iter().any(|one| one["tag_name"] == *tag) {
            let error = json!({ "resource": "Release", "code": "already_exists", "field": "tag_name" });
            return reply(422, json!({ "message": "Validation Failed", "errors": [error] }));
        }
        body["id"] = (self.releases.len() + 1).into();
        body["draft"] = false.into();
        body["html_url"] = format!("https://github.com/{REPOSITORY}/releases/tag/{tag}").into();
        let commit = body["target_commitish"].as_str().unwrap_or_default().to_owned();
        self.tags.push((tag, commit));
        self.releases.push(body.clone());
        reply(201, body)
    }

    fn correct(&mut self, id: &str, body: &Value) -> Reply {
        let Some(release) = self.releases.iter_mut().find(|one| one["id"].as_u64() == id.parse().ok()) else {
            return missing();
        };
        for (key, value) in body.as_object().into_iter().flatten() {
            release[key] = value.clone();
        }
        reply(200, release.clone())
    }

    fn deploy(&mut self, mut body: Value) -> u64 {
        let id = self.deployments.len() as u64 + 101;
        body["id"] = id.into();
        body["sha"] = COMMIT.into();
        self.deployments.push(body);
        id
    }
}

fn missing() -> Reply {
    reply(404, json!({ "message": "Not Found" }))
}

fn read(reader: &mut BufReader<TcpStream>) -> Option<(String, String, Value)> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|length| *length > 0)?;
    let mut words = line.split_whitespace().map(str::to_owned);
    let (method, path) = (words.next()?, words.next()?);
    let mut length = 0;
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).ok()?;
        let header = header.trim().to_lowercase();
        if header.is_empty() {
            break;
        }
        if let Some(value) = header.strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some((method, path, serde_json::from_slice(&body).unwrap_or_default()))
}
