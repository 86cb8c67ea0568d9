//! Kinds of routes: the words that say which slot serves, wherever they stand, and nginx wherever it runs.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

mod common;

use common::Bench;
use common::serves::{prepared, serves_a_project};
use lab::{Kind, Options};
use std::time::Duration;

/// A project of these files, brought up as its owner would: v1.0.0 serves. `@IMAGE@` is the image.
fn laid_out(files: &[(&str, &str)], up: &str) -> Bench {
    let bench = prepared(Bench::idle(Kind::V2, Options::default()), files);
    bench.project.ok(&format!("{{ {up}; }} 2>&1")).unwrap();
    bench.project.wait_until_serves("v1.0.0", Duration::from_secs(30)).unwrap();
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
    let bench = prepared(
        Bench::idle(Kind::V2, Options::default()),
        &[
            ("docker-compose.yml", &compose),
            (
                "../edge/shop.conf",
                "upstream shop { server app-blue:8080; }\nserver { listen 80; location / { proxy_pass http://shop; } }\n",
            ),
        ],
    );
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
