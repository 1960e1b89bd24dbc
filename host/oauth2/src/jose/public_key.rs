//! Public keys as JSON (RFC 7517), and the signatures they verify.

use ring::{
    error::Unspecified,
    rsa::PublicKeyComponents,
    signature::{self, UnparsedPublicKey},
};
use serde_json::Value;

use super::{Algorithm, base64url::decoded};

/// Most keys that are tried for one signature.
const MOST_CANDIDATES: usize = 16;
/// Bytes of a coordinate of P-256.
const P256_BYTES: usize = 32;

/// A set of public keys (RFC 7517 section 5).
#[derive(Clone, Debug, Default)]
pub struct KeySet(Vec<PublicKey>);

/// One public key (RFC 7517 section 4, RFC 7518 section 6, RFC 8037 section 2).
#[derive(Clone, Debug, Default)]
pub struct PublicKey {
    kty: String,
    usage: Option<String>,
    key_ops: Option<Vec<String>>,
    alg: Option<String>,
    kid: Option<String>,
    crv: Option<String>,
    n: String,
    e: String,
    x: String,
    y: String,
}

impl KeySet {
    /// Reads a set; `None` if it is not one. Keys of unknown kinds are ignored, as RFC 7517 section
    /// 5 says, and so are members that are not of their type.
    #[must_use]
    pub fn parse(set: &Value) -> Option<Self> {
        let keys = set.get("keys")?.as_array()?;
        Some(Self(keys.iter().filter_map(PublicKey::read).collect()))
    }

    /// The keys that may have made a signature: those that it names, whose kind fits the algorithm.
    /// A signature without a name may be of any key, and a key without one may be meant by any
    /// (RFC 7517 section 4.5: `kid` is optional, and need not be unique). All are the issuer's.
    pub fn candidates(&self, kid: Option<&str>, algorithm: Algorithm) -> impl Iterator<Item = &PublicKey> {
        let is_named = move |key: &&PublicKey| kid.is_none() || key.kid.is_none() || key.kid.as_deref() == kid;
        self.0.iter().filter(move |key| key.fits(algorithm)).filter(is_named).take(MOST_CANDIDATES)
    }
}

impl PublicKey {
    /// Reads a key; `None` if it is no object. A member of the wrong type is as good as missing.
    #[must_use]
    pub fn read(key: &Value) -> Option<Self> {
        let key = key.as_object()?;
        let text = |name: &str| key.get(name).and_then(Value::as_str).map(str::to_owned);
        let number = |name: &str| text(name).unwrap_or_default();
        let ops = key.get("key_ops").and_then(Value::as_array);
        Some(Self {
            kty: text("kty")?,
            usage: text("use"),
            key_ops: ops.map(|ops| ops.iter().filter_map(Value::as_str).map(str::to_owned).collect()),
            alg: text("alg"),
            kid: text("kid"),
            crv: text("crv"),
            n: number("n"),
            e: number("e"),
            x: number("x"),
            y: number("y"),
        })
    }

    /// Whether the key's kind, use and algorithm fit the algorithm of a signature (RFC 8725 section
    /// 3.1).
    fn fits(&self, algorithm: Algorithm) -> bool {
        let kind = match algorithm {
            Algorithm::Rs256 | Algorithm::Ps256 => self.kty == "RSA",
            Algorithm::Es256 => self.kty == "EC" && self.crv.as_deref() == Some("P-256"),
            Algorithm::EdDsa => self.kty == "OKP" && self.crv.as_deref() == Some("Ed25519"),
        };
        let is_for_signatures = self.usage.as_deref().is_none_or(|usage| usage == "sig");
        let verifies = self.key_ops.as_ref().is_none_or(|ops| ops.iter().any(|op| op == "verify"));
        kind && is_for_signatures && verifies && self.alg.as_deref().is_none_or(|alg| alg == algorithm.name())
    }

    /// Whether the signature was made with this key. A key that does not fit verifies nothing.
    #[must_use]
    pub fn verifies(&self, algorithm: Algorithm, signed: &[u8], signature: &[u8]) -> bool {
        self.fits(algorithm) && self.verify(algorithm, signed, signature).is_ok()
    }

    fn verify(&self, algorithm: Algorithm, signed: &[u8], signature: &[u8]) -> Result<(), Unspecified> {
        let rsa = |parameters| {
            PublicKeyComponents { n: integer(&self.n)?, e: integer(&self.e)? }.verify(parameters, signed, signature)
        };
        match algorithm {
            Algorithm::Rs256 => rsa(&signature::RSA_PKCS1_2048_8192_SHA256),
            Algorithm::Ps256 => rsa(&signature::RSA_PSS_2048_8192_SHA256),
            Algorithm::Es256 => {
                // An uncompressed point (SEC 1 section 2.3.3).
                let point = [vec![4], coordinate(&self.x)?, coordinate(&self.y)?].concat();
                UnparsedPublicKey::new(&signature::ECDSA_P256_SHA256_FIXED, point).verify(signed, signature)
            }
            Algorithm::EdDsa => UnparsedPublicKey::new(&signature::ED25519, bytes(&self.x)?).verify(signed, signature),
        }
    }
}

fn bytes(text: &str) -> Result<Vec<u8>, Unspecified> {
    decoded(text).ok_or(Unspecified)
}

/// A whole number. Some servers write the sign's byte of ASN.1 before it, which RFC 7518 section 2
/// (`Base64urlUInt`) forbids.
fn integer(text: &str) -> Result<Vec<u8>, Unspecified> {
    let mut bytes = bytes(text)?;
    bytes.drain(..bytes.iter().take_while(|byte| **byte == 0).count());
    Ok(bytes)
}

/// A coordinate of P-256 in its full length (RFC 7518 section 6.2.1.2). Some servers cut zeros at
/// its beginning, or write more of them.
fn coordinate(text: &str) -> Result<Vec<u8>, Unspecified> {
    let digits = integer(text)?;
    let zeros = P256_BYTES.checked_sub(digits.len()).ok_or(Unspecified)?;
    Ok([vec![0; zeros], digits].concat())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_key_is_found_by_its_id_and_never_for_another_kind_of_algorithm() {
        // RFC 8725 sections 3.1 and 3.2; RFC 7517 sections 4.2, 4.3 and 5.
        let set = json!({"keys": [
            {"kty": "RSA", "kid": "r", "n": "AQAB", "e": "AQAB"},
            {"kty": "RSA", "kid": "p", "alg": "PS256"},
            {"kty": "RSA", "kid": "encrypts", "use": "enc"},
            {"kty": "RSA", "kid": "signs", "key_ops": ["sign"]},
            {"kty": "EC", "kid": "e", "crv": "P-256"},
            {"kty": "EC", "kid": "other-curve", "crv": "P-384"},
            {"kty": "oct", "kid": "shared", "k": "c2VjcmV0"},
            {"kty": "RSA", "kid": "certificate-only", "x5c": ["MIIB"]},
            {"kty": "RSA", "kid": 5, "use": null, "alg": "PS256", "n": null},
            {"kty": 7}, "no key",
        ]});
        let set = KeySet::parse(&set).expect("a set");
        let finds = |kid, algorithm| {
            let found = set.candidates(kid, algorithm).map(|key| key.kid.as_deref().unwrap_or("-"));
            found.collect::<Vec<_>>().join(" ")
        };
        assert_eq!(finds(Some("r"), Algorithm::Rs256), "r");
        assert_eq!(finds(Some("r"), Algorithm::Es256), "");
        assert_eq!(finds(Some("p"), Algorithm::Rs256), "", "it is for PS256");
        assert_eq!(finds(None, Algorithm::Es256), "e", "there is one only");
        assert_eq!(finds(Some("r"), Algorithm::Ps256), "r -", "one has no name, and may be meant");
        assert_eq!(finds(None, Algorithm::Ps256), "r p certificate-only -", "each would fit, and is tried");
        for kid in ["encrypts", "signs", "other-curve", "shared", "unknown"] {
            for algorithm in [Algorithm::Rs256, Algorithm::Es256, Algorithm::EdDsa] {
                assert_eq!(finds(Some(kid), algorithm), "", "{kid}");
            }
        }
        assert!(KeySet::parse(&json!({})).is_none() && KeySet::parse(&json!([])).is_none());
    }

    #[test]
    fn the_signature_of_the_rfcs_example_verifies_and_a_changed_one_does_not() {
        // RFC 8037 appendix A.4 and A.5.
        let key = json!({"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"});
        let key = PublicKey::read(&key).expect("a key");
        let signed = b"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
        let signature = "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
        let mut signature = decoded(signature).expect("base64");
        assert!(key.verifies(Algorithm::EdDsa, signed, &signature));
        assert!(!key.verifies(Algorithm::EdDsa, &signed[1..], &signature));
        signature[0] ^= 1;
        assert!(!key.verifies(Algorithm::EdDsa, signed, &signature));
    }
}
