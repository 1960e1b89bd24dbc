//! The file of a SQLite database: how it is made, and how it is left at the end of a process.
//!
//! Nothing here opens a file that a connection of this process can have open: closing it would
//! drop the locks that SQLite holds on it (POSIX locks belong to the process).

use std::{
    collections::BTreeSet,
    fs::{self, OpenOptions},
    io,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    thread::sleep,
    time::{Duration, Instant},
};

use diesel::{
    SqliteConnection,
    connection::{Connection as _, SimpleConnection},
};
use parking_lot::Mutex;

use super::sqlite_failure as failure;
use crate::error::StoreResult;

/// What this process has opened, by absolute path.
static OPENED: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

/// Longest wait for connections of this process at its end.
const PATIENCE: Duration = Duration::from_secs(1);
const PAUSE: Duration = Duration::from_millis(5);

/// At the end nobody waits long for another process, which then does the same at its own end.
const AT_THE_END: &str = "PRAGMA busy_timeout = 1000; PRAGMA synchronous = FULL; PRAGMA wal_checkpoint(TRUNCATE);";

/// Creates the file, and its folder, for the host's user only: it holds sealed secrets and
/// password hashes. A file that is there stays as it is.
///
/// # Errors
/// When the folder or the file cannot be made.
pub(super) fn create(path: &Path) -> StoreResult<()> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        fs::create_dir_all(folder).map_err(|error| failure::no_folder(folder, &error))?;
    }
    let mut new = OpenOptions::new();
    let made = match new.write(true).create_new(true).mode(0o600).open(path) {
        // A symbolic link to a file that is not there yet.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && !path.exists() => {
            OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path).map(drop)
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        made => made.map(drop),
    };
    made.map_err(|error| failure::no_file(path, &error))
}

/// Remembers a file for [`leave_whole`].
pub(super) fn note_opened(path: &Path) {
    // Absolute: the process can change its folder.
    if let Ok(path) = path.canonicalize() {
        OPENED.lock().insert(path);
    }
}

/// Has SQLite write all that it has into the files that this process has opened, so that a copy
/// of a file is whole. Call it at the end of a process, when nothing is written any more.
///
/// If another process uses a file, it is left to that one.
pub fn leave_whole() {
    let files = std::mem::take(&mut *OPENED.lock());
    for file in files.iter().filter(|file| file.exists()) {
        wait_until_closed(file);
        if ["-wal", "-shm"].iter().any(|suffix| beside(file, suffix).exists()) {
            checkpoint(file);
        }
    }
}

/// A thread can still be closing a connection, or opening one that nobody needs any more.
fn wait_until_closed(file: &Path) {
    let begun = Instant::now();
    while is_open(file) && begun.elapsed() < PATIENCE {
        sleep(PAUSE);
    }
}

/// Whether this process has the file open.
fn is_open(file: &Path) -> bool {
    let open = fs::read_dir("/proc/self/fd").into_iter().flatten().flatten();
    open.filter_map(|entry| fs::read_link(entry.path()).ok()).any(|path| path == file)
}

/// The last connection that closes also removes what is beside the file.
fn checkpoint(file: &Path) {
    let Some(path) = file.to_str() else { return };
    let connection = SqliteConnection::establish(path).map_err(|error| error.to_string());
    let done = connection.and_then(|mut c| c.batch_execute(AT_THE_END).map_err(|error| error.to_string()));
    if let Err(error) = done {
        tracing::debug!(error, path, "what is in the log of the database is not in its file yet");
    }
}

/// The file beside the database whose name ends in a suffix.
pub(super) fn beside(file: &Path, suffix: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}
