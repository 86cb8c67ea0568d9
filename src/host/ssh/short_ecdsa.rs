//! ECDSA keys whose secret begins with zeros. OpenSSH writes it without them (PROTOCOL.key of OpenSSH; RFC 4251, section 5,
//! `mpint`), and the library wants all 32 bytes of a P-256 secret: one key in 256 would be refused.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use russh::keys::PrivateKey;
use russh::keys::ssh_key::private::EcdsaKeypair;
use russh::keys::ssh_key::sec1::EncodedPoint;

use crate::secret::Secret;

const ALGORITHM: &[u8] = b"ecdsa-sha2-nistp256";
const CURVE: &[u8] = b"nistp256";

/// The key in a text in OpenSSH's format, if it is a P-256 key with a short secret.
pub(super) fn read(mended: &str, passphrase: Option<&Secret>) -> Option<PrivateKey> {
    let body = mended.strip_prefix("-----BEGIN OPENSSH PRIVATE KEY-----")?.split_once("-----")?.0;
    let bytes = STANDARD.decode(body.split_whitespace().collect::<String>()).ok()?;
    let mut file = Bytes(bytes.strip_prefix(b"openssh-key-v1\0")?);
    for _cipher_kdf_and_its_options in 0..3 {
        file.string()?;
    }
    let (number, public) = (file.number()?, file.string()?);
    let private = file.string()?;
    // of a cipher that authenticates; it is no part of the string
    let tag = file.0.try_into().ok();
    (number == 1).then_some(())?;
    match PrivateKey::from_bytes(&bytes).ok().filter(PrivateKey::is_encrypted) {
        None => keypair(private, public),
        Some(locked) => {
            let (key, iv) = locked.kdf().derive_key_and_iv(locked.cipher(), passphrase?.expose()).ok()?;
            let mut opened = private.to_vec();
            locked.cipher().decrypt(&key, &iv, &mut opened, tag).ok()?;
            keypair(&opened, public)
        }
    }
}

/// The decrypted part: two equal numbers, then the key.
fn keypair(private: &[u8], public: &[u8]) -> Option<PrivateKey> {
    let mut fields = Bytes(private);
    (fields.number()? == fields.number()?).then_some(())?;
    let mut known = Bytes(public);
    let mut point: &[u8] = &[];
    for wanted in [Some(ALGORITHM), Some(CURVE), None] {
        point = fields.string()?;
        // the public half says the same
        (known.string()? == point && wanted.is_none_or(|wanted| wanted == point)).then_some(())?;
    }
    let short = fields.string()?;
    let mut secret = [0; 32];
    secret.get_mut(32usize.checked_sub(short.len())?..)?.copy_from_slice(short);
    let public = EncodedPoint::from_bytes(point).ok()?;
    Some(PrivateKey::from(EcdsaKeypair::NistP256 { public, private: secret.into() }))
}

/// RFC 4251, section 5: `uint32` and `string`.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn number(&mut self) -> Option<u32> {
        let (number, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u32::from_be_bytes(*number))
    }

    fn string(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.number()?).ok()?;
        let (string, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(string)
    }
}
