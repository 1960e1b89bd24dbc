//! Webhooks: which setup or integration a key belongs to. Knows only the hash of a key, so nobody
//! can call with what stands in the database.

use diesel::prelude::*;
use time::OffsetDateTime;

use super::ids::{IntegrationId, OrganizationId};
use crate::{
    database::{column_types::milliseconds, event_schema::webhooks as t},
    error::StoreResult,
    tx::Tx,
};

/// What a webhook belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Owner {
    /// The setup under way of a session, by the session's key.
    Setup(Vec<u8>),
    /// The integration that came of it, and the organization whose setup it was.
    Integration(IntegrationId, OrganizationId),
}

/// Gives a setup a webhook. It replaces the one of an earlier setup of that session and provider.
///
/// # Errors
/// When the database fails.
pub fn put(
    tx: &mut Tx<'_>,
    key_hash: &[u8],
    session_key: &[u8],
    provider: &str,
    expires_at: OffsetDateTime,
) -> StoreResult<()> {
    remove_of_setup(tx, session_key, provider)?;
    let row = (
        t::key_hash.eq(key_hash),
        t::provider.eq(provider),
        t::session_key.eq(session_key),
        t::expires_at.eq(milliseconds(expires_at)),
    );
    tx.execute_later(diesel::insert_into(t::table).values(row))
}

type OwnerColumns = (Option<Vec<u8>>, Option<IntegrationId>, Option<OrganizationId>);

/// The owner of a provider's webhook; `None` if there is no such webhook or it has expired.
///
/// # Errors
/// When the database fails.
pub fn owner(tx: &mut Tx<'_>, key_hash: &[u8], provider: &str) -> StoreResult<Option<Owner>> {
    let row = t::table
        .find(key_hash)
        .filter(t::provider.eq(provider))
        .filter(t::expires_at.is_null().or(t::expires_at.gt(milliseconds(tx.now))))
        .select((t::session_key, t::integration_id, t::organization_id));
    let found: Option<OwnerColumns> = row.first(tx.connection).optional()?;
    let Some((session, integration, organization)) = found else { return Ok(None) };
    // Of a webhook from before organizations were noted, nobody knows whose it is.
    let installed = integration.zip(organization).map(|(id, organization)| Owner::Integration(id, organization));
    Ok(installed.or_else(|| session.map(Owner::Setup)))
}

/// Gives the webhook of an organization's setup to the integration that came of it. It replaces the
/// one of that organization's setup before: the service was given this one, and the integration
/// has the secrets that belong to it.
///
/// # Errors
/// When the database fails.
pub fn hand_over(
    tx: &mut Tx<'_>,
    session_key: &[u8],
    provider: &str,
    integration: IntegrationId,
    organization: OrganizationId,
) -> StoreResult<()> {
    remove(tx, organization, integration)?;
    let row = t::table.filter(t::session_key.eq(session_key)).filter(t::provider.eq(provider));
    let kept = (t::session_key.eq(None::<Vec<u8>>), t::expires_at.eq(None::<i64>));
    let owner = (t::integration_id.eq(integration), t::organization_id.eq(organization));
    tx.execute_later(diesel::update(row).set((kept, owner)))
}

/// Removes the webhook of a setup that has ended without an integration.
///
/// # Errors
/// When the database fails.
pub fn remove_of_setup(tx: &mut Tx<'_>, session_key: &[u8], provider: &str) -> StoreResult<()> {
    let row = t::table.filter(t::session_key.eq(session_key)).filter(t::provider.eq(provider));
    tx.execute_later(diesel::delete(row))
}

/// Removes the webhooks of all setups of a session.
pub(crate) fn remove_of_session(tx: &mut Tx<'_>, session_key: &[u8]) -> StoreResult<()> {
    tx.execute_later(diesel::delete(t::table.filter(t::session_key.eq(session_key))))
}

/// Removes the webhooks that an organization's setups gave to an integration.
pub(crate) fn remove(tx: &mut Tx<'_>, organization: OrganizationId, integration: IntegrationId) -> StoreResult<()> {
    let theirs = t::table.filter(t::integration_id.eq(integration)).filter(t::organization_id.eq(organization));
    tx.execute_later(diesel::delete(theirs))
}

/// Removes webhooks of setups that have expired, so many at most. Returns how many.
pub(crate) fn sweep(tx: &mut Tx<'_>, limit: i64) -> StoreResult<usize> {
    let now = milliseconds(tx.now);
    let has_expired = || t::expires_at.le(now);
    let expired = t::table.filter(has_expired()).order(t::expires_at).limit(limit);
    let keys: Vec<Vec<u8>> = expired.select(t::key_hash).load(tx.connection)?;
    for key in &keys {
        // One that belongs to an integration by now does not expire.
        tx.execute_later(diesel::delete(t::table.find(key).filter(has_expired())))?;
    }
    Ok(keys.len())
}
