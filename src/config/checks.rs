//! What a text must look like, one function a kind. Each error says what was expected.
use super::host::Address;
use super::names::Name;
use super::types::KnownHostsSetting;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

/// The project's directory on the host: absolute and clean. Doubled and trailing slashes are taken out.
pub(super) fn directory(text: &str) -> Result<String, String> {
    let parts: Vec<&str> = text.split('/').filter(|part| !part.is_empty()).collect();
    let clean = !text.chars().any(char::is_control) && !parts.iter().any(|part| matches!(*part, "." | ".."));
    if !text.starts_with('/') || !clean || parts.is_empty() {
        return Err("an absolute path on the host, such as /home/deploy/app (~, . and .. are not expanded)".to_owned());
    }
    Ok(format!("/{}", parts.join("/")))
}

/// A compose project's name: what compose itself takes.
pub(super) fn project(text: &str) -> Result<Name, String> {
    let good = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'_' | b'-');
    let name = text.parse::<Name>().ok().filter(|_| text.bytes().all(good));
    name.ok_or_else(|| "a compose project's name: lower-case letters, digits, `_` and `-`".to_owned())
}

/// A file on the host.
pub(super) fn host_file(text: &str) -> Result<String, String> {
    if text.is_empty() || text.ends_with('/') || text.starts_with('~') || text.chars().any(char::is_control) {
        return Err("a file on the host, absolute or relative to `directory`".to_owned());
    }
    Ok(text.to_owned())
}

/// `/path?query`, as it goes into an HTTP request line.
pub(super) fn url_path(text: &str) -> Result<String, String> {
    if text.starts_with('/') && text.bytes().all(|b| b.is_ascii_graphic()) {
        return Ok(text.to_owned());
    }
    Err("a path that starts with /, such as /health".to_owned())
}

/// A page, as a browser takes it.
pub(super) fn web_url(text: &str) -> Result<String, String> {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    if rest.is_some_and(|rest| !rest.is_empty()) && text.bytes().all(|b| b.is_ascii_graphic()) {
        return Ok(text.to_owned());
    }
    Err("a URL such as https://api.example.com".to_owned())
}

/// The value of a Host header.
pub(super) fn host_header(text: &str) -> Result<String, String> {
    let good = |b: u8| b.is_ascii_alphanumeric() || b".-_:[]".contains(&b);
    if !text.is_empty() && text.bytes().all(good) {
        return Ok(text.to_owned());
    }
    Err("the Host header of the probe, such as api.example.com".to_owned())
}

/// `200`, or `200-299`.
pub(super) fn status(text: &str) -> Result<RangeInclusive<u16>, String> {
    let number = |t: &str| t.parse::<u16>().ok().filter(|n| (100..=599).contains(n));
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    match (number(first), number(last)) {
        (Some(first), Some(last)) if first <= last => Ok(first..=last),
        _ => Err("an HTTP status such as 200, or a range such as 200-299".to_owned()),
    }
}

/// `OS/ARCHITECTURE[/VARIANT]`; one, because one is what the hosts run.
pub(super) fn platform(text: &str) -> Result<String, String> {
    let parts: Vec<&str> = text.split('/').collect();
    let good = |p: &&str| !p.is_empty() && p.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
    if (2..=3).contains(&parts.len()) && parts.iter().all(good) {
        return Ok(text.to_owned());
    }
    Err("one platform, such as linux/amd64".to_owned())
}

/// `HOST[:PORT]`, the registry part of an image's name.
pub(super) fn registry(text: &str) -> Result<String, String> {
    let named = format!("{text}/x").parse::<super::ImageName>().map(|image| image.registry() == text);
    if named == Ok(true) {
        return Ok(text.to_owned());
    }
    Err("the registry's host, such as ghcr.io or registry.example.com:5000, without https:// or a path".to_owned())
}

/// What stands for no registry at all; no registry can be called so.
pub(super) const NO_REGISTRY: &str = "none";

/// A registry's host, or [`NO_REGISTRY`].
pub(super) fn registry_or_none(text: &str) -> Result<String, String> {
    if text == NO_REGISTRY {
        return Ok(text.to_owned());
    }
    registry(text).map_err(|expected| format!("{expected}; or none: the image goes over SSH"))
}

/// `SHA256:` and 43 characters of base64, as `ssh-keygen -l` prints it; before it may stand whose it is: `HOST=`.
pub(super) fn fingerprint(text: &str) -> Result<String, String> {
    if let Some((host, _)) = text.split_once("=SHA256:") {
        let address: Address = host.parse()?;
        return match address.user {
            None => bare_fingerprint(&text[host.len() + 1..]).map(|print| format!("{address}={print}")),
            Some(_) => Err("HOST=SHA256:…, without a user".to_owned()),
        };
    }
    bare_fingerprint(text)
}

fn bare_fingerprint(text: &str) -> Result<String, String> {
    let expected = || "a fingerprint such as SHA256:2Jr1… (43 characters), as ssh-keygen -l prints it".to_owned();
    crate::host::ssh::bare_fingerprint(text).ok_or_else(expected)
}

/// The text of known_hosts lines (three words or more a line), or else a file.
pub(super) fn known_hosts(text: &str) -> Result<KnownHostsSetting, String> {
    if text.lines().any(|line| line.split_whitespace().count() >= 3) {
        return Ok(KnownHostsSetting::Text(text.to_owned()));
    }
    if text.trim().is_empty() || text.chars().any(char::is_control) {
        return Err("lines of known_hosts (ssh-keyscan prints them), or the path of such a file".to_owned());
    }
    Ok(KnownHostsSetting::File(PathBuf::from(text)))
}

/// The key of a build argument.
pub(super) fn is_arg_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic() && b != b'=')
}

/// Whether docker takes this build context from elsewhere.
pub(super) fn is_remote(context: &str) -> bool {
    context.contains("://") || context.starts_with("git@") || context.starts_with("github.com/")
}

/// A path of this side, from the directory of cutover.yml; `~/` is the home directory.
pub(super) fn local(root: &Path, text: &str) -> PathBuf {
    match (text.strip_prefix("~/"), std::env::home_dir()) {
        (Some(rest), Some(home)) => home.join(rest),
        _ => tidy(&root.join(text)),
    }
}

/// Without the `.` parts, `..` kept; `.` when nothing is left.
pub(crate) fn tidy(path: &Path) -> PathBuf {
    let clean: PathBuf = path.components().filter(|c| *c != std::path::Component::CurDir).collect();
    if clean.as_os_str().is_empty() { PathBuf::from(".") } else { clean }
}
