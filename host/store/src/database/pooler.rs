//! Whether a pooler like PgBouncer stands between this host and PostgreSQL.
//!
//! In its transaction mode two statements of one client can reach two connections of the server,
//! and names of prepared statements, which diesel uses, belong to a connection of the server. The
//! pooler does not say that it is one. But it hands out process ids of its own, since it must route
//! requests to cancel: PostgreSQL does not know the id that the client was given.

use std::{
    ffi::CString,
    hash::{DefaultHasher, Hash, Hasher},
    sync::{Arc, OnceLock},
};

use diesel::{PgConnection, QueryResult, RunQueryDsl, prelude::QueryableByName, sql_query, sql_types::BigInt};
use parking_lot::Mutex;

/// What is known of the way to one database.
#[derive(Clone)]
pub(crate) struct Pooler {
    is_between: Arc<OnceLock<bool>>,
    /// Instead of the connection's parameters, which hold a password.
    way: u64,
}

/// What was found on the way that was last looked at: a command opens its database several times.
static LAST_FOUND: Mutex<Option<(u64, bool)>> = Mutex::new(None);

impl Pooler {
    /// What the operator says, or nothing yet.
    pub(crate) fn new(conninfo: &str, is_between: Option<bool>) -> Self {
        let mut hasher = DefaultHasher::new();
        conninfo.hash(&mut hasher);
        let way = hasher.finish();
        let found = || LAST_FOUND.lock().filter(|(last, _)| *last == way).map(|(_, is_between)| is_between);
        let known = is_between.or_else(found).map_or_else(OnceLock::new, OnceLock::from);
        Self { is_between: Arc::new(known), way }
    }

    /// Whether nobody knows that there is none.
    pub(crate) fn may_be_there(&self) -> bool {
        self.is_between.get().is_none_or(|is_between| *is_between)
    }

    /// Looks whether one is there, with a connection that works already, unless that is known.
    pub(crate) fn look(&self, conninfo: &str, connection: &mut PgConnection) {
        if self.is_between.get().is_some() {
            return;
        }
        // Without a second connection nothing is known, and the next one looks again.
        let Some(is_between) = probe(conninfo, connection).map(|is_known| !is_known) else { return };
        if is_between && self.is_between.set(true).is_ok() {
            tracing::info!("a pooler stands before PostgreSQL: statements are not prepared by name");
        }
        let _ = self.is_between.set(is_between);
        *LAST_FOUND.lock() = Some((self.way, is_between));
    }
}

#[derive(QueryableByName)]
struct Found {
    #[diesel(sql_type = BigInt)]
    count: i64,
}

/// Whether PostgreSQL knows the process that a second connection was told to be its own; `None`
/// without a second connection.
fn probe(conninfo: &str, connection: &mut PgConnection) -> Option<bool> {
    let second = Second::open(conninfo)?;
    let sql = format!("SELECT count(*) AS count FROM pg_stat_activity WHERE pid = {}", second.process_id());
    let found: QueryResult<Found> = sql_query(sql).get_result(connection);
    found.ok().map(|found| found.count > 0)
}

/// A connection of libpq's own: diesel hands out neither its connection nor the process id.
struct Second(std::ptr::NonNull<pq_sys::PGconn>);

#[expect(unsafe_code, reason = "diesel has no way to the process id that libpq was given")]
impl Second {
    fn open(conninfo: &str) -> Option<Self> {
        let conninfo = CString::new(conninfo).ok()?;
        // SAFETY: the text ends with a NUL and lives until the call returns.
        let connection = unsafe { pq_sys::PQconnectdb(conninfo.as_ptr()) };
        let second = Self(std::ptr::NonNull::new(connection)?);
        // SAFETY: the connection is not finished before `second` is dropped.
        let status = unsafe { pq_sys::PQstatus(second.0.as_ptr()) };
        (status == pq_sys::ConnStatusType::CONNECTION_OK).then_some(second)
    }

    fn process_id(&self) -> i32 {
        // SAFETY: the connection is not finished before this is dropped.
        unsafe { pq_sys::PQbackendPID(self.0.as_ptr()) }
    }
}

#[expect(unsafe_code, reason = "what libpq has made, libpq ends")]
impl Drop for Second {
    fn drop(&mut self) {
        // SAFETY: it was made by libpq, belongs to this value alone, and is not used again.
        unsafe { pq_sys::PQfinish(self.0.as_ptr()) }
    }
}
