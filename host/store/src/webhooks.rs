//! Webhooks: which set-up or integration a key belongs to. Knows a key's hash only, so that nobody can call with what the database holds.

use diesel::prelude::*;
use time::OffsetDateTime;

use super::{IntegrationId, OrganizationId, StoreResult, Tx, milliseconds, schema::webhooks as t};

/// What a webhook belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Owner {
    /// The set-up that a session, by its key, has under way with the provider.
    Setup(Vec<u8>),
    /// What came of it.
    Integration(IntegrationId),
}

/// Gives a set-up a webhook, in place of the one that an earlier set-up of that session and provider had.
pub fn put(
    tx: &mut Tx<'_>,
    key_hash: &[u8],
    session_key: &[u8],
    provider: &str,
    expires_at: OffsetDateTime,
) -> StoreResult<()> {
    diesel::delete(t::table.filter(t::session_key.eq(session_key)).filter(t::provider.eq(provider)))
        .execute(tx.connection)?;
    let row = (
        t::key_hash.eq(key_hash),
        t::provider.eq(provider),
        t::session_key.eq(session_key),
        t::expires_at.eq(milliseconds(expires_at)),
    );
    diesel::insert_into(t::table).values(row).execute(tx.connection)?;
    Ok(())
}

/// Whose webhook of a provider this is; nobody's when it has expired.
pub fn owner(tx: &mut Tx<'_>, key_hash: &[u8], provider: &str) -> StoreResult<Option<Owner>> {
    let row = t::table
        .find(key_hash)
        .filter(t::provider.eq(provider))
        .filter(t::expires_at.is_null().or(t::expires_at.gt(milliseconds(tx.now))))
        .select((t::session_key, t::integration_id));
    let found: Option<(Option<Vec<u8>>, Option<IntegrationId>)> = row.first(tx.connection).optional()?;
    Ok(found
        .and_then(|(session, integration)| integration.map(Owner::Integration).or_else(|| session.map(Owner::Setup))))
}

/// Hands the webhook of an organization's set-up over to the integration that came of it, which keeps those it has.
pub fn hand_over(
    tx: &mut Tx<'_>,
    session_key: &[u8],
    provider: &str,
    integration: IntegrationId,
    organization: OrganizationId,
) -> StoreResult<()> {
    let row = t::table.filter(t::session_key.eq(session_key)).filter(t::provider.eq(provider));
    let kept = (t::session_key.eq(None::<Vec<u8>>), t::expires_at.eq(None::<i64>));
    let theirs = (t::integration_id.eq(integration), t::organization_id.eq(organization));
    diesel::update(row).set((kept, theirs)).execute(tx.connection)?;
    Ok(())
}

/// Removes those that an organization's set-ups have left to an integration: who is not linked any more is called no more.
pub(super) fn remove(tx: &mut Tx<'_>, organization: OrganizationId, integration: IntegrationId) -> StoreResult<()> {
    let theirs = t::table.filter(t::integration_id.eq(integration)).filter(t::organization_id.eq(organization));
    diesel::delete(theirs).execute(tx.connection)?;
    Ok(())
}

/// Removes those whose set-ups have expired.
pub(super) fn sweep(tx: &mut Tx<'_>) -> StoreResult<()> {
    diesel::delete(t::table.filter(t::expires_at.le(milliseconds(tx.now)))).execute(tx.connection)?;
    Ok(())
}
