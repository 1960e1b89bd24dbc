//! Unlinks integrations and identities. With the last link they are removed, and in the same
//! transaction the revocation of their tokens is queued.

use super::{
    payload::{payload_of, revocation_of},
    renewal::require_reauthentication_if_first,
};
use crate::{
    error::StoreResult,
    tables::{
        grants::{self, Grant, Tokens},
        identities,
        ids::{IdentityId, IntegrationId, OrganizationId, RevocationId, UserId},
        integrations::{self, Integration},
        organization_integrations,
        revocations::{self, Reason, RevocationPayload, RevokedGrant},
        user_identities, webhooks,
    },
    tx::Tx,
};

/// What came of unlinking an integration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unlinked {
    /// The organization does not have it.
    NotThere,
    /// Other organizations have it: nothing is revoked.
    StillShared,
    /// It is removed, and its revocation is queued.
    Removed(RevocationId),
}

impl Unlinked {
    /// The revocation that was queued.
    #[must_use]
    pub const fn revocation(self) -> Option<RevocationId> {
        match self {
            Self::Removed(id) => Some(id),
            Self::NotThere | Self::StillShared => None,
        }
    }
}

/// Unlinks an integration from an organization, and removes it if no other organization has it.
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
    if !organization_integrations::unlink(tx, organization, id)? {
        return Ok(Unlinked::NotThere);
    }
    webhooks::remove(tx, organization, id)?;
    remove(tx, Some(organization), id, reason)
}

/// Removes an integration that no organization has: nobody sees it, and nobody else would ever
/// revoke it.
///
/// # Errors
/// When the database fails.
pub fn remove_unlinked(tx: &mut Tx<'_>, id: IntegrationId, reason: Reason) -> StoreResult<Unlinked> {
    integrations::lock(tx, id)?;
    remove(tx, None, id, reason)
}

/// For callers that have locked the row.
fn remove(
    tx: &mut Tx<'_>,
    organization: Option<OrganizationId>,
    id: IntegrationId,
    reason: Reason,
) -> StoreResult<Unlinked> {
    if organization_integrations::count(tx, id)? > 0 {
        return Ok(Unlinked::StillShared);
    }
    let Some(integration) = integrations::by_id(tx, id)? else { return Ok(Unlinked::NotThere) };
    let payload = payload_of(tx, &integration)?;
    let mut new = revocation_of(&integration, reason, RevocationPayload { is_whole: true, ..payload });
    new.organization = organization;
    integrations::delete(tx, id)?;
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
        let is_theirs = identities::is_of_provider(tx, identity, &integration.provider)?;
        if is_theirs && identities::holds(tx, identity, &tokens.access_token)? {
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
