//! Appends rows to the chain.

use diesel::{
    RunQueryDsl as _, sql_query,
    sql_types::{Array, BigInt, Binary, Nullable, Text},
};
use serde_json::Value;
use time::OffsetDateTime;

use super::{
    entry::Entry,
    rows::{self, Row},
};
use crate::{
    chain::{appended::ChainEnd, chain_key::Head, chain_memory::Origin},
    database::{column_types::milliseconds, connection::AnyConnection},
    error::{StoreError, StoreResult},
    tx::Tx,
};

/// The row of an entry, without its place in the chain.
pub(super) fn row_of(entry: &Entry, now: OffsetDateTime) -> Row {
    // PostgreSQL takes no NUL in a text.
    let plain = |text: &String| text.replace('\0', "\u{fffd}");
    let (organization_id, organization) = entry.organization.clone().unzip();
    Row {
        id: 0,
        date: milliseconds(now),
        action: entry.action.to_string(),
        actor_kind: entry.actor.kind.to_string(),
        actor_id: entry.actor.id,
        actor_name: entry.actor.name.as_ref().map(plain),
        organization_id: organization_id.map(|id| id.0),
        organization: organization.flatten(),
        provider: entry.provider.as_ref().map(plain),
        integration_id: entry.integration.map(|id| id.0),
        external_id: entry.external_id.as_ref().map(plain),
        plugin_digest: entry.plugin_digest.as_ref().map(plain),
        result: entry.outcome.to_string(),
        detail: Value::Object(entry.detail.clone()).to_string(),
        count: entry.count,
        hash: Vec::new(),
    }
}

/// A row after the end of the chain.
pub(super) fn linked(end: &ChainEnd, row: Row, origin: Option<Origin>) -> (ChainEnd, Row) {
    let mut row = Row { id: end.head.count + 1, ..row };
    row.hash = end.key.key.hash(&end.head.hash, &row, origin);
    let head = Head { count: row.id, hash: row.hash.clone() };
    (end.clone().moved(head), row)
}

/// Appends a row. Returns the new end.
pub(super) fn append_row(tx: &mut Tx<'_>, end: &ChainEnd, row: Row) -> StoreResult<ChainEnd> {
    let (end, row) = linked(end, row, None);
    rows::insert(tx, &row)?;
    Ok(end)
}

const INSERT: &str = "INSERT INTO audit_log (id, date, action, actor_kind, actor_id, actor_name, organization_id, \
                      organization, provider, integration_id, external_id, plugin_digest, result, detail, count, \
                      hash, host, number) SELECT * FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, \
                      $13, $14, $15, $16, $17, $18)";

/// Inserts rows that are linked already, in one statement, on PostgreSQL: a multi-row insert with
/// values would be another statement for each number of rows.
pub(super) fn insert_linked(tx: &mut Tx<'_>, linked: Vec<(Row, Option<Origin>)>) -> StoreResult<()> {
    let AnyConnection::Postgres(postgres) = &mut *tx.connection else {
        return Err(StoreError::Lost("there is no queue on SQLite".to_owned()));
    };
    let (rows, origins): (Vec<Row>, Vec<Option<Origin>>) = linked.into_iter().unzip();
    macro_rules! column {
        ($name:ident) => {
            rows.iter().map(|row| row.$name.clone()).collect::<Vec<_>>()
        };
    }
    sql_query(INSERT)
        .bind::<Array<BigInt>, _>(column!(id))
        .bind::<Array<BigInt>, _>(column!(date))
        .bind::<Array<Text>, _>(column!(action))
        .bind::<Array<Text>, _>(column!(actor_kind))
        .bind::<Array<Nullable<BigInt>>, _>(column!(actor_id))
        .bind::<Array<Nullable<Text>>, _>(column!(actor_name))
        .bind::<Array<Nullable<BigInt>>, _>(column!(organization_id))
        .bind::<Array<Nullable<Text>>, _>(column!(organization))
        .bind::<Array<Nullable<Text>>, _>(column!(provider))
        .bind::<Array<Nullable<BigInt>>, _>(column!(integration_id))
        .bind::<Array<Nullable<Text>>, _>(column!(external_id))
        .bind::<Array<Nullable<Text>>, _>(column!(plugin_digest))
        .bind::<Array<Text>, _>(column!(result))
        .bind::<Array<Text>, _>(column!(detail))
        .bind::<Array<BigInt>, _>(column!(count))
        .bind::<Array<Binary>, _>(column!(hash))
        .bind::<Array<Nullable<BigInt>>, _>(origins.iter().map(|at| at.map(|at| at.host)).collect::<Vec<_>>())
        .bind::<Array<Nullable<BigInt>>, _>(origins.iter().map(|at| at.map(|at| at.number)).collect::<Vec<_>>())
        .execute(postgres)?;
    Ok(())
}
