//! How an app proves itself: a JSON web token, signed with its private key (RS256). Knows no request and no clock.
//! <https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/generating-a-json-web-token-jwt-for-a-github-app>

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use jackfield_plugin::{Error, Result, json};
use ring::{rand::SystemRandom, rsa::KeyPair, signature::RSA_PKCS1_SHA256};
use rustls_pki_types::{PrivateKeyDer, pem::PemObject};
use serde::Deserialize;

/// The app's private key.
#[derive(Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Key(KeyPair);

impl TryFrom<String> for Key {
    type Error = &'static str;

    fn try_from(pem: String) -> std::result::Result<Self, Self::Error> {
        let refused = "not an RSA private key in PEM: set all of the file that GitHub gave";
        let pair = match PrivateKeyDer::from_pem_slice(pem.as_bytes()).map_err(|_| refused)? {
            PrivateKeyDer::Pkcs1(der) => KeyPair::from_der(der.secret_pkcs1_der()),
            PrivateKeyDer::Pkcs8(der) => KeyPair::from_pkcs8(der.secret_pkcs8_der()),
            _ => return Err(refused),
        };
        pair.map(Self).map_err(|_| refused)
    }
}

impl Key {
    /// A token for an app, from a minute ago, since clocks differ, to nine minutes from now: GitHub takes no more than ten.
    pub(crate) fn sign(&self, app_id: &str, now: u64) -> Result<String> {
        let header = json!({"alg": "RS256", "typ": "JWT"});
        let claims = json!({"iss": app_id, "iat": now - 60, "exp": now + 9 * 60});
        let [header, claims] = [header, claims].map(|part| BASE64_URL_SAFE_NO_PAD.encode(part.to_string()));
        let signed = format!("{header}.{claims}");
        let mut signature = vec![0; self.0.public().modulus_len()];
        let outcome = self.0.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature);
        outcome.map_err(|_| Error::new("the app's token cannot be signed"))?;
        Ok(format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature)))
    }
}
