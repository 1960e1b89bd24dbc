//! Why a connect session is not made.

use thiserror::Error;

use jackfield_store::StoreError;

/// Most sessions of an organization that are open at a time.
pub(super) const MOST_OPEN: i64 = 10_000;

/// Why a connect session is not made.
#[derive(Debug, Error)]
pub enum ConnectError {
    /// Something that was asked for is not valid. The text says what, and what is.
    #[error("{0}")]
    Invalid(String),
    /// The idempotency key was used for something else.
    #[error("this Idempotency-Key was used with another body; use a new key for a new request")]
    KeyReused,
    /// Too many are open.
    #[error("the organization has {MOST_OPEN} open connect sessions; end some, or wait until some expire")]
    TooMany,
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl ConnectError {
    /// Something is not valid.
    pub(super) fn invalid(words: impl Into<String>) -> Self {
        Self::Invalid(words.into())
    }
}
