//! nginx answers many requests by itself: a release is proved by what gets through, and by other evidence where nothing does.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

mod common;

use common::watch::until;
use common::{Bench, run};
use lab::load::Class;
use lab::{Kind, Load, Mix, Options};

/// A configuration around the app, how `check` describes what proves a release behind it, and how a client of it is served:
/// the words for curl, none where no client of the host is let in.
struct Guard {
    name: &'static str,
    conf: &'static str,
    evidence: &'static str,
    client: &'static str,
}

const WORKERS: &str = "evidence: nginx's workers have the configuration";

const GUARDS: &[Guard] = &[
    Guard {
        name: "a login",
        conf: "auth_basic shop; auth_basic_user_file /etc/nginx/conf.d/users.inc; location / { PASS }",
        evidence: WORKERS,
        client: "-u me:secret",
    },
    Guard {
        name: "a login everywhere but for health",
        conf: "auth_basic shop; auth_basic_user_file /etc/nginx/conf.d/users.inc; location / { PASS }
               location = /healthz { auth_basic off; PASS }",
        evidence: "evidence: requests to location = /healthz (nginx/default.conf:",
        client: "-u me:secret",
    },
    Guard {
        name: "allowed addresses",
        conf: "allow 192.0.2.1; deny all; location / { PASS }",
        evidence: WORKERS,
        client: "",
    },
    Guard {
        name: "https behind a balancer",
        conf: "location / { if ($http_x_forwarded_proto != \"https\") { return 301 https://$host$request_uri; } PASS }",
        evidence: "evidence: requests to location / (",
        client: "-H X-Forwarded-Proto:https",
    },
    Guard {
        name: "a secret header",
        conf: "if ($http_x_origin != \"s3cret\") { return 403; } location / { PASS }",
        evidence: WORKERS,
        client: "-H X-Origin:s3cret",
    },
    Guard {
        name: "no unknown host",
        conf: "server_name ~^(www\\.)?shop\\.example$; location / { PASS }\n}\nserver { listen 80 default_server; return 444;",
        evidence: "evidence: requests to location / (",
        client: "-H Host:shop.example",
    },
    Guard {
        name: "one request a second",
        conf: "location / { limit_req zone=one; PASS }",
        evidence: "evidence: requests to location / (",
        client: "",
    },
    Guard {
        name: "a limit that all clients share",
        conf: "location / { limit_req zone=all; PASS }",
        evidence: WORKERS,
        client: "",
    },
    Guard {
        name: "one connection of each client",
        conf: "location / { limit_conn conns 1; PASS }",
        evidence: "evidence: requests to location / (",
        client: "-s",
    },
    Guard {
        name: "a cache",
        conf: "location / { proxy_cache shop; proxy_cache_valid 200 10m; PASS }",
        evidence: "evidence: requests to location / (",
        client: "",
    },
    Guard {
        name: "browsers alone",
        conf: "if ($http_user_agent !~ Mozilla) { return 403; } location / { PASS }",
        evidence: WORKERS,
        client: "-A Mozilla/5.0",
    },
    Guard {
        name: "somebody else's word",
        conf: "location / { auth_request /may; PASS } location = /may { internal; return 401; }",
        evidence: WORKERS,
        client: "",
    },
    Guard {
        name: "pages of nginx's own in front",
        conf: "location / { root /etc/nginx/conf.d; try_files /users.inc @app; } location @app { PASS }
               location /api/ { PASS }",
        evidence: "evidence: requests to location /api/ (",
        client: "PATH/api/x",
    },
    Guard {
        name: "a cookie that the front page wants, and another location with a condition of its own",
        conf: "location / { if ($cookie_session = \"\") { return 403; } PASS }
               location /open/ { if ($arg_debug = 1) { return 404; } PASS }",
        evidence: "evidence: requests to another place, location /open/ (",
        client: "-b session=1",
    },
    Guard {
        name: "a switch for maintenance that is off",
        conf: "if (-f /etc/nginx/maintenance) { return 503; } location / { PASS }",
        evidence: "evidence: requests to location / (",
        client: "-s",
    },
];

fn conf(guard: &Guard, slot: &str) -> String {
    let server = guard.conf.replace("PASS", "proxy_pass http://backend-api;");
    format!(
        "limit_req_zone $binary_remote_addr zone=one:1m rate=1r/s;
limit_req_zone $server_name zone=all:1m rate=1r/s;
limit_conn_zone $binary_remote_addr zone=conns:1m;
proxy_cache_path /tmp/cache keys_zone=shop:1m;
upstream backend-api {{ server {slot}:3001; }}
server {{ listen 80; {server} }}\n"
    )
}

/// Releases through each of these, one after the other; gives the slot that is live at last.
fn through(bench: &Bench, guards: &[Guard]) -> &'static str {
    bench.instance.write(&bench.project.path("nginx/users.inc"), "me:{PLAIN}secret\n").unwrap();
    bench.project.ok("chmod a+r nginx/users.inc").unwrap();
    let mut live = "blue";
    for (number, guard) in guards.iter().enumerate() {
        let name = guard.name;
        bench.instance.write(&bench.project.path("nginx/default.conf"), conf(guard, live)).unwrap();
        bench
            .project
            .ok("chmod a+r nginx/*; docker exec nginx nginx -t 2>&1 && docker exec nginx nginx -s reload")
            .unwrap();
        let version = format!("v1.{}.0", number + 1);
        bench.image(&version, &[]);
        let before = logged(bench);
        bench.cutover(&["check"]).expect(0).says("✔ ready: ").says(guard.evidence);
        bench.cutover(&["deploy", "--version", &version]).expect(0).says(&format!("{version} is live"));
        live = if live == "blue" { "green" } else { "blue" };
        assert_eq!(bench.project.conf().unwrap(), conf(guard, live), "{name}");
        let asked = logged(bench).split_off(before.len().min(logged(bench).len()));
        if guard.name.starts_with("a limit that all") {
            assert!(!asked.contains("cutover/"), "requests that others needed: {asked}");
        }
        assert!(!asked.contains("\" 429 ") && !asked.contains("limiting requests"), "{name}: {asked}");
        if let Some(words) = Some(guard.client).filter(|words| !words.is_empty()) {
            let (words, path) = words.split_once("PATH").map_or((words, "/"), |(words, path)| (words, path));
            let served = bench.project.ok(&format!("curl -s -m 5 {words} http://127.0.0.1{path}")).unwrap();
            assert!(served.contains(&version), "{name}: {served}");
        }
    }
    live
}

#[test]
fn a_release_goes_through_behind_logins_and_lists_and_says_by_what_it_is_proved() {
    through(&Bench::reference(Kind::V2), &GUARDS[..3]);
}

#[test]
fn a_release_goes_through_behind_conditions_and_says_by_what_it_is_proved() {
    let mut bench = Bench::reference(Kind::V2);
    let live = through(&bench, &GUARDS[3..6]);
    // a header that the configuration can't tell: the owner names the variable that has it
    let secret = GUARDS.iter().find(|guard| guard.name == "a secret header").unwrap();
    bench.instance.write(&bench.project.path("nginx/default.conf"), conf(secret, live)).unwrap();
    bench.project.ok("chmod a+r nginx/*; docker exec nginx nginx -s reload").unwrap();
    bench.config += "nginx: {probe: {headers-env: PROBE_HEADERS}}\n";
    let with = |words: &[&str], value: &str| run(bench.command(words).env("PROBE_HEADERS", value));
    let found = with(&["check"], "X-Origin: s3cret").expect(0).never_says("s3cret");
    found.says("evidence: requests to / on localhost, as `nginx: {probe: …}` has it");
    bench.image("v2.0.0", &[]);
    let ran = with(&["deploy", "--version", "v2.0.0", "-v"], "X-Origin: s3cret").expect(0);
    ran.never_says("s3cret").says("answers 200 through nginx");
    let journal = bench.instance.root(&format!("cat {}/*/*", bench.project.path(".cutover"))).unwrap();
    assert!(!journal.contains("s3cret"), "{journal}");
    with(&["check"], "no header").expect(2).says("PROBE_HEADERS: expected a header in each line");
}

#[test]
fn a_release_goes_through_behind_limits_and_a_cache_and_says_by_what_it_is_proved() {
    through(&Bench::reference(Kind::V2), &GUARDS[6..10]);
}

#[test]
fn a_release_goes_through_behind_other_answers_of_nginx_and_says_by_what_it_is_proved() {
    through(&Bench::reference(Kind::V2), &GUARDS[10..]);
}

/// nginx's logs, where each request of ours has our name.
fn logged(bench: &Bench) -> String {
    bench.instance.root(&format!("cat {0}/access.log {0}/error.log", bench.project.path("logs/nginx"))).unwrap()
}

#[test]
fn where_only_clients_are_let_in_their_requests_prove_a_release() {
    // clients come from the machine beside; cutover's own requests from the host itself
    let open = "upstream backend-api { server blue:3001; }
server { listen 80; allow 198.18.0.0/15; deny all; location / { proxy_pass http://backend-api; } }\n";
    let bench = Bench::with(Kind::V2, Options { conf: Some(open.to_owned()), ..Options::default() });
    bench.cutover(&["check"]).expect(0).says(WORKERS).says(": 403");
    let load = Load::start(&bench.project.url(), Mix::of(vec![Class::new_connections(20.0)])).unwrap();
    until("clients were served", || load.progress().requests > 40);
    bench.cutover(&["check"]).expect(0).says("evidence: clients' connections reach blue");
    bench.image("v1.1.0", &[]);
    bench.cutover(&["deploy", "--version", "v1.1.0"]).expect(0).says("clients' connections reach green through nginx");
    let report = load.stop_blocking().unwrap();
    assert_eq!(report.failed, 0, "{report}");

    // and when nobody is about, the workers do
    bench.instance.root("docker restart -t 0 nginx").unwrap();
    bench.image("v1.2.0", &[]);
    until("nginx serves", || bench.project.served_version().is_some());
    bench.cutover(&["deploy", "--version", "v1.2.0"]).expect(0).says("nginx's workers are new, and blue means ");
    assert_eq!(bench.project.served_version().as_deref(), Some("v1.2.0"));
}
