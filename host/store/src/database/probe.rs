//! The question whether the database can serve: it reads and writes a row, on connections that the
//! pool does not have.

use diesel::{connection::SimpleConnection, prelude::*, sql_query, sql_types::Text};
use parking_lot::Mutex;

use crate::{
    database::{
        connection::{AnyConnection, Connector},
        migrations, transaction,
    },
    error::{StoreError, StoreResult},
};

/// Writes the row that is there for this. What cannot be written to says so: a full disk, a
/// standby.
pub(crate) const WRITE: &str = "UPDATE readiness SET probes = probes + 1 WHERE id = 1";

/// Asks one database.
pub(crate) struct Probe {
    connector: Connector,
    /// Of PostgreSQL, where connecting costs. It is nobody else's.
    kept: Mutex<Option<AnyConnection>>,
}

#[derive(QueryableByName)]
struct Table {
    #[diesel(sql_type = Text)]
    name: String,
}

impl Probe {
    pub(crate) fn new(connector: Connector) -> Self {
        Self { connector, kept: Mutex::default() }
    }

    /// Asks, and writes if it is to. It blocks. On SQLite it only reads: what is written goes through the one writer.
    ///
    /// # Errors
    /// Why the database cannot serve.
    pub(crate) fn ask(&self, writes: bool) -> StoreResult<()> {
        let kept = self.kept.lock().take();
        if let Some(mut kept) = kept
            && let Some(answer) = unless_lost(ask_on(&mut kept, writes))
        {
            self.keep(kept);
            return answer;
        }
        let mut new = self.connector.reader()?;
        let answer = ask_on(&mut new, writes);
        self.keep(new);
        answer
    }

    /// SQLite is opened anew each time: its connections remember what they have read.
    fn keep(&self, mut connection: AnyConnection) {
        let is_postgres = matches!(connection, AnyConnection::Postgres(_));
        if is_postgres && !transaction::is_broken(&mut connection) {
            *self.kept.lock() = Some(connection);
        }
    }
}

/// `None` if the connection was cut, which it may have been hours ago.
fn unless_lost(answer: StoreResult<()>) -> Option<StoreResult<()>> {
    match answer {
        Err(StoreError::Unavailable(error)) if error.reason.is_of_connection() => None,
        answer => Some(answer),
    }
}

fn ask_on(connection: &mut AnyConnection, writes: bool) -> StoreResult<()> {
    migrations::refuse_pending(connection)?;
    match connection {
        AnyConnection::Postgres(postgres) if writes => Ok(postgres.batch_execute(WRITE)?),
        AnyConnection::Postgres(_) => Ok(()),
        AnyConnection::Sqlite(sqlite) => read_each_table(sqlite),
    }
}

/// Reads a row of each table, which notices a damaged file that nobody has read from lately.
fn read_each_table(sqlite: &mut SqliteConnection) -> StoreResult<()> {
    let tables = sql_query("SELECT name FROM sqlite_schema WHERE type = 'table'").load::<Table>(sqlite)?;
    for Table { name } in tables {
        sqlite.batch_execute(&format!("SELECT 1 FROM \"{}\" LIMIT 1", name.replace('"', "\"\"")))?;
    }
    Ok(())
}
