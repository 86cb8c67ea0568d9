//! Keys as ssh-keygen(1) and openssl(1) write them, and as they arrive from a CI secret.
#![allow(clippy::unwrap_used)]
use std::process::Command;

use russh::keys::HashAlg;
use sha2::Digest as _;

use super::*;

/// A private key made by ssh-keygen with these words after `-q -C x`.
fn generate(words: &[&str], passphrase: &str) -> String {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("key");
    let mut keygen = Command::new("ssh-keygen");
    keygen.args(["-q", "-C", "x", "-N", passphrase]).args(words).arg("-f").arg(&file);
    assert!(keygen.status().unwrap().success());
    std::fs::read_to_string(file).unwrap()
}

fn read(text: &str, passphrase: Option<&str>) -> Result<PrivateKey, ConnectError> {
    decode("the key", &Secret::new(text), passphrase.map(Secret::new).as_ref())
}

fn problem(text: &str, passphrase: Option<&str>) -> String {
    read(text, passphrase).unwrap_err().to_string()
}

#[test]
fn every_format_is_read() {
    for words in [
        &["-t", "ed25519"][..],
        &["-t", "ecdsa", "-b", "256"],
        &["-t", "ecdsa", "-b", "384"],
        &["-t", "ecdsa", "-b", "521"],
        &["-t", "ecdsa", "-b", "256", "-m", "PEM"],
        &["-t", "ecdsa", "-b", "256", "-m", "PKCS8"],
        &["-t", "rsa", "-b", "2048"],
        &["-t", "rsa", "-b", "2048", "-m", "PEM"],
        &["-t", "rsa", "-b", "2048", "-m", "PKCS8"],
    ] {
        let text = generate(words, "");
        read(&text, None).unwrap_or_else(|e| panic!("{words:?}: {e}"));
        read(&text, Some("not needed")).unwrap_or_else(|e| panic!("{words:?} with a needless passphrase: {e}"));
    }
}

#[test]
fn what_pasting_breaks_is_mended() {
    let text = generate(&["-t", "ed25519"], "");
    let good = read(&text, None).unwrap();
    let one_line = text.trim().replace('\n', " ");
    for (name, broken) in [
        ("CRLF", text.replace('\n', "\r\n")),
        ("no last newline", text.trim_end().to_owned()),
        ("spaces around", format!("\n\n  {text}  \n\n")),
        ("indented", text.replace('\n', "\n    ")),
        ("newlines as backslash n", text.replace('\n', "\\n")),
        ("newlines as spaces", one_line),
        ("newlines lost", text.replace('\n', "")),
        ("quotes", format!("\"{}\"", text.trim())),
        ("byte order mark", format!("\u{feff}{text}")),
        ("byte order mark before spaces and quotes", format!("\u{feff} \n\"{text}\"")),
        ("byte order mark within spaces", format!(" \u{feff}{text}")),
        ("base64", STANDARD.encode(&text)),
        ("base64 of CRLF", STANDARD.encode(text.replace('\n', "\r\n"))),
        (
            "base64 in lines",
            STANDARD
                .encode(&text)
                .as_bytes()
                .chunks(76)
                .fold(String::new(), |out, line| out + std::str::from_utf8(line).unwrap() + "\n"),
        ),
        ("text before", format!("my key:\n{text}")),
    ] {
        let key = read(&broken, None).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(key.public_key(), good.public_key(), "{name}");
    }
}

/// A P-256 key whose secret begins with a zero byte, which ssh-keygen makes once in 256 times; always the same one.
fn short_key(passphrase: &str, cipher: &str) -> String {
    use std::os::unix::fs::PermissionsExt as _;
    let secret = (0u64..).map(|n| sha2::Sha256::digest(n.to_be_bytes())).find(|secret| secret[0] == 0).unwrap();
    // RFC 5915: version 1, the secret, the curve prime256v1
    let der =
        [b"\x30\x31\x02\x01\x01\x04\x20", &secret[..], b"\xa0\x0a\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07"].concat();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("key");
    std::fs::write(
        &file,
        format!("-----BEGIN EC PRIVATE KEY-----\n{}\n-----END EC PRIVATE KEY-----\n", STANDARD.encode(der)),
    )
    .unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    // writes it anew, in its own format
    let keygen = Command::new("ssh-keygen")
        .args(["-q", "-p", "-P", "", "-N", passphrase, "-Z", cipher, "-f"])
        .arg(&file)
        .output();
    assert!(keygen.unwrap().status.success());
    std::fs::read_to_string(file).unwrap()
}

#[test]
fn an_ecdsa_key_whose_secret_begins_with_zeros_is_read() {
    let text = short_key("", "aes256-ctr");
    assert!(text.starts_with("-----BEGIN OPENSSH"), "{text}");
    assert!(keys::decode_secret_key(&text, None).is_err(), "the library reads it by now: short_ecdsa.rs can go");
    let key = read(&text, None).unwrap();
    let signature = key.sign("file", HashAlg::Sha256, b"words").unwrap();
    key.public_key().verify("file", b"words", &signature).unwrap();
    for cipher in ["aes256-ctr", "aes256-cbc", "aes256-gcm@openssh.com", "chacha20-poly1305@openssh.com"] {
        let locked = short_key("s3cret", cipher);
        let opened = read(&locked, Some("s3cret")).unwrap_or_else(|error| panic!("{cipher}: {error}"));
        assert_eq!(opened.public_key().key_data(), key.public_key().key_data(), "{cipher}");
        assert!(matches!(read(&locked, Some("other")), Err(ConnectError::Passphrase { wrong: true, .. })), "{cipher}");
        assert!(matches!(read(&locked, None), Err(ConnectError::Passphrase { wrong: false, .. })), "{cipher}");
    }
}

#[test]
fn a_passphrase_is_right_wrong_or_missing() {
    for words in [&["-t", "ed25519"][..], &["-t", "rsa", "-b", "2048", "-m", "PKCS8"]] {
        let text = generate(words, "s3cret");
        read(&text, Some("s3cret")).unwrap();
        assert!(matches!(read(&text, None), Err(ConnectError::Passphrase { wrong: false, .. })), "{words:?}");
        assert!(matches!(read(&text, Some("")), Err(ConnectError::Passphrase { wrong: false, .. })), "{words:?}");
        assert!(matches!(read(&text, Some("other")), Err(ConnectError::Passphrase { wrong: true, .. })), "{words:?}");
    }
    let pem = generate(&["-t", "rsa", "-b", "2048", "-m", "PEM"], "s3cret");
    assert!(matches!(read(&pem, None), Err(ConnectError::Passphrase { wrong: false, .. })));
    read(&pem, Some("s3cret")).unwrap();
}

#[test]
fn what_is_no_private_key_is_named() {
    let text = generate(&["-t", "ed25519"], "");
    let public = read(&text, None).unwrap().public_key().to_openssh().unwrap();
    let cut = &text[..text.len() - 60];
    let damaged = text.replacen("b3BlbnNzaC1rZXktdjE", "b3BlbnNzaC1rZXktdjI", 1);
    for (text, said) in [
        ("", "is empty"),
        (" \n", "is empty"),
        ("hello", "no `-----BEGIN"),
        (public.as_str(), "public key"),
        ("-----BEGIN PUBLIC KEY-----\nx\n-----END PUBLIC KEY-----", "public key"),
        ("-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----", "X.509"),
        ("-----BEGIN DSA PRIVATE KEY-----\nx\n-----END DSA PRIVATE KEY-----", "DSA"),
        (cut, "cut off"),
        (damaged.as_str(), "damaged"),
        ("PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: none\nComment: x\nPublic-Lines: 2\nAAAA\n", "PuTTY"),
        ("PuTTY-User-Key-File-2: ssh-rsa\r\nEncryption: none\r\n", "puttygen"),
    ] {
        assert!(problem(text, None).contains(said), "{text:?} says {:?}", problem(text, None));
    }
}

#[test]
fn no_message_holds_a_piece_of_the_key() {
    let text = generate(&["-t", "ed25519"], "s3cret");
    let lines: Vec<&str> = text.lines().filter(|l| l.len() > 20 && !l.starts_with('-')).collect();
    for broken in [text.clone(), text[..200].to_owned(), text.replace("END", "EMD"), STANDARD.encode(&text[..200])] {
        for passphrase in [None, Some("wr0ng")] {
            let error = read(&broken, passphrase).unwrap_err();
            let said = format!("{error} {error:?}");
            assert!(!lines.iter().any(|line| said.contains(&line[..20])) && !said.contains("wr0ng"), "{said}");
        }
    }
}
