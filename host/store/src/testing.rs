//! What tests of other packages do with a database that no host does.

use diesel::{
    QueryableByName, RunQueryDsl, connection::SimpleConnection as _, prelude::*, sql_query, sql_types::BigInt,
};
use jackfield_config::clock::Clock;
use time::OffsetDateTime;

use crate::{
    database::{
        connection::AnyConnection,
        event_schema::webhooks,
        probe::WRITE,
        schema::{seal_keys, setups},
    },
    error::StoreResult,
    store::Store,
    tx::Tx,
};

impl Store {
    /// Changes the database behind everybody's back.
    ///
    /// # Errors
    /// When the SQL does not run.
    pub async fn tamper(&self, sql: impl Into<String>) -> StoreResult<()> {
        let sql = sql.into();
        self.write(move |tx| tx.tamper(&sql)).await
    }

    /// The same database at another time.
    #[must_use]
    pub fn at(&self, now: OffsetDateTime) -> Self {
        self.clone().with_clock(Clock::fixed(now))
    }
}

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    count: i64,
}

impl Tx<'_> {
    /// Runs SQL of the test's own in this transaction.
    ///
    /// # Errors
    /// When it does not run.
    pub fn tamper(&mut self, sql: &str) -> StoreResult<()> {
        Ok(self.connection.batch_execute(sql)?)
    }

    /// Changes a row that nobody reads, and does not wait for that.
    ///
    /// # Errors
    /// As `Tx::execute_later`.
    pub fn probe_later(&mut self) -> StoreResult<()> {
        self.execute_later(sql_query(WRITE))
    }

    /// Does something that fails, and does not wait for that.
    ///
    /// # Errors
    /// As `Tx::execute_later`.
    pub fn fail_later(&mut self) -> StoreResult<()> {
        self.execute_later(sql_query("INSERT INTO readiness (id, probes) VALUES (1, 0)"))
    }

    /// Changes the row that nobody reads, as the last statement. Returns how many rows that were.
    ///
    /// # Errors
    /// As `Tx::commit_with_next`.
    pub fn probe_last(&mut self) -> StoreResult<usize> {
        self.commit_with_next()?;
        Ok(match &mut *self.connection {
            AnyConnection::Postgres(postgres) => sql_query(WRITE).execute(postgres)?,
            AnyConnection::Sqlite(sqlite) => sql_query(WRITE).execute(sqlite)?,
        })
    }

    /// How often the row that nobody reads was changed.
    ///
    /// # Errors
    /// When the database fails.
    pub fn probes(&mut self) -> StoreResult<i64> {
        const SQL: &str = "SELECT probes AS count FROM readiness";
        let found: Count = match &mut *self.connection {
            AnyConnection::Postgres(postgres) => sql_query(SQL).get_result(postgres)?,
            AnyConnection::Sqlite(sqlite) => sql_query(SQL).get_result(sqlite)?,
        };
        Ok(found.count)
    }

    /// The data keys as they stand in the table: each id with the wrapped key.
    ///
    /// # Errors
    /// When the database fails.
    pub fn wrapped_keys(&mut self) -> StoreResult<Vec<(Vec<u8>, Vec<u8>)>> {
        let rows: Vec<(Vec<u8>, Vec<u8>)> =
            seal_keys::table.select((seal_keys::id, seal_keys::sealed_key)).load(self.connection)?;
        Ok(rows.into_iter().filter(|(_, wrapped)| !wrapped.is_empty()).collect())
    }

    /// How many setups are under way.
    ///
    /// # Errors
    /// When the database fails.
    pub fn count_setups(&mut self) -> StoreResult<i64> {
        Ok(setups::table.count().get_result(self.connection)?)
    }

    /// How many keys of webhooks there are.
    ///
    /// # Errors
    /// When the database fails.
    pub fn count_webhooks(&mut self) -> StoreResult<i64> {
        Ok(webhooks::table.count().get_result(self.connection)?)
    }

    /// How many statements are prepared by name on this connection. On SQLite none is.
    ///
    /// # Errors
    /// When the database fails.
    pub fn prepared_statements(&mut self) -> StoreResult<i64> {
        const SQL: &str = "SELECT count(*) AS count FROM pg_prepared_statements";
        match &mut *self.connection {
            AnyConnection::Postgres(postgres) => Ok(sql_query(SQL).get_result::<Count>(postgres)?.count),
            AnyConnection::Sqlite(_) => Ok(0),
        }
    }

    /// How many transactions of this database wait for a lock. On SQLite none does.
    ///
    /// # Errors
    /// When the database fails.
    pub fn waiting_transactions(&mut self) -> StoreResult<i64> {
        const SQL: &str = "SELECT count(*) AS count FROM pg_locks WHERE NOT granted \
                           AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
        match &mut *self.connection {
            AnyConnection::Postgres(postgres) => Ok(sql_query(SQL).get_result::<Count>(postgres)?.count),
            AnyConnection::Sqlite(_) => Ok(0),
        }
    }
}
