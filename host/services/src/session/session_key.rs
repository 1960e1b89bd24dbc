//! How a session is known in the database.

use sha2::{Digest, Sha256};
use tower_sessions::session::Id;

/// SHA-256 of a session's id. The id itself is stored nowhere.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SessionKey([u8; 32]);

impl SessionKey {
    pub(super) fn of(id: Id) -> Self {
        Self(Sha256::digest(id.0.to_be_bytes()).into())
    }

    /// A key for tests.
    #[cfg(test)]
    pub(crate) const fn fixed(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// A key that was read from the database.
    #[must_use]
    pub fn stored(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().map(Self).ok()
    }

    /// The bytes of the key.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}
