//! Signed JSON (RFC 7515, 7517, 7518, 8037): a private key signs claims, and public keys verify
//! what others signed. Knows nothing of OAuth 2.0: others check what the claims say.
//!
//! It cannot happen that the algorithm `none` or one with a shared secret is accepted, because
//! neither is known here, or that a key is used with an algorithm of another kind (RFC 8725
//! sections 3.1 and 3.2).
//!
//! Why not `jsonwebtoken` 12: it has two cryptographic backends. `aws_lc_rs` brings a minute of C,
//! which `deny.toml` bans. `rust_crypto` brings `rsa`, which has an open advisory for exactly what
//! we would do with it, signing with a private key (RUSTSEC-2023-0071, Marvin), and three more
//! crates for curves beside the `ring` that rustls brings anyway. A backend of our own over `ring`
//! would keep all of the signature code below, and install it for the whole process.

mod algorithm;
mod base64url;
mod jws;
mod public_key;
mod signing_key;

pub use algorithm::Algorithm;
pub use jws::{JoseError, Jws};
pub use public_key::{KeySet, PublicKey};
pub use signing_key::{InvalidKey, SigningKey};
