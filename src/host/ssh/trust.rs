//! Whether the key or certificate that a host presents is the right one. Pure: no network, no clock of its own.
use std::borrow::Cow;

use russh::Preferred;
use russh::keys::ssh_key::Fingerprint;
use russh::keys::ssh_key::certificate::CertType;
use russh::keys::{Algorithm, Certificate, HashAlg, PublicKey, PublicKeyOrCertificate};

use super::error::{ConnectError, ExpectedKey, UnknownHostKey};
use super::known_hosts::{self, KeyVerdict, Known, fingerprint};
use super::target::place;
use crate::report::text::one_line;

/// A text in the format of known_hosts, and what to call it in messages.
#[derive(Clone, Debug)]
pub(super) struct KnownHosts {
    pub(super) source: String,
    pub(super) text: String,
}

/// What is known of one host.
#[derive(Clone, Debug)]
pub(super) struct Trust {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) known: Vec<KnownHosts>,
    /// With fingerprints stated and `known` read from files: the files can revoke, and nothing else.
    pub(super) known_only_revokes: bool,
    /// `SHA256:…`, without padding.
    pub(super) fingerprints: Vec<String>,
    /// Other hosts that fingerprints are stated of.
    pub(super) stated_for: Vec<String>,
}

impl Trust {
    /// Says yes with the fingerprint that was verified, or why not. `now` is in seconds of Unix time.
    pub(super) fn check(&self, presented: &PublicKeyOrCertificate, now: u64) -> Result<String, ConnectError> {
        match presented {
            PublicKeyOrCertificate::PublicKey { key, .. } => self.check_key(key),
            PublicKeyOrCertificate::Certificate(certificate) => self.check_certificate(certificate, now),
        }
    }

    fn check_key(&self, key: &PublicKey) -> Result<String, ConnectError> {
        self.refuse_revoked(key)?;
        let print = fingerprint(key);
        if self.fingerprints.contains(&print) {
            return Ok(print);
        }
        let mut expected: Vec<ExpectedKey> = self.fingerprints.iter().map(|f| stated(f)).collect();
        for file in self.lines() {
            match known_hosts::verdict(&file.text, &self.host, self.port, key) {
                KeyVerdict::Trusted { .. } => return Ok(print),
                KeyVerdict::Mismatch { expected: keys } => {
                    expected.extend(keys.iter().map(|k| in_file(&file.source, k)))
                }
                KeyVerdict::Unknown | KeyVerdict::Revoked { .. } => {}
            }
        }
        Err(if expected.is_empty() { self.unknown(key, print) } else { self.mismatch(key, print, expected) })
    }

    /// PROTOCOL.certkeys of OpenSSH: type, signature, authority, validity, principals, critical options. Without a
    /// trusted authority the key inside counts like a plain one, as in ssh(1).
    fn check_certificate(&self, certificate: &Certificate, now: u64) -> Result<String, ConnectError> {
        let key = PublicKey::new(certificate.public_key().clone(), "");
        let authority = PublicKey::new(certificate.signature_key().clone(), "");
        self.refuse_revoked(&key)?;
        self.refuse_revoked(&authority)?;
        if !self.authorities().any(|known| known.key.key_data() == authority.key_data()) {
            return self.check_key(&key).map_err(|cause| self.foreign_authority(&authority, cause));
        }
        self.certificate_problem(certificate, &authority, now)
            .map(|problem| ConnectError::HostCertificate { place: self.place(), problem })
            .map_or_else(|| Ok(format!("{} (signed by {})", fingerprint(&key), fingerprint(&authority))), Err)
    }

    fn certificate_problem(&self, certificate: &Certificate, authority: &PublicKey, now: u64) -> Option<String> {
        let id = one_line(certificate.key_id(), 60);
        let principals = certificate.valid_principals();
        let host = self.host.to_lowercase();
        if certificate.cert_type() != CertType::Host {
            Some(format!("`{id}` is a user certificate"))
        } else if now < certificate.valid_after() {
            Some(format!("`{id}` is not yet valid; are both clocks right?"))
        } else if now >= certificate.valid_before() {
            Some(format!("`{id}` has expired"))
        } else if !principals.is_empty() && !principals.iter().any(|p| known_hosts::glob(p, &host)) {
            Some(format!("`{id}` is for {}, not for {host}", one_line(&principals.join(", "), 120)))
        } else if !certificate.critical_options().is_empty() {
            Some(format!("`{id}` has critical options that are not known"))
        } else if certificate.validate_at(now, [&authority.fingerprint(HashAlg::Sha256)]).is_err() {
            Some(format!("the authority's signature on `{id}` is wrong"))
        } else {
            None
        }
    }

    fn refuse_revoked(&self, key: &PublicKey) -> Result<(), ConnectError> {
        let mark = self.known.iter().find_map(|file| {
            let line = known_hosts::revoked(&file.text, &self.host, self.port, key)?;
            Some(format!("{} line {line}", file.source))
        });
        match mark {
            Some(source) => {
                Err(ConnectError::HostKeyRevoked { place: self.place(), fingerprint: fingerprint(key), source })
            }
            None => Ok(()),
        }
    }

    /// The algorithms to ask for: those that the host is known by first, so that it presents a key that we know.
    pub(super) fn preferred(&self, without: &[Algorithm]) -> Preferred {
        let known: Vec<Algorithm> = self
            .lines()
            .flat_map(|file| known_hosts::host_keys(&file.text, &self.host, self.port))
            .map(|known| known.key.algorithm())
            .collect();
        let mut keys: Vec<Algorithm> = Preferred::DEFAULT.key.iter().filter(|a| !is_sha1(a)).cloned().collect();
        keys.retain(|a| !without.iter().any(|other| same_kind(a, other)));
        keys.sort_by_key(|a| !known.iter().any(|k| same_kind(a, k)));
        let certificates = if self.authorities().next().is_some() { keys.clone() } else { Vec::new() };
        Preferred {
            key: Cow::Owned(keys),
            host_key_certificates: Cow::Owned(certificates),
            cipher: Cow::Borrowed(super::connect::CIPHERS),
            compression: Cow::Borrowed(&[russh::compression::NONE]),
            ..Preferred::DEFAULT
        }
    }

    fn lines(&self) -> impl Iterator<Item = &KnownHosts> {
        self.known.iter().filter(|_| !self.known_only_revokes)
    }

    fn authorities(&self) -> impl Iterator<Item = Known> {
        self.lines().flat_map(|file| known_hosts::authorities(&file.text, &self.host, self.port))
    }

    fn place(&self) -> String {
        place(&self.host, self.port)
    }

    fn unknown(&self, key: &PublicKey, print: String) -> ConnectError {
        ConnectError::HostKeyUnknown(Box::new(UnknownHostKey {
            place: self.place(),
            algorithm: key.algorithm().as_str().to_owned(),
            fingerprint: print,
            line: known_hosts::line_for(&self.host, self.port, key),
            stated_for: self.stated_for.clone(),
        }))
    }

    fn mismatch(&self, key: &PublicKey, print: String, expected: Vec<ExpectedKey>) -> ConnectError {
        let algorithm = key.algorithm().as_str().to_owned();
        ConnectError::HostKeyMismatch { place: self.place(), algorithm, fingerprint: print, expected }
    }

    fn foreign_authority(&self, authority: &PublicKey, cause: ConnectError) -> ConnectError {
        match cause {
            ConnectError::HostKeyUnknown(_) => {
                let print = fingerprint(authority);
                let problem = format!("it is signed by {print}, which is no @cert-authority for this host");
                ConnectError::HostCertificate { place: self.place(), problem }
            }
            other => other,
        }
    }
}

fn stated(print: &str) -> ExpectedKey {
    ExpectedKey { source: "stated fingerprint".into(), fingerprint: print.to_owned(), algorithm: None }
}

fn in_file(source: &str, known: &Known) -> ExpectedKey {
    ExpectedKey {
        source: format!("{source} line {}", known.line),
        fingerprint: fingerprint(&known.key),
        algorithm: Some(known.key.algorithm().as_str().to_owned()),
    }
}

/// Equal but for the hash that an RSA key signs with.
fn same_kind(a: &Algorithm, b: &Algorithm) -> bool {
    let is_rsa = |x: &Algorithm| matches!(x, Algorithm::Rsa { .. });
    a == b || (is_rsa(a) && is_rsa(b))
}

fn is_sha1(algorithm: &Algorithm) -> bool {
    matches!(algorithm, Algorithm::Rsa { hash: None })
}

/// `SHA256:…` out of what people paste: the bare fingerprint, padded, or a line of `ssh-keygen -l`.
///
/// # Errors
/// A text without a SHA-256 fingerprint, which is named.
pub(super) fn parse_fingerprint(text: &str) -> Result<String, ConnectError> {
    bare_fingerprint(super::stated::print_of(text)).ok_or_else(|| ConnectError::Setting {
        problem: format!(
            "`{}` is not a host key fingerprint; expected `SHA256:` and 43 characters, as `ssh-keygen -lf KEY.pub` \
             prints it",
            one_line(text, 80)
        ),
    })
}

/// `SHA256:` and 43 characters of base64, padded or not, as it is written elsewhere; `None` for anything else.
pub(crate) fn bare_fingerprint(text: &str) -> Option<String> {
    let print: Fingerprint = text.trim_end_matches('=').parse().ok()?;
    if !print.is_sha256() {
        return None;
    }
    Some(print.to_string())
}

#[cfg(test)]
#[path = "trust_tests.rs"]
mod tests;
