//! The key of the chain, its codes, and its head.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::hex::hex;

/// A hash of the chain.
pub(crate) const HASH: usize = 32;

/// The end of the chain: what an operator notes elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// How many rows the chain has.
    pub count: i64,
    /// The hash of the last row.
    pub hash: Vec<u8>,
}

impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.count, hex(&self.hash))
    }
}

impl Head {
    /// The head of a chain without rows.
    #[must_use]
    pub fn empty() -> Self {
        Self { count: 0, hash: vec![0; HASH] }
    }
}

/// The key of the hashes. It has no `Debug`.
#[derive(Clone)]
pub struct ChainKey(pub(crate) [u8; 32]);

impl ChainKey {
    /// The code of a head. Without it, somebody could cut rows off and write an older head.
    pub(crate) fn head_mac(&self, head: &Head) -> Vec<u8> {
        self.code(b"head", &[head.count], &[&head.hash])
    }

    /// The code of another record than a row, of the kind `what`.
    pub(crate) fn code(&self, what: &[u8], numbers: &[i64], texts: &[&[u8]]) -> Vec<u8> {
        let mut mac = self.mac(what);
        for number in numbers {
            put(&mut mac, Some(&number.to_be_bytes()));
        }
        for text in texts {
            put(&mut mac, Some(text));
        }
        mac.finalize().into_bytes().to_vec()
    }

    /// The beginning of a code of the kind `what`.
    pub(crate) fn mac(&self, what: &[u8]) -> Hmac<Sha256> {
        let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(&self.0).expect("HMAC takes a key of any length");
        put(&mut mac, Some(what));
        mac
    }
}

/// Adds a value with its length before it, or that there is none.
pub(crate) fn put(mac: &mut Hmac<Sha256>, value: Option<&[u8]>) {
    match value {
        None => mac.update(&[0]),
        Some(bytes) => {
            mac.update(&[1]);
            mac.update(&u64::try_from(bytes.len()).expect("lengths fit").to_be_bytes());
            mac.update(bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_made_by_the_keys_holder_only() {
        let (ours, other) = (ChainKey([7; 32]), ChainKey([8; 32]));
        let head = Head { count: 1, hash: vec![3; HASH] };
        assert_ne!(ours.head_mac(&head), other.head_mac(&head));
        assert_ne!(ours.head_mac(&head), ours.head_mac(&Head::empty()));
    }
}
