//! Why something is given up, and how far its revocation is: as types, and as words in the database.

use crate::{StoreError, StoreResult};

/// Why something is given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Somebody has removed the integration, or unlinked the identity.
    Removed,
    /// A later set-up has brought other tokens.
    Replaced,
    /// Nothing came of the set-up that has brought them.
    Orphaned,
    /// The operator has had them revoked.
    Operator,
}

/// How far a revocation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It is to be done, or tried again.
    Pending,
    /// There is nothing left to do.
    Done,
    /// It is not tried any more: only the operator can have it tried again.
    Failed,
    /// The provider has no way to revoke it, or not all of it: what was given up may work on until it expires.
    Impossible,
}

macro_rules! words {
    ($type:ident, $what:literal, $($variant:ident = $word:literal),+) => {
        impl $type {
            /// As it stands in the database and in answers.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }

            pub(super) fn of(word: &str) -> StoreResult<Self> {
                match word { $($word => Ok(Self::$variant),)+ _ => Err(StoreError::Corrupt($what)) }
            }
        }
    };
}

words!(
    Reason,
    "the reason of a revocation",
    Removed = "removed",
    Replaced = "replaced",
    Orphaned = "orphaned",
    Operator = "operator"
);
words!(
    Status,
    "the status of a revocation",
    Pending = "pending",
    Done = "done",
    Failed = "failed",
    Impossible = "impossible"
);
