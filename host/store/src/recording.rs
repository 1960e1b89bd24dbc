//! Writes down which statements this process runs, and asks the database how it runs one: a test
//! looks for those that read a whole table. Not for hosts.

use std::{
    collections::HashSet,
    fs::{File, OpenOptions},
    io::{self, Write as _},
    path::Path,
    sync::OnceLock,
};

use diesel::{
    QueryableByName, RunQueryDsl,
    connection::{Instrumentation, InstrumentationEvent, set_default_instrumentation},
    sql_query,
    sql_types::{Integer, Text},
};
use parking_lot::Mutex;

use crate::{
    database::connection::AnyConnection,
    error::{StoreError, StoreResult},
    tx::Tx,
};

/// What was written down already, and where.
static RECORD: OnceLock<Mutex<(HashSet<String>, File)>> = OnceLock::new();

/// What diesel's description of a statement has after its text.
const BINDS: &str = " -- binds: ";

/// Appends each statement that this process runs from now on to a file, one a line and each once:
/// its text, and no value that is bound to it. For all connections that are opened afterwards.
///
/// # Errors
/// When the file cannot be opened.
pub fn record_statements(file: &Path) -> io::Result<()> {
    let file = OpenOptions::new().create(true).append(true).open(file)?;
    let _ = RECORD.set(Mutex::new((HashSet::new(), file)));
    set_default_instrumentation(|| Some(Box::new(Recorder))).map_err(|error| io::Error::other(error.to_string()))
}

struct Recorder;

impl Instrumentation for Recorder {
    fn on_connection_event(&mut self, event: InstrumentationEvent<'_>) {
        let (InstrumentationEvent::StartQuery { query, .. }, Some(record)) = (event, RECORD.get()) else { return };
        let described = query.to_string();
        let text = described.split(BINDS).next().unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ");
        let (seen, file) = &mut *record.lock();
        if seen.insert(text.clone()) {
            let _ = writeln!(file, "{text}");
        }
    }
}

#[derive(QueryableByName)]
struct PlanRow {
    #[diesel(sql_type = Integer, column_name = "id")]
    _id: i32,
    #[diesel(sql_type = Text)]
    detail: String,
}

impl Tx<'_> {
    /// How SQLite would run a statement, in its words.
    ///
    /// # Errors
    /// When the statement cannot be prepared, or the database is another.
    pub fn query_plan(&mut self, sql: &str) -> StoreResult<Vec<String>> {
        let AnyConnection::Sqlite(sqlite) = &mut *self.connection else {
            return Err(StoreError::Lost("only SQLite is asked for its plans".to_owned()));
        };
        let plan: Vec<PlanRow> = sql_query(format!("EXPLAIN QUERY PLAN {sql}")).load(sqlite)?;
        Ok(plan.into_iter().map(|row| row.detail).collect())
    }
}
