//! Bearer tokens for programs (RFC 6750).

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};

/// Lets people and secret scanners recognize a token.
const PREFIX: &str = "jf_";

/// A new token of 256 random bits.
pub(super) fn generate() -> String {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).expect("the operating system has a random generator");
    format!("{PREFIX}{}", BASE64_URL_SAFE_NO_PAD.encode(bytes))
}

/// What is stored of a token. Without a salt: nobody can guess 256 random bits.
pub(super) fn hash(token: &str) -> [u8; 32] {
    Sha256::digest(token).into()
}
