use super::*;

fn routes(files: &[(&str, &str)]) -> Routes {
    let files: Vec<_> = files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect();
    Routes::of(&files)
}

#[test]
fn a_variable_is_followed_with_every_word_on_the_way() {
    let conf = "server {\n include /etc/nginx/conf.d/env.inc;\n location / { proxy_pass http://$service_url; }\n}";
    let routes =
        routes(&[("/etc/nginx/conf.d/default.conf", conf), ("/etc/nginx/conf.d/env.inc", "set $service_url green;")]);
    let target = &routes.passes[0].targets[0];
    let places: Vec<_> = target.places.iter().map(|place| place.to_string()).collect();
    assert_eq!(places, ["/etc/nginx/conf.d/default.conf:3", "/etc/nginx/conf.d/env.inc:1"]);
    assert!(target.variable && target.name == "green");
    assert_eq!(target.span.as_ref().map(|span| (span.start, span.end)), Some((17, 22)));
}

#[test]
fn the_plainest_request_comes_first() {
    let probes = |text: &str, upstream: &str| {
        let probes = routes(&[("/etc/nginx/nginx.conf", text)]).probes(|_, target| target.name == upstream);
        probes.into_iter().map(|p| (p.port, p.tls, p.host, p.path)).collect::<Vec<_>>()
    };
    let tls = "server { listen 443 ssl; server_name _ www.example.com; location /api/ { proxy_pass http://api/; } }";
    assert_eq!(probes(tls, "api"), [(443, true, "www.example.com".to_owned(), "/api/".to_owned())]);
    let both = format!(
        "{tls} server {{ listen 127.0.0.1:8080; location ~ ^/v[0-9] {{ proxy_pass http://api; }}
        location /deep {{ location /deep/er {{ proxy_pass http://api$request_uri; }} }}
        location = / {{ auth_basic x; proxy_pass http://api; }}
        location /shop {{ try_files $uri @app; }} location @app {{ proxy_pass http://shop; }} }}"
    );
    let plain = |path: &str| (8080, false, "localhost".to_owned(), path.to_owned());
    assert_eq!(probes(&both, "api")[..2], [plain("/v"), plain("/deep/er")]);
    assert_eq!(probes(&both, "api").last(), Some(&plain("/")), "guarded last");
    assert_eq!(probes(&both, "shop"), [plain("/shop")]);
    let own = routes(&[("/etc/nginx/nginx.conf", &*both)]).probes(|_, to| to.name == "shop").remove(0);
    assert!(own.guards.closed, "a file may be there");
    assert_eq!(probes(&both, "other"), []);
}

#[test]
fn what_nginx_answers_by_itself_is_known() {
    let one = |server: &str, location: &str| {
        let text = format!(
            "http {{ limit_req_zone $binary_remote_addr zone=one:1m rate=2r/s;
            limit_req_zone $server_name zone=all:1m rate=5r/s;
            server {{ {server} location / {{ {location} proxy_pass http://api; }} }} }}"
        );
        routes(&[("/etc/nginx/nginx.conf", &text)]).probes(|_, to| to.name == "api").remove(0)
    };
    let guards = |server: &str, location: &str| one(server, location).guards;
    assert_eq!(guards("", ""), Guards::default());
    assert!(guards("auth_basic x;", "").closed && !guards("auth_basic x;", "auth_basic off;").closed);
    assert!(guards("", "allow 10.0.0.0/8; deny all;").closed);
    assert!(guards("if ($http_x_secret != s) { return 403; }", "").closed);
    assert!(guards("proxy_cache c;", "").cached && !guards("proxy_cache c;", "proxy_cache off;").cached);
    let limit = guards("limit_req zone=one burst=5;", "");
    assert_eq!((limit.one_every, limit.shared_limit), (Some(std::time::Duration::from_millis(500)), false));
    assert!(guards("limit_req zone=all;", "").shared_limit);
    let https = guards("if ($http_x_forwarded_proto != \"https\") { return 301 https://$host$request_uri; }", "");
    assert_eq!((https.scheme.as_deref(), https.closed), (Some("https"), false));
    let host = one("if ($host != shop.example) { return 444; }", "");
    assert_eq!((host.host.as_str(), host.guards.closed), ("shop.example", false));
}
