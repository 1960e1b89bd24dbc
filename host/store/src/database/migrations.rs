//! The history of the schema, for both databases, compiled into the binary.

use diesel::{
    connection::SimpleConnection, migration::MigrationSource, pg::Pg, prelude::*, sql_query, sql_types::Integer,
    sqlite::Sqlite,
};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use crate::{
    database::connection::AnyConnection,
    error::{StoreError, StoreResult},
};

const SQLITE: EmbeddedMigrations = embed_migrations!("migrations/sqlite");
const POSTGRES: EmbeddedMigrations = embed_migrations!("migrations/postgres");

/// A number that nothing else locks. Hosts that start at the same time migrate one after the
/// other. The lock ends with the transaction: behind a pooler, one of the session would stay on a
/// connection that others use.
const LOCK: &str = "SELECT pg_advisory_xact_lock(7246537710501)";

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Applies what is pending, and returns the names of it.
pub(crate) fn run(connection: &mut AnyConnection) -> StoreResult<Vec<String>> {
    let applied = match connection {
        // Read under the write lock, so that two processes migrate one after the other.
        AnyConnection::Sqlite(sqlite) => sqlite
            .immediate_transaction(|sqlite| {
                let applied = sqlite.run_pending_migrations(SQLITE).map(|applied| names(&applied));
                applied.map_err(|error| StoreError::Migrate(error.to_string()))
            })
            .map_err(|error| error.to_string().into()),
        AnyConnection::Postgres(postgres) => postgres
            .transaction(|postgres| {
                refuse_old_server(postgres)?;
                postgres.batch_execute(LOCK)?;
                let applied = postgres.run_pending_migrations(POSTGRES).map(|applied| names(&applied));
                applied.map_err(|error| StoreError::Migrate(error.to_string()))
            })
            .map_err(|error| error.to_string().into()),
    };
    applied.map_err(|error: Failure| StoreError::Migrate(error.to_string()))
}

diesel::table! {
    /// What diesel has applied.
    __diesel_schema_migrations (version) {
        version -> Text,
    }
}

/// Whether anything is pending. By count, since diesel's own check wants to write.
pub(crate) fn is_pending(connection: &mut AnyConnection) -> StoreResult<bool> {
    let known = match connection {
        AnyConnection::Sqlite(_) => MigrationSource::<Sqlite>::migrations(&SQLITE).map(|known| known.len()),
        AnyConnection::Postgres(_) => MigrationSource::<Pg>::migrations(&POSTGRES).map(|known| known.len()),
    };
    let known = known.map_err(|error| StoreError::Migrate(error.to_string()))?;
    let applied: i64 = __diesel_schema_migrations::table.count().get_result(connection)?;
    Ok(usize::try_from(applied).unwrap_or_default() < known)
}

/// Whether a migration is applied, by its version; false for a database without any.
pub(crate) fn is_applied(connection: &mut AnyConnection, version: &str) -> bool {
    let row = __diesel_schema_migrations::table.find(version).select(__diesel_schema_migrations::version);
    row.first::<String>(connection).is_ok()
}

/// The oldest PostgreSQL that these migrations are for, as `server_version_num` has it.
const OLDEST_SERVER: i32 = 12_00_00;

#[derive(QueryableByName)]
struct ServerVersion {
    #[diesel(sql_type = Integer)]
    number: i32,
}

fn refuse_old_server(postgres: &mut PgConnection) -> StoreResult<()> {
    let version = sql_query("SELECT current_setting('server_version_num')::int AS number");
    let ServerVersion { number } = version.get_result(postgres)?;
    if number < OLDEST_SERVER {
        let (found, oldest) = (number / 10_000, OLDEST_SERVER / 10_000);
        return Err(StoreError::Migrate(format!("PostgreSQL {found} is too old: this host needs {oldest} or newer")));
    }
    Ok(())
}

fn names(applied: &[diesel::migration::MigrationVersion<'_>]) -> Vec<String> {
    applied.iter().map(ToString::to_string).collect()
}
