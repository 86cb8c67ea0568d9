//! The name of an image, without tag or digest.
use std::fmt;
use std::str::FromStr;

/// A repository name as docker knows it: `[REGISTRY/]PATH`, no tag and no digest.
///
/// Grammar: `name` in the distribution project's reference grammar (docs: "OCI distribution spec, pulling manifests").
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ImageName(String);

/// The registry of a name that has none.
pub const DOCKER_HUB: &str = "docker.io";

impl ImageName {
    /// The name as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The registry: host, and port if there is one; `docker.io` when the name has none.
    pub fn registry(&self) -> &str {
        split(&self.0).0.unwrap_or(DOCKER_HUB)
    }

    /// The last part of the path, which names the service when cutover.yml has only one.
    pub fn last_part(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or(&self.0)
    }

    /// The full name: `nginx` is `docker.io/library/nginx`. Two names with one full name are one repository.
    pub fn canonical(&self) -> String {
        let (registry, path) = split(&self.0);
        let registry = registry.unwrap_or(DOCKER_HUB);
        if registry == DOCKER_HUB && !path.contains('/') {
            return format!("{DOCKER_HUB}/library/{path}");
        }
        format!("{registry}/{path}")
    }

    /// Whether it is in Docker Hub's `library`, where only Docker's own images are and nobody else can push.
    pub fn is_official(&self) -> bool {
        self.canonical().strip_prefix("docker.io/library/").is_some_and(|name| !name.contains('/'))
    }

    /// The short name that docker itself prints: no `docker.io/`, no `library/`.
    pub fn familiar(&self) -> String {
        let full = self.canonical();
        let short = full.strip_prefix("docker.io/").unwrap_or(&full);
        match short.strip_prefix("library/") {
            Some(name) if short.len() < full.len() && !name.contains('/') => name.to_owned(),
            _ => short.to_owned(),
        }
    }

    /// Whether an image reference (a compose file's `image:`, docker's RepoDigests), with or without tag and digest,
    /// is of this repository.
    pub fn same_repository(&self, reference: &str) -> bool {
        let (name, _, _) = parts(reference);
        ImageName::from_str(name).is_ok_and(|other| other.canonical() == self.canonical())
    }
}

impl FromStr for ImageName {
    type Err = String;

    /// The error says what was expected.
    fn from_str(text: &str) -> Result<Self, String> {
        let (name, tag, digest) = parts(text);
        if digest.is_some() {
            return Err(format!("a name without a digest, such as {name}: the digest comes from the release"));
        }
        if tag.is_some() {
            return Err(format!("a name without a tag, such as {name}: the tag comes from the version"));
        }
        let (registry, path) = split(name);
        let good = registry.is_none_or(registry_is_good) && path.split('/').all(part_is_good);
        if good && name.len() <= 255 {
            Ok(ImageName(name.to_owned()))
        } else {
            Err("the name of an image, lower case, such as devrank/backend-api or ghcr.io/devrank/backend-api"
                .to_owned())
        }
    }
}

impl fmt::Display for ImageName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl AsRef<str> for ImageName {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

/// Name, tag and digest of a reference, not looked at further.
fn parts(reference: &str) -> (&str, Option<&str>, Option<&str>) {
    let (rest, digest) = match reference.split_once('@') {
        Some((rest, digest)) => (rest, Some(digest)),
        None => (reference, None),
    };
    let last = rest.rfind('/').map_or(0, |at| at + 1);
    match rest[last..].split_once(':') {
        Some((name, tag)) => (&rest[..last + name.len()], Some(tag), digest),
        None => (rest, None, digest),
    }
}

/// Registry and path. As docker has it: the first part is a registry if it has a dot or a port or is `localhost`.
fn split(name: &str) -> (Option<&str>, &str) {
    match name.split_once('/') {
        Some((first, path)) if first.contains(['.', ':']) || first == "localhost" => (Some(first), path),
        _ => (None, name),
    }
}

fn registry_is_good(registry: &str) -> bool {
    let (host, port) = match registry.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (registry, None),
    };
    let port_is_good = port.is_none_or(|p| p.parse::<u16>().is_ok_and(|n| n > 0));
    let six = host.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
    let host_is_good = match six {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => host.split('.').all(|label| {
            !label.is_empty()
                && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
                && !label.starts_with('-')
                && !label.ends_with('-')
        }),
    };
    port_is_good && host_is_good
}

/// `[a-z0-9]+` joined by one `.`, one or two `_`, or any number of `-`.
fn part_is_good(part: &str) -> bool {
    let ends = |b: Option<u8>| b.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    let joints = part.split(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
    ends(part.bytes().next())
        && ends(part.bytes().last())
        && joints.into_iter().all(|j| matches!(j, "" | "." | "_" | "__") || j.bytes().all(|b| b == b'-'))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn names_are_taken_and_taken_apart_as_docker_does() {
        let table = [
            ("nginx", "docker.io", "docker.io/library/nginx", "nginx"),
            ("devrank/backend-api", "docker.io", "docker.io/devrank/backend-api", "devrank/backend-api"),
            ("docker.io/devrank/api", "docker.io", "docker.io/devrank/api", "devrank/api"),
            ("docker.io/library/nginx", "docker.io", "docker.io/library/nginx", "nginx"),
            ("ghcr.io/a/b/c", "ghcr.io", "ghcr.io/a/b/c", "ghcr.io/a/b/c"),
            ("127.0.0.1:5000/x", "127.0.0.1:5000", "127.0.0.1:5000/x", "127.0.0.1:5000/x"),
            ("localhost/a__b--c", "localhost", "localhost/a__b--c", "localhost/a__b--c"),
            ("[::1]:5000/x", "[::1]:5000", "[::1]:5000/x", "[::1]:5000/x"),
        ];
        for (text, registry, canonical, familiar) in table {
            let image: ImageName = text.parse().expect(text);
            assert_eq!((image.registry(), &*image.canonical(), &*image.familiar()), (registry, canonical, familiar));
        }
    }

    #[test]
    fn what_is_no_repository_is_refused() {
        for text in ["", "/", "a/", "/a", "A/b", "a..b", "a___b", "-a", "a b", "a$(id)", "ghcr.io:99999/a", "a:", "a\n"]
        {
            assert!(text.parse::<ImageName>().is_err(), "{text:?}");
        }
        assert!("a/b:v1".parse::<ImageName>().unwrap_err().contains("without a tag, such as a/b:"));
        assert!("a/b:v1@sha256:00".parse::<ImageName>().unwrap_err().contains("without a digest, such as a/b:"));
    }

    #[test]
    fn a_reference_belongs_to_its_repository() {
        let image: ImageName = "devrank/backend-api".parse().unwrap();
        for same in ["devrank/backend-api", "devrank/backend-api:latest", "docker.io/devrank/backend-api@sha256:00"] {
            assert!(image.same_repository(same), "{same}");
        }
        for other in ["devrank/backend", "ghcr.io/devrank/backend-api", "", "backend-api:latest"] {
            assert!(!image.same_repository(other), "{other}");
        }
    }
}
