//! A private key that signs claims.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use ring::{
    rand::SystemRandom,
    rsa,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256},
};
use rustls_pki_types::{PrivateKeyDer, pem::PemObject};
use serde_json::{Value, json};
use thiserror::Error;

use super::Algorithm;

/// A private key. `Debug` shows only its kind.
pub struct SigningKey(KeyPair);

enum KeyPair {
    Rsa(Box<rsa::KeyPair>),
    P256(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

/// The text is not a private key that can sign here.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("not a private key in PEM (PKCS#8) of RSA with 2048 bits or more, P-256 or Ed25519")]
pub struct InvalidKey;

impl SigningKey {
    /// A new random key of P-256.
    ///
    /// # Panics
    /// When the operating system has no random generator.
    #[must_use]
    pub fn generate() -> Self {
        let random = SystemRandom::new();
        let made = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random);
        let made = made.expect("the operating system has a random generator");
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, made.as_ref(), &random);
        Self(KeyPair::P256(pair.expect("what was made is a key")))
    }

    /// Reads a key from PEM: PKCS#8 (RFC 5958), or PKCS#1 for RSA.
    ///
    /// # Errors
    /// When it is not such a key.
    pub fn from_pem(pem: &str) -> Result<Self, InvalidKey> {
        match PrivateKeyDer::from_pem_slice(pem.as_bytes()).map_err(|_| InvalidKey)? {
            PrivateKeyDer::Pkcs8(der) => Self::from_pkcs8(der.secret_pkcs8_der()),
            PrivateKeyDer::Pkcs1(der) => {
                let pair = rsa::KeyPair::from_der(der.secret_pkcs1_der()).map_err(|_| InvalidKey)?;
                Ok(Self(KeyPair::Rsa(Box::new(pair))))
            }
            _ => Err(InvalidKey),
        }
    }

    fn from_pkcs8(der: &[u8]) -> Result<Self, InvalidKey> {
        let rsa = || rsa::KeyPair::from_pkcs8(der).map(|pair| KeyPair::Rsa(Box::new(pair)));
        let p256 = || EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der, &SystemRandom::new());
        // OpenSSL writes no public key to compare with.
        let ed25519 = || Ed25519KeyPair::from_pkcs8_maybe_unchecked(der).map(KeyPair::Ed25519);
        rsa().or_else(|_| p256().map(KeyPair::P256)).or_else(|_| ed25519()).map(Self).map_err(|_| InvalidKey)
    }

    /// The algorithm it signs with.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        match &self.0 {
            KeyPair::Rsa(_) => Algorithm::Rs256,
            KeyPair::P256(_) => Algorithm::Es256,
            KeyPair::Ed25519(_) => Algorithm::EdDsa,
        }
    }

    /// The public key as JSON (RFC 7517), for the other side to verify with.
    #[must_use]
    pub fn public_key(&self, key_id: &str) -> Value {
        let text = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
        let mut key = match &self.0 {
            KeyPair::Rsa(pair) => {
                let public = rsa::PublicKeyComponents::<Vec<u8>>::from(pair.public());
                json!({"kty": "RSA", "n": text(&public.n), "e": text(&public.e)})
            }
            KeyPair::P256(pair) => {
                // An uncompressed point is a marker byte, x and y (SEC 1 section 2.3.3).
                let (x, y) = pair.public_key().as_ref()[1..].split_at(32);
                json!({"kty": "EC", "crv": "P-256", "x": text(x), "y": text(y)})
            }
            KeyPair::Ed25519(pair) => json!({"kty": "OKP", "crv": "Ed25519", "x": text(pair.public_key().as_ref())}),
        };
        key["kid"] = key_id.into();
        key["use"] = "sig".into();
        key["alg"] = self.algorithm().name().into();
        key
    }

    /// Signs claims (RFC 7515 section 7.1), and names the key if it has an id.
    #[must_use]
    pub fn sign(&self, key_id: Option<&str>, claims: &Value) -> String {
        let mut header = json!({"alg": self.algorithm().name(), "typ": "JWT"});
        if let Some(id) = key_id {
            header["kid"] = id.into();
        }
        let [header, claims] = [&header, claims].map(|part| BASE64_URL_SAFE_NO_PAD.encode(part.to_string()));
        let signed = format!("{header}.{claims}");
        let signature = self.signature(signed.as_bytes());
        format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
    }

    fn signature(&self, signed: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match &self.0 {
            KeyPair::Rsa(pair) => {
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, signed, &mut signature)
                    .expect("the buffer is as long as the modulus, and the system has a random generator");
                signature
            }
            KeyPair::P256(pair) => {
                let signature = pair.sign(&random, signed).expect("the operating system has a random generator");
                signature.as_ref().to_vec()
            }
            KeyPair::Ed25519(pair) => pair.sign(signed).as_ref().to_vec(),
        }
    }
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SigningKey({})", self.algorithm().name())
    }
}

#[cfg(test)]
mod tests {
    use rustls_pki_types::PrivatePkcs8KeyDer;

    use super::*;
    use crate::jose::{JoseError, Jws, KeySet};

    const RSA: &str = include_str!("../../../../plugins/github-app/src/test-key.pem");

    fn pem(der: &[u8]) -> String {
        let encoded = base64::prelude::BASE64_STANDARD.encode(PrivatePkcs8KeyDer::from(der).secret_pkcs8_der());
        format!("-----BEGIN PRIVATE KEY-----\n{encoded}\n-----END PRIVATE KEY-----\n")
    }

    fn keys() -> [SigningKey; 3] {
        let random = SystemRandom::new();
        let p256 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).expect("a key");
        let ed25519 = Ed25519KeyPair::generate_pkcs8(&random).expect("a key");
        [RSA.to_owned(), pem(p256.as_ref()), pem(ed25519.as_ref())]
            .map(|pem| SigningKey::from_pem(&pem).expect("it is a key"))
    }

    fn verified(text: &str, set: &Value) -> Result<Value, JoseError> {
        let set = KeySet::parse(&json!({"keys": [set]})).expect("a set");
        Jws::parse(text).and_then(|jws| jws.verify(&set)).map(Value::Object)
    }

    #[test]
    fn only_its_public_key_verifies_what_a_key_has_signed() {
        let claims = json!({"iss": "i"});
        let keys = keys();
        for (key, algorithm) in keys.iter().zip(["RS256", "ES256", "EdDSA"]) {
            assert_eq!(format!("{key:?}"), format!("SigningKey({algorithm})"));
            let text = key.sign(Some("k"), &claims);
            assert_eq!(verified(&text, &key.public_key("k")), Ok(claims.clone()), "{algorithm}");
            assert_eq!(verified(&text, &key.public_key("other")), Err(JoseError::NoKey("k".into())), "{algorithm}");
            let changed = text.replace(&text[text.len() - 8..text.len() - 4], "AAAA");
            assert_eq!(verified(&changed, &key.public_key("k")), Err(JoseError::Signature), "{algorithm}");
        }
        let unnamed = keys[1].sign(None, &claims);
        assert_eq!(verified(&unnamed, &keys[1].public_key("k")), Ok(claims));
    }

    #[test]
    fn a_key_verifies_however_its_numbers_are_written() {
        // RFC 7518 sections 2 and 6.2.1.2, RFC 7515 section 2; and what servers make of them.
        let rewritten = |key: &Value, names: [&str; 2], by: fn(Vec<u8>) -> Vec<u8>| {
            let mut key = key.clone();
            for name in names {
                let bytes = BASE64_URL_SAFE_NO_PAD.decode(key[name].as_str().expect("text")).expect("base64url");
                key[name] = BASE64_URL_SAFE_NO_PAD.encode(by(bytes)).into();
            }
            key
        };
        let zero_before = |bytes: Vec<u8>| [vec![0], bytes].concat();
        let zeros_cut = |bytes: Vec<u8>| bytes.into_iter().skip_while(|byte| *byte == 0).collect();
        let [rsa, ..] = keys();
        let starts_with_zero = |key: &SigningKey| {
            let bytes = |name| BASE64_URL_SAFE_NO_PAD.decode(key.public_key("k")[name].as_str().expect("text"));
            ["x", "y"].iter().any(|name| bytes(name).is_ok_and(|bytes| bytes[0] == 0))
        };
        let short = std::iter::repeat_with(SigningKey::generate).find(starts_with_zero).expect("one in 128 does");
        for (key, names) in [(&rsa, ["n", "e"]), (&short, ["x", "y"])] {
            let (text, public) = (key.sign(Some("k"), &json!({"iss": "i"})), key.public_key("k"));
            let mut padded = public.clone();
            for name in names {
                let text = public[name].as_str().expect("text");
                padded[name] = format!("{text}{}", "=".repeat((4 - text.len() % 4) % 4)).into();
            }
            let mut untyped = public.clone();
            untyped["kid"] = 7.into();
            for member in ["alg", "use"] {
                untyped[member] = Value::Null;
            }
            let written =
                [rewritten(&public, names, zero_before), rewritten(&public, names, zeros_cut), padded, untyped];
            for written in written {
                assert!(verified(&text, &written).is_ok(), "{written}");
            }
        }
    }

    #[test]
    fn of_several_keys_with_one_name_or_none_the_one_that_signed_is_found() {
        // RFC 7517 section 4.5.
        let (first, second) = (SigningKey::generate(), SigningKey::generate());
        let unnamed = |key: &SigningKey| {
            let mut key = key.public_key("k");
            key.as_object_mut().expect("an object").remove("kid");
            key
        };
        let sets = [
            json!({"keys": [first.public_key("k"), second.public_key("k")]}),
            json!({"keys": [unnamed(&first), unnamed(&second)]}),
            json!({"keys": [first.public_key("other"), unnamed(&second)]}),
        ];
        for set in sets {
            let keys = KeySet::parse(&set).expect("a set");
            let verify = |key: &SigningKey| {
                Jws::parse(&key.sign(Some("k"), &json!({}))).and_then(|jws| jws.verify(&keys)).map(drop)
            };
            assert_eq!(verify(&second), Ok(()), "{set}");
            assert_eq!(verify(&SigningKey::generate()), Err(JoseError::Signature), "{set}");
        }
    }

    #[test]
    fn what_is_encrypted_is_told_as_that() {
        assert_eq!(Jws::parse("e30.a.b.c.d").err(), Some(JoseError::Encrypted));
    }

    #[test]
    fn a_probabilistic_rsa_signature_verifies_too() {
        // RFC 7518 section 3.5.
        let [rsa, ..] = keys();
        let KeyPair::Rsa(pair) = &rsa.0 else { panic!("it is an RSA key") };
        let part = |part: Value| BASE64_URL_SAFE_NO_PAD.encode(part.to_string());
        let signed = format!("{}.{}", part(json!({"alg": "PS256"})), part(json!({})));
        let mut signature = vec![0; pair.public().modulus_len()];
        let padding = &ring::signature::RSA_PSS_SHA256;
        pair.sign(padding, &SystemRandom::new(), signed.as_bytes(), &mut signature).expect("it signs");
        let text = format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature));
        let mut key = rsa.public_key("k");
        assert_eq!(verified(&text, &key), Err(JoseError::NoKey(String::new())), "the key is for RS256");
        key["alg"] = "PS256".into();
        assert_eq!(verified(&text, &key), Ok(json!({})));
    }

    #[test]
    fn a_forged_header_is_refused() {
        // RFC 8725 sections 2.1 and 3.1, RFC 7515 section 4.1.11.
        let [rsa, ..] = keys();
        let text = rsa.sign(Some("k"), &json!({"iss": "i"}));
        let rest = text.split_once('.').expect("three parts").1;
        let with =
            |header: &str| verified(&format!("{}.{rest}", BASE64_URL_SAFE_NO_PAD.encode(header)), &rsa.public_key("k"));
        assert_eq!(with(r#"{"alg":"none"}"#), Err(JoseError::Algorithm("none".into())));
        assert_eq!(with(r#"{"alg":"HS256","kid":"k"}"#), Err(JoseError::Algorithm("HS256".into())));
        assert_eq!(with(r#"{"alg":"RS256","kid":"k","crit":["b64"],"b64":false}"#), Err(JoseError::Critical));
        assert_eq!(with(r#"{"alg":"RS256","kid":"k","jwk":{}}"#), Err(JoseError::Signature));
        assert_eq!(with(r#"{"alg":"RS256","alg":"RS256"}"#), Err(JoseError::Malformed));
        for text in ["", "a", "a.b", "a.b.c", "..", &text[..text.len() - 400], &format!("{text}.x")] {
            assert_eq!(verified(text, &rsa.public_key("k")), Err(JoseError::Malformed), "{text}");
        }
    }

    #[test]
    fn text_that_is_not_a_key_is_refused() {
        let certificate = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        for pem in ["", "secret", certificate, &pem(b"no key"), &RSA[..200]] {
            assert_eq!(SigningKey::from_pem(pem).err(), Some(InvalidKey), "{pem}");
        }
    }
}
