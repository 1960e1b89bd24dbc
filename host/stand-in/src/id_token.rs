//! ID tokens (OpenID Connect Core 1.0 section 2) and the key that signs them.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use jackfield_oauth2::jose::SigningKey;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

/// How long an ID token is valid, in seconds.
const LIFETIME: i64 = 300;

/// A key of an issuer.
pub struct IssuerKey {
    id: String,
    key: SigningKey,
}

impl IssuerKey {
    /// A new key with this id.
    #[must_use]
    pub fn generate(id: &str) -> Self {
        Self { id: id.to_owned(), key: SigningKey::generate() }
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Its public half (RFC 7517).
    #[must_use]
    pub fn public(&self) -> Value {
        json!(self.key.public_key(&self.id))
    }

    /// The issuer's keys, of which it is the only one.
    #[must_use]
    pub fn jwks(&self) -> Value {
        json!({"keys": [self.public()]})
    }

    /// Signs claims.
    #[must_use]
    pub fn sign(&self, claims: &Value) -> String {
        self.sign_as(&self.id, claims)
    }

    /// Signs claims and names a key of another id, as no issuer does.
    #[must_use]
    pub fn sign_as(&self, id: &str, claims: &Value) -> String {
        self.key.sign(Some(id), claims)
    }
}

/// The claims of an ID token that say nothing of the user. `now` is in seconds since 1970.
#[must_use]
pub fn id_token_claims(issuer: &str, client_id: &str, nonce: Option<&str>, now: i64) -> Map<String, Value> {
    let claims = json!({"iss": issuer, "aud": client_id, "iat": now, "exp": now + LIFETIME, "nonce": nonce});
    claims.as_object().cloned().unwrap_or_default()
}

/// The claim `at_hash` of the ID token beside an access token (section 3.1.3.6).
#[must_use]
pub fn access_token_hash(access_token: &str) -> String {
    let hash = Sha256::digest(access_token);
    BASE64_URL_SAFE_NO_PAD.encode(&hash[..hash.len() / 2])
}

#[cfg(test)]
mod tests {
    use jackfield_oauth2::jose::{Jws, KeySet};

    use super::*;

    #[test]
    fn an_id_token_is_verified_by_the_keys_of_its_issuer() {
        let (key, other) = (IssuerKey::generate("key-0"), IssuerKey::generate("key-0"));
        let claims = id_token_claims("https://a.example", "client", Some("n"), 7);
        let token = key.sign(&Value::Object(claims.clone()));
        let verified = |keys: &IssuerKey| {
            let keys = KeySet::parse(&keys.jwks()).expect("keys");
            Jws::parse(&token).expect("it is signed").verify(&keys).ok()
        };
        assert_eq!(verified(&key), Some(claims));
        assert_eq!(verified(&other), None);
    }
}
