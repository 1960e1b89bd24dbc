//! Takes tokens out of use and keeps their integration, and in the same transaction queues their
//! revocation.

use super::{
    payload::{payload_of, readable, revocation_of},
    renewal::{clear_reauthentication_if_first, record_scopes},
    tokens_in_use::without_used,
};
use crate::{
    error::StoreResult,
    tables::{
        grants::{self, Grant, GrantOwner, NewGrant, Status, Tokens},
        ids::{IntegrationId, OrganizationId, RevocationId},
        integrations::{self, Integration},
        organization_integrations,
        revocations::{self, NewRevocation, Reason, RevocationPayload, RevokedGrant},
    },
    tx::Tx,
};

/// Queues the revocation of the tokens that organizations have of an integration, and keeps the
/// integration. They must authenticate again. What of the account is lent to others stays. `None`
/// if nothing is left to revoke.
///
/// # Errors
/// When the database fails.
pub fn revoke_keeping(
    tx: &mut Tx<'_>,
    integration: &Integration,
    organizations: &[OrganizationId],
    why: &str,
) -> StoreResult<Option<RevocationId>> {
    // The lock: no refresh and no setup writes other tokens until this ends.
    integrations::lock(tx, integration.id)?;
    let linked = organization_integrations::organizations_of(tx, integration.id)?;
    let is_shared = linked.iter().any(|linked| !organizations.contains(linked));
    let mut revoked = Vec::new();
    for grant in grants::of_integration(tx, integration.id)? {
        let lent_to = grants::organizations_of(tx, &grant)?;
        if lent_to.iter().all(|lent_to| organizations.contains(lent_to)) {
            grants::end(tx, &grant, why)?;
            revoked.push(grant);
        }
    }
    let payload = payload_of(tx, integration, organizations, revoked)?;
    if is_shared && payload.grants.is_empty() && payload.unreadable == 0 {
        return Ok(None);
    }
    for organization in organizations {
        organization_integrations::require_reauthentication(tx, *organization, integration.id)?;
    }
    let only = organizations.first().copied().filter(|_| is_shared && organizations.len() == 1);
    let new = NewRevocation { organization: only, ..revocation_of(integration, Reason::Operator, payload) };
    revocations::add(tx, &new).map(Some)
}

/// Marks an account as one to be authenticated again: an earlier revocation of it, which the
/// provider has done only now, has ended its new tokens as well. Returns whether the account is
/// connected.
///
/// # Errors
/// When the database fails.
pub fn mark_revoked(tx: &mut Tx<'_>, provider: &str, external_id: &str, why: &str) -> StoreResult<bool> {
    let Some(found) = integrations::by_external_id(tx, provider, external_id)? else { return Ok(false) };
    integrations::lock(tx, found.id)?;
    let mut was_connected = false;
    for organization in organization_integrations::organizations_of(tx, found.id)? {
        was_connected |= organization_integrations::require_reauthentication(tx, organization, found.id)?;
    }
    if was_connected {
        end_grants(tx, found.id, why)?;
    }
    Ok(was_connected)
}

fn end_grants(tx: &mut Tx<'_>, integration: IntegrationId, why: &str) -> StoreResult<()> {
    for grant in grants::of_integration(tx, integration)? {
        grants::end(tx, &grant, why)?;
    }
    Ok(())
}

/// Stores the grants of an organization's setup that has made its integration.
///
/// # Errors
/// When the database fails.
pub fn put_first_grants(
    tx: &mut Tx<'_>,
    integration: &Integration,
    organization: OrganizationId,
    grants: Vec<NewGrant>,
) -> StoreResult<Option<RevocationId>> {
    let mut places: Vec<_> = grants.iter().map(|grant| (&grant.name, &grant.subject)).collect();
    places.sort_unstable();
    // The later one replaces the one before it.
    if places.windows(2).any(|pair| pair[0] == pair[1]) {
        return put_grants(tx, integration, organization, grants);
    }
    grants::put_first(tx, integration.id, organization, &grants).map(|()| None)
}

/// Stores the grants of an organization's finished setup, and queues the revocation of those that
/// they replace, except the tokens that the setup has brought again. The caller has locked the
/// integration.
///
/// # Errors
/// When the database fails.
pub fn put_grants(
    tx: &mut Tx<'_>,
    integration: &Integration,
    organization: OrganizationId,
    grants: Vec<NewGrant>,
) -> StoreResult<Option<RevocationId>> {
    let replaced = grants::put(tx, integration.id, organization, grants)?;
    let current = grants::of_integration(tx, integration.id)?;
    // A grant of the account that works again does so for all who are lent it.
    for grant in current.iter().filter(|grant| is_of_account(grant) && grant.status == Status::Active) {
        clear_reauthentication_if_first(tx, grant, Some(organization))?;
    }
    for before in &replaced {
        let now = current.iter().find(|grant| grant.id == before.id);
        record_scopes(tx, before, &integration.provider, now.map_or(&[], |grant| &grant.scopes.granted))?;
    }
    revoke_replaced(tx, integration, organization, current, replaced)
}

fn is_of_account(grant: &Grant) -> bool {
    grant.owner == GrantOwner::Account
}

fn revoke_replaced(
    tx: &mut Tx<'_>,
    integration: &Integration,
    organization: OrganizationId,
    current: Vec<Grant>,
    replaced: Vec<Grant>,
) -> StoreResult<Option<RevocationId>> {
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
