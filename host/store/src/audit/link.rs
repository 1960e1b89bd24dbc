//! Appends one entry to the chain, after a head and under a key.

use serde_json::Value;
use time::OffsetDateTime;

use super::{
    chain::{ChainKey, Head},
    entry::Entry,
    rows::{self, Row},
};
use crate::{database::column_types::milliseconds, error::StoreResult, tx::Tx};

/// Inserts an entry as the row after a head. Returns the new head.
pub(super) fn insert(tx: &mut Tx<'_>, key: &ChainKey, head: &Head, entry: &Entry) -> StoreResult<Head> {
    let row = chained(key, head, entry, tx.now);
    rows::insert(tx, &row)?;
    Ok(Head { count: row.id, hash: row.hash })
}

fn chained(key: &ChainKey, head: &Head, entry: &Entry, now: OffsetDateTime) -> Row {
    // PostgreSQL takes no NUL in a text.
    let plain = |text: &String| text.replace('\0', "\u{fffd}");
    let (organization_id, organization) = entry.organization.clone().unzip();
    let mut row = Row {
        id: head.count + 1,
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
    };
    row.hash = key.hash(&head.hash, &row);
    row
}
