//! The forms in which a secret can turn up in a log.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

/// Shorter texts are in every log; masking them hides nothing and spoils it.
const SHORTEST: usize = 4;

/// The secret itself, each of its lines, and both in base64 and URL-encoded; longest first, none twice.
pub(super) fn forms(secret: &str) -> Vec<String> {
    let whole = secret.trim();
    let lines = whole.lines().map(str::trim).filter(|line| !line.starts_with("-----"));
    let mut forms: Vec<String> = std::iter::once(whole).chain(lines).map(str::to_owned).collect();
    forms.push(percent(whole));
    for text in [secret, whole] {
        forms.extend(in_base64(text));
    }
    forms.retain(|form| form.len() >= SHORTEST);
    forms.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
    forms.dedup();
    forms
}

/// What base64 makes of the text, wherever in a longer text it stands: alone, or behind `user:`.
fn in_base64(text: &str) -> Vec<String> {
    let mut forms = Vec::new();
    for shift in 0..3 {
        let bytes = [&[0; 2][..shift], text.as_bytes()].concat();
        // characters that bits of the neighbours are part of
        let (first, last) = ([0, 2, 3][shift], usize::from(bytes.len() % 3 != 0));
        for engine in [&STANDARD_NO_PAD, &URL_SAFE_NO_PAD] {
            let encoded = engine.encode(&bytes);
            forms.extend(encoded.get(first..encoded.len() - last).filter(|form| form.len() >= 8).map(str::to_owned));
        }
    }
    forms
}

/// RFC 3986, 2.1: everything but the unreserved characters is percent-encoded.
fn percent(text: &str) -> String {
    let one = |byte: u8| match byte {
        b if b.is_ascii_alphanumeric() || b"-._~".contains(&b) => char::from(b).to_string(),
        b => format!("%{b:02X}"),
    };
    text.bytes().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::engine::general_purpose::STANDARD;

    fn hidden(secret: &str, text: &str) -> String {
        forms(secret).iter().fold(text.to_owned(), |text, form| text.replace(form, "***"))
    }

    #[test]
    fn a_secret_is_found_in_every_dress() {
        let secret = "p4ss w/rd+ü\n";
        let plain = secret.trim();
        for text in [plain.to_owned(), percent(plain), STANDARD.encode(secret), URL_SAFE_NO_PAD.encode(plain)] {
            assert!(hidden(secret, &text).starts_with("***"), "{text}");
        }
        for user in ["a", "ab", "abc", "abcd"] {
            let login = STANDARD.encode(format!("{user}:{plain}"));
            assert!(hidden(secret, &login).contains("***"), "{login}");
        }
    }

    #[test]
    fn each_line_of_a_key_is_found_and_its_frame_is_not() {
        let key =
            "-----BEGIN OPENSSH PRIVATE KEY-----\r\nAAAAB3Nz\r\nabcdefgh==\r\n-----END OPENSSH PRIVATE KEY-----\n";
        assert_eq!(hidden(key, "x AAAAB3Nz y abcdefgh== z"), "x *** y *** z");
        assert_eq!(hidden(key, "-----BEGIN OPENSSH PRIVATE KEY-----"), "-----BEGIN OPENSSH PRIVATE KEY-----");
    }

    #[test]
    fn what_is_too_short_is_left_alone() {
        assert_eq!(forms("no\n"), Vec::<String>::new());
    }
}
