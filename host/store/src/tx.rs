//! The handle on one transaction: all that reading and writing rows takes.

use diesel::{
    QueryResult, RunQueryDsl, SqliteConnection,
    connection::Connection as _,
    query_dsl::{LoadQuery, methods::ExecuteDsl},
};
use time::OffsetDateTime;

use crate::{
    chain::appended::Appended,
    database::{
        connection::AnyConnection, pipelined::PipelinedConnection, progress::Progress, sqlite_transactions, transaction,
    },
    error::{StoreError, StoreResult},
    recorded::Recorded,
    sealing::sealer::Sealer,
    unavailable::{Reason, Unavailable},
};

/// A transaction. [`Store::read`](crate::Store::read) and [`Store::write`](crate::Store::write)
/// pass it to the function that they run.
pub struct Tx<'a> {
    pub(crate) connection: &'a mut AnyConnection,
    pub(crate) sealer: &'a Sealer,
    pub(crate) now: OffsetDateTime,
    /// What it has appended to the audit log.
    pub(crate) log: &'a Appended,
    /// Whether it has recorded events for programs.
    pub(crate) recorded: &'a Recorded,
    /// How far it has come, where its caller may stop waiting for it.
    pub(crate) progress: Option<&'a Progress>,
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
        let before = self.log.before();
        let result = self.in_savepoint(run);
        if result.is_err() {
            self.log.undo(before);
        }
        result
    }

    fn in_savepoint<T>(&mut self, run: impl FnOnce(&mut Tx<'_>) -> StoreResult<T>) -> StoreResult<T> {
        if let AnyConnection::Sqlite(sqlite) = &mut *self.connection {
            sqlite_transactions::begin_part(sqlite)?;
            let result = run(self);
            return self.end_part(result);
        }
        let Self { connection, sealer, now, log, recorded, progress } = self;
        connection.transaction(|connection| {
            run(&mut Tx { connection, sealer, now: *now, log, recorded, progress: *progress })
        })
    }

    fn end_part<T>(&mut self, result: StoreResult<T>) -> StoreResult<T> {
        let AnyConnection::Sqlite(sqlite) = &mut *self.connection else { return result };
        let ended = match &result {
            Ok(_) => sqlite_transactions::keep_part(sqlite),
            Err(_) => sqlite_transactions::undo_part(sqlite),
        };
        // What has failed first says more: a full disk ends all savepoints.
        result.and_then(|value| ended.map(|()| value).map_err(StoreError::from))
    }

    /// Runs a statement. Returns how many rows it has changed.
    ///
    /// [`Tx::run`] and [`Tx::one`] build a statement for the database that is there. diesel's own
    /// methods on a connection to either of two build it twice, so this is for what runs often.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) fn run<Q>(&mut self, query: Q) -> QueryResult<usize>
    where
        Q: ExecuteDsl<PipelinedConnection> + ExecuteDsl<SqliteConnection>,
    {
        match &mut *self.connection {
            AnyConnection::Postgres(postgres) => ExecuteDsl::execute(query, postgres),
            AnyConnection::Sqlite(sqlite) => ExecuteDsl::execute(query, sqlite),
        }
    }

    /// Runs a statement. Returns its one row.
    ///
    /// # Errors
    /// When there is none, or the database fails.
    pub(crate) fn one<'query, U, Q>(&mut self, query: Q) -> QueryResult<U>
    where
        Q: LoadQuery<'query, PipelinedConnection, U>
            + LoadQuery<'query, SqliteConnection, U>
            + RunQueryDsl<PipelinedConnection>
            + RunQueryDsl<SqliteConnection>,
    {
        match &mut *self.connection {
            AnyConnection::Postgres(postgres) => query.get_result(postgres),
            AnyConnection::Sqlite(sqlite) => query.get_result(sqlite),
        }
    }

    /// Has a statement run whose result nobody needs, not even how many rows it changes: an insert
    /// without `returning`, an update of what is known to be there, a delete.
    ///
    /// On PostgreSQL it is sent together with the next statement whose result somebody reads, or
    /// with the commit, and so costs no round trip. On SQLite it runs at once. All that is read
    /// afterwards sees it, and if it fails, nothing of the transaction is stored.
    ///
    /// ```text
    /// let found: Integration = t::table.find(id).first(tx.connection)?;                      // 1
    /// tx.execute_later(diesel::delete(setups::table.find(setup)))?;                          // 0
    /// tx.execute_later(diesel::insert_into(events::table).values(e::name.eq(&found.name)))?; // 0
    /// // BEGIN is sent with the first statement, COMMIT with the two above: two round trips.
    /// ```
    ///
    /// # Errors
    /// Its own on SQLite. On PostgreSQL the next statement, the end of the savepoint or the commit
    /// returns its error, so it is not for a statement whose failure the caller handles, such as an
    /// insert that may meet [`StoreError::AlreadyExists`].
    pub(crate) fn execute_later<Q>(&mut self, query: Q) -> StoreResult<()>
    where
        Q: ExecuteDsl<PipelinedConnection> + ExecuteDsl<SqliteConnection>,
    {
        if let AnyConnection::Postgres(postgres) = &mut *self.connection {
            postgres.execute_later();
        }
        self.run(query)?;
        Ok(())
    }

    /// Has the next statement whose result is read be the last one. On PostgreSQL the commit is
    /// sent with it, which saves a round trip: a transaction of one statement costs one.
    ///
    /// It is stored then, whatever the function returns. Only what reads may follow: it sees what
    /// others have committed since.
    ///
    /// ```text
    /// tx.commit_with_next()?;
    /// let claimed = diesel::update(unclaimed).set(t::state.eq("claimed")).returning(t::data);
    /// claimed.get_result(tx.connection).optional() // 1
    /// ```
    ///
    /// # Errors
    /// When nobody waits for the transaction any more: nothing of it is stored.
    pub(crate) fn commit_with_next(&mut self) -> StoreResult<()> {
        let (AnyConnection::Postgres(postgres), Some(progress)) = (&mut *self.connection, self.progress) else {
            return Ok(());
        };
        if !progress.commit() {
            return Err(Unavailable::new(Reason::Silent, "nobody waits for it any more").into());
        }
        if !self.log.has_end() {
            postgres.commit_with_next();
        }
        Ok(())
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
        let Self { connection, sealer, now, log, recorded, progress } = self;
        connection.transaction(|connection| {
            see_one_state(connection)?;
            run(&mut Tx { connection, sealer, now: *now, log, recorded, progress: *progress })
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
        postgres.begin_with("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")?;
    }
    Ok(())
}
