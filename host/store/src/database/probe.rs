//! The question whether the database can serve: it reads and writes a row, on connections that the
//! pool does not have.

use std::sync::atomic::{AtomicBool, Ordering};

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
    /// It has answered the question under way, and only has to store something.
    has_answered: AtomicBool,
}

#[derive(QueryableByName)]
struct Table {
    #[diesel(sql_type = Text)]
    name: String,
}

impl Probe {
    pub(crate) fn new(connector: Connector) -> Self {
        Self { connector, kept: Mutex::default(), has_answered: AtomicBool::default() }
    }

    /// Asks, and writes if it is to. It blocks. On SQLite it only reads: the one writer writes.
    ///
    /// # Errors
    /// Why the database cannot serve.
    pub(crate) fn ask(&self, writes: bool) -> StoreResult<()> {
        self.has_answered.store(false, Ordering::SeqCst);
        let kept = self.kept.lock().take();
        if let Some(mut kept) = kept
            && let Some(answer) = unless_lost(self.ask_on(&mut kept, writes))
        {
            self.keep(kept);
            return answer;
        }
        let mut new = self.connector.reader()?;
        let answer = self.ask_on(&mut new, writes);
        self.keep(new);
        answer
    }

    /// Whether it has answered the question under way.
    pub(crate) fn has_answered(&self) -> bool {
        self.has_answered.load(Ordering::SeqCst)
    }

    fn ask_on(&self, connection: &mut AnyConnection, writes: bool) -> StoreResult<()> {
        migrations::refuse_pending(connection)?;
        self.has_answered.store(true, Ordering::SeqCst);
        match connection {
            AnyConnection::Postgres(postgres) if writes => Ok(postgres.batch_execute(WRITE)?),
            AnyConnection::Postgres(_) => Ok(()),
            AnyConnection::Sqlite(sqlite) => read_each_table(sqlite),
        }
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

/// Reads a row of each table, which notices a damaged file that nobody has read from lately.
fn read_each_table(sqlite: &mut SqliteConnection) -> StoreResult<()> {
    let tables = sql_query("SELECT name FROM sqlite_schema WHERE type = 'table'").load::<Table>(sqlite)?;
    for Table { name } in tables {
        sqlite.batch_execute(&format!("SELECT 1 FROM \"{}\" LIMIT 1", name.replace('"', "\"\"")))?;
    }
    Ok(())
}
