//! Columns with sealed values that this host does not know: it may not remove a key that one of
//! them could need.
//!
//! Each migration lists the columns that it adds in the table `sealed_columns`. Columns whose names
//! begin with `sealed_` count too, in case one has forgotten to.

use std::collections::BTreeSet;

use diesel::{QueryableByName, RunQueryDsl, sql_query, sql_types::Text};

use super::sealed_columns::SEALED_COLUMNS;
use crate::{
    database::{connection::AnyConnection, migrations},
    error::{StoreError, StoreResult},
    tx::Tx,
};

const LISTED: &str = "SELECT table_name, column_name FROM sealed_columns";

/// Views can show a sealed column, and no rotation has to write it there.
const NAMED_ON_SQLITE: &str = "SELECT t.name AS table_name, c.name AS column_name \
     FROM sqlite_schema AS t JOIN pragma_table_info(t.name) AS c \
     WHERE t.type = 'table' AND substr(c.name, 1, 7) = 'sealed_'";
const NAMED_ON_POSTGRES: &str = "SELECT t.relname::text AS table_name, c.attname::text AS column_name \
     FROM pg_attribute AS c JOIN pg_class AS t ON t.oid = c.attrelid \
     WHERE t.relkind IN ('r', 'p') AND c.attnum > 0 AND NOT c.attisdropped AND left(c.attname::text, 7) = 'sealed_' \
     AND t.relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = 'seal_keys'::regclass)";

/// Wrapped under the secret key, by no data key.
const WRAPPED: (&str, &str) = ("seal_keys", "sealed_key");

#[derive(QueryableByName)]
struct Column {
    #[diesel(sql_type = Text)]
    table_name: String,
    #[diesel(sql_type = Text)]
    column_name: String,
}

/// The columns with sealed values that this host does not know, each as `table.column`.
///
/// # Errors
/// When the database fails.
pub fn unknown(tx: &mut Tx<'_>) -> StoreResult<Vec<String>> {
    let known: BTreeSet<(String, String)> =
        SEALED_COLUMNS.iter().map(|column| (column.table.to_owned(), column.name())).collect();
    let found = listed(tx)?.into_iter().chain(named(tx)?);
    let unknown: BTreeSet<_> = found.filter(|column| !known.contains(column)).collect();
    Ok(unknown.into_iter().map(|(table, column)| format!("{table}.{column}")).collect())
}

/// The columns that the migrations have listed, each with its table.
///
/// # Errors
/// When the database fails.
pub fn listed(tx: &mut Tx<'_>) -> StoreResult<Vec<(String, String)>> {
    columns(tx, LISTED)
}

/// Refuses to change the keys of a database that holds what this host does not know. After what
/// has been counted in the same transaction: a migration that was not committed by then has moved
/// nothing out of the columns that were counted.
///
/// # Errors
/// When a later version has used the database, or there is a column that this host does not know.
pub(crate) fn refuse_unknown(tx: &mut Tx<'_>) -> StoreResult<()> {
    migrations::refuse_later(tx.connection)?;
    let unknown = unknown(tx)?;
    if unknown.is_empty() { Ok(()) } else { Err(refused(&unknown)) }
}

fn refused(unknown: &[String]) -> StoreError {
    StoreError::Refused {
        message: format!(
            "the keys cannot be changed: this version of jackfield ({}) does not know the encrypted values in {}, and would leave them without their key",
            env!("CARGO_PKG_VERSION"),
            unknown.join(", ")
        ),
        help: "rotate with the version of jackfield that has written them; until then all keys stay".to_owned(),
    }
}

fn named(tx: &mut Tx<'_>) -> StoreResult<Vec<(String, String)>> {
    let sql = match tx.connection {
        AnyConnection::Sqlite(_) => NAMED_ON_SQLITE,
        AnyConnection::Postgres(_) => NAMED_ON_POSTGRES,
    };
    let mut found = columns(tx, sql)?;
    found.retain(|(table, column)| (table.as_str(), column.as_str()) != WRAPPED);
    Ok(found)
}

fn columns(tx: &mut Tx<'_>, sql: &str) -> StoreResult<Vec<(String, String)>> {
    let rows: Vec<Column> = match &mut *tx.connection {
        AnyConnection::Sqlite(sqlite) => sql_query(sql).load(sqlite)?,
        AnyConnection::Postgres(postgres) => sql_query(sql).load(postgres)?,
    };
    Ok(rows.into_iter().map(|Column { table_name, column_name }| (table_name, column_name)).collect())
}
