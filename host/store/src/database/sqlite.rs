//! Opens a SQLite file.

use std::{fs::OpenOptions, os::unix::fs::OpenOptionsExt, path::Path};

use diesel::{
    SqliteConnection,
    connection::{Connection as _, SimpleConnection},
};

use crate::error::{StoreError, StoreResult};

/// Readers beside one writer, every commit on disk before it is answered, patience with another
/// process (the command line), and nothing left in the file of what was removed.
const SQLITE_PRAGMAS: &str = "PRAGMA busy_timeout = 10000; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; \
     PRAGMA foreign_keys = ON; PRAGMA secure_delete = ON;";

/// Opens the file, which is created where there is none.
///
/// # Errors
/// When it cannot be created or opened.
pub(crate) fn open(path: &str) -> StoreResult<SqliteConnection> {
    let failed = |error: &dyn std::fmt::Display| StoreError::Connect(format!("{path}: {error}"));
    create_private(Path::new(path)).map_err(|error| failed(&error))?;
    let mut connection = SqliteConnection::establish(path).map_err(|error| failed(&error))?;
    connection.batch_execute(SQLITE_PRAGMAS).map_err(|error| failed(&error))?;
    Ok(connection)
}

/// Creates the file, and its folder, for the host's user only: it holds sealed secrets and
/// password hashes.
fn create_private(path: &Path) -> std::io::Result<()> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder)?;
    }
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}
