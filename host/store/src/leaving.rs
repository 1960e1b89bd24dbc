//! Takes integrations, grants and identities out of use, and in the same transaction gives their tokens up to be revoked.
//!
//! Nothing here fails because a sealed value does not open: who removes something must be able to. What cannot be read is counted.

use diesel::prelude::*;
use serde_json::Map;

use super::{
    IdentityId, IntegrationId, OrganizationId, RevocationId, Sealer, StoreResult, Tx, UserId,
    grants::{self, Grant, Tokens},
    identities, integrations,
    integrations::Integration,
    revocations::{self, Given, GivenGrant, NewRevocation, Reason},
    schema::{grants as g, integrations as t, organization_integrations as links, user_identities as people},
    user_identities, webhooks,
};

/// What came of unlinking an integration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unlinked {
    /// The organization has no such integration.
    NotThere,
    /// Other organizations use it: nothing is given up.
    StillShared,
    /// It is removed, and given up.
    Removed(RevocationId),
}

impl Unlinked {
    /// What was given up.
    #[must_use]
    pub const fn revocation(self) -> Option<RevocationId> {
        match self {
            Self::Removed(id) => Some(id),
            Self::NotThere | Self::StillShared => None,
        }
    }
}

/// Unlinks an integration from an organization, and removes it when no organization is left.
pub fn unlink(
    tx: &mut Tx<'_>,
    organization: OrganizationId,
    id: IntegrationId,
    reason: Reason,
) -> StoreResult<Unlinked> {
    // Nobody links or unlinks it until this is through: the count below must be the truth.
    integrations::hold(tx, id)?;
    if diesel::delete(links::table.find((organization, id))).execute(tx.connection)? == 0 {
        return Ok(Unlinked::NotThere);
    }
    webhooks::remove(tx, organization, id)?;
    remove(tx, Some(organization), id, reason)
}

/// Removes an integration that no organization is linked to: nobody sees it, and nobody else would ever give it up.
pub fn remove_unlinked(tx: &mut Tx<'_>, id: IntegrationId, reason: Reason) -> StoreResult<Unlinked> {
    integrations::hold(tx, id)?;
    remove(tx, None, id, reason)
}

/// The integrations that no organization is linked to: their organizations were deleted.
pub fn unlinked(tx: &mut Tx<'_>, limit: i64) -> StoreResult<Vec<IntegrationId>> {
    let linked = diesel::dsl::exists(links::table.filter(links::integration_id.eq(t::id)));
    Ok(t::table.filter(diesel::dsl::not(linked)).order(t::id).limit(limit).select(t::id).load(tx.connection)?)
}

/// Under the row's lock.
fn remove(
    tx: &mut Tx<'_>,
    organization: Option<OrganizationId>,
    id: IntegrationId,
    reason: Reason,
) -> StoreResult<Unlinked> {
    let left: i64 = links::table.filter(links::integration_id.eq(id)).count().get_result(tx.connection)?;
    if left > 0 {
        return Ok(Unlinked::StillShared);
    }
    let Some(integration) = integrations::by_id(tx, id)? else { return Ok(Unlinked::NotThere) };
    let mut new = given_up(tx, &integration, reason)?;
    (new.organization, new.given.is_whole) = (organization, true);
    diesel::delete(t::table.find(id)).execute(tx.connection)?;
    Ok(Unlinked::Removed(revocations::add(tx, &new)?))
}

/// Marks an account that is connected as one to be authenticated again, where its end at the provider has reached it. Answers whether there
/// is one.
pub fn cut_off(tx: &mut Tx<'_>, provider: &str, external_id: &str, why: &str) -> StoreResult<bool> {
    let row = t::table.filter(t::provider.eq(provider)).filter(t::external_id.eq(external_id));
    let marked = t::status.eq(grants::NEEDS_REAUTHENTICATION);
    if diesel::update(row.filter(t::status.eq(integrations::ACTIVE))).set(marked).execute(tx.connection)? == 0 {
        return Ok(false);
    }
    let Some(integration) = integrations::by_external_id(tx, provider, external_id)? else { return Ok(false) };
    for grant in grants::of_integration(tx, integration.id)? {
        grants::end(tx, &grant, why)?;
    }
    Ok(true)
}

/// Revokes an integration's tokens and keeps the integration: its person must authenticate again.
pub fn disarm(tx: &mut Tx<'_>, integration: &Integration, why: &str) -> StoreResult<RevocationId> {
    // What is given up below are its last tokens: no refresh writes others, and no set-up, until this is through.
    integrations::hold(tx, integration.id)?;
    let new = given_up(tx, integration, Reason::Operator)?;
    for grant in grants::of_integration(tx, integration.id)? {
        grants::end(tx, &grant, why)?;
    }
    let marked = t::status.eq(grants::NEEDS_REAUTHENTICATION);
    diesel::update(t::table.find(integration.id)).set(marked).execute(tx.connection)?;
    revocations::add(tx, &new)
}

/// All that is needed to revoke an integration's tokens.
fn given_up(tx: &mut Tx<'_>, integration: &Integration, reason: Reason) -> StoreResult<NewRevocation> {
    let mut given = Given::default();
    match integrations::metadata(tx, integration.id) {
        Ok(metadata) => given.metadata = metadata.unwrap_or_default(),
        Err(error) => unreadable(&mut given, integration, &error),
    }
    for grant in grants::of_integration(tx, integration.id)? {
        match grant.tokens(tx.sealer) {
            Ok(tokens) => given.grants.push(given_grant(grant, tokens)),
            Err(error) => unreadable(&mut given, integration, &error),
        }
    }
    Ok(NewRevocation {
        provider: integration.provider.clone(),
        external_id: integration.external_id.clone(),
        name: integration.name.clone(),
        organization: None,
        reason,
        given,
    })
}

fn unreadable(given: &mut Given, integration: &Integration, error: &dyn std::fmt::Display) {
    tracing::error!(integration.id = %integration.id, provider.id = integration.provider, %error, "what is given up cannot be read");
    given.unreadable += 1;
}

fn given_grant(grant: Grant, tokens: Tokens) -> GivenGrant {
    let Grant { name, subject, scopes, .. } = grant;
    GivenGrant { name, subject, scopes: scopes.granted, tokens }
}

/// Gives up the tokens that a later set-up of the account has replaced, as far as they are others.
pub fn replace(
    tx: &mut Tx<'_>,
    integration: &Integration,
    organization: OrganizationId,
    replaced: Vec<Grant>,
) -> StoreResult<Option<RevocationId>> {
    let mut given = Given { is_connected: true, ..Given::default() };
    let current: Vec<Tokens> =
        readable(grants::of_integration(tx, integration.id)?, tx.sealer).map(|(_, new)| new).collect();
    for (grant, old) in readable(replaced, tx.sealer) {
        given.grants.extend(other_than(&current, old).map(|tokens| given_grant(grant, tokens)));
    }
    if given.grants.is_empty() {
        return Ok(None);
    }
    let new = NewRevocation {
        provider: integration.provider.clone(),
        external_id: integration.external_id.clone(),
        name: integration.name.clone(),
        organization: Some(organization),
        reason: Reason::Replaced,
        given,
    };
    revocations::add(tx, &new).map(Some)
}

fn readable(grants: Vec<Grant>, sealer: &Sealer) -> impl Iterator<Item = (Grant, Tokens)> + '_ {
    grants.into_iter().filter_map(|grant| grant.tokens(sealer).ok().map(|tokens| (grant, tokens)))
}

/// The tokens without those that are used still: some providers give the same ones again.
pub fn other_than(current: &[Tokens], mut old: Tokens) -> Option<Tokens> {
    let is_used = |token: &str| {
        current.iter().any(|used| used.access_token == token || used.refresh_token.as_deref() == Some(token))
    };
    old.refresh_token = old.refresh_token.filter(|token| !is_used(token));
    if is_used(&old.access_token) {
        old.access_token.clear();
    }
    (!old.access_token.is_empty() || old.refresh_token.is_some()).then_some(old)
}

/// The tokens of a provider that are in use, of one account or of all.
pub fn in_use(tx: &mut Tx<'_>, provider: &str, external_id: &str) -> StoreResult<Vec<Tokens>> {
    let mut rows = t::table.filter(t::provider.eq(provider.to_owned())).select(t::id).into_boxed();
    if !external_id.is_empty() {
        rows = rows.filter(t::external_id.eq(external_id.to_owned()));
    }
    let mut tokens = Vec::new();
    for id in rows.load::<IntegrationId>(tx.connection)? {
        let active = grants::of_integration(tx, id)?.into_iter().filter(|grant| grant.status == grants::Status::Active);
        tokens.extend(readable(active.collect(), tx.sealer).map(|(_, tokens)| tokens));
    }
    Ok(tokens)
}

/// Whether an account may be connected: the one of this id, or where it is not known one that this user has added or this organization has.
pub fn may_be_connected(
    tx: &mut Tx<'_>,
    provider: &str,
    external_id: &str,
    user: Option<UserId>,
    organization: Option<OrganizationId>,
) -> StoreResult<bool> {
    let active = t::table.filter(t::provider.eq(provider)).filter(t::status.eq(integrations::ACTIVE));
    if !external_id.is_empty() {
        return Ok(diesel::select(diesel::dsl::exists(active.filter(t::external_id.eq(external_id))))
            .get_result(tx.connection)?);
    }
    let Some(user) = user else { return Ok(false) };
    let theirs = links::added_by.eq(user).assume_not_null();
    let linked = active.inner_join(links::table);
    let found = match organization {
        Some(organization) => {
            diesel::select(diesel::dsl::exists(linked.filter(theirs.or(links::organization_id.eq(organization)))))
                .get_result(tx.connection)?
        }
        None => diesel::select(diesel::dsl::exists(linked.filter(theirs))).get_result(tx.connection)?,
    };
    Ok(found)
}

/// What came of unlinking an identity.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IdentityUnlinked {
    /// Whether it was linked.
    pub was_linked: bool,
    /// What was given up with it.
    pub revocations: Vec<RevocationId>,
}

/// Unlinks an identity from a user. When nobody is left who has proved it, the tokens that act for it are given up, and what is stored of
/// it goes.
pub fn unlink_identity(tx: &mut Tx<'_>, user: UserId, identity: IdentityId) -> StoreResult<IdentityUnlinked> {
    hold_with_integrations(tx, identity)?;
    if !user_identities::unlink(tx, user, identity)? {
        return Ok(IdentityUnlinked::default());
    }
    let others: i64 = people::table.filter(people::identity_id.eq(identity)).count().get_result(tx.connection)?;
    let mut revocations = Vec::new();
    if others == 0 {
        for (integration, grant, tokens) in acting_for(tx, identity)? {
            revocations.push(give_up_grant(tx, &integration, grant, tokens)?);
        }
        identities::delete(tx, identity)?;
    }
    Ok(IdentityUnlinked { was_linked: true, revocations })
}

/// Holds the integrations that something may act for an identity in, and then the identity: the count of those who have proved it must be the
/// truth, and its grants must stay as they are. A set-up that ends between the two has its person linked to the identity, so that it stays.
fn hold_with_integrations(tx: &mut Tx<'_>, identity: IdentityId) -> StoreResult<()> {
    if let Some(external_id) = identities::external_id(tx, identity)? {
        let rows = g::table.filter(g::subject.eq(external_id)).select(g::integration_id).distinct();
        let integrations: Vec<IntegrationId> = rows.order(g::integration_id).load(tx.connection)?;
        integrations.into_iter().try_for_each(|id| integrations::hold(tx, id).map(drop))?;
    }
    identities::hold(tx, identity)
}

/// The grants that act for an identity: of its external id, and with a token that stands in its data, since an id is unique at one
/// identity provider only.
fn acting_for(tx: &mut Tx<'_>, identity: IdentityId) -> StoreResult<Vec<(Integration, Grant, Tokens)>> {
    let Some(external_id) = identities::external_id(tx, identity)? else { return Ok(Vec::new()) };
    let ids: Vec<super::GrantId> = g::table.filter(g::subject.eq(external_id)).select(g::id).load(tx.connection)?;
    let mut found = Vec::new();
    for id in ids {
        let Some(grant) = grants::get(tx, id)? else { continue };
        let (Ok(tokens), Some(integration)) = (grant.tokens(tx.sealer), integrations::by_id(tx, grant.integration)?)
        else {
            continue;
        };
        if identities::holds(tx, identity, &tokens.access_token)? {
            found.push((integration, grant, tokens));
        }
    }
    Ok(found)
}

/// Where it is the integration's first, the integration cannot be used without it.
fn give_up_grant(
    tx: &mut Tx<'_>,
    integration: &Integration,
    grant: Grant,
    tokens: Tokens,
) -> StoreResult<RevocationId> {
    // Its integration is held, so it is as it was read: where it is over already, its tokens are given up all the same.
    grants::end(tx, &grant, "its person has unlinked the account")?;
    integrations::mark(tx, integration.id, &grant)?;
    let is_first = grants::of_integration(tx, integration.id)?.first().is_some_and(|first| first.id == grant.id);
    if !is_first {
        diesel::delete(g::table.find(grant.id)).execute(tx.connection)?;
    }
    let new = NewRevocation {
        provider: integration.provider.clone(),
        external_id: integration.external_id.clone(),
        name: integration.name.clone(),
        organization: None,
        reason: Reason::Removed,
        given: Given { grants: vec![given_grant(grant, tokens)], metadata: Map::new(), ..Given::default() },
    };
    revocations::add(tx, &new)
}
