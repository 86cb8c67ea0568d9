//! Parsers of foreign text: whatever they are given, they end without a panic and keep their promises.
//!
//! A second each; `CUTOVER_FUZZ_SECONDS` says otherwise, `CUTOVER_FUZZ_SEED` repeats a run.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::print_stderr)]

use cutover::host::nginx::{Routes, upstreams};
use cutover::host::script::sections;
use cutover::host::ssh::known_hosts::verdict;
use cutover::release::grammar::{Shape, read};
use cutover::release::scan::anywhere;
use cutover::router::words::{Called, Named, Pair, Words};
use cutover::swap::history;
use cutover::swap::journal::Journal;
use russh::keys::PublicKey;
use std::time::{Duration, Instant};

const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ";

/// xorshift64*: small, and the same everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n.max(1) as u64) as usize
    }

    /// Seeds spliced, cut, repeated and changed byte by byte; words of the format thrown in.
    fn mutate(&mut self, seeds: &[&str], words: &[&str]) -> Vec<u8> {
        let mut bytes = seeds[self.below(seeds.len())].as_bytes().to_vec();
        for _ in 0..self.below(8) + 1 {
            let at = self.below(bytes.len() + 1);
            match self.below(7) {
                0 if at < bytes.len() => bytes[at] = self.next() as u8,
                1 if at < bytes.len() => bytes[at] ^= 1 << self.below(8),
                2 => bytes.truncate(at),
                3 => {
                    let word = words[self.below(words.len())].bytes();
                    bytes.splice(at..at, word);
                }
                4 => {
                    let to = at + self.below(bytes.len() - at + 1);
                    bytes.drain(at..to);
                }
                5 => {
                    let other = seeds[self.below(seeds.len())].as_bytes();
                    bytes.splice(at.., other[self.below(other.len())..].iter().copied());
                }
                _ => {
                    let part = bytes[at..at + self.below((bytes.len() - at).min(64) + 1)].to_vec();
                    bytes.splice(at..at, part);
                }
            }
        }
        bytes
    }
}

fn fuzz(name: &str, seeds: &[&str], words: &[&str], check: impl Fn(&[u8], &mut Random)) {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let seconds = number("CUTOVER_FUZZ_SECONDS").unwrap_or(1);
    let seed = number("CUTOVER_FUZZ_SEED").unwrap_or(0x9E37_79B9_7F4A_7C15).max(1);
    let (mut random, began, mut runs) = (Random(seed), Instant::now(), 0u64);
    while began.elapsed() < Duration::from_secs(seconds) {
        let bytes = random.mutate(seeds, words);
        let one = Instant::now();
        check(&bytes, &mut random);
        assert!(one.elapsed() < Duration::from_secs(2), "{name} is slow: {:?}", String::from_utf8_lossy(&bytes));
        runs += 1;
    }
    eprintln!("{name}: {runs} inputs");
    assert!(runs > 100, "{name}: only {runs} inputs");
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn a_version_is_found_or_not_in_any_commit_message() {
    let seeds = [
        "release: v1.2.3",
        "v1.2.3-rc.1+build.5\n\nbody v2.0.0",
        "Merge branch 'v1.2' v10.20.30",
        "::set-output v1.0.0",
    ];
    fuzz("version", &seeds, &["v", "1.", "-rc", "+", "\u{1b}[31m", "99999999999999999999", "\n", "版"], |bytes, _| {
        let _ = read(&text(bytes), Shape::Message, &[], None).version();
        if let Ok(Some(version)) = anywhere(&text(bytes)) {
            assert_eq!(anywhere(&version.to_string()).unwrap().unwrap().to_string(), version.to_string());
            assert!(version.to_string().bytes().all(|b| b.is_ascii_alphanumeric() || b".-+".contains(&b)));
        }
    });
}

#[test]
fn pointing_an_upstream_changes_nothing_else() {
    let seeds = [
        "upstream backend-api {\n  server blue:3001; \n}\nserver { location / { proxy_pass http://backend-api; } }\n",
        "http { upstream a { server blue:3001 weight=5; server green:3001 down; } # server blue:1;\n map $x $y { \"~}\" 'a;'; } }",
        "upstream a{server \"blue:80\";}\nupstream b{server [::1]:80; server unix:/x;}",
    ];
    let words = [
        "server ",
        "blue",
        "green:1",
        "upstream a {",
        "{",
        "}",
        ";",
        "\"",
        "'",
        "\\",
        "#",
        "\n",
        "\r",
        "${",
        "lua_block {",
    ];
    fuzz("nginx", &seeds, &words, |bytes, random| {
        let conf = text(bytes);
        let files = [("/etc/nginx/nginx.conf".to_owned(), conf.clone())];
        let pair = Pair::new(["blue", "green"].map(|name| vec![Called::name(name)]), ["blue", "green"]);
        let words = Words::of(&Routes::of(&files), &pair);
        let mut spans: Vec<_> = words.moving.iter().filter_map(|word| Some((word.span.clone()?, word))).collect();
        spans.sort_by(|(one, _), (other, _)| other.cmp(one));
        let to = random.below(2);
        let mut pointed = conf.clone();
        for (span, word) in &spans {
            if !matches!(word.names, Named::Host(_)) {
                continue;
            }
            // the bytes are the name, and all else stays
            assert_eq!(conf[span.start..span.end], pair.text(word.slot, word, word.port), "{conf:?}");
            pointed.replace_range(span.start..span.end, &pair.text(to, word, word.port));
        }
        let plain = |text: &str| text.replace("green", "blue");
        assert_eq!(plain(&pointed), plain(&conf), "{conf:?}");
        let servers =
            |conf: &str| upstreams(conf).unwrap_or_default().iter().map(|u| u.servers.len()).collect::<Vec<_>>();
        assert_eq!(servers(&pointed), servers(&conf), "{conf:?}");
    });
}

#[test]
fn a_mutilated_known_hosts_never_panics() {
    let key = PublicKey::from_openssh(KEY).unwrap();
    let plain = format!("web.example,198.51.100.7 {KEY} note\n[web.example]:2222 {KEY}\n");
    let hashed = format!("|1|F1E1KeoE/eEWhi10WpGv4OdiO6Y=|3988QV0VE8wmZL7suNrYQLITLCg= {KEY}\n!web.* {KEY}\n");
    let marked = format!("@revoked * {KEY}\n@cert-authority *.example {KEY}\n# comment\n");
    let words = ["@revoked ", "*", "?", "!", ",", "|1|", "[", "]:22", " ", "\n", "=", "\0"];
    fuzz("known_hosts", &[&plain, &hashed, &marked], &words, |bytes, random| {
        let host = ["web.example", "198.51.100.7", "*", "", "[x"][random.below(5)];
        let _ = verdict(&text(bytes), host, [22, 2222][random.below(2)], &key);
    });
}

#[test]
fn history_and_journal_pass_torn_lines_over() {
    let record = "{\"at\":\"2026-01-01T00:00:00Z\",\"id\":\"1\",\"by\":\"me\",\"version\":\"v1.0.0\",\"outcome\":\"released\",\
                  \"services\":[{\"service\":\"a\",\"slot\":\"blue\",\"digest\":null,\"image\":\"i\",\"container\":\"c\"}]}\n";
    let journal = "{}\n{\"step\":\"start\",\"state\":\"begin\"}\n{\"step\":\"route\",\"state\":\"back\"}\n\
                   {\"step\":\"confirm\",\"state\":\"end\"}\n";
    let words = ["{", "}", "\"", "\\u0000", "null", "1e999", "[", "\n", "rolled-back"];
    fuzz("history", &[record, journal], &words, |bytes, _| {
        let text = text(bytes);
        let whole = format!("{record}{text}\n{record}");
        let (records, unreadable) = history::read(&whole);
        assert!(
            records.len() >= 2 && records.last() == history::read(record).0.last(),
            "a good line is lost: {text:?}"
        );
        assert_eq!(records.len() + unreadable.len(), whole.lines().count(), "a line is passed over: {text:?}");
        let owner = history::Owner { repository: "app", slots: ["blue", "green"] };
        let _ = (owner.released(&records), owner.is_bad(&records, "v1.0.0"));
        let journal = Journal::read(&text);
        assert!(!journal.back || !journal.is_confirmed());
    });
}

#[test]
fn sections_never_pose_as_others() {
    let seeds = ["@a 0 3\nxyz\n@b 1 0\n\n", "@a 0 12\n@b 0 3\nxyz\n\n\n"];
    let words = ["@b 0 1\nx\n", "18446744073709551615", "-1", " ", "\n", "@"];
    fuzz("sections", &seeds, &words, |bytes, _| {
        let _ = sections(bytes);
        let text = text(bytes);
        let framed = format!("@x 0 {}\n{text}\n@y 7 1\nz\n", text.len());
        let found = sections(framed.as_bytes()).expect("a frame of ours");
        assert_eq!((found.len(), &found[0].text, found[1].status), (2, &text, 7));
    });
}
