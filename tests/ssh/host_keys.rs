//! Only the right host is talked to.
use cutover::host::ssh::{ConnectError, Options, Session};

use crate::sshd::{Sshd, USER, key_pair, keygen};

/// The options with this text for known_hosts.
fn knowing(sshd: &Sshd, text: String) -> Options {
    Options { known_hosts: Some(text), ..sshd.options() }
}

#[tokio::test]
async fn a_known_key_connects_and_is_reported() {
    let sshd = Sshd::start("");
    let session = sshd.connect().await;
    assert!(session.fingerprint().starts_with("SHA256:"));
    assert_eq!(session.place(), format!("127.0.0.1:{}", sshd.port));
    assert_eq!(session.user(), *USER);
}

#[tokio::test]
async fn an_unknown_key_is_refused_with_the_line_that_makes_it_known() {
    let sshd = Sshd::start("");
    let ConnectError::HostKeyUnknown(key) = sshd.refused(&knowing(&sshd, "# nobody".into())).await else {
        panic!("the key is unknown")
    };
    assert_eq!(key.algorithm, "ssh-ed25519");
    Session::connect(&sshd.target(), &knowing(&sshd, key.line.clone())).await.expect("with the line pasted");
    let printed = Options { known_hosts: None, fingerprints: vec![key.fingerprint.clone()], ..sshd.options() };
    Session::connect(&sshd.target(), &printed).await.expect("with the fingerprint stated");
    let said = ConnectError::HostKeyUnknown(key.clone()).to_string();
    assert!(said.ends_with(&key.line) && said.contains(&key.fingerprint), "{said}");
}

#[tokio::test]
async fn a_wrong_key_is_refused_at_once() {
    let sshd = Sshd::start_with("", |path| drop(key_pair(path, "other")));
    let cause = sshd.refused(&knowing(&sshd, format!("# x\n{}", sshd.known("other")))).await;
    let ConnectError::HostKeyMismatch { expected, .. } = &cause else { panic!("{cause}") };
    assert_eq!(expected.len(), 1);
    assert_eq!(expected[0].source, "known_hosts line 2");
    assert!(cause.to_string().contains("WRONG HOST KEY"));
}

#[tokio::test]
async fn a_revoked_key_is_refused_although_it_is_known() {
    let sshd = Sshd::start("");
    let text = format!("{}@revoked * {}\n", sshd.known("host"), sshd.read("host.pub"));
    let cause = sshd.refused(&knowing(&sshd, text.clone())).await;
    assert!(matches!(&cause, ConnectError::HostKeyRevoked { source, .. } if source == "known_hosts line 2"), "{cause}");
    let ask =
        Options { ask_host_key: Some(std::sync::Arc::new(|_| panic!("nobody is asked"))), ..knowing(&sshd, text) };
    assert!(matches!(sshd.refused(&ask).await, ConnectError::HostKeyRevoked { .. }));
}

#[tokio::test]
async fn hashed_names_are_understood() {
    let sshd = Sshd::start("");
    std::fs::write(sshd.path("known"), sshd.known("host")).expect("written");
    keygen(sshd.directory.path(), &["-H", "-f", "known"]);
    let text = sshd.read("known");
    assert!(text.starts_with("|1|") && !text.contains("127.0.0.1"));
    Session::connect(&sshd.target(), &knowing(&sshd, text)).await.expect("a connection");
}

#[tokio::test]
async fn the_algorithm_that_known_hosts_has_is_the_one_that_is_asked_for() {
    let config = "HostKey DIRECTORY/host\nHostKey DIRECTORY/rsa\nHostKey DIRECTORY/ecdsa";
    let sshd = Sshd::start_with(config, |path| {
        keygen(path, &["-t", "rsa", "-b", "2048", "-N", "", "-f", "rsa"]);
        keygen(path, &["-t", "ecdsa", "-N", "", "-f", "ecdsa"]);
    });
    for name in ["host", "rsa", "ecdsa"] {
        let options = knowing(&sshd, sshd.known(name));
        Session::connect(&sshd.target(), &options).await.unwrap_or_else(|cause| panic!("{name}: {cause}"));
    }
    // A stated fingerprint says nothing of the algorithm: each of the server's keys is right.
    for name in ["host", "rsa", "ecdsa"] {
        let line = std::process::Command::new("ssh-keygen").arg("-lf").arg(sshd.path(name)).output();
        let line = String::from_utf8(line.expect("ssh-keygen is there").stdout).expect("text");
        let options = Options { known_hosts: None, fingerprints: vec![line], ..sshd.options() };
        Session::connect(&sshd.target(), &options).await.unwrap_or_else(|cause| panic!("{name}: {cause}"));
    }
    let wrong = Options { fingerprints: vec![format!("SHA256:{}", "A".repeat(43))], ..knowing(&sshd, String::new()) };
    assert!(matches!(sshd.refused(&wrong).await, ConnectError::HostKeyMismatch { .. }));
}

/// The fingerprint of a server's Ed25519 key.
fn print(sshd: &Sshd) -> String {
    let line = std::process::Command::new("ssh-keygen").arg("-lf").arg(sshd.path("host")).output();
    let line = String::from_utf8(line.expect("ssh-keygen is there").stdout).expect("text");
    line.split_whitespace().nth(1).expect("a fingerprint").to_owned()
}

#[tokio::test]
async fn a_fingerprint_is_of_one_host_and_a_jump_host_can_not_pose_as_the_target() {
    let (jump, web) = (Sshd::start(""), Sshd::start(""));
    std::fs::copy(web.path("authorized_keys"), jump.path("authorized_keys")).expect("copied");
    let at = |sshd: &Sshd, print: &str| format!("127.0.0.1:{}={print}", sshd.port);
    let stating = |fingerprints: Vec<String>, jumps: &[&Sshd]| Options {
        known_hosts: None,
        fingerprints,
        jump: jumps.iter().map(|sshd| sshd.target()).collect(),
        ..web.options()
    };
    let (of_jump, of_web) = (print(&jump), print(&web));
    Session::connect(&web.target(), &stating(vec![of_web.clone()], &[])).await.expect("one host needs no name");
    Session::connect(&web.target(), &stating(vec![at(&jump, &of_jump), at(&web, &of_web)], &[&jump]))
        .await
        .expect("bound");

    let unbound = web.refused(&stating(vec![of_web.clone(), of_jump.clone()], &[&jump])).await.to_string();
    assert!(unbound.contains("does not say whose it is") && unbound.contains(&format!("HOST={of_web}")), "{unbound}");
    // what the jump host would show in the target's place
    let posing = stating(vec![at(&jump, &of_jump), at(&web, &of_jump)], &[&jump]);
    assert!(matches!(web.refused(&posing).await, ConnectError::HostKeyMismatch { .. }));
    let other = web.refused(&stating(vec![at(&jump, &of_jump)], &[&jump])).await;
    assert!(matches!(other, ConnectError::HostKeyUnknown(_)), "{other}");
    assert!(other.to_string().contains("no fingerprint is stated for this host, only for 127.0.0.1:"), "{other}");
}

#[tokio::test]
async fn a_host_certificate_of_a_trusted_authority_connects() {
    let config = "HostKey DIRECTORY/host\nHostCertificate DIRECTORY/host-cert.pub";
    let sign = |principals: &'static str| {
        move |path: &std::path::Path| {
            key_pair(path, "ca");
            keygen(path, &["-s", "ca", "-I", "the-host", "-h", "-n", principals, "host.pub"]);
        }
    };
    let sshd = Sshd::start_with(config, sign("127.0.0.1"));
    let authority = format!("@cert-authority 127.0.0.1 {}", sshd.read("ca.pub"));
    let session = Session::connect(&sshd.target(), &knowing(&sshd, authority.clone())).await.expect("a connection");
    assert!(session.fingerprint().contains("signed by SHA256:"));
    Session::connect(&sshd.target(), &sshd.options()).await.expect("the plain key is known too");
    let revoked = format!("{authority}\n@revoked * {}", sshd.read("ca.pub"));
    assert!(matches!(sshd.refused(&knowing(&sshd, revoked)).await, ConnectError::HostKeyRevoked { .. }));
    let foreign = format!("@cert-authority * {}", sshd.read("user.pub"));
    assert!(matches!(sshd.refused(&knowing(&sshd, foreign)).await, ConnectError::HostCertificate { .. }));

    let other = Sshd::start_with(config, sign("db.example.com"));
    let authority = format!("@cert-authority 127.0.0.1 {}", other.read("ca.pub"));
    let said = other.refused(&knowing(&other, authority)).await.to_string();
    assert!(said.contains("is for db.example.com, not for 127.0.0.1"), "{said}");
}

#[tokio::test]
async fn an_rsa_host_certificate_is_verified_too() {
    let config = "HostKey DIRECTORY/rsa\nHostCertificate DIRECTORY/rsa-cert.pub";
    let sshd = Sshd::start_with(config, |path| {
        keygen(path, &["-t", "rsa", "-b", "2048", "-N", "", "-f", "rsa"]);
        keygen(path, &["-t", "rsa", "-b", "2048", "-N", "", "-f", "ca"]);
        keygen(path, &["-s", "ca", "-I", "the-host", "-h", "rsa.pub"]);
    });
    let authority = format!("@cert-authority * {}", sshd.read("ca.pub"));
    Session::connect(&sshd.target(), &knowing(&sshd, authority)).await.expect("a connection");
}

#[tokio::test]
async fn a_person_is_asked_only_about_an_unknown_key() {
    let sshd = Sshd::start_with("", |path| drop(key_pair(path, "other")));
    for (answer, text) in [(true, String::new()), (false, String::new())] {
        let ask = Options { ask_host_key: Some(std::sync::Arc::new(move |_| answer)), ..knowing(&sshd, text) };
        assert_eq!(Session::connect(&sshd.target(), &ask).await.is_ok(), answer);
    }
    let ask = Options {
        ask_host_key: Some(std::sync::Arc::new(|_| panic!("nobody is asked"))),
        ..knowing(&sshd, sshd.known("other"))
    };
    assert!(matches!(sshd.refused(&ask).await, ConnectError::HostKeyMismatch { .. }));
}
