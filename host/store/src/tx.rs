//! The handle on one transaction: all that reading and writing rows takes.

use diesel::connection::Connection as _;
use time::OffsetDateTime;

use crate::{AnyConnection, Sealer, StoreResult};

/// A transaction, or a moment of reading. [`Store`](crate::Store) lends one to the function that it
/// runs.
pub struct Tx<'a> {
    pub(crate) connection: &'a mut AnyConnection,
    pub(crate) sealer: &'a Sealer,
    pub(crate) now: OffsetDateTime,
}

impl Tx<'_> {
    /// The time at which it began.
    #[must_use]
    pub const fn now(&self) -> OffsetDateTime {
        self.now
    }

    /// What seals and opens the secrets in its rows.
    #[must_use]
    pub const fn sealer(&self) -> &Sealer {
        self.sealer
    }

    /// Takes over the data keys as they are in this transaction.
    ///
    /// # Errors
    /// When the database fails, or the current key cannot be unwrapped.
    pub fn load_keys(&mut self) -> StoreResult<()> {
        self.sealer.load(self.connection)
    }

    /// Runs a function in a savepoint: where it fails, what it has changed is undone, and the
    /// transaction goes on.
    ///
    /// # Errors
    /// What the function answers, or that the database fails.
    pub fn savepoint<T>(&mut self, run: impl FnOnce(&mut Tx<'_>) -> StoreResult<T>) -> StoreResult<T> {
        let Self { connection, sealer, now } = self;
        connection.transaction(|connection| run(&mut Tx { connection, sealer, now: *now }))
    }

    /// Inserts in a savepoint, and finds the other's row where another was faster: for rows that
    /// are found or made. Answers the row, and whether it is new.
    pub(crate) fn find_or_make<T>(
        &mut self,
        find: impl Fn(&mut Tx<'_>) -> StoreResult<Option<T>>,
        make: impl FnOnce(&mut Tx<'_>) -> StoreResult<T>,
    ) -> StoreResult<(T, bool)> {
        if let Some(found) = find(self)? {
            return Ok((found, false));
        }
        match self.savepoint(make) {
            Err(crate::StoreError::Taken) => Ok((find(self)?.ok_or(crate::StoreError::Taken)?, false)),
            made => Ok((made?, true)),
        }
    }
}
