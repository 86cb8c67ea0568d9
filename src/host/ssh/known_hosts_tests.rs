//! Lines as they are found in the wild, and what each says of a key.
#![allow(clippy::unwrap_used)]
use super::*;

const A: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIG0xXsWMLXSOdSLMcAkUXQ89BKyyONZ5rWvcvityZIk";
const B: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBxjNu27zxDEENqHSDHBtWg8abRrYn4ePa5mJetdgcEe";
const C: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAUzLlcv0OJ0YRMr9bFYU3Itqjdu5TkfniXe/hFyUhPr";
const E: &str = "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBPQwPjdwt/TjHHqkZRssGLOW1oWmf4E/PmRx/z7NQFrnzRVp/864gtb3MTyiMZPdhI+c/JwxKVePvhyu161PSa0=";
/// By `ssh-keygen -H`: `example.com` with key A, `[example.com]:2222` with key B.
const HASHED: &str = "\
|1|vWTnmMran+UoNOw5otSh7Jc+IfE=|KCcB47OSqqZ82EheBsQgWj/B/Dc= ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIG0xXsWMLXSOdSLMcAkUXQ89BKyyONZ5rWvcvityZIk
|1|ad45E+eyJLNuOba7KjuXCuZLZhg=|n5FTdKX3dHkkPxdvueotWYDZg1o= ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBxjNu27zxDEENqHSDHBtWg8abRrYn4ePa5mJetdgcEe
";

fn key(text: &str) -> PublicKey {
    PublicKey::from_openssh(text).unwrap()
}

/// The verdict in one word and the lines that it names.
fn say(text: &str, host: &str, port: u16, presented: &str) -> String {
    match verdict(text, host, port, &key(presented)) {
        KeyVerdict::Trusted { line } => format!("trusted {line}"),
        KeyVerdict::Unknown => "unknown".into(),
        KeyVerdict::Revoked { line } => format!("revoked {line}"),
        KeyVerdict::Mismatch { expected } => {
            let lines: Vec<String> = expected.iter().map(|k| k.line.to_string()).collect();
            format!("mismatch {}", lines.join(","))
        }
    }
}

#[test]
fn every_form_of_a_line_says_what_ssh_takes_it_to_say() {
    let cases: &[(&str, String, &str, u16, &str, &str)] = &[
        ("plain", format!("host {A}"), "host", 22, A, "trusted 1"),
        ("comment, blank, CRLF", format!("# x\r\n\r\nhost {A} me@there\r\n"), "host", 22, A, "trusted 3"),
        ("byte order mark", format!("\u{feff}host {A}\n"), "host", 22, A, "trusted 1"),
        ("byte order mark before a mark", format!("\u{feff}@revoked * {A}\nhost {A}"), "host", 22, A, "revoked 1"),
        ("files joined", format!("host {A}\n\u{feff}@revoked * {A}\n"), "host", 22, A, "revoked 2"),
        ("tabs", format!("host\t{}", A.replace(' ', "\t")), "host", 22, A, "trusted 1"),
        ("other host", format!("other {A}"), "host", 22, A, "unknown"),
        ("empty text", String::new(), "host", 22, A, "unknown"),
        ("wrong key", format!("host {B}"), "host", 22, A, "mismatch 1"),
        ("another algorithm", format!("host {E}"), "host", 22, A, "mismatch 1"),
        ("list", format!("one,host,three {A}"), "host", 22, A, "trusted 1"),
        ("letters of either case", format!("HOST {A}"), "Host", 22, A, "trusted 1"),
        ("two keys of one algorithm", format!("host {B}\nhost {A}"), "host", 22, A, "trusted 2"),
        ("several keys, none right", format!("host {B}\nhost {E}"), "host", 22, A, "mismatch 1,2"),
        ("with port", format!("[host]:2222 {A}"), "host", 2222, A, "trusted 1"),
        ("another port", format!("[host]:2222 {A}"), "host", 2223, A, "unknown"),
        ("port stated, none wanted", format!("[host]:2222 {A}"), "host", 22, A, "unknown"),
        ("name without port, same key", format!("host {A}"), "host", 2222, A, "trusted 1"),
        ("name without port, another key", format!("host {B}"), "host", 2222, A, "unknown"),
        ("the port's own line wins", format!("host {A}\n[host]:2222 {B}"), "host", 2222, A, "mismatch 2"),
        ("address is not the name", format!("203.0.113.10 {A}"), "host", 22, A, "unknown"),
        ("IPv6", format!("::1 {A}"), "::1", 22, A, "trusted 1"),
        ("IPv6 with port", format!("[::1]:2222 {A}"), "::1", 2222, A, "trusted 1"),
        ("star", format!("*.example.com {A}"), "a.example.com", 22, A, "trusted 1"),
        ("star needs the dot", format!("*.example.com {A}"), "example.com", 22, A, "unknown"),
        ("question mark", format!("web? {A}"), "web1", 22, A, "trusted 1"),
        ("question mark is one letter", format!("web? {A}"), "web10", 22, A, "unknown"),
        ("star for a port", format!("[host]:* {A}"), "host", 2222, A, "trusted 1"),
        ("not this one", format!("*.x,!b.x {A}"), "b.x", 22, A, "unknown"),
        ("not that one", format!("*.x,!b.x {A}"), "a.x", 22, A, "trusted 1"),
        ("not, before", format!("!b.x,*.x {A}"), "b.x", 22, A, "unknown"),
        ("only not", format!("!b.x {A}"), "a.x", 22, A, "unknown"),
        ("hashed", HASHED.into(), "example.com", 22, A, "trusted 1"),
        ("hashed, upper case", HASHED.into(), "Example.COM", 22, A, "trusted 1"),
        ("hashed with port", HASHED.into(), "example.com", 2222, B, "trusted 2"),
        ("hashed, wrong key", HASHED.into(), "example.com", 22, B, "mismatch 1"),
        ("hashed, other host", HASHED.into(), "example.org", 22, A, "unknown"),
        ("revoked", format!("@revoked host {A}"), "host", 22, A, "revoked 1"),
        ("revoked beats plain", format!("host {A}\n@revoked host {A}"), "host", 22, A, "revoked 2"),
        ("revoked everywhere", format!("[host]:2222 {A}\n@revoked * {A}"), "host", 2222, A, "revoked 2"),
        ("revoked by name counts on any port", format!("@revoked host {A}"), "host", 2222, A, "revoked 1"),
        ("another key is revoked", format!("@revoked host {B}\nhost {A}"), "host", 22, A, "trusted 2"),
        ("revoked line is not an expected key", format!("@revoked host {B}"), "host", 22, A, "unknown"),
        ("authority is not a host key", format!("@cert-authority host {A}"), "host", 22, A, "unknown"),
        ("unknown marker", format!("@future host {A}"), "host", 22, A, "unknown"),
        ("cut line", "host ssh-ed25519".into(), "host", 22, A, "unknown"),
        ("no base64", "host ssh-ed25519 !!!".into(), "host", 22, A, "unknown"),
        ("algorithm and key differ", format!("host ssh-rsa {}", &A[12..]), "host", 22, A, "unknown"),
        ("broken hash", format!("|1|x|y {A}"), "host", 22, A, "unknown"),
    ];
    for (name, text, host, port, presented, expected) in cases {
        assert_eq!(say(text, host, *port, presented), *expected, "{name}");
    }
}

#[test]
fn the_line_to_paste_makes_the_key_known() {
    for (host, port, names) in [("host", 22, "host"), ("Host", 2222, "[host]:2222"), ("::1", 2222, "[::1]:2222")] {
        let line = line_for(host, port, &key(E));
        assert_eq!(line, format!("{names} {E}"));
        assert_eq!(say(&line, host, port, E), "trusted 1");
    }
}

#[test]
fn authorities_are_those_of_the_host() {
    let text = format!("@cert-authority *.x {A}\n@cert-authority y {B}\na.x {C}");
    let lines = |host| authorities(&text, host, 22).iter().map(|k| k.line).collect::<Vec<_>>();
    assert_eq!(lines("a.x"), [1]);
    assert_eq!(lines("y"), [2]);
    assert_eq!(lines("z"), [0usize; 0]);
    assert_eq!(authorities(&text, "a.x", 2222).len(), 1, "found without the port, as ssh does");
}

#[test]
fn patterns_take_linear_time_for_hostile_lines() {
    let pattern = "*a".repeat(200);
    let started = std::time::Instant::now();
    assert!(!glob(&pattern, &"a".repeat(199)));
    assert!(!glob(&(pattern + "b"), &"a".repeat(5000)));
    assert!(started.elapsed().as_secs() < 5);
}

#[test]
fn no_text_makes_it_panic() {
    let seeds = [format!("host {A}"), HASHED.to_owned(), format!("@revoked *,!x {E}"), "@cert-authority".to_owned()];
    let mut state = 1_u64;
    for round in 0..20_000 {
        let mut text = seeds[round % seeds.len()].clone().into_bytes();
        for _ in 0..=(round % 4) {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let at = (state >> 33) as usize % text.len();
            text[at] = (state >> 24) as u8;
        }
        let text = String::from_utf8_lossy(&text);
        verdict(&text, "host", 22 + (round % 2) as u16, &key(A));
        authorities(&text, "host", 22);
    }
}
