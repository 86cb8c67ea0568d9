//! Keys, certificates, the agent and jump hosts.
use std::process::Command;
use std::time::{Duration, Instant};

use cutover::host::ssh::{ConnectError, Limits, Options, Session, Target};
use cutover::secret::Secret;

use crate::link::Link;
use crate::sshd::{Agent, Sshd, USER, free_port, key_pair, keygen};

/// Without any key.
fn keyless(sshd: &Sshd) -> Options {
    Options { key: None, ..sshd.options() }
}

async fn gets_in(sshd: &Sshd, options: &Options, name: &str) {
    Session::connect(&sshd.target(), options).await.unwrap_or_else(|cause| panic!("{name}: {cause}"));
}

#[tokio::test]
async fn a_wrong_key_is_refused_once_and_said_with_its_fingerprint() {
    let sshd = Sshd::start_with("LogLevel DEBUG", |path| drop(key_pair(path, "stranger")));
    let options = Options { key: Some(Secret::new(sshd.read("stranger"))), ..sshd.options() };
    let cause = sshd.refused(&options).await;
    let ConnectError::AuthRefused { user, offered, methods, .. } = &cause else { panic!("{cause}") };
    assert_eq!((user.as_str(), offered.len(), methods.as_slice()), (USER.as_str(), 1, &["publickey".to_owned()][..]));
    assert!(offered[0].starts_with("ssh-ed25519 SHA256:"), "{offered:?}");
    assert!(!format!("{cause} {cause:?}").contains("PRIVATE"));
}

#[tokio::test]
async fn what_is_refused_is_not_tried_again() {
    let sshd = Sshd::start_with("", |path| drop(key_pair(path, "stranger")));
    let stranger = Options { key: Some(Secret::new(sshd.read("stranger"))), ..sshd.options_anywhere() };
    let other_host = Options { known_hosts: Some(format!("* {}", sshd.read("user.pub"))), ..sshd.options() };
    let unknown = Options { known_hosts: Some(String::new()), ..sshd.options() };
    for options in [stranger, other_host, unknown] {
        let link = Link::start(sshd.port, Duration::ZERO).await;
        Session::connect(&link.target(), &options).await.expect_err("refused");
        assert_eq!(link.connections(), 1);
    }
}

#[tokio::test]
async fn without_a_key_that_is_what_is_said() {
    let sshd = Sshd::start("");
    let said = sshd.refused(&keyless(&sshd)).await.to_string();
    assert!(said.contains("there is no private key to log in with"), "{said}");
}

#[tokio::test]
async fn at_most_five_keys_are_offered() {
    let names: Vec<String> = (0..7).map(|n| format!("k{n}")).collect();
    let sshd = Sshd::start_with("", |path| names.iter().for_each(|name| drop(key_pair(path, name))));
    let mut options = keyless(&sshd);
    options.key_files = names.iter().map(|name| sshd.path(name)).collect();
    let cause = sshd.refused(&options).await;
    let ConnectError::AuthRefused { offered, .. } = &cause else { panic!("{cause}") };
    assert_eq!(offered.len(), 5);
    assert!(cause.to_string().contains("2 more keys were not offered"), "{cause}");
    options.key_files[4] = sshd.path("user");
    gets_in(&sshd, &options, "the fifth is right").await;
}

#[tokio::test]
async fn a_key_from_a_ci_secret_is_mended() {
    let sshd = Sshd::start("");
    let text = sshd.read("user");
    for (name, broken) in [
        ("no newline", text.clone()),
        ("CRLF", text.replace('\n', "\r\n")),
        ("base64", base64_of(&text)),
        ("newlines lost", text.replace('\n', " ")),
    ] {
        let options = Options { key: Some(Secret::new(broken)), ..sshd.options() };
        gets_in(&sshd, &options, name).await;
    }
    let putty = "PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: none\nComment: x\n";
    let cause = sshd.refused(&Options { key: Some(Secret::new(putty)), ..sshd.options() }).await;
    assert!(matches!(cause, ConnectError::KeyFormat { .. }) && cause.to_string().contains("puttygen"), "{cause}");
}

fn base64_of(text: &str) -> String {
    let mut out = String::new();
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for chunk in text.as_bytes().chunks(3) {
        let bits = chunk.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for at in 0..4 {
            let letter = LETTERS[(bits >> (18 - 6 * at) & 63) as usize] as char;
            out.push(if at <= chunk.len() { letter } else { '=' });
        }
    }
    out
}

#[tokio::test]
async fn every_kind_of_key_logs_in() {
    let kinds: &[(&str, &[&str])] = &[
        ("rsa", &["-t", "rsa", "-b", "2048"]),
        ("rsa-pem", &["-t", "rsa", "-b", "2048", "-m", "PEM"]),
        ("rsa-pkcs8", &["-t", "rsa", "-b", "2048", "-m", "PKCS8"]),
        ("ecdsa", &["-t", "ecdsa", "-b", "256"]),
        ("ecdsa521", &["-t", "ecdsa", "-b", "521"]),
        ("ecdsa-pkcs8", &["-t", "ecdsa", "-b", "384", "-m", "PKCS8"]),
    ];
    let sshd = Sshd::start_with("", |path| {
        let mut authorized = String::new();
        for (name, words) in kinds {
            keygen(path, &[words, &["-N", "", "-f", name][..]].concat());
            authorized += &std::fs::read_to_string(path.join(format!("{name}.pub"))).expect("read");
        }
        std::fs::write(path.join("authorized_keys"), authorized).expect("written");
    });
    for (name, _) in kinds {
        let options = Options { key_files: vec![sshd.path(name)], ..keyless(&sshd) };
        gets_in(&sshd, &options, name).await;
    }
}

#[tokio::test]
async fn a_passphrase_is_right_wrong_or_missing() {
    let sshd = Sshd::start("");
    keygen(sshd.directory.path(), &["-p", "-P", "", "-N", "s3cret", "-f", "user"]);
    let with = |passphrase: Option<&str>| Options {
        key_files: vec![sshd.path("user")],
        passphrase: passphrase.map(Secret::new),
        ..keyless(&sshd)
    };
    gets_in(&sshd, &with(Some("s3cret")), "right").await;
    let wrong = sshd.refused(&with(Some("other"))).await;
    assert!(matches!(wrong, ConnectError::Passphrase { wrong: true, .. }), "{wrong}");
    let missing = sshd.refused(&with(None)).await;
    assert!(matches!(missing, ConnectError::Passphrase { wrong: false, .. }), "{missing}");
}

/// `SSH_AUTH_SOCK` is the process's: this test has it for itself, as every test has its own process.
#[tokio::test]
async fn the_agent_logs_in_and_stands_in_for_an_encrypted_file() {
    let sshd = Sshd::start_with("TrustedUserCAKeys DIRECTORY/ca.pub", |path| {
        key_pair(path, "ca");
        key_pair(path, "stranger");
        keygen(path, &["-t", "rsa", "-b", "2048", "-N", "", "-f", "rsa"]);
        keygen(path, &["-s", "ca", "-I", "me", "-n", &USER, "rsa.pub"]);
    });
    let key = Some(Secret::new(sshd.read("user")));
    let agent = Agent::start(&[sshd.path("stranger"), sshd.path("user")]);
    let signed = Agent::start(&[sshd.path("rsa")]);
    // Before any thread reads the environment.
    unsafe { std::env::set_var("SSH_AUTH_SOCK", &agent.socket) };
    gets_in(&sshd, &Options { agent: true, ..keyless(&sshd) }, "agent").await;
    keygen(sshd.directory.path(), &["-p", "-P", "", "-N", "s3cret", "-f", "user"]);
    let locked = Options { agent: true, key_files: vec![sshd.path("user")], ..keyless(&sshd) };
    gets_in(&sshd, &locked, "the agent has the encrypted file's key").await;
    unsafe { std::env::set_var("SSH_AUTH_SOCK", &signed.socket) };
    gets_in(&sshd, &Options { agent: true, ..keyless(&sshd) }, "RSA certificate in the agent").await;
    unsafe { std::env::set_var("SSH_AUTH_SOCK", "/nowhere") };
    let cause = sshd.refused(&Options { agent: true, ..keyless(&sshd) }).await;
    assert!(matches!(cause, ConnectError::NoKey { .. }), "{cause}");
    gets_in(&sshd, &Options { agent: true, key, ..keyless(&sshd) }, "no agent, but a key").await;
}

#[tokio::test]
async fn a_user_certificate_beside_the_key_logs_in() {
    let sshd = Sshd::start_with("TrustedUserCAKeys DIRECTORY/ca.pub", |path| {
        key_pair(path, "ca");
        key_pair(path, "me");
        keygen(path, &["-t", "rsa", "-b", "2048", "-N", "", "-f", "rsa"]);
        keygen(path, &["-t", "ecdsa", "-N", "", "-f", "ecdsa"]);
        keygen(path, &["-s", "ca", "-I", "me", "-n", &USER, "me.pub", "rsa.pub", "ecdsa.pub"]);
    });
    for name in ["me", "rsa", "ecdsa"] {
        gets_in(&sshd, &Options { key_files: vec![sshd.path(name)], ..keyless(&sshd) }, name).await;
    }
}

#[tokio::test]
async fn a_closed_port_is_tried_three_times_and_no_more() {
    let target: Target = format!("root@127.0.0.1:{}", free_port()).parse().expect("a target");
    let started = Instant::now();
    let cause = Session::connect(&target, &Options { known_hosts: Some(String::new()), ..Options::default() }).await;
    let cause = cause.expect_err("nothing listens");
    assert!(matches!(cause, ConnectError::Unreachable { attempts: 3, .. }), "{cause}");
    assert!(cause.to_string().contains("connection refused"), "{cause}");
    assert!(started.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn a_name_without_an_address_says_so() {
    let target: Target = "root@no-such-host.invalid".parse().expect("a target");
    let cause = Session::connect(&target, &Options::default()).await.expect_err("no such host");
    assert!(matches!(cause, ConnectError::Resolve { .. } | ConnectError::Unreachable { .. }), "{cause}");
}

#[tokio::test]
async fn jump_hosts_carry_the_connection() {
    let (inner, outer) = (Sshd::start(""), Sshd::start(""));
    let mut options = inner.options();
    options.known_hosts = Some(inner.known("host") + &outer.known("host"));
    options.key_files = vec![outer.path("user")];
    options.jump = vec![outer.target()];
    let session = Session::connect(&inner.target(), &options).await.expect("through the jump host");
    let output = session.exec("echo $SSH_CONNECTION", b"", Limits::default()).await.expect("an output");
    assert!(String::from_utf8_lossy(&output.stdout).trim().ends_with(&inner.port.to_string()));

    let known_inner = Options { known_hosts: Some(inner.known("host")), ..options.clone() };
    let cause = inner.refused(&known_inner).await;
    let ConnectError::Jump { place, cause } = &cause else { panic!("{cause}") };
    assert_eq!(place, &format!("127.0.0.1:{}", outer.port));
    assert!(matches!(**cause, ConnectError::HostKeyUnknown(_)));

    let closed: Target = format!("root@127.0.0.1:{}", free_port()).parse().expect("a target");
    let cause = Session::connect(&closed, &options).await.expect_err("nothing listens behind");
    assert!(matches!(cause, ConnectError::Unreachable { .. }), "{cause}");
    assert!(cause.to_string().contains("through the jump host"), "{cause}");
}

#[tokio::test]
async fn ssh_config_names_host_port_user_and_key() {
    let (sshd, jump) = (Sshd::start(""), Sshd::start(""));
    let known = sshd.path("known");
    std::fs::write(&known, sshd.known("host") + &jump.known("host")).expect("written");
    let text = format!(
        "Host prod\n HostName 127.0.0.1\n Port {}\n User {USER}\n IdentityFile {}\n UserKnownHostsFile {}\n ProxyJump hop\n\
         Host hop\n HostName 127.0.0.1\n Port {}\n User {USER}\n IdentityFile {}\n UserKnownHostsFile {}\n",
        sshd.port,
        sshd.path("user").display(),
        known.display(),
        jump.port,
        jump.path("user").display(),
        known.display(),
        USER = *USER,
    );
    std::fs::write(sshd.path("config"), text).expect("written");
    let options = Options { config_file: Some(sshd.path("config")), ..Options::default() };
    let session = Session::connect(&"prod".parse().expect("a target"), &options).await.expect("a connection");
    assert_eq!(session.place(), format!("prod:{}", sshd.port));
}

#[tokio::test]
async fn openssh_agrees_on_what_is_known() {
    let sshd = Sshd::start("");
    let known = sshd.path("known");
    std::fs::write(&known, sshd.known("host")).expect("written");
    let found =
        Command::new("ssh-keygen").args(["-F", &format!("[127.0.0.1]:{}", sshd.port), "-f"]).arg(&known).status();
    assert!(found.expect("ssh-keygen is there").success());
    gets_in(&sshd, &sshd.options(), "and so do we").await;
}
