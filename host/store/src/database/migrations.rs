//! The history of the schema, for both databases, compiled into the binary.

use std::collections::BTreeSet;

use diesel::{
    QueryableByName,
    backend::Backend,
    connection::SimpleConnection,
    migration::MigrationSource,
    pg::Pg,
    prelude::*,
    sql_query,
    sql_types::{BigInt, Integer, Text},
    sqlite::Sqlite,
};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use crate::{
    database::{
        connection::{AnyConnection, Connector},
        migration_failure,
        pipelined::PipelinedConnection,
    },
    error::{StoreError, StoreResult},
};

const SQLITE: EmbeddedMigrations = embed_migrations!("migrations/sqlite");
const POSTGRES: EmbeddedMigrations = embed_migrations!("migrations/postgres");

/// A number that nothing else locks. Hosts that start at the same time migrate one after the
/// other. The lock ends with the transaction: behind a pooler, one of the session would stay on a
/// connection that others use.
const LOCK: &str = "SELECT pg_advisory_xact_lock(7246537710501)";

/// Versions of migrations, as diesel writes them: the date and number of the folder, digits only.
type Versions = BTreeSet<String>;

/// Applies what is pending, and returns the names of it. All of it is one transaction, so a
/// migration that fails leaves the database as it was.
///
/// # Errors
/// When a later version has used the database, or a migration fails.
pub(crate) fn run(connection: &mut AnyConnection) -> StoreResult<Vec<String>> {
    match connection {
        // Read under the write lock, so that two processes migrate one after the other.
        AnyConnection::Sqlite(sqlite) => sqlite.immediate_transaction(|sqlite| {
            refuse_foreign_file(sqlite)?;
            apply(sqlite, SQLITE)
        }),
        AnyConnection::Postgres(postgres) => postgres.transaction(|postgres| {
            refuse_old_server(postgres)?;
            postgres.batch_execute(LOCK)?;
            apply(postgres, POSTGRES)
        }),
    }
}

fn apply<DB: Backend, C: MigrationHarness<DB>>(
    connection: &mut C,
    known: EmbeddedMigrations,
) -> StoreResult<Vec<String>> {
    let applied = connection.applied_migrations().map_err(|error| migration_failure::explained(&*error))?;
    refuse_unknown(&versions::<DB>(&known)?, &names(&applied).into_iter().collect())?;
    let run = connection.run_pending_migrations(known);
    run.map(|applied| names(&applied)).map_err(|error| migration_failure::explained(&*error))
}

/// Refuses a database whose schema is not up to date.
///
/// # Errors
/// When a migration is pending, or the database fails.
pub(crate) fn refuse_pending(connection: &mut AnyConnection) -> StoreResult<()> {
    let (applied, known) = (applied(connection)?, known(connection)?);
    let pending: Vec<&str> = known.difference(&applied).map(String::as_str).collect();
    if pending.is_empty() {
        return Ok(());
    }
    let message = if applied.is_empty() {
        "there is nothing in the database yet".to_owned()
    } else {
        format!("the database is of an earlier version: not applied yet: {}", pending.join(", "))
    };
    let help = "`jackfield migrate` brings it up to date; so does a host that starts".to_owned();
    Err(StoreError::Refused { message, help })
}

impl Connector {
    /// The first connection of a process: it refuses a database that a later version has used.
    pub(crate) fn open_first(&self) -> StoreResult<AnyConnection> {
        let mut connection = self.open()?;
        refuse_later(&mut connection)?;
        Ok(connection)
    }
}

/// Refuses a database that a later version has used: this one would misread it, and write what
/// the later one does not expect. It writes nothing.
///
/// # Errors
/// When the database has a migration that this binary does not know, or fails.
pub(crate) fn refuse_later(connection: &mut AnyConnection) -> StoreResult<()> {
    let applied = applied(connection)?;
    refuse_unknown(&known(connection)?, &applied)
}

/// Whether a migration is applied, by its version; false for a database without any.
pub(crate) fn is_applied(connection: &mut AnyConnection, version: &str) -> bool {
    applied(connection).is_ok_and(|applied| applied.contains(version))
}

/// A SQLite file with tables, and without one of migrations, is another program's. On PostgreSQL
/// tables of others can stand beside ours.
pub(crate) fn refuse_foreign_file(sqlite: &mut SqliteConnection) -> StoreResult<()> {
    let sql = "SELECT count(*) AS count FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' \
               AND NOT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = '__diesel_schema_migrations')";
    let Count { count } = sql_query(sql).get_result(sqlite)?;
    if count == 0 {
        return Ok(());
    }
    Err(StoreError::Refused {
        message: "the database is another program's: it has tables, and none of jackfield's".to_owned(),
        help: OF_ITS_OWN.to_owned(),
    })
}

const OF_ITS_OWN: &str = "give jackfield a database of its own";

fn refuse_unknown(known: &Versions, applied: &Versions) -> StoreResult<()> {
    let unknown: Vec<&str> = applied.difference(known).map(String::as_str).collect();
    if unknown.is_empty() { Ok(()) } else { Err(later(&unknown, applied.is_disjoint(known))) }
}

fn later(unknown: &[&str], is_foreign: bool) -> StoreError {
    let noun = if unknown.len() == 1 { "migration" } else { "migrations" };
    let (listed, ours) = (unknown.join(", "), env!("CARGO_PKG_VERSION"));
    if is_foreign {
        return StoreError::Refused {
            message: format!("the database is another program's: it has the {noun} {listed}, and none of jackfield"),
            help: OF_ITS_OWN.to_owned(),
        };
    }
    StoreError::Refused {
        message: format!(
            "the database was used by a later version of jackfield: it has the {noun} {listed}, which this version ({ours}) does not know"
        ),
        help: "start that later version, or put back the backup from before the upgrade. Nothing was changed"
            .to_owned(),
    }
}

diesel::table! {
    /// What diesel has applied.
    __diesel_schema_migrations (version) {
        version -> Text,
    }
}

/// What the database has applied; nothing, if it is new.
fn applied(connection: &mut AnyConnection) -> StoreResult<Versions> {
    if !is_begun(connection)? {
        return Ok(Versions::new());
    }
    let versions = __diesel_schema_migrations::table.select(__diesel_schema_migrations::version);
    Ok(versions.load::<String>(connection)?.into_iter().collect())
}

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    count: i64,
}

/// Whether there is the table of migrations. A query for one that is not there would end the
/// transaction on PostgreSQL.
pub(crate) fn is_begun(connection: &mut AnyConnection) -> StoreResult<bool> {
    let found: Count = match connection {
        AnyConnection::Sqlite(sqlite) => {
            let sql = "SELECT count(*) AS count FROM sqlite_schema WHERE type = 'table' AND name = ?";
            sql_query(sql).bind::<Text, _>("__diesel_schema_migrations").get_result(sqlite)?
        }
        AnyConnection::Postgres(postgres) => {
            sql_query("SELECT count(to_regclass('__diesel_schema_migrations')) AS count").get_result(postgres)?
        }
    };
    Ok(found.count > 0)
}

fn known(connection: &AnyConnection) -> StoreResult<Versions> {
    match connection {
        AnyConnection::Sqlite(_) => versions::<Sqlite>(&SQLITE),
        AnyConnection::Postgres(_) => versions::<Pg>(&POSTGRES),
    }
}

fn versions<DB: Backend>(migrations: &EmbeddedMigrations) -> StoreResult<Versions> {
    let all = MigrationSource::<DB>::migrations(migrations);
    let all = all.map_err(|error| StoreError::Migrate(error.to_string()))?;
    Ok(all.iter().map(|migration| migration.name().version().to_string()).collect())
}

/// The oldest PostgreSQL that these migrations are for, as `server_version_num` has it.
const OLDEST_SERVER: i32 = 12_00_00;

#[derive(QueryableByName)]
struct ServerVersion {
    #[diesel(sql_type = Integer)]
    number: i32,
}

fn refuse_old_server(postgres: &mut PipelinedConnection) -> StoreResult<()> {
    let version = sql_query("SELECT current_setting('server_version_num')::int AS number");
    let ServerVersion { number } = version.get_result(postgres)?;
    if number < OLDEST_SERVER {
        let (found, oldest) = (number / 10_000, OLDEST_SERVER / 10_000);
        let message = format!("PostgreSQL {found} is too old: this host needs {oldest} or newer");
        let help = "upgrade the server, or name a newer one in database.url".to_owned();
        return Err(StoreError::Refused { message, help });
    }
    Ok(())
}

fn names(applied: &[diesel::migration::MigrationVersion<'_>]) -> Vec<String> {
    applied.iter().map(ToString::to_string).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(applied: &[&str]) -> String {
        let set = |versions: &[&str]| versions.iter().map(|version| (*version).to_owned()).collect::<Versions>();
        let refused = refuse_unknown(&set(&["20261124000000", "20261125000000"]), &set(applied));
        refused.map_or_else(|error| error.to_string(), |()| String::new())
    }

    #[test]
    fn a_database_with_migrations_that_are_not_known_is_refused() {
        assert_eq!(refused(&[]), "", "a new database");
        assert_eq!(refused(&["20261124000000"]), "", "one of an earlier version");
        assert_eq!(refused(&["20261124000000", "20261125000000"]), "");
        let one = refused(&["20261124000000", "20991231000000"]);
        assert!(one.contains("later version") && one.contains("the migration 20991231000000, which"), "{one}");
        let two = refused(&["20261124000000", "20991231000000", "20991231000001"]);
        assert!(two.contains("the migrations 20991231000000, 20991231000001, which"), "{two}");
        let foreign = refused(&["1"]);
        assert!(foreign.contains("another program's"), "{foreign}");
    }

    #[test]
    fn both_databases_have_the_same_migrations() {
        assert_eq!(versions::<Sqlite>(&SQLITE).expect("embedded"), versions::<Pg>(&POSTGRES).expect("embedded"));
    }
}
