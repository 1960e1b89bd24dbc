//! A JSON Web Signature in its compact form (RFC 7515 section 7.1).

use jackfield_plugin_abi::readable_json;
use serde::Deserialize;
use serde_json::{Map, Value};
use thiserror::Error;

use super::{Algorithm, KeySet, base64url};

/// Why a signed text is invalid. Holds only the names of its algorithm and key.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum JoseError {
    /// It is not three parts of base64url with JSON in the first two.
    #[error("it is not a signed JSON text")]
    Malformed,
    /// It is a JSON Web Encryption (RFC 7516 section 9: five parts).
    #[error("it is encrypted, and no key to decrypt it is registered; have the issuer only sign it")]
    Encrypted,
    /// It has an extension that must be understood (RFC 7515 section 4.1.11).
    #[error("it has extensions that must be understood, and none are")]
    Critical,
    /// Its algorithm is not accepted.
    #[error("it is signed with `{}`, which is not accepted", .0.escape_debug())]
    Algorithm(String),
    /// The issuer has no key for it.
    #[error("there is no key `{}` for it among the issuer's", .0.escape_debug())]
    NoKey(String),
    /// The key does not verify its signature.
    #[error("its signature is not the issuer's")]
    Signature,
}

/// A signed text, parsed but not verified.
pub struct Jws<'a> {
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

impl<'a> Jws<'a> {
    /// Parses the three parts.
    ///
    /// # Errors
    /// When it is not a signed JSON object, or needs an unknown extension or algorithm.
    pub fn parse(text: &'a str) -> Result<Self, JoseError> {
        if text.matches('.').count() == 4 {
            return Err(JoseError::Encrypted);
        }
        let (signed, signature) = text.rsplit_once('.').ok_or(JoseError::Malformed)?;
        let (header, claims) = signed.split_once('.').ok_or(JoseError::Malformed)?;
        let header: Header = serde_json::from_slice(&decoded(header)?).map_err(|_| JoseError::Malformed)?;
        if header.crit.is_some() {
            return Err(JoseError::Critical);
        }
        let algorithm = Algorithm::named(&header.alg).ok_or_else(|| JoseError::Algorithm(header.alg.clone()))?;
        let claims =
            serde_json::from_slice(&readable_json(&decoded(claims)?, None)).map_err(|_| JoseError::Malformed)?;
        Ok(Self { header, algorithm, claims, signed, signature: decoded(signature)? })
    }

    /// The algorithm that its header names.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Whether a key of the set has signed it.
    #[must_use]
    pub fn is_of(&self, keys: &KeySet) -> bool {
        let mut candidates = keys.candidates(self.header.kid.as_deref(), self.algorithm);
        candidates.any(|key| key.verifies(self.algorithm, self.signed.as_bytes(), &self.signature))
    }

    /// Verifies the signature and returns the claims.
    ///
    /// # Errors
    /// When the set has no such key, or the signature is not from it.
    pub fn verify(self, keys: &KeySet) -> Result<Map<String, Value>, JoseError> {
        let kid = self.header.kid.as_deref();
        if self.is_of(keys) {
            return Ok(self.claims);
        }
        match keys.candidates(kid, self.algorithm).next() {
            Some(_) => Err(JoseError::Signature),
            None => Err(JoseError::NoKey(kid.unwrap_or_default().to_owned())),
        }
    }
}

fn decoded(part: &str) -> Result<Vec<u8>, JoseError> {
    base64url::decoded(part).ok_or(JoseError::Malformed)
}
