//! Takes tokens out of use and keeps their integration, and in the same transaction queues their
//! revocation.

use super::{
    payload::{payload_of, readable, revocation_of},
    tokens_in_use::without_used,
};
use crate::{
    error::StoreResult,
    tables::{
        grants::{self, Grant, Tokens},
        ids::{IntegrationId, OrganizationId, RevocationId},
        integrations::{self, Integration},
        revocations::{self, Reason, RevocationPayload, RevokedGrant},
    },
    tx::Tx,
};

/// Queues the revocation of all tokens of an integration and keeps the integration. Its person
/// must authenticate again.
///
/// # Errors
/// When the database fails.
pub fn revoke_keeping(tx: &mut Tx<'_>, integration: &Integration, why: &str) -> StoreResult<RevocationId> {
    // The lock: no refresh and no setup writes other tokens until this ends.
    integrations::lock(tx, integration.id)?;
    let payload = payload_of(tx, integration)?;
    end_grants(tx, integration.id, why)?;
    integrations::require_reauthentication(tx, integration.id)?;
    revocations::add(tx, &revocation_of(integration, Reason::Operator, payload))
}

/// Marks an account as one to be authenticated again: an earlier revocation of it, which the
/// provider has done only now, has ended its new tokens as well. Returns whether the account is
/// connected.
///
/// # Errors
/// When the database fails.
pub fn mark_revoked(tx: &mut Tx<'_>, provider: &str, external_id: &str, why: &str) -> StoreResult<bool> {
    let Some(id) = integrations::require_reauthentication_of(tx, provider, external_id)? else { return Ok(false) };
    end_grants(tx, id, why)?;
    Ok(true)
}

fn end_grants(tx: &mut Tx<'_>, integration: IntegrationId, why: &str) -> StoreResult<()> {
    for grant in grants::of_integration(tx, integration)? {
        grants::end(tx, &grant, why)?;
    }
    Ok(())
}

/// Queues the revocation of tokens that a later setup of the account has replaced, except those
/// that it has brought again.
///
/// # Errors
/// When the database fails.
pub fn revoke_replaced(
    tx: &mut Tx<'_>,
    integration: &Integration,
    organization: OrganizationId,
    replaced: Vec<Grant>,
) -> StoreResult<Option<RevocationId>> {
    let current = grants::of_integration(tx, integration.id)?;
    let current: Vec<Tokens> = readable(current, tx.sealer).map(|(_, tokens)| tokens).collect();
    let mut payload = RevocationPayload { is_connected: true, ..RevocationPayload::default() };
    for (grant, old) in readable(replaced, tx.sealer) {
        payload.grants.extend(without_used(&current, old).map(|tokens| RevokedGrant::of_stored(grant, tokens)));
    }
    if payload.grants.is_empty() {
        return Ok(None);
    }
    let mut new = revocation_of(integration, Reason::Replaced, payload);
    new.organization = Some(organization);
    revocations::add(tx, &new).map(Some)
}
