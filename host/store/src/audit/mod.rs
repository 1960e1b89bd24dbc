//! The audit log: what was done, by whom, as a chain that nobody changes unseen.
//!
//! [`append`] is called in the transaction of the deed, as its last statement: on PostgreSQL it holds the head of the chain until the
//! transaction is through, so that hosts append in turn. A transaction that took other locks after it could wait for one that waits for the
//! head. A row is never changed or removed.

mod builds;
mod chain;
mod entry;
mod going_on;

pub use builds::Builds;
pub use chain::{Break, ChainKey, Head, Row};
use diesel::prelude::*;
pub use entry::{Action, Actor, ActorKind, Entry, Outcome};
pub use going_on::{is_erased, keys};
use time::OffsetDateTime;

use super::{
    IntegrationId, OrganizationId, StoreResult, Tx, integrations, milliseconds, organizations,
    schema::{audit_head as h, audit_log as t},
    users,
};

impl Tx<'_> {
    /// Writes a deed down, chained to the one before. To be called last in a transaction: see the room's words.
    ///
    /// # Errors
    /// When the database fails.
    pub fn audit(&mut self, entry: &Entry) -> StoreResult<()> {
        append_under(self, entry, |_, key, _| Ok(key))
    }
}

/// The same, and from this row on the chain has a new key. Who had the one before can still not change what was written under it: the first
/// row under the new one is chained to the last of those.
pub fn append_under_new_key(tx: &mut Tx<'_>, entry: &Entry) -> StoreResult<()> {
    append_under(tx, entry, |tx, _, head| going_on::fresh(tx, head))
}

/// Takes the key that the chain has, for the one to go on with after a head.
type ChooseKey = fn(&mut Tx<'_>, ChainKey, &Head) -> StoreResult<ChainKey>;

fn append_under(tx: &mut Tx<'_>, entry: &Entry, choose: ChooseKey) -> StoreResult<()> {
    let entry = with_names(tx, entry)?;
    let row = h::table.find(1);
    // Holds the row, and what follows is alone until the transaction is through.
    let locked = diesel::update(row).set(h::count.eq(h::count + 1)).returning((h::count, h::hash, h::mac));
    let (count, hash, mac): (i64, Vec<u8>, Vec<u8>) = locked.get_result(tx.connection)?;
    let (key, mut head) = going_on::after(tx, Head { count: count - 1, hash }, &mac, &entry)?;
    let key = choose(tx, key, &head)?;
    head = insert(tx, &key, &head, &entry)?;
    let set = (h::count.eq(head.count), h::hash.eq(&head.hash), h::mac.eq(key.head_mac(&head)));
    diesel::update(row).set(set).execute(tx.connection)?;
    Ok(())
}

/// The same with names as they are now: they may change, and whom they name may go.
pub fn with_names(tx: &mut Tx<'_>, entry: &Entry) -> StoreResult<Entry> {
    let mut entry = entry.clone();
    if let (ActorKind::User, Some(id), None) = (entry.actor.kind, entry.actor.id, &entry.actor.name) {
        entry.actor.name = users::by_id(tx, super::UserId(id))?.map(|user| user.email);
    }
    if let Some((id, slug @ None)) = &mut entry.organization {
        *slug = organizations::by_id(tx, *id)?.map(|organization| organization.slug);
    }
    if let (Some(id), None) = (entry.integration, &entry.external_id)
        && let Some(found) = integrations::by_id(tx, id)?
    {
        entry = entry.integration(&found);
    }
    Ok(entry)
}

fn insert(tx: &mut Tx<'_>, key: &ChainKey, head: &Head, entry: &Entry) -> StoreResult<Head> {
    let row = chained(key, head, entry, tx.now);
    let what = (
        t::id.eq(row.id),
        t::date.eq(row.date),
        t::action.eq(&row.action),
        t::actor_kind.eq(&row.actor_kind),
        t::actor_id.eq(row.actor_id),
        t::actor_name.eq(&row.actor_name),
        t::organization_id.eq(row.organization_id),
        t::organization.eq(&row.organization),
        t::provider.eq(&row.provider),
    );
    let how = (
        t::integration_id.eq(row.integration_id),
        t::external_id.eq(&row.external_id),
        t::plugin_digest.eq(&row.plugin_digest),
        t::result.eq(&row.result),
        t::detail.eq(&row.detail),
        t::count.eq(row.count),
        t::hash.eq(&row.hash),
    );
    diesel::insert_into(t::table).values((what, how)).execute(tx.connection)?;
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
        detail: serde_json::Value::Object(entry.detail.clone()).to_string(),
        count: entry.count,
        hash: Vec::new(),
    };
    row.hash = key.hash(&head.hash, &row);
    row
}

/// The end of the chain, with the code that only the key's holder can write.
pub fn head(tx: &mut Tx<'_>) -> StoreResult<(Head, Vec<u8>)> {
    let (count, hash, mac) = h::table.find(1).select((h::count, h::hash, h::mac)).first(tx.connection)?;
    Ok((Head { count, hash }, mac))
}

/// Whether this head was written by a host that has this key.
#[must_use]
pub fn is_head(key: &ChainKey, head: &Head, mac: &[u8]) -> bool {
    key.head_mac(head) == mac
}

/// The highest id there is.
pub fn last_id(tx: &mut Tx<'_>) -> StoreResult<i64> {
    Ok(t::table.select(diesel::dsl::max(t::id)).first::<Option<i64>>(tx.connection)?.unwrap_or_default())
}

/// What of the log is asked for. What is not said is not asked for.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Of this organization only.
    pub organization: Option<OrganizationId>,
    /// Only such.
    pub action: Option<Action>,
    /// Of this provider only.
    pub provider: Option<String>,
    /// Of this integration only.
    pub integration: Option<IntegrationId>,
    /// From this time on only.
    pub since: Option<OffsetDateTime>,
}

macro_rules! columns {
    () => {
        (
            (t::id, t::date, t::action, t::actor_kind, t::actor_id, t::actor_name),
            (t::organization_id, t::organization, t::provider, t::integration_id, t::external_id, t::plugin_digest),
            (t::result, t::detail, t::count, t::hash),
        )
    };
}

macro_rules! filtered {
    ($filter:expr) => {{
        let filter: &Filter = $filter;
        let mut query = t::table.select(columns!()).into_boxed();
        if let Some(organization) = filter.organization {
            query = query.filter(t::organization_id.eq(organization.0));
        }
        if let Some(action) = filter.action {
            query = query.filter(t::action.eq(action.as_str()));
        }
        if let Some(provider) = filter.provider.clone() {
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

type Texts = (Option<i64>, Option<String>, Option<String>, Option<i64>, Option<String>, Option<String>);
type Columns = ((i64, i64, String, String, Option<i64>, Option<String>), Texts, (String, String, i64, Vec<u8>));

impl From<Columns> for Row {
    fn from((who, what, how): Columns) -> Self {
        let (id, date, action, actor_kind, actor_id, actor_name) = who;
        let (organization_id, organization, provider, integration_id, external_id, plugin_digest) = what;
        let (result, detail, count, hash) = how;
        Self {
            id,
            date,
            action,
            actor_kind,
            actor_id,
            actor_name,
            organization_id,
            organization,
            provider,
            integration_id,
            external_id,
            plugin_digest,
            result,
            detail,
            count,
            hash,
        }
    }
}

/// The newest first, those before an id.
pub fn newest(tx: &mut Tx<'_>, filter: &Filter, before: Option<i64>, limit: i64) -> StoreResult<Vec<Row>> {
    let mut query = filtered!(filter).order(t::id.desc()).limit(limit);
    if let Some(before) = before {
        query = query.filter(t::id.lt(before));
    }
    let rows: Vec<Columns> = query.load(tx.connection)?;
    Ok(rows.into_iter().map(Row::from).collect())
}

/// In their order, those after an id.
pub fn after(tx: &mut Tx<'_>, filter: &Filter, id: i64, limit: i64) -> StoreResult<Vec<Row>> {
    let rows: Vec<Columns> = filtered!(filter).filter(t::id.gt(id)).order(t::id).limit(limit).load(tx.connection)?;
    Ok(rows.into_iter().map(Row::from).collect())
}

/// The row of an id.
pub fn row(tx: &mut Tx<'_>, id: i64) -> StoreResult<Option<Row>> {
    Ok(after(tx, &Filter::default(), id - 1, 1)?.into_iter().find(|row| row.id == id))
}

#[cfg(test)]
mod tests;
