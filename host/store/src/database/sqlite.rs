//! Opens a SQLite file.

use std::{
    path::Path,
    thread::sleep,
    time::{Duration, Instant},
};

use diesel::{
    QueryResult, SqliteConnection,
    connection::{Connection as _, SimpleConnection},
};

use super::{sqlite_failure as failure, sqlite_file, sqlite_library};
use crate::error::StoreResult;

/// Patience with another process (the command line), and no file in a folder for temporary files,
/// which the host may not be allowed to write: what SQLite puts aside stays in memory.
const FIRST: &str = "PRAGMA busy_timeout = 10000; PRAGMA temp_store = MEMORY;";

/// Readers beside one writer, every commit on disk before it is answered, and nothing left in the
/// file of what was removed.
const SQLITE_PRAGMAS: &str =
    "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA secure_delete = ON;";

/// Longest time that another process is waited for which opens or closes the file. SQLite itself
/// does not wait there in every case.
const PATIENCE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(20);

/// Opens the file, which is created where there is none.
///
/// # Errors
/// When it cannot be created or opened, or is not a database.
pub(crate) fn open(path: &str) -> StoreResult<SqliteConnection> {
    sqlite_library::configure();
    sqlite_file::create(Path::new(path))?;
    let mut connection =
        SqliteConnection::establish(path).map_err(|error| failure::explained(path, &error.to_string()))?;
    let set = connection.batch_execute(FIRST).and_then(|()| patiently(|| connection.batch_execute(SQLITE_PRAGMAS)));
    set.map_err(|error| failure::explained(path, &error.to_string()))?;
    sqlite_file::note_opened(Path::new(path));
    Ok(connection)
}

/// Runs something until nobody else has the file locked, for a time.
fn patiently(mut run: impl FnMut() -> QueryResult<()>) -> QueryResult<()> {
    let begun = Instant::now();
    loop {
        match run() {
            Err(error) if failure::is_locked(&error.to_string()) && begun.elapsed() < PATIENCE => sleep(PAUSE),
            done => return done,
        }
    }
}
