//! Takes integrations, grants and identities out of use, and in the same transaction gives their tokens up to be revoked.
//!
//! Nothing here fails because a sealed value does not open: who removes something must be able to. What cannot be read is counted.

use diesel::prelude::*;
use serde_json::Map;
use time::OffsetDateTime;

use super::{
    AnyConnection, IdentityId, IntegrationId, OrganizationId, RevocationId, Sealer, StoreResult, UserId,
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
    c: &mut AnyConnection,
    sealer: &Sealer,
    organization: OrganizationId,
    id: IntegrationId,
    reason: Reason,
    now: OffsetDateTime,
) -> StoreResult<Unlinked> {
    // Nobody links or unlinks it until this is through: the count below must be the truth.
    integrations::hold(c, id)?;
    if diesel::delete(links::table.find((organization, id))).execute(c)? == 0 {
        return Ok(Unlinked::NotThere);
    }
    webhooks::remove(c, organization, id)?;
    remove(c, sealer, Some(organization), id, reason, now)
}

/// Removes an integration that no organization is linked to: nobody sees it, and nobody else would ever give it up.
pub fn remove_unlinked(
    c: &mut AnyConnection,
    sealer: &Sealer,
    id: IntegrationId,
    reason: Reason,
    now: OffsetDateTime,
) -> StoreResult<Unlinked> {
    integrations::hold(c, id)?;
    remove(c, sealer, None, id, reason, now)
}

/// The integrations that no organization is linked to: their organizations were deleted.
pub fn unlinked(c: &mut AnyConnection, limit: i64) -> StoreResult<Vec<IntegrationId>> {
    let linked = diesel::dsl::exists(links::table.filter(links::integration_id.eq(t::id)));
    Ok(t::table.filter(diesel::dsl::not(linked)).order(t::id).limit(limit).select(t::id).load(c)?)
}

/// Under the row's lock.
fn remove(
    c: &mut AnyConnection,
    sealer: &Sealer,
    organization: Option<OrganizationId>,
    id: IntegrationId,
    reason: Reason,
    now: OffsetDateTime,
) -> StoreResult<Unlinked> {
    let left: i64 = links::table.filter(links::integration_id.eq(id)).count().get_result(c)?;
    if left > 0 {
        return Ok(Unlinked::StillShared);
    }
    let Some(integration) = integrations::by_id(c, id)? else { return Ok(Unlinked::NotThere) };
    let mut new = given_up(c, sealer, &integration, reason)?;
    (new.organization, new.given.is_whole) = (organization, true);
    diesel::delete(t::table.find(id)).execute(c)?;
    Ok(Unlinked::Removed(revocations::add(c, sealer, &new, now, now)?))
}

/// Marks an account that is connected as one to be authenticated again, where its end at the provider has reached it. Answers whether there
/// is one.
pub fn cut_off(c: &mut AnyConnection, provider: &str, external_id: &str, why: &str) -> StoreResult<bool> {
    let row = t::table.filter(t::provider.eq(provider)).filter(t::external_id.eq(external_id));
    let marked = t::status.eq(grants::NEEDS_REAUTHENTICATION);
    if diesel::update(row.filter(t::status.eq(integrations::ACTIVE))).set(marked).execute(c)? == 0 {
        return Ok(false);
    }
    let Some(integration) = integrations::by_external_id(c, provider, external_id)? else { return Ok(false) };
    for grant in grants::of_integration(c, integration.id)? {
        grants::end(c, &grant, why)?;
    }
    Ok(true)
}

/// Revokes an integration's tokens and keeps the integration: its person must authenticate again.
pub fn disarm(
    c: &mut AnyConnection,
    sealer: &Sealer,
    integration: &Integration,
    why: &str,
    now: OffsetDateTime,
) -> StoreResult<RevocationId> {
    // What is given up below are its last tokens: no refresh writes others, and no set-up, until this is through.
    integrations::hold(c, integration.id)?;
    let new = given_up(c, sealer, integration, Reason::Operator)?;
    for grant in grants::of_integration(c, integration.id)? {
        grants::end(c, &grant, why)?;
    }
    let marked = t::status.eq(grants::NEEDS_REAUTHENTICATION);
    diesel::update(t::table.find(integration.id)).set(marked).execute(c)?;
    revocations::add(c, sealer, &new, now, now)
}

/// All that is needed to revoke an integration's tokens.
fn given_up(
    c: &mut AnyConnection,
    sealer: &Sealer,
    integration: &Integration,
    reason: Reason,
) -> StoreResult<NewRevocation> {
    let mut given = Given::default();
    match integrations::metadata(c, sealer, integration.id) {
        Ok(metadata) => given.metadata = metadata.unwrap_or_default(),
        Err(error) => unreadable(&mut given, integration, &error),
    }
    for grant in grants::of_integration(c, integration.id)? {
        match grant.tokens(sealer) {
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
    c: &mut AnyConnection,
    sealer: &Sealer,
    integration: &Integration,
    organization: OrganizationId,
    replaced: Vec<Grant>,
    now: OffsetDateTime,
) -> StoreResult<Option<RevocationId>> {
    let mut given = Given { is_connected: true, ..Given::default() };
    let current: Vec<Tokens> =
        readable(grants::of_integration(c, integration.id)?, sealer).map(|(_, new)| new).collect();
    for (grant, old) in readable(replaced, sealer) {
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
    revocations::add(c, sealer, &new, now, now).map(Some)
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
pub fn in_use(c: &mut AnyConnection, sealer: &Sealer, provider: &str, external_id: &str) -> StoreResult<Vec<Tokens>> {
    let mut rows = t::table.filter(t::provider.eq(provider.to_owned())).select(t::id).into_boxed();
    if !external_id.is_empty() {
        rows = rows.filter(t::external_id.eq(external_id.to_owned()));
    }
    let mut tokens = Vec::new();
    for id in rows.load::<IntegrationId>(c)? {
        let active = grants::of_integration(c, id)?.into_iter().filter(|grant| grant.status == grants::Status::Active);
        tokens.extend(readable(active.collect(), sealer).map(|(_, tokens)| tokens));
    }
    Ok(tokens)
}

/// Whether an account may be connected: the one of this id, or where it is not known one that this user has added or this organization has.
pub fn may_be_connected(
    c: &mut AnyConnection,
    provider: &str,
    external_id: &str,
    user: Option<UserId>,
    organization: Option<OrganizationId>,
) -> StoreResult<bool> {
    let active = t::table.filter(t::provider.eq(provider)).filter(t::status.eq(integrations::ACTIVE));
    if !external_id.is_empty() {
        return Ok(diesel::select(diesel::dsl::exists(active.filter(t::external_id.eq(external_id)))).get_result(c)?);
    }
    let Some(user) = user else { return Ok(false) };
    let theirs = links::added_by.eq(user).assume_not_null();
    let linked = active.inner_join(links::table);
    let found = match organization {
        Some(organization) => {
            diesel::select(diesel::dsl::exists(linked.filter(theirs.or(links::organization_id.eq(organization)))))
                .get_result(c)?
        }
        None => diesel::select(diesel::dsl::exists(linked.filter(theirs))).get_result(c)?,
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
pub fn unlink_identity(
    c: &mut AnyConnection,
    sealer: &Sealer,
    user: UserId,
    identity: IdentityId,
    now: OffsetDateTime,
) -> StoreResult<IdentityUnlinked> {
    hold_with_integrations(c, identity)?;
    if !user_identities::unlink(c, user, identity)? {
        return Ok(IdentityUnlinked::default());
    }
    let others: i64 = people::table.filter(people::identity_id.eq(identity)).count().get_result(c)?;
    let mut revocations = Vec::new();
    if others == 0 {
        for (integration, grant, tokens) in acting_for(c, sealer, identity)? {
            revocations.push(give_up_grant(c, sealer, &integration, grant, tokens, now)?);
        }
        identities::delete(c, identity)?;
    }
    Ok(IdentityUnlinked { was_linked: true, revocations })
}

/// Holds the integrations that something may act for an identity in, and then the identity: the count of those who have proved it must be the
/// truth, and its grants must stay as they are. A set-up that ends between the two has its person linked to the identity, so that it stays.
fn hold_with_integrations(c: &mut AnyConnection, identity: IdentityId) -> StoreResult<()> {
    if let Some(external_id) = identities::external_id(c, identity)? {
        let rows = g::table.filter(g::subject.eq(external_id)).select(g::integration_id).distinct();
        let integrations: Vec<IntegrationId> = rows.order(g::integration_id).load(c)?;
        integrations.into_iter().try_for_each(|id| integrations::hold(c, id).map(drop))?;
    }
    identities::hold(c, identity)
}

/// The grants that act for an identity: of its external id, and with a token that stands in its data, since an id is unique at one
/// identity provider only.
fn acting_for(
    c: &mut AnyConnection,
    sealer: &Sealer,
    identity: IdentityId,
) -> StoreResult<Vec<(Integration, Grant, Tokens)>> {
    let Some(external_id) = identities::external_id(c, identity)? else { return Ok(Vec::new()) };
    let ids: Vec<super::GrantId> = g::table.filter(g::subject.eq(external_id)).select(g::id).load(c)?;
    let mut found = Vec::new();
    for id in ids {
        let Some(grant) = grants::get(c, id)? else { continue };
        let (Ok(tokens), Some(integration)) = (grant.tokens(sealer), integrations::by_id(c, grant.integration)?) else {
            continue;
        };
        if identities::holds(c, sealer, identity, &tokens.access_token)? {
            found.push((integration, grant, tokens));
        }
    }
    Ok(found)
}

/// Where it is the integration's first, the integration cannot be used without it.
fn give_up_grant(
    c: &mut AnyConnection,
    sealer: &Sealer,
    integration: &Integration,
    grant: Grant,
    tokens: Tokens,
    now: OffsetDateTime,
) -> StoreResult<RevocationId> {
    // Its integration is held, so it is as it was read: where it is over already, its tokens are given up all the same.
    grants::end(c, &grant, "its person has unlinked the account")?;
    integrations::mark(c, integration.id, &grant)?;
    let is_first = grants::of_integration(c, integration.id)?.first().is_some_and(|first| first.id == grant.id);
    if !is_first {
        diesel::delete(g::table.find(grant.id)).execute(c)?;
    }
    let new = NewRevocation {
        provider: integration.provider.clone(),
        external_id: integration.external_id.clone(),
        name: integration.name.clone(),
        organization: None,
        reason: Reason::Removed,
        given: Given { grants: vec![given_grant(grant, tokens)], metadata: Map::new(), ..Given::default() },
    };
    revocations::add(c, sealer, &new, now, now)
}
