//! Fingerprints as they are stated: `SHA256:…` where there is one host, `HOST=SHA256:…` where it could be another's.

use super::error::ConnectError;
use super::target::Target;
use super::trust::parse_fingerprint;

/// A fingerprint, and whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct StatedPrint {
    /// Name and port; a port that is not stated is any.
    pub(super) host: Option<(String, Option<u16>)>,
    pub(super) print: String,
}

impl StatedPrint {
    /// Reads `SHA256:…`, `HOST=SHA256:…`, `HOST:PORT=SHA256:…` or a line of `ssh-keygen -l`.
    pub(super) fn read(text: &str) -> Result<StatedPrint, ConnectError> {
        let (host, _) = split(text);
        let print = parse_fingerprint(text)?;
        let host = host.map(|host| {
            host.parse().map_err(|_| ConnectError::Setting {
                problem: format!("`{}` is no host; expected `HOST=SHA256:…`", crate::report::text::one_line(host, 80)),
            })
        });
        let host = host.transpose()?.map(|Target { host, port, .. }| (host, port));
        Ok(StatedPrint { host, print })
    }

    /// Whether it may be of the host that is called one of these names, at this port.
    pub(super) fn is_for(&self, names: &[&str], port: u16) -> bool {
        self.host.as_ref().is_none_or(|(host, own)| {
            own.is_none_or(|own| own == port) && names.iter().any(|name| name.eq_ignore_ascii_case(host))
        })
    }

    /// Whose it is, for messages.
    pub(super) fn place(&self) -> Option<String> {
        let (host, port) = self.host.clone()?;
        Some(Target { user: None, host, port }.to_string())
    }
}

/// The host before the fingerprint, if one is stated, and the rest.
fn split(text: &str) -> (Option<&str>, &str) {
    let word = text.split_whitespace().find(|word| word.contains("SHA256:")).unwrap_or_default();
    match word.split_once("=SHA256:") {
        Some((host, _)) => (Some(host), &word[host.len() + 1..]),
        None => (None, word),
    }
}

/// The fingerprint alone, without the host before it.
pub(super) fn print_of(text: &str) -> &str {
    split(text).1
}

/// The first that does not say whose it is. Where there is more than one host, on the way or in all, such a one is right for
/// each of them: a jump host could pose as the target, and one host as another.
pub fn unbound(fingerprints: &[String]) -> Option<&str> {
    fingerprints.iter().map(String::as_str).find(|text| split(text).0.is_none())
}

/// What to do about it.
pub fn bind(print: &str) -> String {
    let print = crate::report::text::one_line(print_of(print), 80);
    format!(
        "the fingerprint {print} does not say whose it is, and there is more than one host (a jump host counts); write \
         HOST={print} for each, with the host as it is called in the configuration"
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const PRINT: &str = "SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

    #[test]
    fn a_fingerprint_may_say_whose_it_is() {
        let of = |text: &str| StatedPrint::read(text).unwrap();
        for (text, host) in [
            (PRINT.to_owned(), None),
            (format!("256 {PRINT} root@web1 (ED25519)"), None),
            (format!("web1={PRINT}"), Some(("web1".to_owned(), None))),
            (format!(" web1:2222={PRINT}= "), Some(("web1".to_owned(), Some(2222)))),
            (format!("[::1]:22={PRINT}"), Some(("::1".to_owned(), Some(22)))),
        ] {
            assert_eq!(of(&text), StatedPrint { host, print: PRINT.to_owned() }, "{text}");
        }
        for text in [format!("a b;={PRINT}"), format!("={PRINT}"), "web1=SHA256:short".to_owned()] {
            assert!(StatedPrint::read(&text).is_err(), "{text}");
        }
        let stated = of(&format!("Web1:2222={PRINT}"));
        assert!(stated.is_for(&["web1", "10.0.0.1"], 2222) && !stated.is_for(&["web1"], 22));
        assert!(!stated.is_for(&["web2"], 2222) && of(PRINT).is_for(&["web2"], 22));
        assert_eq!(unbound(&[format!("web1={PRINT}"), PRINT.to_owned()]), Some(PRINT));
        assert_eq!(unbound(&[format!("web1={PRINT}")]), None);
    }
}
