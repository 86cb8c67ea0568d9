//! Kinds of routes: the words that say which slot serves, wherever they stand, and nginx wherever it runs.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

mod common;

use common::Bench;
use common::fault::{Moment, Running};
use common::watch::until;
use lab::load::Class;
use lab::{Kind, Load, Mix, Options};
use std::time::Duration;

/// A project of these files, brought up as its owner would: v1.0.0 serves. `@IMAGE@` is the image.
fn laid_out(files: &[(&str, &str)], up: &str) -> Bench {
    let bench = prepared(files);
    bench.project.ok(&format!("{{ {up}; }} 2>&1")).unwrap();
    bench.project.wait_until_serves("v1.0.0", Duration::from_secs(30)).unwrap();
    bench
}

/// The same, and nothing is up yet.
fn prepared(files: &[(&str, &str)]) -> Bench {
    let bench = Bench::idle(Kind::V2, Options::default());
    bench.project.ok("rm -rf nginx docker-compose.yml .env deploy*").unwrap();
    for (path, text) in files {
        let text = text.replace("@IMAGE@", &bench.repository);
        bench.instance.write(&bench.project.path(path), text).unwrap();
    }
    let image = bench.image("v1.0.0", &[]);
    bench.image("v1.1.0", &[]);
    let latest = format!("docker pull -q {0} && docker tag {0} {1}:latest", image.by_digest(), bench.repository);
    bench.project.ok(&format!("chmod -R a+rX .; {latest}")).unwrap();
    bench
}

/// A compose file with nginx and two slots; `more` is what each slot has beside its image.
fn compose(blue: (&str, &str), green: (&str, &str), mounts: &str) -> String {
    let slot =
        |(name, more): (&str, &str)| format!("  {name}:\n    image: '@IMAGE@:latest'\n    restart: always\n{more}");
    format!(
        "services:\n  nginx:\n    image: nginx:1.30\n    container_name: nginx\n    ports: ['80:80']\n    volumes: {mounts}\n{}{}",
        slot(blue),
        slot(green)
    )
}

const PORT: &str = "    environment: {PORT: '8080'}\n";
const MOUNTS: &str = "['./nginx:/etc/nginx/conf.d']";

/// Releases under load, a broken release, a client that is killed after the switch, and the way back: nothing is lost, and
/// what nginx's files say is as it was after each that failed. `files` prints them.
fn serves_a_project(bench: &Bench, files: &str) {
    let said = || bench.project.ok(files).unwrap();
    let first = said();
    let load = Load::start(&bench.project.url(), Mix::of(vec![Class::new_connections(60.0)])).unwrap();
    until("requests were answered", || load.progress().requests > 20);
    bench.cutover(&["deploy", "--version", "v1.1.0"]).expect(0);
    let second = said();
    assert_ne!(second, first);
    // it is put back
    bench.image("v1.2.0", &[("CRASH", "1")]);
    bench.cutover(&["deploy", "--version", "v1.2.0"]).expect(3);
    assert_eq!(said(), second);
    // cut off while both run
    bench.image("v1.3.0", &[]);
    let command = bench.command(&["deploy", "--version", "v1.3.0", "--json"]);
    std::fs::write(bench.dir.path().join("cutover.yml"), format!("{}bake: 60s\n", bench.config)).unwrap();
    let mut run = Running::spawn(command);
    assert!(run.until("bake", Moment::Before));
    assert_eq!(said(), first);
    run.signal("-KILL");
    run.end().expect(-1);
    bench.cutover(&["recover", "--wait", "60s"]).expect(0).says("put back the release");
    assert_eq!(said(), second);
    bench.cutover(&["deploy", "--version", "v1.3.0"]).expect(0);
    bench.cutover(&["rollback"]).expect(0).says("v1.1.0 is live");
    assert_eq!(said(), second);
    let report = load.stop_blocking().unwrap();
    assert_eq!(report.failed, 0, "{report}");
    assert_eq!(bench.project.served_version().as_deref(), Some("v1.1.0"));
    let left = "find . -name '*cutover-next*' -o -name journal.jsonl -o -name 'conf.before*' -o -name 'conf.next*'";
    assert_eq!(bench.project.ok(left).unwrap(), "");
}

#[test]
fn a_variable_in_an_included_file_names_the_slot() {
    let app = "server {\n  listen 80;\n  resolver 127.0.0.11 valid=5s;\n  include /etc/nginx/conf.d/service-url.inc;\n  \
               location / {\n    proxy_pass $service_url;\n  }\n}\n";
    let bench = laid_out(
        &[
            ("docker-compose.yml", &compose(("blue", PORT), ("green", PORT), MOUNTS)),
            ("nginx/app.conf", app),
            ("nginx/service-url.inc", "set $service_url http://blue:8080;\n"),
        ],
        "docker compose up -d blue && docker compose up -d --no-deps nginx",
    );
    let ran = bench.cutover(&["check"]).expect(0);
    ran.says("nginx/service-url.inc:1 on blue:8080").says("requests to location / (nginx/app.conf:6) reach blue");
    let plan = bench.cutover(&["plan", "--version", "v1.1.0"]).expect(0);
    plan.says("point nginx/service-url.inc:1 at green").says("+ set $service_url http://green:8080;");
    serves_a_project(&bench, "cat nginx/service-url.inc");

    // no request gets through: what a variable means is known to nothing else
    let closed = app.replace("listen 80;", "listen 80; allow 192.0.2.1; deny all;");
    bench.instance.write(&bench.project.path("nginx/app.conf"), closed).unwrap();
    bench.project.ok("chmod a+r nginx/*; docker exec nginx nginx -s reload").unwrap();
    let ran = bench.cutover(&["deploy", "--version", "v1.3.0"]).expect(3);
    ran.says("nginx looks the slot's name up at each request").says("nginx: {probe: ");
}

#[test]
fn several_files_and_words_change_together_and_ports_with_them() {
    let main = "server {\n  listen 80;\n  location /api/ { proxy_pass http://shop-blue:8081; proxy_buffering off; }\n  location / \
                { proxy_pass http://backend; }\n}\n";
    let slot = |name: &str, port: &str| format!("    container_name: {name}\n    environment: {{PORT: '{port}'}}\n");
    let (blue, green) = (slot("shop-blue", "8081"), slot("shop-green", "8082"));
    let bench = laid_out(
        &[
            ("docker-compose.yml", &compose(("api-blue", &blue), ("api-green", &green), MOUNTS)),
            ("nginx/default.conf", main),
            ("nginx/upstream.conf", "upstream backend {\n  server shop-blue:8081;\n}\n"),
        ],
        "docker compose up -d api-blue && docker compose up -d --no-deps nginx",
    );
    let ran = bench.cutover(&["check"]).expect(0);
    ran.says("on shop-blue:8081 (the other one on 8082)").says("nginx/upstream.conf:2, nginx/default.conf:3");
    serves_a_project(&bench, "cat nginx/upstream.conf nginx/default.conf | grep -o 'shop-[a-z]*:[0-9]*'");
    let smallest = bench.config.clone();
    let bench = Bench { config: format!("{smallest}port: {{api-blue: 8081, api-green: 8083}}\n"), ..bench };
    bench.cutover(&["check"]).expect(3).says("`port: 8083` in cutover.yml, but nginx sends requests to port 8082");
    let bench = Bench { config: smallest, ..bench };

    // a word that names the other slot
    bench.project.ok("sed -i 's/shop-green:8082; proxy_b/shop-blue:8081; proxy_b/' nginx/default.conf").unwrap();
    bench.project.ok("docker start shop-blue && docker exec nginx nginx -s reload 2>&1").unwrap();
    let ran = bench.cutover(&["deploy", "--version", "v1.1.0"]).expect(3);
    ran.says("words of nginx name both slots: api-green at nginx/upstream.conf:2, api-blue at nginx/default.conf:3");
}

#[test]
fn of_two_upstreams_the_variable_between_them_is_changed_and_both_slots_go_on_running() {
    let conf = "upstream blue { server blue:8080 max_fails=3; }\nupstream green { server green:8080; }\nserver {\n  listen 80;\n  \
                include /etc/nginx/conf.d/live.inc;\n  location /health/blue { proxy_pass http://blue/; }\n  location \
                /health/green { proxy_pass http://green/; }\n  location / { proxy_pass http://$live; }\n}\n";
    let bench = laid_out(
        &[
            ("docker-compose.yml", &compose(("blue", PORT), ("green", PORT), MOUNTS)),
            ("nginx/default.conf", conf),
            ("nginx/live.inc", "set $live green;\n"),
        ],
        "docker compose up -d blue green && docker compose up -d --no-deps nginx",
    );
    let ran = bench.cutover(&["check"]).expect(0);
    ran.says("nginx/live.inc:1 on green:8080").says("reach green").never_says("docker compose stop");
    bench.cutover(&["check"]).says("the old slot goes on running after a release");
    serves_a_project(&bench, "cat nginx/default.conf nginx/live.inc");
    // nginx can be started again after each of these
    bench.project.ok("docker exec nginx nginx -t 2>&1 && docker restart -t 1 nginx").unwrap();
    bench.project.wait_until_serves("v1.1.0", Duration::from_secs(30)).unwrap();
    let stated = Bench { config: format!("{}upstream: blue\n", bench.config), ..bench };
    let ran = stated.cutover(&["check"]).expect(3);
    ran.says("which slot serves is said by blue at nginx/live.inc:1").says("leave `upstream` out");
}

#[test]
fn a_link_is_led_to_the_other_slots_file_and_a_copy_becomes_one_of_it() {
    let files = [
        ("docker-compose.yml", compose(("blue", PORT), ("green", PORT), MOUNTS)),
        ("nginx/default.conf", "server { listen 80; location / { proxy_pass http://backend; } }\n".to_owned()),
        ("nginx/slots/blue.conf", "# blue\nupstream backend { server blue:8080; }\n".to_owned()),
        ("nginx/slots/green.conf", "# green\nupstream backend { server green:8080; }\n".to_owned()),
    ];
    let files: Vec<_> = files.iter().map(|(path, text)| (*path, text.as_str())).collect();
    let up = "docker compose up -d blue && docker compose up -d --no-deps nginx";
    let bench = laid_out(&files, &format!("ln -sfn slots/blue.conf nginx/active.conf && {up}"));
    let ran = bench.cutover(&["plan", "--version", "v1.1.0"]).expect(0);
    ran.says("nginx/active.conf →").says("+ slots/green.conf");
    serves_a_project(&bench, "readlink nginx/active.conf; cat nginx/slots/*");

    // a copy; the link is gone
    bench.project.ok("rm nginx/active.conf && cp nginx/slots/green.conf nginx/active.conf && docker exec nginx nginx -s reload 2>&1").unwrap();
    bench.cutover(&["deploy", "--version", "v1.3.0"]).expect(0);
    bench.project.ok("cmp nginx/active.conf nginx/slots/blue.conf && [ ! -L nginx/active.conf ]").unwrap();
    bench.cutover(&["rollback"]).expect(0);
    bench.project.ok("cmp nginx/active.conf nginx/slots/green.conf && grep -q '# blue' nginx/slots/blue.conf").unwrap();
}

#[test]
fn an_nginx_that_is_none_of_the_project_is_tested_and_reloaded_and_never_started_anew() {
    let slot = |name: &str| format!("  {name}:\n    image: '@IMAGE@:latest'\n    restart: always\n{PORT}");
    let compose = format!(
        "services:\n{}{}networks:\n  default: {{name: edge, external: true}}\n",
        slot("app-blue"),
        slot("app-green")
    );
    let bench = prepared(&[
        ("docker-compose.yml", &compose),
        (
            "../edge/shop.conf",
            "upstream shop { server app-blue:8080; }\nserver { listen 80; location / { proxy_pass http://shop; } }\n",
        ),
    ]);
    bench
        .cutover(&["check"])
        .expect(3)
        .says("no service of the compose project is nginx")
        .says("nginx: {container: …}");
    let nginx = "docker run -d --name edge-nginx --network edge -p 80:80 -v $PWD/../edge:/etc/nginx/conf.d nginx:1.30";
    bench
        .project
        .ok(&format!(
            "chmod -R a+rX ../edge; docker network create edge && docker compose up -d app-blue 2>&1 && {nginx}"
        ))
        .unwrap();
    bench.project.wait_until_serves("v1.0.0", Duration::from_secs(30)).unwrap();
    let since = || bench.project.ok("docker inspect -f '{{.Id}} {{.State.StartedAt}}' edge-nginx").unwrap();
    let before = since();
    bench.cutover(&["check"]).expect(0).says("edge-nginx").says("reach app-blue");
    let plan = bench.cutover(&["plan", "--version", "v1.1.0", "--json"]).expect(0).result();
    assert_eq!(plan["hosts"][0]["plan"]["nginx"]["kind"], "container", "{plan}");
    serves_a_project(&bench, "grep -o 'app-[a-z]*:' ../edge/shop.conf");
    assert_eq!(since(), before);

    // stated, and gone
    let bench = Bench { config: format!("{}nginx: {{container: other-nginx}}\n", bench.config), ..bench };
    bench.cutover(&["check"]).expect(3).says("no container other-nginx runs on the host");
}

/// nginx on the host: the program and its configuration from the lab's image, which is of the same Debian.
const NGINX_ON_THE_HOST: &str = "id=$(docker create nginx:1.26) && docker cp -q $id:/usr/sbin/nginx /usr/sbin/nginx && docker cp -q $id:/etc/nginx \
     /etc/ && docker rm $id >/dev/null && mkdir -p /var/lib/nginx /var/log/nginx && { id nginx >/dev/null 2>&1 || useradd -r nginx; } && \
     rm -f /etc/nginx/conf.d/*";

/// A file where only root can write.
fn write_as_root(bench: &Bench, path: &str, text: &str) {
    bench.instance.write("/tmp/written", text).unwrap();
    bench.instance.root(&format!("cat /tmp/written > {path} && rm /tmp/written")).unwrap();
}

/// `sudo` as a line of sudoers has it: these commands as root, and no others.
fn allow(bench: &Bench, commands: &[&str]) {
    let allowed: Vec<String> = commands.iter().map(|command| format!("'{command}'")).collect();
    let script = format!(
        "#!/bin/sh\n[ \"$1\" = -n ] || exit 1\nshift\nlist=''\n[ \"$1\" != -l ] || {{ list=1; shift; }}\ncase \"$*\" in {}) ;; *) echo \
         'sudo: a password is required' >&2; exit 1 ;; esac\n[ -z \"$list\" ] || exit 0\nexec /usr/local/lib/as-root \"$@\"\n",
        allowed.join(" | ")
    );
    write_as_root(bench, "/usr/local/bin/sudo", &script);
    // env(1) with the rights of its owner
    bench
        .instance
        .root("chmod 755 /usr/local/bin/sudo; cp /usr/bin/env /usr/local/lib/as-root && chmod 4755 /usr/local/lib/as-root")
        .unwrap();
}

#[test]
fn an_nginx_on_the_host_is_reloaded_by_the_commands_that_check_names_and_no_others() {
    let slot = |name: &str, port: &str| {
        format!(
            "  {name}:\n    image: '@IMAGE@:latest'\n    restart: always\n{PORT}    ports: ['127.0.0.1:{port}:8080']\n"
        )
    };
    let bench = prepared(&[(
        "docker-compose.yml",
        &format!("services:\n{}{}", slot("app_blue", "8081"), slot("app_green", "8082")),
    )]);
    let file = "/etc/nginx/conf.d/shop.conf";
    bench.instance.root(NGINX_ON_THE_HOST).unwrap();
    let conf = "upstream shop { server 127.0.0.1:8081; }\nserver {\n  listen 80;\n  server_name shop.example;\n  location / { \
                proxy_pass http://shop; }\n}\n";
    write_as_root(&bench, file, conf);
    bench.instance.root(&format!("chown root {file}; chmod 644 {file}; /usr/sbin/nginx")).unwrap();
    bench.project.ok("docker compose up -d app_blue 2>&1").unwrap();
    bench.project.wait_until_serves("v1.0.0", Duration::from_secs(30)).unwrap();

    // nothing is asked for but what is named
    let rule = "deploy ALL=(root) NOPASSWD: /usr/sbin/nginx -t, /usr/sbin/nginx -T, /usr/sbin/nginx -s reload";
    bench.cutover(&["check"]).expect(3).says("deploy may not test and reload nginx on the host").says(rule);
    let nginx = ["/usr/sbin/nginx -t", "/usr/sbin/nginx -T", "/usr/sbin/nginx -s reload"];
    allow(&bench, &nginx);
    let ran = bench.cutover(&["deploy", "--version", "v1.1.0"]).expect(3);
    ran.says(&format!("deploy can't write {file}")).says(&format!("{rule}, /usr/bin/tee {file}"));
    allow(&bench, &[&nginx[..], &[&format!("tee {file}")]].concat());

    let ran = bench.cutover(&["check"]).expect(0);
    ran.says("nginx on the host; upstream shop (/etc/nginx/conf.d/shop.conf:1)").says("reach app_blue");
    let plan = bench.cutover(&["plan", "--version", "v1.1.0", "--json"]).expect(0).result();
    assert_eq!(plan["hosts"][0]["plan"]["nginx"]["kind"], "host", "{plan}");
    serves_a_project(&bench, &format!("grep -o '127.0.0.1:[0-9]*' {file}"));

    // its own user can write the file
    bench.instance.root(&format!("chown deploy {file}")).unwrap();
    allow(&bench, &nginx);
    bench.cutover(&["deploy", "--version", "v1.3.0"]).expect(0);
    // only a request proves it
    let closed = bench.instance.read(file).unwrap().replace("listen 80;", "listen 80; allow 192.0.2.1; deny all;");
    write_as_root(&bench, file, &closed);
    bench.instance.root("chmod a+r /etc/nginx/conf.d/*; /usr/sbin/nginx -s reload").unwrap();
    let ran = bench.cutover(&["deploy", "--version", "v1.1.0", "--allow-downgrade"]);
    assert_eq!(ran.code, 3, "{ran}");
    ran.says("nginx is on the host, from where others may ask the slots too");
}
