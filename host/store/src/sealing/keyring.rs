//! The keys that a host has in memory: one data key to seal under, and all that can open values.
//!
//! Beside the data keys stand the keys that are derived from each line of the secret key: what was
//! sealed before there were data keys still opens. A key is not forgotten before the next start,
//! so what was read before a rotation still opens after it.

use std::collections::HashMap;

use chacha20poly1305::XChaCha20Poly1305;

use super::{
    cipher::cipher,
    data_keys::{DERIVED_KEY, DataKey},
};
use crate::{
    error::SealError,
    hex::hex,
    key_id::{KeyId, SecretKeyId},
};
use jackfield_config::SecretKeys;

pub(super) struct Keyring {
    current: KeyId,
    /// Whether the current one is derived from the secret key.
    is_derived: bool,
    /// The secret key that the current one is derived from or wrapped under.
    secret_key: SecretKeyId,
    ciphers: HashMap<KeyId, XChaCha20Poly1305>,
}

impl Keyring {
    /// As long as the table has no data key. Seals under the oldest secret key: every host has
    /// that one, also while a newer one is being handed out.
    pub(super) fn derived(keys: &SecretKeys) -> Self {
        let ciphers = keys.all().iter().map(|key| (key.id(), cipher(&key.derive("seal")))).collect();
        let oldest = keys.oldest().id();
        Self { current: oldest, is_derived: true, secret_key: oldest, ciphers }
    }

    /// Whether it seals under the data key of this id.
    pub(super) fn is_current(&self, id: KeyId) -> bool {
        if id == DERIVED_KEY { self.is_derived } else { self.current == id }
    }

    pub(super) const fn secret_key_id(&self) -> SecretKeyId {
        self.secret_key
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

    /// The keyring with the data keys of the table, and with the keys that it had before.
    ///
    /// # Errors
    /// When the current key cannot be unwrapped: then nothing can be sealed. An old key that
    /// cannot be unwrapped costs only what is sealed under it.
    pub(super) fn updated(&self, keys: &SecretKeys, data_keys: &[DataKey]) -> Result<Self, SealError> {
        let mut keyring = Self::derived(keys);
        keyring.ciphers.extend(self.ciphers.iter().map(|(id, cipher)| (*id, cipher.clone())));
        for data_key in data_keys.iter().filter(|data_key| data_key.id != DERIVED_KEY) {
            match data_key.unwrap(keys) {
                Ok(key) => drop(keyring.ciphers.insert(data_key.id, cipher(&key))),
                Err(error) if data_key.is_current && !keyring.ciphers.contains_key(&data_key.id) => return Err(error),
                Err(error) => tracing::warn!(key.id = hex(&data_key.id), %error, "a data key cannot be unwrapped"),
            }
            if data_key.is_current {
                (keyring.current, keyring.is_derived) = (data_key.id, false);
                keyring.secret_key = data_key.secret_key_id().unwrap_or(keyring.secret_key);
            }
        }
        Ok(keyring)
    }
}
