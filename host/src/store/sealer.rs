//! Secrets at rest: authenticated encryption, bound to table, column and row.
//!
//! A sealed value is `version (1) ‖ key id (4) ‖ nonce (24) ‖ ciphertext and tag`, XChaCha20-Poly1305. Its associated data name where it
//! stands, so a value that is copied to another row, column or table does not open there.

use std::fmt;

use chacha20poly1305::{
    XChaCha20Poly1305, XNonce,
    aead::{Aead, KeyInit, Payload},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use thiserror::Error;

const VERSION: u8 = 1;
const KEY_ID: usize = 4;
const NONCE: usize = 24;

/// Seals and opens values under one key.
#[derive(Clone)]
pub struct Sealer {
    cipher: XChaCha20Poly1305,
    key_id: [u8; KEY_ID],
}

/// Where a sealed value stands.
#[derive(Clone, Copy)]
pub struct Place<'a> {
    /// Table.
    pub table: &'static str,
    /// Column.
    pub column: &'static str,
    /// The row's natural key.
    pub row: &'a [&'a [u8]],
}

/// Why a sealed value does not open.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum SealError {
    /// It is shorter than any sealed value.
    #[error("a sealed value is cut")]
    Cut,
    /// It is of a version this host does not know.
    #[error("a sealed value is of the unknown version {0}")]
    Version(u8),
    /// It was sealed under another secret key.
    #[error("a value was sealed under another secret key: key id {}, this host has {}", hex(.found), hex(.ours))]
    Key {
        /// The value's key id.
        found: [u8; KEY_ID],
        /// This host's key id.
        ours: [u8; KEY_ID],
    },
    /// It was changed, or stands in another place than it was sealed for.
    #[error("a sealed value was changed or moved")]
    Changed,
    /// What was sealed is not what was expected.
    #[error("a sealed value has another shape than expected")]
    Shape,
}

fn hex(id: &[u8; KEY_ID]) -> String {
    format!("{:08x}", u32::from_be_bytes(*id))
}

impl Sealer {
    /// Seals under a key; the id tells later which one it was.
    #[must_use]
    pub fn new(key: [u8; 32], key_id: [u8; KEY_ID]) -> Self {
        Self { cipher: XChaCha20Poly1305::new(&key.into()), key_id }
    }

    /// Seals a value for a place.
    #[must_use]
    pub fn seal(&self, place: Place<'_>, value: &impl Serialize) -> Vec<u8> {
        let plain = serde_json::to_vec(value).expect("sealed values are plain JSON");
        let mut nonce = [0; NONCE];
        getrandom::fill(&mut nonce).expect("the operating system has a random generator");
        let payload = Payload { msg: &plain, aad: &place.associated_data() };
        let sealed = self.cipher.encrypt(&XNonce::from(nonce), payload).expect("values fit into memory");
        [&[VERSION], self.key_id.as_slice(), &nonce, &sealed].concat()
    }

    /// Opens a value that was sealed for this place.
    ///
    /// # Errors
    /// When it was not, or not by this key, or has another shape.
    pub fn open<T: DeserializeOwned>(&self, place: Place<'_>, sealed: &[u8]) -> Result<T, SealError> {
        let (version, rest) = sealed.split_first().ok_or(SealError::Cut)?;
        if *version != VERSION {
            return Err(SealError::Version(*version));
        }
        let (found, rest) = rest.split_first_chunk::<KEY_ID>().ok_or(SealError::Cut)?;
        if *found != self.key_id {
            return Err(SealError::Key { found: *found, ours: self.key_id });
        }
        let (nonce, cipher) = rest.split_first_chunk::<NONCE>().ok_or(SealError::Cut)?;
        let payload = Payload { msg: cipher, aad: &place.associated_data() };
        let plain = self.cipher.decrypt(&XNonce::from(*nonce), payload).map_err(|_| SealError::Changed)?;
        serde_json::from_slice(&plain).map_err(|_| SealError::Shape)
    }
}

/// Puts new texts in the place of old ones, whole texts only; answers whether there was any.
fn replace(value: &mut Value, pairs: &[(String, String)]) -> bool {
    match value {
        Value::String(text) => match pairs.iter().find(|(old, _)| old == text) {
            Some((_, new)) => {
                text.clone_from(new);
                true
            }
            None => false,
        },
        Value::Array(items) => items.iter_mut().fold(false, |any, item| replace(item, pairs) | any),
        Value::Object(object) => object.values_mut().fold(false, |any, item| replace(item, pairs) | any),
        _ => false,
    }
}

impl Place<'_> {
    /// Each part preceded by its length, so that no two places look alike.
    fn associated_data(&self) -> Vec<u8> {
        let parts = [self.table.as_bytes(), self.column.as_bytes()].into_iter().chain(self.row.iter().copied());
        parts.flat_map(|part| [&part.len().to_be_bytes(), part].concat()).collect()
    }
}

impl Sealer {
    /// The sealed value with new texts in the place of old ones; `None` where none of them stands there, or it does not open: what cannot be
    /// read is of no use to anybody, and must not keep others from being written.
    pub fn replaced(&self, place: Place<'_>, sealed: &[u8], pairs: &[(String, String)]) -> Option<Vec<u8>> {
        let opened = self.open(place, sealed);
        let mut value: Value =
            opened.inspect_err(|error| tracing::warn!(table = place.table, %error, "left as it is")).ok()?;
        replace(&mut value, pairs).then(|| self.seal(place, &value))
    }
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealer(key id {})", hex(&self.key_id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACE: Place<'static> = Place { table: "t", column: "c", row: &[b"ab", b"c"] };

    fn sealer() -> Sealer {
        Sealer::new([7; 32], [1, 2, 3, 4])
    }

    #[test]
    fn a_value_opens_in_its_place_only() {
        let sealed = sealer().seal(PLACE, &"xoxb-secret");
        assert_eq!(sealer().open::<String>(PLACE, &sealed).as_deref(), Ok("xoxb-secret"));
        assert!(!sealed.windows(6).any(|window| window == b"secret"));
        let elsewhere = [
            Place { table: "u", ..PLACE },
            Place { column: "d", ..PLACE },
            Place { row: &[b"a", b"bc"], ..PLACE },
            Place { row: &[b"abc"], ..PLACE },
        ];
        for place in elsewhere {
            assert_eq!(sealer().open::<String>(place, &sealed), Err(SealError::Changed));
        }
    }

    #[test]
    fn the_same_value_is_sealed_differently_each_time() {
        assert_ne!(sealer().seal(PLACE, &"v"), sealer().seal(PLACE, &"v"));
    }

    #[test]
    fn what_does_not_open_says_why() {
        let sealed = sealer().seal(PLACE, &"v");
        let other_key = Sealer::new([8; 32], [4, 3, 2, 1]).open::<String>(PLACE, &sealed);
        assert_eq!(other_key, Err(SealError::Key { found: [1, 2, 3, 4], ours: [4, 3, 2, 1] }));
        assert_eq!(sealer().open::<String>(PLACE, &sealed[..20]), Err(SealError::Cut));
        assert_eq!(sealer().open::<String>(PLACE, &[]), Err(SealError::Cut));
        assert_eq!(sealer().open::<String>(PLACE, &[9, 0]), Err(SealError::Version(9)));
        assert_eq!(sealer().open::<u8>(PLACE, &sealed), Err(SealError::Shape));
        for at in 29..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert_eq!(sealer().open::<String>(PLACE, &changed), Err(SealError::Changed), "byte {at}");
        }
    }
}
