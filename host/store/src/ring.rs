//! The keys that a host has in memory: one data key to seal under, and all that something may be sealed under.
//!
//! They come out of the table `seal_keys`, which all hosts share, each unwrapped under a line of the secret key. Beside them stand the keys that
//! are derived from each line itself: what was sealed before there was a ring opens as it always did. A key is never forgotten before the
//! next start: what was read before a rotation still opens after it.

use std::collections::HashMap;

use chacha20poly1305::{XChaCha20Poly1305, aead::KeyInit};
use secrecy::zeroize::Zeroizing;

use super::{
    Place, SealError,
    seal_keys::{self, SealKey},
    sealer::{self, KeyId},
};
use jackfield_config::{SecretKey, SecretKeys};

pub(super) struct Ring {
    current: KeyId,
    /// Whether the current one is derived from the secret key.
    is_derived: bool,
    /// Id of the secret key that the current one hangs on.
    line: KeyId,
    ciphers: HashMap<KeyId, XChaCha20Poly1305>,
}

impl Ring {
    /// As long as the table has no data key. Seals under the oldest line: every host has that one, while a newer one is handed round.
    pub(super) fn derived(keys: &SecretKeys) -> Self {
        let ciphers = keys.all().iter().map(|key| (key.id(), cipher(&key.derive("seal")))).collect();
        let line = keys.oldest().id();
        Self { current: line, is_derived: true, line, ciphers }
    }

    /// Whether this row of the table is what it seals under.
    pub(super) fn is_current(&self, id: KeyId) -> bool {
        if id == seal_keys::DERIVED { self.is_derived } else { self.current == id }
    }

    pub(super) const fn line(&self) -> KeyId {
        self.line
    }

    pub(super) const fn current(&self) -> KeyId {
        self.current
    }

    pub(super) fn sealing(&self) -> (KeyId, &XChaCha20Poly1305) {
        (self.current, &self.ciphers[&self.current])
    }

    pub(super) fn opening(&self, id: KeyId) -> Option<&XChaCha20Poly1305> {
        self.ciphers.get(&id)
    }

    /// The ring as the table has it by now, with the keys it had before.
    ///
    /// # Errors
    /// When the current key cannot be unwrapped: nothing may be sealed then. An old one that cannot costs what is sealed under it.
    pub(super) fn renewed(&self, keys: &SecretKeys, rows: &[SealKey]) -> Result<Self, SealError> {
        let mut ring = Self::derived(keys);
        ring.ciphers.extend(self.ciphers.iter().map(|(id, cipher)| (*id, cipher.clone())));
        for row in rows.iter().filter(|row| row.id != seal_keys::DERIVED) {
            match unwrap(keys, row) {
                Ok(key) => drop(ring.ciphers.insert(row.id, cipher(&key))),
                Err(error) if row.is_current && !ring.ciphers.contains_key(&row.id) => return Err(error),
                Err(error) => tracing::warn!(key.id = sealer::hex(&row.id), %error, "a data key cannot be unwrapped"),
            }
            if row.is_current {
                (ring.current, ring.is_derived) = (row.id, false);
                ring.line = row.line().unwrap_or(ring.line);
            }
        }
        Ok(ring)
    }
}

fn cipher(key: &[u8; 32]) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new(key.into())
}

const fn place<'a>(row: &'a [&'a [u8]]) -> Place<'a> {
    Place { table: "seal_keys", column: "key", row }
}

/// Wraps a data key under a line of the secret key.
pub(super) fn wrap(line: &SecretKey, id: KeyId, key: &[u8; 32]) -> Vec<u8> {
    sealer::encrypt(line.id(), &cipher(&line.derive("data keys")), place(&[&id]), key)
}

/// Unwraps a data key under whichever line it was wrapped.
pub(super) fn unwrap(keys: &SecretKeys, row: &SealKey) -> Result<Zeroizing<[u8; 32]>, SealError> {
    let (line, _) = sealer::parts(&row.sealed_key)?;
    let secret = keys.find(line).ok_or_else(|| SealError::Wrapped { key: row.id, line, ours: keys.newest().id() })?;
    let plain = sealer::decrypt(&cipher(&secret.derive("data keys")), place(&[&row.id]), &row.sealed_key)?;
    plain.as_slice().try_into().map(Zeroizing::new).map_err(|_| SealError::Shape)
}
