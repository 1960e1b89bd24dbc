//! A signed text in its compact form (RFC 7515 section 7.1).

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::Deserialize;
use serde_json::{Map, Value};
use thiserror::Error;

use super::{Algorithm, KeySet};

/// Why a signed text is not believed. Holds nothing of it but the names of its algorithm and key.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum JoseError {
    /// Not three parts of base64url with JSON in the first two.
    #[error("it is not a signed JSON text")]
    Malformed,
    /// An extension that must be understood (RFC 7515 section 4.1.11).
    #[error("it has extensions that must be understood, and none are")]
    Critical,
    /// An algorithm that is not taken.
    #[error("it is signed with `{}`, which is not taken", .0.escape_debug())]
    Algorithm(String),
    /// No key for it.
    #[error("there is no key `{}` for it among the issuer's", .0.escape_debug())]
    NoKey(String),
    /// The signature is not the key's.
    #[error("its signature is not the issuer's")]
    Signature,
}

/// A signed text, read but not believed.
pub struct Signed<'a> {
    header: Header,
    algorithm: Algorithm,
    claims: Map<String, Value>,
    signed: &'a str,
    signature: Vec<u8>,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    crit: Option<Value>,
}

impl<'a> Signed<'a> {
    /// Reads the three parts.
    ///
    /// # Errors
    /// When it is no signed JSON object, or wants what is not known here.
    pub fn read(text: &'a str) -> Result<Self, JoseError> {
        let (signed, signature) = text.rsplit_once('.').ok_or(JoseError::Malformed)?;
        let (header, claims) = signed.split_once('.').ok_or(JoseError::Malformed)?;
        let header: Header = serde_json::from_slice(&decoded(header)?).map_err(|_| JoseError::Malformed)?;
        if header.crit.is_some() {
            return Err(JoseError::Critical);
        }
        let algorithm = Algorithm::named(&header.alg).ok_or_else(|| JoseError::Algorithm(header.alg.clone()))?;
        let claims = serde_json::from_slice(&decoded(claims)?).map_err(|_| JoseError::Malformed)?;
        Ok(Self { header, algorithm, claims, signed, signature: decoded(signature)? })
    }

    /// The algorithm that it says.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Whether the set has the key that it names.
    #[must_use]
    pub fn has_key(&self, keys: &KeySet) -> bool {
        keys.find(self.header.kid.as_deref(), self.algorithm).is_some()
    }

    /// The claims, once the signature is verified.
    ///
    /// # Errors
    /// When there is no such key, or the signature is not its.
    pub fn verified(self, keys: &KeySet) -> Result<Map<String, Value>, JoseError> {
        let kid = self.header.kid.as_deref();
        let key = keys.find(kid, self.algorithm);
        let key = key.ok_or_else(|| JoseError::NoKey(kid.unwrap_or_default().to_owned()))?;
        let is_its = key.verifies(self.algorithm, self.signed.as_bytes(), &self.signature);
        if is_its { Ok(self.claims) } else { Err(JoseError::Signature) }
    }
}

fn decoded(part: &str) -> Result<Vec<u8>, JoseError> {
    BASE64_URL_SAFE_NO_PAD.decode(part).map_err(|_| JoseError::Malformed)
}
