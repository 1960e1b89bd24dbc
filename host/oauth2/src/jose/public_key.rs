//! Public keys as JSON (RFC 7517), and the signatures they verify.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use ring::{
    error::Unspecified,
    rsa::PublicKeyComponents,
    signature::{self, UnparsedPublicKey},
};
use serde::Deserialize;
use serde_json::Value;

use super::Algorithm;

/// A set of public keys (RFC 7517 section 5).
#[derive(Clone, Debug, Default)]
pub struct KeySet(Vec<PublicKey>);

/// One public key (RFC 7517 section 4, RFC 7518 section 6, RFC 8037 section 2).
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct PublicKey {
    kty: String,
    #[serde(rename = "use")]
    usage: Option<String>,
    key_ops: Option<Vec<String>>,
    alg: Option<String>,
    kid: Option<String>,
    crv: String,
    n: String,
    e: String,
    x: String,
    y: String,
}

impl KeySet {
    /// Reads a set; `None` if it is not one. Keys of unknown kinds are ignored, as RFC 7517 section
    /// 5 says.
    #[must_use]
    pub fn parse(set: &Value) -> Option<Self> {
        let keys = set.get("keys")?.as_array()?;
        Some(Self(keys.iter().filter_map(|key| PublicKey::deserialize(key).ok()).collect()))
    }

    /// The key that a signature names, if its kind fits the algorithm. Without a name, only one key
    /// of the set may fit (OpenID Connect Core 1.0 section 10.1).
    #[must_use]
    pub fn find(&self, kid: Option<&str>, algorithm: Algorithm) -> Option<&PublicKey> {
        let is_named = |key: &&PublicKey| kid.is_none() || key.kid.as_deref() == kid;
        let mut found = self.0.iter().filter(|key| key.fits(algorithm)).filter(is_named);
        let first = found.next()?;
        found.next().is_none().then_some(first)
    }
}

impl PublicKey {
    /// Whether the key's kind, use and algorithm fit the algorithm of a signature (RFC 8725 section
    /// 3.1).
    fn fits(&self, algorithm: Algorithm) -> bool {
        let kind = match algorithm {
            Algorithm::Rs256 | Algorithm::Ps256 => self.kty == "RSA",
            Algorithm::Es256 => self.kty == "EC" && self.crv == "P-256",
            Algorithm::EdDsa => self.kty == "OKP" && self.crv == "Ed25519",
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
            PublicKeyComponents { n: decoded(&self.n)?, e: decoded(&self.e)? }.verify(parameters, signed, signature)
        };
        match algorithm {
            Algorithm::Rs256 => rsa(&signature::RSA_PKCS1_2048_8192_SHA256),
            Algorithm::Ps256 => rsa(&signature::RSA_PSS_2048_8192_SHA256),
            Algorithm::Es256 => {
                // An uncompressed point (SEC 1 section 2.3.3).
                let point = [vec![4], decoded(&self.x)?, decoded(&self.y)?].concat();
                UnparsedPublicKey::new(&signature::ECDSA_P256_SHA256_FIXED, point).verify(signed, signature)
            }
            Algorithm::EdDsa => {
                UnparsedPublicKey::new(&signature::ED25519, decoded(&self.x)?).verify(signed, signature)
            }
        }
    }
}

fn decoded(text: &str) -> Result<Vec<u8>, Unspecified> {
    BASE64_URL_SAFE_NO_PAD.decode(text).map_err(|_| Unspecified)
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
            {"kty": 7}, "no key",
        ]});
        let set = KeySet::parse(&set).expect("a set");
        let finds = |kid, algorithm| set.find(kid, algorithm).and_then(|key| key.kid.as_deref());
        assert_eq!(finds(Some("r"), Algorithm::Rs256), Some("r"));
        assert_eq!(finds(Some("r"), Algorithm::Es256), None);
        assert_eq!(finds(Some("p"), Algorithm::Rs256), None, "it is for PS256");
        assert_eq!(finds(None, Algorithm::Es256), Some("e"), "there is one only");
        assert_eq!(finds(None, Algorithm::Ps256), None, "two would fit");
        for kid in ["encrypts", "signs", "other-curve", "shared", "unknown"] {
            for algorithm in [Algorithm::Rs256, Algorithm::Ps256, Algorithm::Es256, Algorithm::EdDsa] {
                assert_eq!(finds(Some(kid), algorithm), None, "{kid}");
            }
        }
        assert!(KeySet::parse(&json!({})).is_none() && KeySet::parse(&json!([])).is_none());
    }

    #[test]
    fn the_signature_of_the_rfcs_example_verifies_and_a_changed_one_does_not() {
        // RFC 8037 appendix A.4 and A.5.
        let key = json!({"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"});
        let key = PublicKey::deserialize(&key).expect("a key");
        let signed = b"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
        let signature = "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
        let mut signature = decoded(signature).expect("base64");
        assert!(key.verifies(Algorithm::EdDsa, signed, &signature));
        assert!(!key.verifies(Algorithm::EdDsa, &signed[1..], &signature));
        signature[0] ^= 1;
        assert!(!key.verifies(Algorithm::EdDsa, signed, &signature));
    }
}
