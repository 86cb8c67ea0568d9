//! Private keys: text that was pasted, mended and decoded.
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use russh::keys::{self, PrivateKey};

use super::error::ConnectError;
use super::short_ecdsa;
use crate::secret::Secret;

/// Reads a private key: OpenSSH, PEM (PKCS#1, SEC1), PKCS#8, encrypted or not, and PuTTY as far as it can be decoded.
///
/// What copying into a CI secret breaks is mended: CRLF, a missing last newline, newlines lost or written as `\n`, spaces
/// around, the whole file as base64.
///
/// # Errors
/// [`ConnectError::KeyFormat`] names the format and what to do; [`ConnectError::Passphrase`] says whether one is
/// missing or wrong. `source` is where the text came from, for the message.
pub fn decode(source: &str, text: &Secret, passphrase: Option<&Secret>) -> Result<PrivateKey, ConnectError> {
    let mended = mend(text.expose()).map_err(|problem| format_error(source, problem))?;
    let passphrase = passphrase.map(Secret::expose).filter(|p| !p.is_empty());
    let encrypted = is_encrypted(&mended);
    if encrypted && passphrase.is_none() {
        return Err(ConnectError::Passphrase { source: source.to_owned(), wrong: false });
    }
    let secret = passphrase.filter(|_| encrypted).map(Secret::new);
    if let Some(key) = short_ecdsa::read(&mended, secret.as_ref()) {
        return Ok(key);
    }
    keys::decode_secret_key(&mended, passphrase.filter(|_| encrypted)).map_err(|cause| match cause {
        keys::Error::KeyIsEncrypted => ConnectError::Passphrase { source: source.to_owned(), wrong: false },
        _ if mended.starts_with(PUTTY) && !encrypted => format_error(source, PUTTY_PROBLEM),
        _ if encrypted => ConnectError::Passphrase { source: source.to_owned(), wrong: true },
        _ => format_error(source, "this private key is damaged; was it copied completely?"),
    })
}

const PUTTY: &str = "PuTTY-User-Key-File-";
const PUTTY_PROBLEM: &str = "this key is in PuTTY's format and cannot be read; convert it with \
                             `puttygen KEY.ppk -O private-openssh -o KEY`";

fn format_error(source: &str, problem: &str) -> ConnectError {
    ConnectError::KeyFormat { source: source.to_owned(), problem: problem.to_owned() }
}

/// The text as the file once was, or what it is instead of a private key.
fn mend(text: &str) -> Result<String, &'static str> {
    let text = text.trim_matches(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '\u{feff}'));
    if text.is_empty() {
        return Err("the private key is empty");
    }
    if !text.contains("-----BEGIN") && !text.starts_with(PUTTY) {
        return mend(&unpacked(text)?);
    }
    let text = text.replace("\\r\\n", "\n").replace("\\n", "\n").replace("\r\n", "\n").replace('\r', "\n");
    if text.starts_with(PUTTY) {
        return Ok(text + "\n");
    }
    refuse_other_kinds(&text)?;
    rewrapped(&text)
}

/// The text that base64 was made of.
fn unpacked(text: &str) -> Result<String, &'static str> {
    if text.starts_with("ssh-") || text.starts_with("ecdsa-") || text.starts_with("sk-") {
        return Err("this is a public key; the private key is the file without `.pub`");
    }
    let packed: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    let bytes = STANDARD.decode(packed).map_err(|_| "this is no private key: no `-----BEGIN … PRIVATE KEY-----`")?;
    let text = String::from_utf8(bytes).map_err(|_| "this is no private key: no `-----BEGIN … PRIVATE KEY-----`")?;
    let is_key = text.contains("-----BEGIN") || text.starts_with(PUTTY);
    if is_key { Ok(text) } else { Err("this is no private key, not even after base64 decoding") }
}

fn refuse_other_kinds(text: &str) -> Result<(), &'static str> {
    let problem = if text.contains("BEGIN SSH2 PUBLIC KEY") || text.contains("BEGIN PUBLIC KEY") {
        "this is a public key; the private key is wanted"
    } else if text.contains("BEGIN CERTIFICATE") {
        "this is an X.509 certificate; an SSH private key is wanted"
    } else if text.contains("BEGIN SSH2 ENCRYPTED PRIVATE KEY") {
        "this key is in the format of ssh.com; convert it with `ssh-keygen -i -f KEY`"
    } else if text.contains("BEGIN DSA PRIVATE KEY") {
        "this is a DSA key, which today's servers refuse; make one with `ssh-keygen -t ed25519`"
    } else if !text.contains("PRIVATE KEY-----") {
        "this is no private key: no `-----BEGIN … PRIVATE KEY-----`"
    } else if !text.contains("-----END") {
        "the private key is cut off: its `-----END … PRIVATE KEY-----` line is missing"
    } else {
        return Ok(());
    };
    Err(problem)
}

/// Header, headers of PKCS#1 encryption, body and footer, each on lines of its own.
fn rewrapped(text: &str) -> Result<String, &'static str> {
    const BROKEN: &str = "the private key's BEGIN or END line is damaged";
    let from = text.find("-----BEGIN").ok_or(BROKEN)?;
    let text = &text[from..];
    let (head, rest) = text[5..].split_once("-----").ok_or(BROKEN)?;
    let (body, _) = rest.split_once("-----END").ok_or(BROKEN)?;
    let kind = head.trim().strip_prefix("BEGIN").ok_or(BROKEN)?.trim();
    let mut out = format!("-----BEGIN {kind}-----\n");
    for line in body.lines().map(str::trim).filter(|l| !l.is_empty()) {
        if line.contains(':') {
            out.push_str(line);
            out.push('\n');
        } else {
            line.split_whitespace().for_each(|word| push_wrapped(&mut out, word));
        }
    }
    out.push_str(&format!("-----END {kind}-----\n"));
    Ok(out)
}

fn push_wrapped(out: &mut String, word: &str) {
    for chunk in word.as_bytes().chunks(64) {
        out.push_str(&String::from_utf8_lossy(chunk));
        out.push('\n');
    }
}

fn is_encrypted(text: &str) -> bool {
    if text.starts_with(PUTTY) {
        return text.lines().any(|l| l.starts_with("Encryption:") && !l.contains("none"));
    }
    if text.contains("BEGIN ENCRYPTED") || text.contains("Proc-Type: 4,ENCRYPTED") {
        return true;
    }
    openssh(text).is_some_and(|key| key.is_encrypted())
}

/// A mended text in OpenSSH's own format, which can be looked into while it is encrypted.
fn openssh(mended: &str) -> Option<PrivateKey> {
    let body = mended.strip_prefix("-----BEGIN OPENSSH PRIVATE KEY-----")?.split_once("-----")?.0;
    let packed: String = body.split_whitespace().collect();
    PrivateKey::from_bytes(&STANDARD.decode(packed).ok()?).ok()
}

/// The public half of an OpenSSH key that is still encrypted.
pub(super) fn public_half(text: &Secret) -> Option<keys::PublicKey> {
    Some(openssh(&mend(text.expose()).ok()?)?.public_key().clone())
}

#[cfg(test)]
#[path = "keys_tests.rs"]
mod tests;
