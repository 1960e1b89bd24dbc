//! The JSON Web Token that authenticates an app, signed with its private key (RS256):
//! <https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/generating-a-json-web-token-jwt-for-a-github-app>
//!
//! Why not `jsonwebtoken` 12: with its `rust_crypto` backend, the library grows from 0.45 to
//! 1.45 MB, from 34 to 92 crates, and compiles three times as long. That backend signs with `rsa`,
//! which has an open advisory for exactly that (RUSTSEC-2023-0071). The other backend, `aws_lc_rs`,
//! needs a C compiler. `ring` signs in forty lines.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use jackfield_plugin::{Error, Result, json};
use ring::{rand::SystemRandom, rsa::KeyPair, signature::RSA_PKCS1_SHA256};
use rustls_pki_types::{PrivateKeyDer, pem::PemObject};
use serde::Deserialize;

/// The app's private key. GitHub gives it as PEM (PKCS#1).
#[derive(Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct PrivateKey(KeyPair);

impl TryFrom<String> for PrivateKey {
    type Error = &'static str;

    fn try_from(pem: String) -> std::result::Result<Self, Self::Error> {
        let error = "not an RSA private key in PEM: set all of the file that GitHub gave";
        let key_pair = match PrivateKeyDer::from_pem_slice(pem.as_bytes()).map_err(|_| error)? {
            PrivateKeyDer::Pkcs1(der) => KeyPair::from_der(der.secret_pkcs1_der()),
            PrivateKeyDer::Pkcs8(der) => KeyPair::from_pkcs8(der.secret_pkcs8_der()),
            _ => return Err(error),
        };
        key_pair.map(Self).map_err(|_| error)
    }
}

impl PrivateKey {
    /// A token for an app. It is valid from a minute ago, since clocks differ, for nine minutes:
    /// GitHub accepts ten at most. `now` is in seconds since 1970-01-01 UTC.
    pub(crate) fn sign(&self, app_id: &str, now: u64) -> Result<String> {
        let header = json!({"alg": "RS256", "typ": "JWT"});
        let claims = json!({"iss": app_id, "iat": now - 60, "exp": now + 9 * 60});
        let [header, claims] = [header, claims].map(|part| BASE64_URL_SAFE_NO_PAD.encode(part.to_string()));
        let signing_input = format!("{header}.{claims}");
        let mut signature = vec![0; self.0.public().modulus_len()];
        let signed = self.0.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signing_input.as_bytes(), &mut signature);
        signed.map_err(|_| Error::new("the app's token cannot be signed"))?;
        Ok(format!("{signing_input}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature)))
    }
}
