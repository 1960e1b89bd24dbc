//! What an operator can do when the database is not opened or not migrated.
//!
//! libpq has no codes for why a connection is not made. So this goes by the words of an English
//! server, of libpq and of PgBouncer. Whatever it does not know gets the general advice.

use crate::error::StoreError;

/// What an operator can do about an error of the database.
#[must_use]
pub fn operator_help(error: &StoreError) -> &'static str {
    let said = error.to_string();
    let found = HELP.iter().find(|(words, _)| words.iter().all(|word| said.contains(word)));
    found.map_or(GENERAL, |(_, help)| help)
}

const GENERAL: &str = "check that the database is there, answers and takes writes";

const AUTHENTICATION: &str = "check user and password in database.url; special characters of a password stand there as \
     %XX, like %40 for @";

const STARTING: &str = "wait until the server takes connections, and try again";

const FULL: &str = "raise the server's max_connections (a pooler's max_client_conn), or lower database.pool-size: a \
     host has as many connections as that, one more, and two more while it starts";

/// What stands in an error, all of it, with what can be done. The first that fits counts: of
/// several servers, one that answers tells more than one that does not.
const HELP: &[(&[&str], &str)] = &[
    (&["session is read-only"], "name a server that takes writes in database.url: this one is a standby"),
    (&["hot standby mode"], "name a server that takes writes in database.url: this one is a standby"),
    (&["password authentication failed"], AUTHENTICATION),
    (&["authentication failed"], AUTHENTICATION),
    (&["no password supplied"], AUTHENTICATION),
    (&["role \"", "does not exist"], "create the user, or name another one in database.url"),
    (&["no such user"], "let the pooler know the user, or name another one in database.url"),
    (&["database \"", "does not exist"], "create the database (createdb), or name another one in database.url"),
    (&["no such database"], "list the database in the pooler's configuration, or name another one in database.url"),
    (
        &["pg_hba.conf"],
        "let this host in by a line of pg_hba.conf; for a hostssl line, add sslmode=require to database.url",
    ),
    (&["too many clients"], FULL),
    (&["too many connections"], FULL),
    (&["remaining connection slots"], FULL),
    (&["no more connections allowed"], FULL),
    (&["starting up"], STARTING),
    (&["shutting down"], STARTING),
    (&["not yet accepting connections"], STARTING),
    (&["in recovery mode"], STARTING),
    (
        &["could not translate host name"],
        "check the name of the host in database.url, and that this host can resolve it",
    ),
    (&["Connection refused"], "check host and port in database.url, and that the server runs and listens there"),
    (
        &["on socket", "No such file or directory"],
        "check the folder of the socket (host) and the port in database.url, and that the server runs",
    ),
    (&["on socket", "Permission denied"], "let the host's user into the folder of the socket"),
    (&["timeout expired"], "check host and port in database.url, and that no firewall drops what is sent there"),
    (&["No route to host"], "check the host in database.url, and the network between"),
    (&["Network is unreachable"], "check the host in database.url, and the network between"),
    (
        &["read-only transaction"],
        "name a server that takes writes in database.url: this one is a standby, or read-only",
    ),
    (&["does not support SSL"], "switch TLS on at the server, or leave sslmode=require out of database.url"),
    (
        &["root certificate file"],
        "write the file of your certificate authority as sslrootcert=FILE, or sslrootcert=system, into database.url",
    ),
    (
        &["certificate verify failed"],
        "write the file of the authority that signed the server's certificate as sslrootcert=FILE into database.url",
    ),
    (&["does not match host name"], "name the server in database.url as its certificate does"),
    (
        &["unsupported startup parameter"],
        "list it in the pooler's ignore_startup_parameters, or leave options out of database.url",
    ),
    (
        &["statement pooling mode"],
        "set the pooler to pool_mode = transaction or session: a statement is not enough for a transaction",
    ),
    (
        &["prepared statement \"__diesel_stmt_"],
        "a pooler stands before PostgreSQL and was not recognized: set prepared-statements = false in [database]",
    ),
    (&["must be owner of"], "run the host as the user that owns its tables"),
    (&["database or disk is full"], "make room on the disk of the database"),
    (&["database is locked"], "end the other process that has the file open, or try again"),
    (&["permission denied for"], "let the user read and change the host's tables, or run the host as their owner"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn help_fits_the_cause() {
        let at = "connection to server at \"127.0.0.1\", port 5432 failed: ";
        for (said, expected) in [
            ("FATAL:  password authentication failed for user \"jack\"", "check user and password"),
            ("fe_sendauth: no password supplied", "check user and password"),
            ("FATAL:  database \"jf\" does not exist", "create the database"),
            ("FATAL:  role \"jack\" does not exist", "create the user"),
            ("FATAL:  sorry, too many clients already", "raise the server's max_connections"),
            ("Connection refused", "check host and port"),
            ("FATAL:  the database system is starting up", "wait until"),
            (
                "Connection refused; connection to server at \"b\", port 1 failed: session is read-only",
                "name a server that takes writes",
            ),
            ("something that nobody has thought of", GENERAL),
        ] {
            let error = StoreError::Connect(format!("{at}{said}"));
            assert!(operator_help(&error).starts_with(expected), "{said}");
        }
    }
}
