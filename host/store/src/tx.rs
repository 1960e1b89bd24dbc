//! The handle on one transaction: all that reading and writing rows takes.

use diesel::connection::{Connection as _, SimpleConnection as _};
use time::OffsetDateTime;

use crate::{
    database::{connection::AnyConnection, transaction},
    error::{StoreError, StoreResult},
    sealing::sealer::Sealer,
};

/// A transaction. [`Store::read`](crate::Store::read) and [`Store::write`](crate::Store::write)
/// pass it to the function that they run.
pub struct Tx<'a> {
    pub(crate) connection: &'a mut AnyConnection,
    pub(crate) sealer: &'a Sealer,
    pub(crate) now: OffsetDateTime,
}

impl<'a> Tx<'a> {
    /// The time at which it began.
    #[must_use]
    pub const fn now(&self) -> OffsetDateTime {
        self.now
    }

    /// Seals and opens the secrets of its rows.
    #[must_use]
    pub const fn sealer(&self) -> &'a Sealer {
        self.sealer
    }

    /// Loads the data keys, as they are in this transaction, into the sealer.
    ///
    /// # Errors
    /// When the database fails, or the current key cannot be unwrapped.
    pub fn load_keys(&mut self) -> StoreResult<()> {
        self.sealer.load(self.connection)
    }

    /// Runs a function in a savepoint: if it fails, its changes are undone and the transaction
    /// goes on.
    ///
    /// # Errors
    /// The error of the function, or that the database fails.
    pub fn savepoint<T>(&mut self, run: impl FnOnce(&mut Tx<'_>) -> StoreResult<T>) -> StoreResult<T> {
        let Self { connection, sealer, now } = self;
        connection.transaction(|connection| run(&mut Tx { connection, sealer, now: *now }))
    }

    /// Runs a function that only reads, in a transaction that sees the database as it is now,
    /// whatever others write meanwhile. For a [`Store::read`](crate::Store::read).
    ///
    /// # Errors
    /// The error of the function, or that the database fails.
    pub fn snapshot<T>(&mut self, run: impl FnOnce(&mut Tx<'_>) -> StoreResult<T>) -> StoreResult<T> {
        // Behind a pooler a read can be a transaction already. PostgreSQL sets no level in a
        // savepoint.
        if transaction::is_open(self.connection) {
            see_one_state(self.connection)?;
            return run(self);
        }
        let Self { connection, sealer, now } = self;
        connection.transaction(|connection| {
            see_one_state(connection)?;
            run(&mut Tx { connection, sealer, now: *now })
        })
    }

    /// Finds a row or inserts it. The insert runs in a savepoint, and if another transaction was
    /// faster, its row is found. Returns the row, and whether it is new.
    pub(crate) fn find_or_insert<T>(
        &mut self,
        find: impl Fn(&mut Tx<'_>) -> StoreResult<Option<T>>,
        insert: impl FnOnce(&mut Tx<'_>) -> StoreResult<T>,
    ) -> StoreResult<(T, bool)> {
        if let Some(found) = find(self)? {
            return Ok((found, false));
        }
        match self.savepoint(insert) {
            Err(StoreError::AlreadyExists) => Ok((find(self)?.ok_or(StoreError::AlreadyExists)?, false)),
            inserted => Ok((inserted?, true)),
        }
    }
}

/// Has the transaction, which has read nothing yet, see one state. On SQLite each does.
fn see_one_state(connection: &mut AnyConnection) -> StoreResult<()> {
    if let AnyConnection::Postgres(postgres) = connection {
        postgres.batch_execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")?;
    }
    Ok(())
}
