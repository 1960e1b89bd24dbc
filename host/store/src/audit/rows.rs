//! The rows of the audit log, as they stand in the table.

use diesel::prelude::*;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::entry::Action;
use crate::{
    chain::chain_memory::Origin,
    database::{
        column_types::milliseconds,
        connection::AnyConnection,
        schema::{audit_log as t, audit_origins as o},
    },
    error::StoreResult,
    tables::ids::{IntegrationId, OrganizationId},
    tx::Tx,
};

/// A row as it stands in the table. In the queue it has neither id nor hash, and its date stands
/// beside it.
#[derive(Clone, Debug, PartialEq, Eq, Queryable, Selectable, Insertable, Serialize, Deserialize)]
#[diesel(table_name = t)]
#[expect(missing_docs, reason = "each field is the column of its name")]
pub struct Row {
    #[serde(skip)]
    pub id: i64,
    #[serde(skip)]
    pub date: i64,
    pub action: String,
    pub actor_kind: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actor_id: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actor_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub organization_id: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub organization: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub integration_id: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plugin_digest: Option<String>,
    pub result: String,
    pub detail: String,
    pub count: i64,
    #[serde(skip)]
    pub hash: Vec<u8>,
}

/// Selects rows of the log. A field that is `None` selects all.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Of this organization.
    pub organization: Option<OrganizationId>,
    /// With this action.
    pub action: Option<Action>,
    /// Of this provider.
    pub provider: Option<String>,
    /// Of this integration.
    pub integration: Option<IntegrationId>,
    /// From this time on.
    pub since: Option<OffsetDateTime>,
}

macro_rules! filtered {
    ($filter:expr) => {{
        let filter: &Filter = $filter;
        let mut query = t::table.select(Row::as_select()).into_boxed();
        if let Some(organization) = filter.organization {
            query = query.filter(t::organization_id.eq(organization.0));
        }
        if let Some(action) = filter.action {
            query = query.filter(t::action.eq(action.as_str()));
        }
        if let Some(provider) = &filter.provider {
            query = query.filter(t::provider.eq(provider));
        }
        if let Some(integration) = filter.integration {
            query = query.filter(t::integration_id.eq(integration.0));
        }
        if let Some(since) = filter.since {
            query = query.filter(t::date.ge(milliseconds(since)));
        }
        query
    }};
}

/// Inserts a row.
pub(super) fn insert(tx: &mut Tx<'_>, row: &Row) -> StoreResult<()> {
    tx.execute_later(diesel::insert_into(t::table).values(row))
}

/// The newest rows before an id, the newest first.
///
/// # Errors
/// When the database fails.
pub fn newest(tx: &mut Tx<'_>, filter: &Filter, before: Option<i64>, limit: i64) -> StoreResult<Vec<Row>> {
    let mut query = filtered!(filter).order(t::id.desc()).limit(limit);
    if let Some(before) = before {
        query = query.filter(t::id.lt(before));
    }
    Ok(query.load(tx.connection)?)
}

/// The rows after an id, in their order.
///
/// # Errors
/// When the database fails.
pub fn after(tx: &mut Tx<'_>, filter: &Filter, id: i64, limit: i64) -> StoreResult<Vec<Row>> {
    Ok(filtered!(filter).filter(t::id.gt(id)).order(t::id).limit(limit).load(tx.connection)?)
}

/// The row of an id.
///
/// # Errors
/// When the database fails.
pub fn row(tx: &mut Tx<'_>, id: i64) -> StoreResult<Option<Row>> {
    Ok(t::table.find(id).select(Row::as_select()).first(tx.connection).optional()?)
}

/// The highest id.
///
/// # Errors
/// When the database fails.
pub fn last_id(tx: &mut Tx<'_>) -> StoreResult<i64> {
    Ok(t::table.select(diesel::dsl::max(t::id)).first::<Option<i64>>(tx.connection)?.unwrap_or_default())
}

/// Where the rows after an id, up to another, were in the queue: those that were there.
///
/// # Errors
/// When the database fails.
pub fn origins(tx: &mut Tx<'_>, after: i64, until: i64) -> StoreResult<Vec<(i64, Origin)>> {
    // On SQLite there is no queue, and the table has no such columns.
    if matches!(tx.connection, AnyConnection::Sqlite(_)) {
        return Ok(Vec::new());
    }
    let queued = o::table.filter(o::host.is_not_null().or(o::number.is_not_null()));
    let rows = queued.filter(o::id.gt(after)).filter(o::id.le(until)).order(o::id);
    let rows: Vec<(i64, Option<i64>, Option<i64>)> = rows.load(tx.connection)?;
    let origin = |host: Option<i64>, number: Option<i64>| Origin {
        host: host.unwrap_or_default(),
        number: number.unwrap_or_default(),
    };
    Ok(rows.into_iter().map(|(id, host, number)| (id, origin(host, number))).collect())
}
