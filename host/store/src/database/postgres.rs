//! Opens connections to PostgreSQL.
//!
//! libpq gets the parts of the URL and never the URL: it repeats what it cannot read, which can be
//! a piece of a password. Of the parts, its errors tell hosts, ports, user and database.

use std::{ffi::CString, fmt::Write as _, path::Path, sync::Arc, time::Duration};

use diesel::connection::SimpleConnection;
use jackfield_config::{Database, PostgresUrl};

use super::{libpq::Libpq, pipelined::PipelinedConnection, pooler::Pooler, round_trips::RoundTrips};
use crate::error::{StoreError, StoreResult};

/// What libpq gets where the URL says nothing else, and the variable by which the host's
/// environment can say something else. A network that swallows packets is noticed within seconds:
/// when connecting, while PostgreSQL works on an answer, and while a question is not received.
const DEFAULTS: [(&str, &str, Option<&str>); 5] = [
    ("connect_timeout", "5", Some("PGCONNECT_TIMEOUT")),
    ("keepalives_idle", "10", None),
    ("keepalives_interval", "3", None),
    ("keepalives_count", "3", None),
    ("tcp_user_timeout", "15000", None),
];

/// Of several servers, the one that takes writes: after a failover that is another.
const TAKES_WRITES: (&str, &str, &str) = ("target_session_attrs", "read-write", "PGTARGETSESSIONATTRS");

/// What says where the server is, and the variables that do.
const PLACES: [(&str, &str); 3] = [("host", "PGHOST"), ("hostaddr", "PGHOSTADDR"), ("service", "PGSERVICE")];

/// Where Debian and others have the socket. libpq would look into `/tmp`.
const SOCKETS: &str = "/var/run/postgresql";

/// A PostgreSQL database, and how this host uses it.
#[derive(Clone)]
pub(crate) struct Postgres {
    /// For libpq, with the password.
    conninfo: String,
    statement_timeout: Option<Duration>,
    pooler: Pooler,
    round_trips: RoundTrips,
}

impl Postgres {
    /// The database that a URL names.
    pub(crate) fn new(url: &PostgresUrl, settings: &Database) -> Self {
        let conninfo = conninfo(url, &settings.application_name);
        let prepared = settings.prepared_statements.or_else(|| url.is_pooled().then_some(false));
        let pooler = Pooler::new(&conninfo, prepared.map(|prepared| !prepared));
        let statement_timeout = settings.statement_timeout;
        Self { conninfo, statement_timeout, pooler, round_trips: RoundTrips::default() }
    }

    /// Opens a connection on which statements may take any time.
    ///
    /// # Errors
    /// When the server cannot be reached, or does not let this host in.
    pub(crate) fn open(&self) -> StoreResult<PipelinedConnection> {
        self.connect(None)
    }

    /// Opens a connection on which statements end at the limit of the settings.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub(crate) fn open_with_limit(&self) -> StoreResult<PipelinedConnection> {
        self.connect(self.statement_timeout)
    }

    fn connect(&self, limit: Option<Duration>) -> StoreResult<PipelinedConnection> {
        let (conninfo, pooler) = (self.conninfo.clone(), self.pooler.clone());
        let connect = move || session(&conninfo, limit.filter(|_| !pooler.may_be_there()));
        let refused = |error: String| StoreError::Connect(in_one_line(&error));
        let first = connect().map_err(refused)?;
        let mut connection = PipelinedConnection::new(first, Arc::new(connect), self.round_trips.clone());
        let was_unknown = self.pooler.may_be_there();
        self.pooler.look(&mut connection);
        if self.pooler.may_be_there() {
            // Unnamed statements work everywhere, and take a little longer. A name would belong to
            // a connection of the server, which other clients use as well.
            connection.prepare_nothing();
        } else if let Some(limit) = limit.filter(|_| was_unknown) {
            connection.batch_execute(&limit_of_session(limit))?;
        }
        Ok(connection)
    }

    /// How often its connections have waited for the server.
    #[cfg(feature = "testing")]
    pub(crate) const fn round_trips(&self) -> &RoundTrips {
        &self.round_trips
    }

    /// What each transaction begins with where the limit cannot be a connection's: behind a pooler
    /// that would be everybody's limit.
    pub(crate) fn limit_of_transaction(&self) -> Option<String> {
        let limit = self.statement_timeout.filter(|_| self.pooler.may_be_there())?;
        Some(format!("SET LOCAL statement_timeout = {}", limit.as_millis()))
    }
}

/// Connects, and says how texts and times are written.
fn session(conninfo: &str, limit: Option<Duration>) -> Result<Libpq, String> {
    let limit = limit.map(limit_of_session).unwrap_or_default();
    let sql = format!("SET TIME ZONE 'UTC'; SET client_encoding TO 'UTF8'; {limit}");
    let sql = CString::new(sql).map_err(|error| error.to_string())?;
    let mut libpq = Libpq::connect(conninfo)?;
    match libpq.run(&sql) {
        Some(answer) if answer.is_done() => Ok(libpq),
        _ => Err(libpq.said()),
    }
}

fn limit_of_session(limit: Duration) -> String {
    format!("SET statement_timeout = {}", limit.as_millis())
}

/// Keywords and values for libpq, as its manual has them in "Keyword/Value Connection Strings".
fn conninfo(url: &PostgresUrl, application_name: &str) -> String {
    let is_free = |keyword: &str, variable: Option<&str>| {
        url.parameter(keyword).is_none() && variable.is_none_or(|variable| std::env::var_os(variable).is_none())
    };
    let mut info = String::new();
    let mut add = |keyword: &str, value: &str| {
        let value = value.replace('\\', "\\\\").replace('\'', "\\'");
        let _ = write!(info, "{keyword}='{value}' ");
    };
    url.parameters().for_each(|(keyword, value)| add(keyword, value));
    if is_free("application_name", None) {
        add("application_name", application_name);
    }
    for (keyword, value, variable) in DEFAULTS {
        if is_free(keyword, variable) {
            add(keyword, value);
        }
    }
    let (keyword, value, variable) = TAKES_WRITES;
    if url.has_several_hosts() && is_free(keyword, Some(variable)) {
        add(keyword, value);
    }
    if PLACES.iter().all(|(keyword, variable)| is_free(keyword, Some(variable))) && Path::new(SOCKETS).is_dir() {
        add("host", SOCKETS);
    }
    info
}

/// What libpq says of each server that it tried, without its questions to the reader.
fn in_one_line(message: &str) -> String {
    let lines = message.lines().filter(|line| !line.starts_with('\t')).map(str::trim);
    lines.filter(|line| !line.is_empty()).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(url: &str) -> String {
        conninfo(&url.parse().unwrap_or_else(|_| panic!("{url}")), "jackfield")
    }

    #[test]
    fn libpq_gets_the_parts_and_our_defaults() {
        let defaults = "application_name='jackfield' connect_timeout='5' keepalives_idle='10' keepalives_interval='3' \
                        keepalives_count='3' tcp_user_timeout='15000' ";
        assert_eq!(info("postgres://db/jf"), format!("host='db' dbname='jf' {defaults}"));
        let several = info("postgres://a,b/jf");
        assert_eq!(several, format!("host='a,b' dbname='jf' {defaults}target_session_attrs='read-write' "));
        assert!(!info("postgres://a,b/jf?target_session_attrs=any").contains("read-write"));
        let own = info("postgres://db/jf?connect_timeout=1&application_name=ours");
        assert!(own.starts_with("host='db' dbname='jf' connect_timeout='1' application_name='ours' keepalives_idle"));
    }

    #[test]
    fn no_value_ends_before_its_quote() {
        let info = info("postgres://jack:it's%20a%5C'%20host=evil@db/jf");
        assert!(info.starts_with(r"user='jack' password='it\'s a\\\' host=evil' host='db' "), "{info}");
    }

    #[test]
    fn what_libpq_says_is_one_line() {
        let said = "connection to server at \"127.0.0.1\", port 1 failed: Connection refused\n\tIs the server running \
                    on that host and accepting TCP/IP connections?\nconnection to server at \"127.0.0.1\", port 2 \
                    failed: FATAL:  no\n";
        let expected = "connection to server at \"127.0.0.1\", port 1 failed: Connection refused; connection to \
                        server at \"127.0.0.1\", port 2 failed: FATAL:  no";
        assert_eq!(in_one_line(said), expected);
    }
}
