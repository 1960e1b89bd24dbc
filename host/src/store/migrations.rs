//! The schema's history, for both databases, inside the binary.

use diesel::connection::SimpleConnection;
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use super::{AnyConnection, StoreError, StoreResult};

const SQLITE: EmbeddedMigrations = embed_migrations!("migrations/sqlite");
const POSTGRES: EmbeddedMigrations = embed_migrations!("migrations/postgres");

/// Any number that nothing else locks: hosts that start at once take turns under it.
const LOCK: &str = "SELECT pg_advisory_lock(7246537710501)";
const UNLOCK: &str = "SELECT pg_advisory_unlock(7246537710501)";

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Applies what is pending and answers its names.
pub(super) fn run(connection: &mut AnyConnection) -> StoreResult<Vec<String>> {
    let applied = match connection {
        AnyConnection::Sqlite(sqlite) => sqlite.run_pending_migrations(SQLITE).map(|applied| names(&applied)),
        AnyConnection::Postgres(postgres) => {
            postgres.batch_execute(LOCK)?;
            let applied = postgres.run_pending_migrations(POSTGRES).map(|applied| names(&applied));
            postgres.batch_execute(UNLOCK)?;
            applied
        }
    };
    applied.map_err(|error: Failure| StoreError::Migrate(error.to_string()))
}

/// Whether anything is pending.
pub(super) fn is_pending(connection: &mut AnyConnection) -> StoreResult<bool> {
    match connection {
        AnyConnection::Sqlite(sqlite) => sqlite.has_pending_migration(SQLITE),
        AnyConnection::Postgres(postgres) => postgres.has_pending_migration(POSTGRES),
    }
    .map_err(|error: Failure| StoreError::Migrate(error.to_string()))
}

fn names(applied: &[diesel::migration::MigrationVersion<'_>]) -> Vec<String> {
    applied.iter().map(ToString::to_string).collect()
}
