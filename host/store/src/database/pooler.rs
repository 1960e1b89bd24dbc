//! Whether a pooler like PgBouncer stands between this host and PostgreSQL.
//!
//! In its transaction mode two statements of one client can reach two connections of the server,
//! and names of prepared statements, which diesel uses, belong to a connection of the server. The
//! pooler does not say that it is one. But it hands out process ids of its own, since it must route
//! requests to cancel: PostgreSQL does not know the id that the client was given.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    sync::{Arc, OnceLock},
};

use diesel::{QueryResult, RunQueryDsl, prelude::QueryableByName, sql_query, sql_types::Integer};
use parking_lot::Mutex;

use super::pipelined::PipelinedConnection;

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
    pub(crate) fn look(&self, connection: &mut PipelinedConnection) {
        if self.is_between.get().is_some() {
            return;
        }
        // Without an answer nothing is known, and the next connection looks again.
        let Some(is_between) = is_between(connection) else { return };
        if is_between && self.is_between.set(true).is_ok() {
            tracing::info!("a pooler stands before PostgreSQL: statements are not prepared by name");
        }
        let _ = self.is_between.set(is_between);
        *LAST_FOUND.lock() = Some((self.way, is_between));
    }
}

#[derive(QueryableByName)]
struct Process {
    #[diesel(sql_type = Integer)]
    pid: i32,
}

/// Whether PostgreSQL is served by another process than the client was told.
fn is_between(connection: &mut PipelinedConnection) -> Option<bool> {
    let announced = connection.process_id();
    let serving: QueryResult<Process> = sql_query("SELECT pg_backend_pid() AS pid").get_result(connection);
    serving.ok().map(|serving| serving.pid != announced)
}
