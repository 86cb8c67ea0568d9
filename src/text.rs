//! Bytes of a host as text and back, none of them lost: not every file is UTF-8.
//!
//! A byte that is no part of UTF-8 travels as a character of its own, U+10FF00 and the byte. That plane is private (Unicode,
//! 23.5): a text that has such a character itself travels by its bytes, so there is one way back.

use sha2::{Digest as _, Sha256};

/// U+10FF00 and a byte stand for that byte.
const RAW: u32 = 0x10_FF00;

/// A part of a text: a character, or a byte that is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Byte {
    /// A character, in UTF-8.
    Char(char),
    /// One byte.
    Raw(u8),
}

/// Bytes as text. [`to_bytes`] gives them back.
pub fn from_bytes(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match raw(c) {
                Some(_) => c.encode_utf8(&mut [0; 4]).bytes().for_each(|byte| text.push(stand_in(byte))),
                None => text.push(c),
            }
        }
        text.extend(chunk.invalid().iter().map(|byte| stand_in(*byte)));
    }
    text
}

/// SHA-256 of a text's bytes on the host, in hexadecimal.
pub fn digest(text: &str) -> String {
    Sha256::digest(to_bytes(text)).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The bytes of a text that may be from [`from_bytes`].
pub fn to_bytes(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    for byte in bytes_of(text) {
        match byte {
            Byte::Char(c) => bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
            Byte::Raw(byte) => bytes.push(byte),
        }
    }
    bytes
}

/// JSON text that holds such characters, as JSON text of characters that UTF-8 files have: each by its escapes (RFC 8259,
/// section 7).
pub fn json(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match raw(c) {
            Some(_) => c.encode_utf16(&mut [0; 2]).iter().for_each(|unit| out.push_str(&format!("\\u{unit:04x}"))),
            None => out.push(c),
        }
    }
    out
}

/// The text of a file of one's own: UTF-8, or UTF-16 as Windows writes it, with the mark of its byte order before it.
///
/// # Errors
/// What it is instead.
pub fn of_file(bytes: Vec<u8>) -> Result<String, &'static str> {
    let unit: fn([u8; 2]) -> u16 = match bytes.as_slice() {
        [0xff, 0xfe, ..] => u16::from_le_bytes,
        [0xfe, 0xff, ..] => u16::from_be_bytes,
        _ => {
            let text = String::from_utf8(bytes).map_err(|_| "it is neither UTF-8 nor UTF-16")?;
            return Ok(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text));
        }
    };
    let (units, rest) = bytes[2..].as_chunks::<2>();
    let text = String::from_utf16(&units.iter().copied().map(unit).collect::<Vec<_>>());
    text.ok().filter(|_| rest.is_empty()).ok_or("it begins as UTF-16 and is none")
}

/// The parts of a text that may be from [`from_bytes`].
pub fn bytes_of(text: &str) -> impl Iterator<Item = Byte> + '_ {
    text.chars().map(|c| raw(c).map_or(Byte::Char(c), Byte::Raw))
}

fn raw(c: char) -> Option<u8> {
    u8::try_from(u32::from(c).checked_sub(RAW)?).ok().filter(|byte| !byte.is_ascii())
}

fn stand_in(byte: u8) -> char {
    char::from_u32(RAW + u32::from(byte)).unwrap_or(char::REPLACEMENT_CHARACTER)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_windows_is_read() {
        let text = "Host prod\r\n  User 배포\r\n";
        let wide =
            |bytes: fn(u16) -> [u8; 2]| "\u{feff}".encode_utf16().chain(text.encode_utf16()).flat_map(bytes).collect();
        for bytes in [wide(u16::to_le_bytes), wide(u16::to_be_bytes), format!("\u{feff}{text}").into(), text.into()] {
            assert_eq!(of_file(bytes), Ok(text.to_owned()));
        }
        for bytes in [b"\xff\xfea".as_slice(), b"\xff\xfe\x00\xd8", b"caf\xe9"] {
            assert!(of_file(bytes.to_vec()).is_err(), "{bytes:?}");
        }
    }

    #[test]
    fn every_byte_comes_back() {
        let all: Vec<u8> = (0..=255).chain((0..=255).rev()).collect();
        assert_eq!(to_bytes(&from_bytes(&all)), all);
        for bytes in [b"\xc7\xd1\xb1\xdb # EUC-KR".as_slice(), b"caf\xe9", "한글".as_bytes(), b"\xf4\x8f\xbe\x80", b""]
        {
            let text = from_bytes(bytes);
            assert_eq!(to_bytes(&text), bytes);
            let journal = json(&serde_json::to_string(&text).expect("JSON"));
            assert_eq!(to_bytes(&journal), journal.as_bytes());
            assert_eq!(serde_json::from_str::<String>(&journal).expect("JSON"), text);
        }
    }

    #[test]
    fn what_is_utf_8_stays_as_it_is() {
        assert_eq!(from_bytes("upstream 업 { server blue; }".as_bytes()), "upstream 업 { server blue; }");
        assert_eq!(to_bytes("caf\u{e9}"), "café".as_bytes());
    }
}
