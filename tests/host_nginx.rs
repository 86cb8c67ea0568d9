//! nginx on the host itself: found, asked and reloaded with the rights that `check` names, and no request lost.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

mod common;

use common::Bench;
use common::host::{asked_of_sudo, install_nginx, install_sudo, write};
use common::serves::{prepared, serves_a_project};
use lab::{Kind, Options, Start};
use std::time::Duration;

/// A compose file with two slots and no nginx, and what each has beside its image.
fn compose(blue: &str, green: &str) -> String {
    let slot = |name: &str, more: &str| {
        format!(
            "  {name}:\n    image: '@IMAGE@:latest'\n    restart: always\n    environment: {{PORT: '8080'}}\n    {more}\n"
        )
    };
    format!("services:\n{}{}", slot("app_blue", blue), slot("app_green", green))
}

/// The slots behind ports of the host; the live one serves v1.0.0 behind nginx there, with these files of root's, and a link to
/// one of them as Debian has sites.
fn behind(bench: Bench, files: &[(&str, &str)], site: &str) -> Bench {
    let slots = compose("ports: ['127.0.0.1:8081:8080']", "ports: ['127.0.0.1:8082:8080']");
    let bench = prepared(bench, &[("docker-compose.yml", &slots)]);
    install_nginx(&bench.instance);
    files.iter().for_each(|(path, text)| write(&bench.instance, path, text));
    write(&bench.instance, "/etc/nginx/conf.d/sites.conf", "include /etc/nginx/sites-enabled/*;\n");
    bench
        .instance
        .root(&format!("mkdir -p /etc/nginx/sites-enabled && ln -s {site} /etc/nginx/sites-enabled/ && nginx"))
        .unwrap();
    bench.project.ok("docker compose up -d app_blue 2>&1").unwrap();
    bench.project.wait_until_serves("v1.0.0", Duration::from_secs(30)).unwrap();
    bench
}

/// Does what `check` says of sudo, word for word.
fn grant(bench: &Bench) {
    let ran = bench.cutover(&["check"]).expect(3);
    let command = ran.stdout.lines().find_map(|line| Some(line.split_once("let it: ")?.1)).expect("what to do");
    bench.instance.root(command).unwrap();
}

const NGINX: [&str; 3] = ["/usr/sbin/nginx -T", "/usr/sbin/nginx -s reload", "/usr/sbin/nginx -t"];

#[test]
fn a_login_that_may_do_what_check_names_and_nothing_more_releases_without_losing_a_request() {
    let upstream = "/etc/nginx/conf.d/upstream.conf";
    let site = "/etc/nginx/sites-available/shop";
    // connections are kept to a slot, a second file has a word of its own, a third names nginx's port by a variable
    let bench = behind(
        Bench::idle(Kind::V2, Options::default()),
        &[
            (upstream, "upstream shop {\n  server 127.0.0.1:8081;\n  keepalive 16;\n}\n"),
            (
                site,
                "server {\n  listen 80;\n  server_name shop.example;\n  set $port 8081;\n  proxy_http_version 1.1;\n  \
                 proxy_set_header Connection '';\n  location / { proxy_pass http://shop; }\n  location /api/ { proxy_pass \
                 http://localhost:8081; }\n  location /ws/ { proxy_pass http://127.0.0.1:$port; }\n}\n",
            ),
        ],
        site,
    );

    let ran = bench.cutover(&["check"]).expect(3);
    ran.says("only root may reload nginx on the host, and there is no sudo by which deploy could");
    install_sudo(&bench.instance);
    let ran = bench.cutover(&["check"]).expect(3);
    ran.says("deploy may not run, as root and without a password: /usr/sbin/nginx -t, /usr/sbin/nginx -T, ");
    bench
        .cutover(&["deploy", "--version", "v1.1.0"])
        .expect(3)
        .says("deploy may not run, as root and without a password");
    grant(&bench);
    asked_of_sudo(&bench.instance);

    let ran = bench.cutover(&["check"]).expect(0);
    ran.says("nginx on the host; upstream shop (/etc/nginx/conf.d/upstream.conf:2, ").says("reach app_blue");
    let plan = bench.cutover(&["plan", "--version", "v1.1.0"]).expect(0);
    plan.says("point upstream shop at 127.0.0.1:8082").says("+   set $port 8082;").says("GET / on 127.0.0.1:8082");
    assert_eq!(asked_of_sudo(&bench.instance), ["/usr/sbin/nginx -T"]);
    serves_a_project(&bench, &format!("grep -o '[a-z0-9.]*:808[0-9]\\|port [0-9]*' {upstream} {site}"));
    bench.cutover(&["status"]).expect(0).says("app_green").says("v1.1.0");
    bench.cutover(&["history"]).expect(0).says("v1.3.0");
    let files = [upstream, site].map(|file| format!("/usr/bin/tee {file}"));
    let mut allowed: Vec<String> = files.into_iter().chain(NGINX.map(str::to_owned)).collect();
    allowed.sort();
    assert_eq!(asked_of_sudo(&bench.instance), allowed);

    // its own user can write the files
    bench.instance.root(&format!("chown deploy {upstream} {site}")).unwrap();
    bench.cutover(&["deploy", "--version", "v1.3.0"]).expect(0);
    assert_eq!(asked_of_sudo(&bench.instance), NGINX);
    // a right that is gone is said before anything is done
    bench.instance.root("sed -i 's/, [^,]* -s reload//' /etc/sudoers.d/cutover").unwrap();
    let ran = bench.cutover(&["deploy", "--version", "v1.1.0", "--allow-downgrade"]).expect(3);
    ran.says("deploy may not run, as root and without a password: /usr/sbin/nginx -s reload;");
    assert_eq!(asked_of_sudo(&bench.instance), ["/usr/sbin/nginx -T"]);
}

#[test]
fn root_releases_behind_an_nginx_of_the_hosts_whose_files_are_the_projects() {
    let instance = Start { sshd: vec!["PermitRootLogin prohibit-password".to_owned()], ..Start::new(Kind::V2) };
    let bench = Bench::on(instance.start().unwrap(), Options::default());
    let bench = Bench { config: bench.config.replace("deploy@", "root@"), ..bench };
    let own = bench.project.path("nginx");
    let bench = behind(
        bench,
        &[
            (
                &format!("{own}/shop.conf"),
                &format!(
                    "server {{\n  listen 80;\n  include {own}/live.inc;\n  location / {{ proxy_pass $live; }}\n}}\n"
                ),
            ),
            (&format!("{own}/live.inc"), "set $live http://127.0.0.1:8081;\n"),
        ],
        &format!("{own}/shop.conf"),
    );
    bench.cutover(&["check"]).expect(0).says("nginx on the host; nginx/live.inc:1 on 127.0.0.1:8081");
    serves_a_project(&bench, "cat nginx/live.inc");

    // only a request proves where they go
    let conf = bench.project.path("nginx/shop.conf");
    let closed = bench.instance.read(&conf).unwrap().replace("listen 80;", "listen 80; allow 192.0.2.1; deny all;");
    write(&bench.instance, &conf, &closed);
    bench.instance.root("nginx -s reload").unwrap();
    let ran = bench.cutover(&["deploy", "--version", "v1.3.0"]).expect(3);
    ran.says("nginx is on the host, from where others may ask the slots too");
}
