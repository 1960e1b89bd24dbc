//! Floor 0: signed JSON (RFC 7515, 7517, 7518, 8037): a private key that signs claims, and public keys that verify what others signed.
//! Knows nothing of ours, and of OAuth 2.0 neither: what the claims say is for others to judge.
//!
//! What cannot happen: `none` and the algorithms of shared secrets are not known here at all, and a key is not used with an algorithm of
//! another kind (RFC 8725 sections 3.1 and 3.2).

mod algorithm;
mod public_key;
mod signed;
mod signing_key;

pub use algorithm::Algorithm;
pub use public_key::{KeySet, PublicKey};
pub use signed::{JoseError, Signed};
pub use signing_key::{NotAKey, SigningKey};
