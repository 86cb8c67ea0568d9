//! Host certificates as ssh-keygen(1) signs them, and stated fingerprints.
#![allow(clippy::unwrap_used)]
use std::process::Command;

use super::*;

/// Two authorities and a host key, made anew.
struct Bench {
    directory: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        let bench = Self { directory: tempfile::tempdir().unwrap() };
        for name in ["ca", "other", "host"] {
            bench.keygen(&["-t", "ed25519", "-N", "", "-C", "", "-f", name]);
        }
        bench
    }

    fn keygen(&self, words: &[&str]) {
        let run = Command::new("ssh-keygen").arg("-q").args(words).current_dir(self.directory.path()).status();
        assert!(run.unwrap().success(), "{words:?}");
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.directory.path().join(name)).unwrap().trim().to_owned()
    }

    fn key(&self, name: &str) -> PublicKey {
        PublicKey::from_openssh(&self.read(&format!("{name}.pub"))).unwrap()
    }

    /// A certificate for the host key, by `ca`, with these words of ssh-keygen.
    fn sign(&self, words: &[&str]) -> Certificate {
        let fixed = ["-s", "ca", "-I", "the-host"];
        self.keygen(&[&fixed[..], words, &["host.pub"]].concat());
        Certificate::from_openssh(&self.read("host-cert.pub")).unwrap()
    }

    fn trust(&self, text: String) -> Trust {
        let known = vec![KnownHosts { source: "known_hosts".into(), text }];
        Trust {
            host: "Web1.Example.com".into(),
            port: 22,
            known,
            known_only_revokes: false,
            fingerprints: Vec::new(),
            stated_for: Vec::new(),
        }
    }
}

const NOW: u64 = 1_800_000_000;

fn say(trust: &Trust, certificate: &Certificate) -> String {
    match trust.check(&certificate.clone().into(), NOW) {
        Ok(_) => "ok".into(),
        Err(cause) => cause.to_string(),
    }
}

#[test]
fn a_certificate_holds_only_as_its_authority_meant_it() {
    let bench = Bench::new();
    let trust = bench.trust(format!("@cert-authority *.example.com {}", bench.read("ca.pub")));
    for (words, said) in [
        (&["-h"][..], "ok"),
        (&["-h", "-n", "web1.example.com,x"], "ok"),
        (&["-h", "-n", "x"], "is for x, not for web1.example.com"),
        (&["-n", "web1.example.com"], "is a user certificate"),
        (&["-h", "-V", "20200101:20210101"], "has expired"),
        (&["-h", "-V", "20400101:20410101"], "is not yet valid"),
        (&["-h", "-V", "20200101:20400101"], "ok"),
        (&["-h", "-O", "critical:x@y=z"], "critical options"),
    ] {
        let got = say(&trust, &bench.sign(words));
        assert!(got.contains(said), "{words:?}: {got}");
    }
}

#[test]
fn only_the_authority_of_this_host_is_trusted() {
    let bench = Bench::new();
    let certificate = bench.sign(&["-h"]);
    let (ca, other, host) = (bench.read("ca.pub"), bench.read("other.pub"), bench.read("host.pub"));
    for (text, said) in [
        (format!("@cert-authority * {ca}"), "ok"),
        (format!("@cert-authority other.org {ca}"), "no @cert-authority for this host"),
        (format!("@cert-authority * {other}"), "no @cert-authority for this host"),
        (format!("@cert-authority * {other}\nweb1.example.com {host}"), "ok"),
        (format!("@cert-authority * {other}\nweb1.example.com {other}"), "WRONG HOST KEY"),
        (format!("@cert-authority * {ca}\n@revoked * {ca}"), "known_hosts line 2"),
        (format!("@cert-authority * {ca}\n@revoked * {host}"), "@revoked"),
        (format!("web1.example.com {ca}"), "no @cert-authority"),
    ] {
        let got = say(&bench.trust(text.clone()), &certificate);
        assert!(got.contains(said) || text.ends_with(&ca) && got.contains("WRONG HOST KEY"), "{text}: {got}");
    }
}

#[test]
fn a_forged_signature_is_noticed() {
    let bench = Bench::new();
    let mut bytes = bench.sign(&["-h"]).to_bytes().unwrap();
    let at = bytes.windows(8).position(|w| w == b"the-host").unwrap();
    bytes[at] = b'T';
    let forged = Certificate::from_bytes(&bytes).unwrap();
    let trust = bench.trust(format!("@cert-authority * {}", bench.read("ca.pub")));
    assert!(say(&trust, &forged).contains("signature on `The-host` is wrong"));
}

#[test]
fn a_stated_fingerprint_is_enough_but_for_a_revoked_key() {
    let bench = Bench::new();
    let host = bench.key("host");
    let stated = |text: String, only_revokes| {
        let mut trust = bench.trust(text);
        (trust.fingerprints, trust.known_only_revokes) = (vec![fingerprint(&host)], only_revokes);
        trust.check(&host.clone().into(), NOW).map_err(|e| e.to_string())
    };
    let line = |marker: &str, name: &str| format!("{marker}web1.example.com {}", bench.read(name));
    assert_eq!(stated(String::new(), false), Ok(fingerprint(&host)));
    assert_eq!(stated(line("", "other.pub"), true), Ok(fingerprint(&host)), "the file's line does not count");
    assert!(stated(line("@revoked ", "host.pub"), true).unwrap_err().contains("@revoked"));
    let mut trust = bench.trust(line("", "other.pub"));
    (trust.fingerprints, trust.known_only_revokes) = (vec![fingerprint(&bench.key("ca"))], true);
    let said = trust.check(&host.clone().into(), NOW).unwrap_err().to_string();
    assert!(said.contains("stated fingerprint") && !said.contains("line 1"), "{said}");
}

#[test]
fn fingerprints_are_read_as_people_paste_them() {
    let bench = Bench::new();
    let print = fingerprint(&bench.key("host"));
    for text in [print.clone(), format!("{print}="), format!(" 256 {print} root@host (ED25519)\n")] {
        assert_eq!(parse_fingerprint(&text).unwrap(), print);
    }
    for text in ["", "MD5:aa:bb", "SHA256:", "SHA256:short", &print[..40], &print[7..]] {
        let said = parse_fingerprint(text).unwrap_err().to_string();
        assert!(said.contains("is not a host key fingerprint"), "{said}");
    }
}

#[test]
fn the_algorithms_that_are_known_come_first() {
    let bench = Bench::new();
    bench.keygen(&["-t", "rsa", "-b", "2048", "-N", "", "-C", "", "-f", "rsa"]);
    let trust = bench.trust(format!("web1.example.com {}", bench.read("rsa.pub")));
    let preferred = trust.preferred(&[]);
    assert!(matches!(preferred.key[0], Algorithm::Rsa { hash: Some(HashAlg::Sha512) }));
    assert!(preferred.key.contains(&Algorithm::Ed25519) && preferred.host_key_certificates.is_empty());
    assert!(!preferred.key.contains(&Algorithm::Rsa { hash: None }), "no SHA-1");
    let without = trust.preferred(&["ssh-rsa".parse().unwrap()]);
    assert!(!without.key.iter().any(|a| matches!(a, Algorithm::Rsa { .. })));
    let signed = bench.trust(format!("@cert-authority * {}", bench.read("ca.pub")));
    assert_eq!(signed.preferred(&[]).host_key_certificates, signed.preferred(&[]).key);
}
