//! The installation's secret keys, and the keys derived from them.
//!
//! Everything that is signed or sealed depends on a secret key. There are several while one
//! replaces another.

use std::{fmt, sync::Arc};

use hkdf::Hkdf;
use parking_lot::RwLock;
use secrecy::{ExposeSecret, SecretString, zeroize::Zeroizing};
use sha2::Sha256;

/// One secret key. Its `Debug` shows nothing.
#[derive(Clone)]
pub struct SecretKey(SecretString);

/// The secret keys, newest first, as `jackfield key rotate --secret-key` needs them. There is at
/// least one. Clones are handles on the same.
#[derive(Clone, Debug)]
pub struct SecretKeys(Arc<RwLock<Vec<SecretKey>>>);

impl SecretKey {
    /// A key for one purpose: HKDF-SHA256 (RFC 5869) with the purpose as info.
    #[must_use]
    pub fn derive(&self, purpose: &'static str) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.expand(purpose))
    }

    /// An identifier that does not reveal the key. Everything that is sealed under the key begins
    /// with it.
    #[must_use]
    pub fn id(&self) -> [u8; 4] {
        self.expand("key id")
    }

    fn expand<const N: usize>(&self, purpose: &str) -> [u8; N] {
        let mut derived = [0; N];
        let hkdf = Hkdf::<Sha256>::new(Some(b"jackfield"), self.0.expose_secret().as_bytes());
        hkdf.expand(purpose.as_bytes(), &mut derived).expect("the derived keys are shorter than HKDF's limit");
        derived
    }
}

impl SecretKeys {
    /// These keys, newest first.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    pub fn new<'a>(newest_first: impl IntoIterator<Item = &'a str>) -> Self {
        let keys: Vec<_> = newest_first.into_iter().map(|key| SecretKey(key.to_owned().into())).collect();
        assert!(!keys.is_empty(), "there is a secret key");
        Self(Arc::new(RwLock::new(keys)))
    }

    /// All of them, newest first.
    #[must_use]
    pub fn all(&self) -> Vec<SecretKey> {
        self.0.read().clone()
    }

    /// The key for new things.
    #[must_use]
    pub fn newest(&self) -> SecretKey {
        self.all().swap_remove(0)
    }

    /// The key that every host has, also while a new one is being distributed.
    #[must_use]
    pub fn oldest(&self) -> SecretKey {
        self.all().pop().expect("there is a secret key")
    }

    /// The key with an id.
    #[must_use]
    pub fn find(&self, id: [u8; 4]) -> Option<SecretKey> {
        self.all().into_iter().find(|key| key.id() == id)
    }

    /// Replaces the keys of every handle, and returns whether they differ from the old ones.
    pub fn replace(&self, other: &Self) -> bool {
        let new = other.all();
        let old = self.all();
        let has_changed = !new.iter().map(SecretKey::id).eq(old.iter().map(SecretKey::id));
        *self.0.write() = new;
        has_changed
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey([secret])")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_purpose_has_a_different_key() {
        let key = SecretKey("k".repeat(40).into());
        assert_ne!(key.derive("a"), key.derive("b"));
        assert_eq!(format!("{key:?}"), "SecretKey([secret])");
    }
}
