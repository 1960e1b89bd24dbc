//! What SQLite is told for the whole process, and of each connection that it opens. Diesel hands
//! out no handle of a connection; SQLite itself calls a function for each.
#![expect(unsafe_code, reason = "SQLite is a library in C")]

use std::{
    ffi::{c_char, c_int},
    ptr::null_mut,
    sync::Once,
};

use libsqlite3_sys as ffi;

/// Configures SQLite, once, before it opens anything.
pub(super) fn configure() {
    static ONCE: Once = Once::new();
    // SAFETY: SQLite is not in use yet, else it refuses and nothing changes. The function lives as
    // long as the process.
    ONCE.call_once(|| unsafe {
        // No lock for all threads at each allocation, only to count bytes that nobody reads.
        ffi::sqlite3_config(ffi::SQLITE_CONFIG_MEMSTATUS, 0);
        // No lock around each call: no two threads use a connection at once, diesel sees to it.
        ffi::sqlite3_config(ffi::SQLITE_CONFIG_MULTITHREAD);
        ffi::sqlite3_auto_extension(Some(set_up));
    });
}

/// Has a connection keep the plan of a statement whatever its parameters are. Otherwise SQLite
/// compiles it anew for each value where a partial index or statistics could matter.
///
/// # Safety
/// SQLite calls it with a connection that it has just opened.
unsafe extern "C" fn set_up(
    connection: *mut ffi::sqlite3,
    _error: *mut *mut c_char,
    _api: *const ffi::sqlite3_api_routines,
) -> c_int {
    #[cfg(test)]
    tests::OPENED.set(connection);
    let on: c_int = 1;
    // SAFETY: the connection is open, and this option takes a number and a pointer.
    unsafe { ffi::sqlite3_db_config(connection, ffi::SQLITE_DBCONFIG_ENABLE_QPSG, on, null_mut::<c_int>()) }
}

#[cfg(test)]
pub(super) mod tests {
    use std::{cell::Cell, ptr::null_mut};

    use diesel::{connection::SimpleConnection, prelude::*};

    use super::*;
    use crate::database::{schema::seal_keys, sqlite};

    thread_local! {
        /// The connection that this thread has opened last.
        pub(super) static OPENED: Cell<*mut ffi::sqlite3> = const { Cell::new(null_mut()) };
    }

    /// How many statements the connection that this thread has opened last holds, and how often
    /// they were compiled again.
    pub(in crate::database) fn compiled() -> (usize, i32) {
        let (mut statement, mut count, mut again) = (null_mut(), 0, 0);
        loop {
            // SAFETY: the test still has the connection open, on this thread.
            statement = unsafe { ffi::sqlite3_next_stmt(OPENED.get(), statement) };
            if statement.is_null() {
                return (count, again);
            }
            // SAFETY: as above, and the statement is one of its own.
            again += unsafe { ffi::sqlite3_stmt_status(statement, ffi::SQLITE_STMTSTATUS_REPREPARE, 0) };
            count += 1;
        }
    }

    #[test]
    fn a_statement_is_compiled_once_whatever_its_parameters_are() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("jackfield.db");
        let mut sqlite = sqlite::open(path.to_str().expect("UTF-8")).expect("a database");
        let table = "CREATE TABLE seal_keys (id BLOB PRIMARY KEY, state TEXT NOT NULL); \
                     CREATE UNIQUE INDEX one_current ON seal_keys (state) WHERE state = 'current';";
        sqlite.batch_execute(table).expect("a table");
        for state in ["current", "old", "current", "old"] {
            let query = seal_keys::table.filter(seal_keys::state.eq(state)).select(seal_keys::id);
            query.load::<Vec<u8>>(&mut sqlite).expect("it runs");
        }
        assert_eq!(compiled(), (1, 0));
    }
}
