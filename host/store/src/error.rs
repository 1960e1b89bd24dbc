//! Why the database did not do what it was asked, and why a sealed value cannot be opened.

use std::{error::Error, fmt};

use diesel::result::{DatabaseErrorKind, Error as DieselError};
use thiserror::Error;

use crate::{
    failure_reason,
    hex::hex,
    key_id::{KeyId, SecretKeyId},
    unavailable::{Reason, Unavailable},
};

/// Why the database did not do what it was asked. Holds no values of rows.
#[derive(Clone, Debug, Error)]
pub enum StoreError {
    /// The database cannot be opened.
    #[error("{0}")]
    Connect(String),
    /// The schema cannot be brought up to date.
    #[error("the database cannot be migrated: {0}")]
    Migrate(String),
    /// The database is not one that this host may use: what is wrong with it, and what the
    /// operator can do.
    #[error("{message}\n  help: {help}")]
    Refused {
        /// In a lower-case phrase.
        message: String,
        /// The same.
        help: String,
    },
    /// A value that must be unique exists already.
    #[error("there is one already")]
    AlreadyExists,
    /// The transaction has sealed under a key that is not current any more.
    #[error("another data key is current by now")]
    KeyChanged,
    /// A text holds a NUL, which PostgreSQL does not store.
    #[error("a text holds a NUL, which the database does not store")]
    Nul,
    /// The database cannot be used at present.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
    /// A query failed.
    #[error("the database failed: {0}")]
    Query(String),
    /// A sealed value cannot be opened.
    #[error(transparent)]
    Seal(SealError),
    /// A value in the database is not one that this host writes.
    #[error("{0} in the database cannot be read")]
    Corrupt(&'static str),
    /// The work ended without a result.
    #[error("the work ended without an answer: {0}")]
    Lost(String),
}

/// The result of a function over rows.
pub type StoreResult<T> = Result<T, StoreError>;

/// Why a sealed value cannot be opened.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum SealError {
    /// It is shorter than any sealed value.
    #[error("a sealed value is truncated")]
    Truncated,
    /// This host does not know its version.
    #[error("a sealed value is of the unknown version {0}")]
    Version(u8),
    /// The keyring does not have its key.
    #[error("a value was sealed under another secret key: key id {}, this host has {}", hex(.found), hex(.ours))]
    Key {
        /// The key id of the value.
        found: KeyId,
        /// What this host seals under.
        ours: KeyId,
    },
    /// The keyring does not have its key, and the database could not be asked for it. Nothing is
    /// known of the value yet.
    #[error("the data key {} is not known here, and the database could not be asked for it", hex(.0))]
    NotAsked(KeyId),
    /// Its data key exists, but is wrapped under a secret key that this host does not have.
    #[error(
        "the data key {} is wrapped under another secret key: key id {}, this host has {}\n  help: put the secret key back that this \
         database was made with, as a line of system.secret-key",
        hex(.key), hex(.secret_key), hex(.ours)
    )]
    Wrapped {
        /// The data key.
        key: KeyId,
        /// The secret key that it is wrapped under.
        secret_key: SecretKeyId,
        /// The newest secret key of this host.
        ours: SecretKeyId,
    },
    /// It was changed, or copied from another row, column or table.
    #[error("a sealed value was changed or moved (key id {})", hex(.0))]
    Changed(KeyId),
    /// What was sealed is of another type than was asked for.
    #[error("a sealed value has another shape than expected")]
    Shape,
}

/// What in a row is not a value that this host writes.
#[derive(Debug)]
pub(crate) struct Unreadable(pub(crate) &'static str);

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl Error for Unreadable {}

impl From<SealError> for StoreError {
    /// If the database could not be asked for a key, nothing is known to be wrong with the value.
    fn from(error: SealError) -> Self {
        match error {
            SealError::NotAsked(_) => Unavailable::new(Reason::Unreachable, error.to_string()).into(),
            error => Self::Seal(error),
        }
    }
}

impl From<DieselError> for StoreError {
    fn from(error: DieselError) -> Self {
        match error {
            DieselError::DatabaseError(DatabaseErrorKind::UniqueViolation, _) => Self::AlreadyExists,
            // SQLSTATE 22021, which diesel does not tell.
            DieselError::DatabaseError(_, info) if info.message().ends_with("\"UTF8\": 0x00") => Self::Nul,
            DieselError::DeserializationError(error) => {
                unreadable(&*error).map_or_else(|| Self::Query(error.to_string()), Self::Corrupt)
            }
            DieselError::DatabaseError(kind, info) => match failure_reason::reason(&kind, info.message()) {
                Some(reason) => Unavailable::new(reason, info.message()).into(),
                None => Self::Query(info.message().to_owned()),
            },
            DieselError::RollbackErrorOnCommit { commit_error, .. } => (*commit_error).into(),
            DieselError::BrokenTransactionManager => {
                Unavailable::new(Reason::ConnectionLost, "the transaction is broken").into()
            }
            other => Self::Query(other.to_string()),
        }
    }
}

impl StoreError {
    /// The same for a database that a host was using before: it is expected to come back.
    pub(crate) fn while_serving(self) -> Self {
        match self {
            Self::Connect(said) | Self::Refused { message: said, .. } => {
                Unavailable::new(failure_reason::of_connecting(&said), said).into()
            }
            other => other,
        }
    }

    /// Whether the log has one line of it already, and gets another when it is over.
    #[must_use]
    pub fn is_logged(&self) -> bool {
        self.unavailable().is_some_and(|why| why.reason.is_lasting())
    }

    /// What keeps the database from being used, if that is it.
    #[must_use]
    pub const fn unavailable(&self) -> Option<&Unavailable> {
        if let Self::Unavailable(why) = self { Some(why) } else { None }
    }
}

/// What one of our column types could not read. Diesel wraps its error with the name of the
/// column.
fn unreadable(error: &(dyn Error + 'static)) -> Option<&'static str> {
    match error.downcast_ref() {
        Some(Unreadable(what)) => Some(what),
        None => unreadable(error.source()?),
    }
}

/// What was opened, or why it cannot be, for a caller that can do without it.
///
/// # Errors
/// When the database could not be asked for the key: then nobody knows whether it can be opened.
pub fn if_it_opens<T>(opened: Result<T, SealError>) -> StoreResult<Result<T, SealError>> {
    match opened.map_err(StoreError::from) {
        Err(StoreError::Seal(error)) => Ok(Err(error)),
        opened => opened.map(Ok),
    }
}
