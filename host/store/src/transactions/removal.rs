//! Unlinks integrations and identities. With the last link they are removed, and in the same
//! transaction the revocation of their tokens is queued.

use super::{
    payload::{payload_of, revocation_of},
    renewal::require_reauthentication_if_first,
};
use crate::{
    error::StoreResult,
    tables::{
        grants::{self, Grant, GrantOwner, Tokens},
        identities,
        ids::{IdentityId, IntegrationId, OrganizationId, RevocationId, UserId},
        integrations::{self, Integration},
        organization_integrations,
        outgoing_events::{self, EventKind, NewEvent},
        revocations::{self, NewRevocation, Reason, RevocationPayload, RevokedGrant},
        user_identities, webhooks,
    },
    tx::Tx,
};

/// What came of unlinking an integration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unlinked {
    /// The organization does not have it.
    NotThere,
    /// Other organizations have it. The revocation of what was this organization's is queued, if
    /// there was anything.
    StillShared(Option<RevocationId>),
    /// It is removed, and its revocation is queued.
    Removed(RevocationId),
}

impl Unlinked {
    /// The revocation that was queued.
    #[must_use]
    pub const fn revocation(self) -> Option<RevocationId> {
        match self {
            Self::Removed(id) => Some(id),
            Self::StillShared(revocation) => revocation,
            Self::NotThere => None,
        }
    }

    /// Whether the integration is gone.
    #[must_use]
    pub const fn is_removed(self) -> bool {
        matches!(self, Self::Removed(_))
    }
}

/// Unlinks an integration from an organization. What is the organization's own is taken out of use,
/// and what of the account is lent to nobody else. If no other organization has the integration,
/// it is removed.
///
/// # Errors
/// When the database fails.
pub fn unlink(
    tx: &mut Tx<'_>,
    organization: OrganizationId,
    id: IntegrationId,
    reason: Reason,
) -> StoreResult<Unlinked> {
    // The lock: nobody links or unlinks it between the count below and the end of this.
    integrations::lock(tx, id)?;
    let Some(integration) = integrations::by_id(tx, id)? else { return Ok(Unlinked::NotThere) };
    if !organization_integrations::organizations_of(tx, id)?.contains(&organization) {
        return Ok(Unlinked::NotThere);
    }
    let is_last = organization_integrations::count(tx, id)? == 1;
    let taken = if is_last { grants::of_integration(tx, id)? } else { take_grants(tx, organization, id)? };
    let payload = payload_of(tx, &integration, &[organization], taken)?;
    webhooks::remove(tx, organization, id)?;
    // Before the link is gone: it says whose customer it was.
    let removed = NewEvent::new(organization, EventKind::Removed).of(id, integration.provider.as_str());
    outgoing_events::record(tx, &removed.with("externalId", integration.external_id.as_str()))?;
    organization_integrations::unlink(tx, organization, id)?;
    if is_last {
        return remove(tx, &integration, Some(organization), reason, payload);
    }
    if payload.grants.is_empty() && payload.unreadable == 0 {
        return Ok(Unlinked::StillShared(None));
    }
    let new = NewRevocation { organization: Some(organization), ..revocation_of(&integration, reason, payload) };
    Ok(Unlinked::StillShared(Some(revocations::add(tx, &new)?)))
}

/// Takes out of use what an organization is lent and nobody else is.
fn take_grants(tx: &mut Tx<'_>, organization: OrganizationId, id: IntegrationId) -> StoreResult<Vec<Grant>> {
    grants::end_shares(tx, organization, id)?;
    let mut taken = grants::owned_by(tx, organization, id)?;
    taken.extend(grants::unshared(tx, id)?);
    taken.iter().try_for_each(|grant| grants::delete(tx, grant.id))?;
    Ok(taken)
}

/// Removes an integration that no organization has: nobody sees it, and nobody else would ever
/// revoke it.
///
/// # Errors
/// When the database fails.
pub fn remove_unlinked(tx: &mut Tx<'_>, id: IntegrationId, reason: Reason) -> StoreResult<Unlinked> {
    integrations::lock(tx, id)?;
    let Some(integration) = integrations::by_id(tx, id)? else { return Ok(Unlinked::NotThere) };
    if organization_integrations::count(tx, id)? > 0 {
        return Ok(Unlinked::StillShared(None));
    }
    let left = grants::of_integration(tx, id)?;
    let payload = payload_of(tx, &integration, &[], left)?;
    remove(tx, &integration, None, reason, payload)
}

/// Removes the grants of an integration that nobody is lent any more, since their organization was
/// deleted, and queues their revocation.
///
/// # Errors
/// When the database fails.
pub fn remove_ownerless(tx: &mut Tx<'_>, id: IntegrationId) -> StoreResult<Option<RevocationId>> {
    integrations::lock(tx, id)?;
    let Some(integration) = integrations::by_id(tx, id)? else { return Ok(None) };
    let linked = organization_integrations::organizations_of(tx, id)?;
    let mut left = grants::unshared(tx, id)?;
    let is_left = |grant: &Grant| matches!(grant.owner, GrantOwner::Organization(owner) if !linked.contains(&owner));
    left.extend(grants::of_integration(tx, id)?.into_iter().filter(is_left));
    left.iter().try_for_each(|grant| grants::delete(tx, grant.id))?;
    let payload = payload_of(tx, &integration, &[], left)?;
    if payload.grants.is_empty() && payload.unreadable == 0 {
        return Ok(None);
    }
    revocations::add(tx, &revocation_of(&integration, Reason::Orphaned, payload)).map(Some)
}

/// For callers that have locked the row.
fn remove(
    tx: &mut Tx<'_>,
    integration: &Integration,
    organization: Option<OrganizationId>,
    reason: Reason,
    payload: RevocationPayload,
) -> StoreResult<Unlinked> {
    let mut new = revocation_of(integration, reason, RevocationPayload { is_whole: true, ..payload });
    new.organization = organization;
    integrations::delete(tx, integration.id)?;
    Ok(Unlinked::Removed(revocations::add(tx, &new)?))
}

/// What came of unlinking an identity.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IdentityUnlinked {
    /// Whether it was linked.
    pub was_linked: bool,
    /// The revocations that were queued.
    pub revocations: Vec<RevocationId>,
}

/// Unlinks an identity from a user. If no other user has proved it, it is removed, and the
/// revocation of the tokens that act for it is queued.
///
/// # Errors
/// When the database fails.
pub fn unlink_identity(tx: &mut Tx<'_>, user: UserId, identity: IdentityId) -> StoreResult<IdentityUnlinked> {
    lock_with_integrations(tx, identity)?;
    if !user_identities::unlink(tx, user, identity)? {
        return Ok(IdentityUnlinked::default());
    }
    let mut revocations = Vec::new();
    if user_identities::count(tx, identity)? == 0 {
        for (integration, grant, tokens) in acting_for(tx, identity)? {
            revocations.push(revoke_grant(tx, &integration, grant, tokens)?);
        }
        identities::delete(tx, identity)?;
    }
    Ok(IdentityUnlinked { was_linked: true, revocations })
}

/// Locks the integrations with grants that can act for an identity, and then the identity: nobody
/// proves it and no grant changes until this ends. A setup that ends between the two locks links
/// its person to the identity, so that it stays.
fn lock_with_integrations(tx: &mut Tx<'_>, identity: IdentityId) -> StoreResult<()> {
    if let Some(external_id) = identities::external_id(tx, identity)? {
        for id in grants::integrations_of_subject(tx, &external_id)? {
            integrations::lock(tx, id)?;
        }
    }
    identities::lock(tx, identity)
}

/// The grants that act for an identity: those of its external id whose token stands in its data as
/// well, since an external id is unique at one identity provider only.
fn acting_for(tx: &mut Tx<'_>, identity: IdentityId) -> StoreResult<Vec<(Integration, Grant, Tokens)>> {
    let Some(external_id) = identities::external_id(tx, identity)? else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    for grant in grants::of_subject(tx, &external_id)? {
        let Ok(tokens) = grant.tokens(tx.sealer) else { continue };
        let Some(integration) = integrations::by_id(tx, grant.integration)? else { continue };
        let account = identities::account(tx, &integration.provider, &external_id)?;
        if identities::holding(tx, &account, &tokens.access_token)?.contains(&identity) {
            found.push((integration, grant, tokens));
        }
    }
    Ok(found)
}

/// Ends a grant and queues its revocation. The first grant of an integration stays as a row:
/// without it the integration cannot be used.
fn revoke_grant(tx: &mut Tx<'_>, integration: &Integration, grant: Grant, tokens: Tokens) -> StoreResult<RevocationId> {
    // Whether it had ended before does not matter: its integration is locked, so these are its
    // tokens.
    grants::end(tx, &grant, "its person has unlinked the account")?;
    if !require_reauthentication_if_first(tx, &grant)? {
        grants::delete(tx, grant.id)?;
    }
    let grants = vec![RevokedGrant::of_stored(grant, tokens)];
    let payload = RevocationPayload { grants, ..RevocationPayload::default() };
    revocations::add(tx, &revocation_of(integration, Reason::Removed, payload))
}
