//! Unguessable texts: state, code verifier, nonce and the like.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};

/// 256 bits from the operating system's generator, as 43 characters of base64url.
///
/// RFC 6749 section 10.10 asks for at least 128 bits in a state. RFC 7636 section 4.1 asks for 256
/// bits in a verifier, in 43 to 128 characters. OpenID Connect Core 1.0 section 15.5.2 asks for a
/// nonce that cannot be guessed.
pub(super) fn random_text() -> String {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).expect("the operating system has a random generator");
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}
