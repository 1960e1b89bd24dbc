//! What a failure of either database means: the one table of their codes and words.
//!
//! Diesel keeps the SQLSTATE of PostgreSQL and the result code of SQLite to itself, but for a few
//! kinds. So the rest goes by the texts: SQLite has one for each code, and PostgreSQL's are those
//! of an English server, which a test holds. A text that the table does not know is a failed query.

use diesel::result::DatabaseErrorKind;

use crate::unavailable::Reason;

/// Parts of what SQLite says, each with its result code.
const SQLITE: &[(&str, Reason)] = &[
    // SQLITE_BUSY
    ("database is locked", Reason::Locked),
    // SQLITE_LOCKED
    ("database table is locked", Reason::Locked),
    ("database schema is locked", Reason::Locked),
    // SQLITE_PROTOCOL
    ("locking protocol", Reason::Locked),
    // SQLITE_FULL
    ("database or disk is full", Reason::Full),
    // SQLITE_READONLY
    ("attempt to write a readonly database", Reason::ReadOnly),
    // SQLITE_PERM
    ("access permission denied", Reason::ReadOnly),
    // SQLITE_IOERR
    ("disk I/O error", Reason::DiskFailed),
    // SQLITE_CANTOPEN
    ("unable to open database file", Reason::DiskFailed),
    // SQLITE_CORRUPT
    ("database disk image is malformed", Reason::Malformed),
    ("malformed database schema", Reason::Malformed),
    // SQLITE_NOTADB
    ("file is not a database", Reason::Malformed),
    ("it is not a SQLite database", Reason::Malformed),
    // SQLITE_INTERRUPT
    ("interrupted", Reason::StatementTimeout),
];

/// Parts of what PostgreSQL, libpq and PgBouncer say, each with its SQLSTATE.
const POSTGRES: &[(&str, Reason)] = &[
    // 53100, 58030: the system's words stand behind PostgreSQL's own.
    ("No space left on device", Reason::Full),
    ("Disk quota exceeded", Reason::Full),
    // 53200
    ("out of shared memory", Reason::Exhausted),
    ("out of memory", Reason::Exhausted),
    // 53300
    ("too many clients", Reason::Exhausted),
    ("too many connections", Reason::Exhausted),
    ("remaining connection slots", Reason::Exhausted),
    ("no more connections allowed", Reason::Exhausted),
    // 53000, 54000
    ("not accepting commands", Reason::ReadOnly),
    // 25006
    ("in a read-only transaction", Reason::ReadOnly),
    ("session is read-only", Reason::ReadOnly),
    ("hot standby mode", Reason::ReadOnly),
    ("Read-only file system", Reason::ReadOnly),
    // 55000 and 57P03 of a standby
    ("recovery is in progress", Reason::ReadOnly),
    ("during recovery", Reason::ReadOnly),
    // 57014
    ("due to statement timeout", Reason::StatementTimeout),
    ("due to user request", Reason::StatementTimeout),
    ("query_timeout", Reason::StatementTimeout),
    // 55P03
    ("due to lock timeout", Reason::Locked),
    ("could not obtain lock", Reason::Locked),
    // 40P01, 40001
    ("deadlock detected", Reason::Conflict),
    ("could not serialize access", Reason::Conflict),
    ("due to conflict with recovery", Reason::Conflict),
    // 57P01 to 57P05, 25P03, 08006
    ("terminating connection", Reason::ConnectionLost),
    ("server closed the connection", Reason::ConnectionLost),
    ("connection has been closed", Reason::ConnectionLost),
    ("no connection to the server", Reason::ConnectionLost),
    ("could not receive data from server", Reason::ConnectionLost),
    ("could not send data to server", Reason::ConnectionLost),
    ("SSL connection has been closed", Reason::ConnectionLost),
    ("SSL SYSCALL error", Reason::ConnectionLost),
    ("query_wait_timeout", Reason::ConnectionLost),
    ("pgbouncer cannot connect to server", Reason::ConnectionLost),
    // 57P03
    ("is starting up", Reason::Unreachable),
    ("is shutting down", Reason::Unreachable),
    ("in recovery mode", Reason::Unreachable),
    ("not yet accepting connections", Reason::Unreachable),
    // XX001, XX002
    ("invalid page in block", Reason::Malformed),
    ("could not read block", Reason::Malformed),
    ("is not a btree", Reason::Malformed),
    ("contains unexpected zero page", Reason::Malformed),
    // 58030, 58P01
    ("Input/output error", Reason::DiskFailed),
    ("could not open file", Reason::DiskFailed),
    ("could not fsync file", Reason::DiskFailed),
    ("could not write to file", Reason::DiskFailed),
];

/// Why a statement failed that found nothing wrong with itself; `None` if the statement is to
/// blame.
pub(crate) fn reason(kind: &DatabaseErrorKind, said: &str) -> Option<Reason> {
    match kind {
        DatabaseErrorKind::UnableToSendCommand | DatabaseErrorKind::ClosedConnection => Some(Reason::ConnectionLost),
        DatabaseErrorKind::SerializationFailure => Some(Reason::Conflict),
        DatabaseErrorKind::ReadOnlyTransaction => Some(Reason::ReadOnly),
        DatabaseErrorKind::Unknown => by_words(said),
        _ => None,
    }
}

fn by_words(said: &str) -> Option<Reason> {
    let known = |(words, reason): &(&str, Reason)| said.contains(words).then_some(*reason);
    SQLITE.iter().chain(POSTGRES).find_map(known)
}

/// Why no connection was made. Whatever a server says then, nobody can use it.
pub(crate) fn of_connecting(said: &str) -> Reason {
    match by_words(said) {
        Some(
            reason @ (Reason::Exhausted
            | Reason::Locked
            | Reason::Malformed
            | Reason::Full
            | Reason::DiskFailed
            | Reason::ReadOnly),
        ) => reason,
        _ => Reason::Unreachable,
    }
}

/// Whether waiting can help somebody who starts while no connection is made: the server is not up,
/// or not there yet. A wrong password stays wrong.
pub(crate) fn passes(said: &str) -> bool {
    const STAYS: [&str; 9] = [
        "authentication failed",
        "does not exist",
        "no pg_hba.conf entry",
        "pg_hba.conf rejects",
        "ermission denied",
        "is a folder",
        "is not a SQLite database",
        "invalid connection option",
        "a URL",
    ];
    !STAYS.iter().any(|words| said.contains(words))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_failure_has_its_reason() {
        use DatabaseErrorKind::{
            CheckViolation, ClosedConnection, ReadOnlyTransaction, SerializationFailure, UnableToSendCommand,
            UniqueViolation, Unknown,
        };
        let cases = [
            (Unknown, "database is locked", Some(Reason::Locked)),
            (Unknown, "database table is locked: audit_log", Some(Reason::Locked)),
            (Unknown, "database or disk is full", Some(Reason::Full)),
            (Unknown, "attempt to write a readonly database", Some(Reason::ReadOnly)),
            (Unknown, "disk I/O error", Some(Reason::DiskFailed)),
            (Unknown, "unable to open database file", Some(Reason::DiskFailed)),
            (Unknown, "database disk image is malformed", Some(Reason::Malformed)),
            (Unknown, "malformed database schema (users) - near \"x\"", Some(Reason::Malformed)),
            (Unknown, "file is not a database", Some(Reason::Malformed)),
            (Unknown, "could not extend file \"base/1/2\": No space left on device", Some(Reason::Full)),
            (Unknown, "could not write to file \"pg_wal/xlogtemp.1\": No space left on device", Some(Reason::Full)),
            (Unknown, "canceling statement due to statement timeout", Some(Reason::StatementTimeout)),
            (Unknown, "canceling statement due to lock timeout", Some(Reason::Locked)),
            (Unknown, "canceling statement due to user request", Some(Reason::StatementTimeout)),
            (Unknown, "deadlock detected", Some(Reason::Conflict)),
            (Unknown, "out of shared memory", Some(Reason::Exhausted)),
            (Unknown, "terminating connection due to administrator command", Some(Reason::ConnectionLost)),
            (ClosedConnection, "whatever it says", Some(Reason::ConnectionLost)),
            (UnableToSendCommand, "no connection to the server", Some(Reason::ConnectionLost)),
            (SerializationFailure, "could not serialize access", Some(Reason::Conflict)),
            (ReadOnlyTransaction, "cannot execute INSERT in a read-only transaction", Some(Reason::ReadOnly)),
            (Unknown, "invalid page in block 7 of relation base/1/2", Some(Reason::Malformed)),
            (Unknown, "relation \"users\" does not exist", None),
            (Unknown, "no such table: users", None),
            (Unknown, "string or blob too big", None),
            (UniqueViolation, "database is locked", None),
            (CheckViolation, "violates check constraint", None),
        ];
        for (kind, said, expected) in cases {
            assert_eq!(reason(&kind, said), expected, "{kind:?} {said}");
        }
    }

    #[test]
    fn a_connection_that_is_not_made_has_its_reason() {
        for (said, expected, does_pass) in [
            ("connection to server at \"127.0.0.1\", port 1 failed: Connection refused", Reason::Unreachable, true),
            ("FATAL:  the database system is starting up", Reason::Unreachable, true),
            ("timeout expired", Reason::Unreachable, true),
            ("could not translate host name \"db\" to address: Name or service not known", Reason::Unreachable, true),
            ("FATAL:  sorry, too many clients already", Reason::Exhausted, true),
            ("FATAL:  remaining connection slots are reserved for roles", Reason::Exhausted, true),
            ("FATAL:  password authentication failed for user \"jack\"", Reason::Unreachable, false),
            ("FATAL:  database \"jf\" does not exist", Reason::Unreachable, false),
            ("FATAL:  no pg_hba.conf entry for host \"10.0.0.1\"", Reason::Unreachable, false),
        ] {
            assert_eq!((of_connecting(said), passes(said)), (expected, does_pass), "{said}");
        }
    }
}
