//! Compares a signature with what it should be, in constant time.

use base64::{Engine, prelude::BASE64_STANDARD};
use hmac::{EagerHash, Hmac, KeyInit, Mac};
use jackfield_plugin_abi::envelope::{SecretEncoding, SignatureAlgorithm, SignatureEncoding};

/// The bytes of a secret; `None` if it is not written as said, or is empty.
pub(super) fn secret_bytes(secret: &str, encoding: SecretEncoding) -> Option<Vec<u8>> {
    let bytes = match encoding {
        SecretEncoding::Text => secret.as_bytes().to_vec(),
        SecretEncoding::Base64 => {
            BASE64_STANDARD.decode(secret.strip_prefix("whsec_").unwrap_or(secret).as_bytes()).ok()?
        }
        SecretEncoding::Unknown => return None,
    };
    (!bytes.is_empty()).then_some(bytes)
}

/// The bytes of a signature; `None` if it is not written as said.
pub(super) fn signature_bytes(text: &str, encoding: SignatureEncoding) -> Option<Vec<u8>> {
    match encoding {
        SignatureEncoding::Hex => from_hex(text),
        SignatureEncoding::Base64 => BASE64_STANDARD.decode(text.as_bytes()).ok(),
        SignatureEncoding::Unknown => None,
    }
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    if text.is_empty() || !text.len().is_multiple_of(2) || !text.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    let pairs = text.as_bytes().chunks(2);
    pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

/// Whether the holder of the secret has signed these bytes.
pub(super) fn is_signed(algorithm: SignatureAlgorithm, secret: &[u8], bytes: &[u8], signature: &[u8]) -> bool {
    match algorithm {
        SignatureAlgorithm::HmacSha256 => is_hmac::<sha2::Sha256>(secret, bytes, signature),
        SignatureAlgorithm::HmacSha1 => is_hmac::<sha1::Sha1>(secret, bytes, signature),
        SignatureAlgorithm::HmacSha512 => is_hmac::<sha2::Sha512>(secret, bytes, signature),
        SignatureAlgorithm::Token | SignatureAlgorithm::Unknown => false,
    }
}

/// Whether a token is the secret. Both are hashed under a key, so that the comparison takes the
/// same time wherever they differ, and whatever their lengths are.
pub(super) fn is_token(secret: &[u8], token: &[u8]) -> bool {
    let mac =
        |text: &[u8]| <Hmac<sha2::Sha256> as KeyInit>::new_from_slice(secret).ok().map(|mac| mac.chain_update(text));
    let (Some(expected), Some(given)) = (mac(secret), mac(token)) else { return false };
    given.verify(&expected.finalize().into_bytes()).is_ok()
}

fn is_hmac<D: EagerHash>(secret: &[u8], bytes: &[u8], signature: &[u8]) -> bool
where
    Hmac<D>: KeyInit + Mac,
{
    let mac = <Hmac<D> as KeyInit>::new_from_slice(secret);
    mac.is_ok_and(|mac| mac.chain_update(bytes).verify_slice(signature).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_that_is_not_written_as_said_is_none() {
        let hex = |text| signature_bytes(text, SignatureEncoding::Hex);
        assert_eq!(
            (hex("00fF"), hex("0"), hex(""), hex("0g"), hex("+1")),
            (Some(vec![0, 255]), None, None, None, None)
        );
        let base64 = |text| signature_bytes(text, SignatureEncoding::Base64);
        assert_eq!((base64("AP8="), base64("AP9="), base64("AP8")), (Some(vec![0, 255]), None, None));
        assert_eq!(signature_bytes("00", SignatureEncoding::Unknown), None);
    }

    #[test]
    fn a_secret_is_read_as_it_is_written_and_an_empty_one_is_none() {
        assert_eq!(secret_bytes("aGk=", SecretEncoding::Text), Some(b"aGk=".to_vec()));
        for written in ["aGk=", "whsec_aGk="] {
            assert_eq!(secret_bytes(written, SecretEncoding::Base64), Some(b"hi".to_vec()), "{written}");
        }
        for (secret, encoding) in
            [("", SecretEncoding::Text), ("whsec_", SecretEncoding::Base64), ("?", SecretEncoding::Base64)]
        {
            assert_eq!(secret_bytes(secret, encoding), None, "{secret}");
        }
        assert_eq!(secret_bytes("a", SecretEncoding::Unknown), None);
    }

    /// RFC 2202 section 3 and RFC 4231 section 4.3: test case 2 of each.
    #[test]
    fn signatures_are_those_of_the_rfcs() {
        let (key, data) = (b"Jefe", b"what do ya want for nothing?");
        for (algorithm, hex) in [
            (SignatureAlgorithm::HmacSha1, "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"),
            (SignatureAlgorithm::HmacSha256, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"),
            (
                SignatureAlgorithm::HmacSha512,
                "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737",
            ),
        ] {
            let mut signature = signature_bytes(hex, SignatureEncoding::Hex).expect("hex");
            assert!(is_signed(algorithm, key, data, &signature), "{algorithm:?}");
            assert!(!is_signed(algorithm, b"jefe", data, &signature), "another secret");
            assert!(!is_signed(algorithm, key, &data[1..], &signature), "other bytes");
            assert!(!is_signed(algorithm, key, data, &signature[1..]), "a part of it");
            signature[0] ^= 1;
            assert!(!is_signed(algorithm, key, data, &signature), "one bit");
        }
        assert!(!is_signed(SignatureAlgorithm::Unknown, key, data, &[]));
    }

    #[test]
    fn a_token_is_the_secret_and_nothing_else() {
        for (token, is_it) in [("hush", true), ("hus", false), ("hushh", false), ("Hush", false), ("", false)] {
            assert_eq!(is_token(b"hush", token.as_bytes()), is_it, "{token}");
        }
    }
}
