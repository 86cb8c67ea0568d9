use super::*;

fn routes(files: &[(&str, &str)]) -> Routes {
    let files: Vec<_> = files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect();
    Routes::of(&files)
}

fn pair(one: &str, two: &str) -> Pair {
    Pair::new([one, two].map(|name| vec![Called::name(name)]), [one, two])
}

/// Each word: its slot, its line, and its bytes.
fn told(text: &str, words: &[SlotWord]) -> Vec<(usize, usize, String)> {
    let bytes = |span: &Span| text[span.start..span.end].to_owned();
    words.iter().map(|word| (word.slot, word.place.line, word.span.as_ref().map(bytes).unwrap_or_default())).collect()
}

fn one(text: &str, pair: &Pair) -> (Words, Routes) {
    let routes = routes(&[("/etc/nginx/nginx.conf", text)]);
    (Words::of(&routes, pair), routes)
}

#[test]
fn of_two_upstreams_the_variable_between_them_is_the_word() {
    let conf = "upstream blue { server blue:8080 max_fails=3; }\nupstream green { server green:8080; }\nserver {\n include \
                /etc/nginx/conf.d/env.inc;\n location /health/blue { proxy_pass http://blue/; }\n location / { \
                proxy_pass http://$service_url; }\n}";
    let routes =
        routes(&[("/etc/nginx/conf.d/default.conf", conf), ("/etc/nginx/conf.d/env.inc", "set $service_url green;")]);
    let words = Words::of(&routes, &pair("blue", "green"));
    assert_eq!(told("set $service_url green;", &words.moving), [(1, 1, "green".to_owned())]);
    assert_eq!(words.moving[0].names, Named::Upstream(["blue".to_owned(), "green".to_owned()]));
    assert_eq!(words.moving[0].place.file, "/etc/nginx/conf.d/env.inc");
    assert!(words.moving[0].variable && words.upstream().is_empty());
    assert_eq!(words.fixed.len(), 3, "two servers, and the location of blue's own");
    let probes = routes.probes(|_, target| words.lead(&routes, target));
    assert_eq!(probes.iter().map(|probe| probe.path.as_str()).collect::<Vec<_>>(), ["/"]);
}

#[test]
fn words_stand_in_upstreams_passes_variables_and_maps() {
    let text = "map $http_x $pool { default blue:3001; ~b blue:3001; }\nserver { set $url \"http://blue:3001\"; location / { \
                proxy_pass http://$pool$request_uri; }\n location /ws { proxy_pass http://blue:3001; }\n location /x { \
                proxy_pass $scheme://api$request_uri; }\n location /y { proxy_pass $url/y; } }\nupstream api { server blue:3001; }";
    let (words, routes) = one(text, &pair("blue", "green"));
    let told = told(text, &words.moving);
    let expected = [(6, "blue:3001"), (1, "blue:3001"), (1, "blue:3001"), (3, "blue:3001"), (2, "blue:3001")];
    assert_eq!(told, expected.map(|(line, bytes)| (0, line, bytes.to_owned())));
    assert!(words.fixed.is_empty() && words.moving.iter().all(|word| word.has_port && word.port == 3001));
    assert_eq!(routes.probes(|_, target| words.lead(&routes, target)).len(), 4);
}

#[test]
fn a_name_that_is_put_together_has_no_bytes_of_its_own() {
    let text = "server { set $slot blue; set $port 81; location / { proxy_pass http://$slot-api:$port; } }";
    let (words, _) = one(text, &pair("blue-api", "green-api"));
    assert_eq!(told(text, &words.moving), [(0, 1, String::new())]);
    let text = "server { set $slot blue; set $port 81; location / { proxy_pass http://$slot:$port; } }";
    let (words, _) = one(text, &pair("blue", "green"));
    assert_eq!(told(text, &words.moving), [(0, 1, "blue".to_owned())]);
    assert!(!words.moving[0].has_port && words.moving[0].port == 81);
}

#[test]
fn an_upstream_beside_those_of_the_slots_own_is_what_moves() {
    let text = "upstream api_blue { server api-blue; }\nupstream api_green { server api-green; }\nupstream live { server \
                api-blue; }\nserver { location / { proxy_pass http://live; } location /api_green/ { proxy_pass \
                http://api_green/; } }";
    let (words, _) = one(text, &pair("api-blue", "api-green"));
    assert_eq!(told(text, &words.moving), [(0, 3, "api-blue".to_owned())]);
    assert_eq!(words.upstream(), "live");
    let ports = "upstream a { server 127.0.0.1:8081; } server { location / { proxy_pass http://127.0.0.1:8082; } }";
    let at = |port| vec![Called { host: "127.0.0.1".to_owned(), port: Some(port) }];
    let (words, _) = one(ports, &Pair::new([at(8081), at(8082)], ["blue", "green"]));
    assert_eq!(words.moving.iter().map(|word| word.slot).collect::<Vec<_>>(), [0, 1]);
}

#[test]
fn names_are_told_apart_by_whole_words() {
    for (one, two, left) in [
        ("blue", "green", ["blue", "green"]),
        ("app_blue", "app_green", ["blue", "green"]),
        ("blue-backend", "green-backend", ["blue", "green"]),
        ("evergreen-blue", "evergreen-green", ["blue", "green"]),
        ("shop-b1", "shop-b2", ["b1", "b2"]),
        ("a-a", "a-a-a", ["", "a"]),
    ] {
        assert_eq!(apart(one, two), left);
    }
}
