//! The schema's history, for both databases, inside the binary.

use diesel::{connection::SimpleConnection, migration::MigrationSource, pg::Pg, prelude::*, sqlite::Sqlite};
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
        // What is pending is read under the write lock, so that two processes take turns.
        AnyConnection::Sqlite(sqlite) => sqlite
            .immediate_transaction(|sqlite| {
                let applied = sqlite.run_pending_migrations(SQLITE).map(|applied| names(&applied));
                applied.map_err(|error| StoreError::Migrate(error.to_string()))
            })
            .map_err(|error| error.to_string().into()),
        AnyConnection::Postgres(postgres) => {
            postgres.batch_execute(LOCK)?;
            let applied = postgres.run_pending_migrations(POSTGRES).map(|applied| names(&applied));
            postgres.batch_execute(UNLOCK)?;
            applied
        }
    };
    applied.map_err(|error: Failure| StoreError::Migrate(error.to_string()))
}

diesel::table! {
    /// Diesel's own record.
    __diesel_schema_migrations (version) {
        version -> Text,
    }
}

/// Whether anything is pending. By count, and without diesel's own check, which wants to write.
pub(super) fn is_pending(connection: &mut AnyConnection) -> StoreResult<bool> {
    let known = match connection {
        AnyConnection::Sqlite(_) => MigrationSource::<Sqlite>::migrations(&SQLITE).map(|known| known.len()),
        AnyConnection::Postgres(_) => MigrationSource::<Pg>::migrations(&POSTGRES).map(|known| known.len()),
    };
    let known = known.map_err(|error| StoreError::Migrate(error.to_string()))?;
    let applied: i64 = __diesel_schema_migrations::table.count().get_result(connection)?;
    Ok(usize::try_from(applied).unwrap_or_default() < known)
}

fn names(applied: &[diesel::migration::MigrationVersion<'_>]) -> Vec<String> {
    applied.iter().map(ToString::to_string).collect()
}
