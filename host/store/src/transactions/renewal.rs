//! The end of a refresh: the grant, and all that depends on it, in one transaction.

use std::collections::BTreeSet;

use time::OffsetDateTime;

use super::{
    payload::revocation_of,
    tokens_in_use::{in_use, without_used},
};
use crate::{
    error::StoreResult,
    tables::{
        grant_endings,
        grants::{self, Grant, NewTokens, Status, Tokens},
        identities::{self, Account},
        ids::{OrganizationId, RevocationId},
        integrations::{self, Integration},
        organization_integrations,
        outgoing_events::{self, EventKind, NewEvent},
        revocations::{self, Reason, RevocationPayload, RevokedGrant},
    },
    tx::Tx,
};

/// What a refresh has brought.
#[derive(Clone)]
pub struct Renewal {
    /// The grant as it was when the provider was asked.
    pub grant: Grant,
    /// The integration as it was then. It can be gone by now.
    pub integration: Integration,
    /// The tokens that the provider was asked with.
    pub old: Tokens,
    /// The tokens that it has answered.
    pub new: NewTokens,
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Renewed {
    /// The grant has the new tokens.
    Written,
    /// The grant was replaced, ended or removed meanwhile. The revocation of the new tokens is
    /// queued, except of those that are in use.
    TooLate(Option<RevocationId>),
}

/// Ends a refresh with new tokens, also if another caller has its lease by now, or has ended the
/// grant because they did not come.
///
/// # Errors
/// When the database fails.
pub fn renew(tx: &mut Tx<'_>, renewal: &Renewal) -> StoreResult<Renewed> {
    let Renewal { grant, old, new, .. } = renewal;
    let account = lock(tx, grant)?;
    let Some(before) = grants::renew(tx, grant, new)? else {
        return revoke_late(tx, renewal).map(Renewed::TooLate);
    };
    // Providers keep the token in metadata and identity data as well: there it must not be
    // outdated.
    let pairs = replaced(old, &new.tokens);
    for organization in grants::organizations_of(tx, &before)? {
        organization_integrations::replace_texts(tx, organization, grant.integration, &pairs)?;
    }
    if let Some(account) = &account {
        identities::replace_texts(tx, account, &pairs)?;
    }
    if before.status == Status::NeedsReauthentication {
        clear_reauthentication_if_first(tx, grant, None)?;
        if let Some(account) = &account {
            identities::validate(tx, account, &new.tokens.access_token)?;
        }
    }
    record_scopes(tx, &before, &renewal.integration.provider, &new.scopes.granted)?;
    Ok(Renewed::Written)
}

/// Ends a grant for which the provider issues no further token. If it is the first of an
/// organization, that must authenticate again, and the identity it acts for is invalid. Returns
/// whether this ended it, and not something before.
///
/// # Errors
/// When the database fails.
pub fn end(tx: &mut Tx<'_>, grant: &Grant, why: &str) -> StoreResult<bool> {
    let account = lock(tx, grant)?;
    let has_ended = grants::end(tx, grant, why)?;
    mark_dependents(tx, grant, account.as_ref(), has_ended)
}

/// The same for a grant that was installed before a time, whatever tokens it has by now: its
/// service has ended it.
///
/// # Errors
/// When the database fails.
pub fn end_installed_before(tx: &mut Tx<'_>, grant: &Grant, before: OffsetDateTime, why: &str) -> StoreResult<bool> {
    let account = lock(tx, grant)?;
    let has_ended = grant_endings::end_installed_before(tx, grant.id, before, why)?;
    mark_dependents(tx, grant, account.as_ref(), has_ended)
}

/// Marks what depends on a grant, if it has ended now. Returns whether it has.
fn mark_dependents(tx: &mut Tx<'_>, grant: &Grant, account: Option<&Account>, has_ended: bool) -> StoreResult<bool> {
    if !has_ended {
        return Ok(false);
    }
    require_reauthentication_if_first(tx, grant)?;
    if let (Some(account), Ok(tokens)) = (account, grant.tokens(tx.sealer)) {
        identities::invalidate(tx, account, &tokens.access_token)?;
    }
    Ok(true)
}

/// Locks the rows that come before a grant in the lock order. Returns the account that it acts for.
fn lock(tx: &mut Tx<'_>, grant: &Grant) -> StoreResult<Option<Account>> {
    integrations::lock(tx, grant.integration)?;
    if grant.subject.is_empty() {
        return Ok(None);
    }
    let provider = integrations::provider_of(tx, grant.integration)?.unwrap_or_default();
    let account = identities::account(tx, &provider, &grant.subject)?;
    identities::lock_all(tx, &account)?;
    Ok(Some(account))
}

/// The organizations whose first grant of its integration this is.
fn is_first_of(tx: &mut Tx<'_>, grant: &Grant) -> StoreResult<Vec<OrganizationId>> {
    let mut found = Vec::new();
    for organization in grants::organizations_of(tx, grant)? {
        let theirs = grants::of_organization(tx, organization, grant.integration)?.unwrap_or_default();
        if theirs.first().is_some_and(|first| first.id == grant.id) {
            found.push(organization);
        }
    }
    Ok(found)
}

/// An organization whose first grant has ended cannot use the integration until its person has
/// authenticated again. Returns whether the grant is the first of an organization.
pub(super) fn require_reauthentication_if_first(tx: &mut Tx<'_>, ended: &Grant) -> StoreResult<bool> {
    let organizations = is_first_of(tx, ended)?;
    for organization in &organizations {
        organization_integrations::require_reauthentication(tx, *organization, ended.integration)?;
    }
    Ok(!organizations.is_empty())
}

/// An organization whose first grant has tokens again can use the integration. One that installs it
/// says so itself.
pub(super) fn clear_reauthentication_if_first(
    tx: &mut Tx<'_>,
    renewed: &Grant,
    installing: Option<OrganizationId>,
) -> StoreResult<()> {
    for organization in is_first_of(tx, renewed)? {
        if Some(organization) != installing {
            organization_integrations::clear_reauthentication(tx, organization, renewed.integration)?;
        }
    }
    Ok(())
}

/// Tells the programs of each organization that is lent a grant that it has other scopes now.
pub(super) fn record_scopes(tx: &mut Tx<'_>, before: &Grant, provider: &str, now: &[String]) -> StoreResult<()> {
    let set = |scopes: &[String]| scopes.iter().cloned().collect::<BTreeSet<String>>();
    if set(&before.scopes.granted) == set(now) {
        return Ok(());
    }
    for organization in grants::organizations_of(tx, before)? {
        let event = NewEvent::new(organization, EventKind::ScopesChanged)
            .of(before.integration, provider)
            .with("grant", before.name.as_str())
            .with("scopes", now.to_vec());
        outgoing_events::record(tx, &event)?;
    }
    Ok(())
}

fn replaced(old: &Tokens, new: &Tokens) -> Vec<(String, String)> {
    let refresh = old.refresh_token.clone().zip(new.refresh_token.clone());
    let pairs = std::iter::once((old.access_token.clone(), new.access_token.clone())).chain(refresh);
    pairs.filter(|(old, new)| !old.is_empty() && old != new).collect()
}

/// Queues the revocation of tokens that came too late: they would live on at the provider, and
/// nobody here would know of them.
fn revoke_late(tx: &mut Tx<'_>, renewal: &Renewal) -> StoreResult<Option<RevocationId>> {
    let Renewal { grant, integration, new, .. } = renewal;
    let used = in_use(tx, &integration.provider, &integration.external_id)?;
    let Some(tokens) = without_used(&used, new.tokens.clone()) else { return Ok(None) };
    let is_replaced = grants::get(tx, grant.id)?.is_some_and(|found| found.status == Status::Active);
    let revoked = RevokedGrant {
        name: grant.name.clone(),
        subject: grant.subject.clone(),
        scopes: new.scopes.granted.clone(),
        tokens,
    };
    let payload =
        RevocationPayload { grants: vec![revoked], is_connected: is_replaced, ..RevocationPayload::default() };
    let reason = if is_replaced { Reason::Replaced } else { Reason::Orphaned };
    revocations::add(tx, &revocation_of(integration, reason, payload)).map(Some)
}
