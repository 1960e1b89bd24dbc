//! How a refresh ends: the grant, and all that follows it, in one transaction that holds its rows in the order that [`store`](super) says.

use time::OffsetDateTime;

use super::{
    RevocationId, StoreResult, Tx,
    grants::{self, Grant, NewTokens, Status, Tokens},
    identities,
    integrations::{self, Integration},
    leaving::{in_use, other_than},
    revocations::{self, Given, GivenGrant, NewRevocation, Reason},
};

/// What a refresh has brought.
#[derive(Clone)]
pub struct Renewal {
    /// The grant as it was when the provider was asked.
    pub grant: Grant,
    /// The integration as it was then: it may be gone by now.
    pub integration: Integration,
    /// The tokens it was asked with.
    pub old: Tokens,
    /// What it has answered.
    pub new: NewTokens,
}

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Renewed {
    /// The tokens are the grant's.
    Written,
    /// The grant was replaced, ended or removed meanwhile. What of the tokens nobody uses is given up.
    TooLate(Option<RevocationId>),
}

/// Ends a refresh with new tokens, also where somebody else has its lease by now, or has called the grant over since they did not come.
pub fn renew(tx: &mut Tx<'_>, renewal: &Renewal) -> StoreResult<Renewed> {
    let Renewal { grant, old, new, .. } = renewal;
    hold(tx, grant)?;
    let Some(before) = grants::renew(tx, grant, new)? else {
        return give_up(tx, renewal).map(Renewed::TooLate);
    };
    // Providers keep the token in metadata and identity data as well: there it must not go stale.
    let pairs = replaced(old, &new.tokens);
    integrations::replace_texts(tx, grant.integration, &pairs)?;
    if !grant.subject.is_empty() {
        identities::replace_texts(tx, &grant.subject, &pairs)?;
    }
    if before.status == Status::NeedsReauthentication {
        integrations::unmark(tx, grant.integration, grant)?;
        if !grant.subject.is_empty() {
            identities::validate(tx, &grant.subject, &new.tokens.access_token)?;
        }
    }
    Ok(Renewed::Written)
}

/// Ends a grant that the provider gives no further token of: the integration whose first it is, and the identity it acts for, are marked as
/// well. Answers whether it was not ended, or replaced, before.
pub fn end(tx: &mut Tx<'_>, grant: &Grant, why: &str) -> StoreResult<bool> {
    hold(tx, grant)?;
    let is_over = grants::end(tx, grant, why)?;
    followed(tx, grant, is_over)
}

/// The same of a grant that was installed before a time, whatever tokens it has by now: its service has ended it.
pub fn end_installed_before(tx: &mut Tx<'_>, grant: &Grant, before: OffsetDateTime, why: &str) -> StoreResult<bool> {
    hold(tx, grant)?;
    let is_over = grants::end_installed_before(tx, grant.id, before, why)?;
    followed(tx, grant, is_over)
}

/// Marks what hangs on a grant that is over by now. Answers whether it is.
fn followed(tx: &mut Tx<'_>, grant: &Grant, is_over: bool) -> StoreResult<bool> {
    if !is_over {
        return Ok(false);
    }
    integrations::mark(tx, grant.integration, grant)?;
    if let (false, Ok(tokens)) = (grant.subject.is_empty(), grant.tokens(tx.sealer)) {
        identities::invalidate(tx, &grant.subject, &tokens.access_token)?;
    }
    Ok(true)
}

/// What stands before a grant in the order of rows.
fn hold(tx: &mut Tx<'_>, grant: &Grant) -> StoreResult<()> {
    integrations::hold(tx, grant.integration)?;
    if !grant.subject.is_empty() {
        identities::hold_all(tx, &grant.subject)?;
    }
    Ok(())
}

fn replaced(old: &Tokens, new: &Tokens) -> Vec<(String, String)> {
    let refresh = old.refresh_token.clone().zip(new.refresh_token.clone());
    let pairs = std::iter::once((old.access_token.clone(), new.access_token.clone())).chain(refresh);
    pairs.filter(|(old, new)| !old.is_empty() && old != new).collect()
}

/// Tokens that came too late would live on at the provider, and nobody here would know of them.
fn give_up(tx: &mut Tx<'_>, renewal: &Renewal) -> StoreResult<Option<RevocationId>> {
    let Renewal { grant, integration, new, .. } = renewal;
    let used = in_use(tx, &integration.provider, &integration.external_id)?;
    let Some(tokens) = other_than(&used, new.tokens.clone()) else { return Ok(None) };
    let is_replaced = grants::get(tx, grant.id)?.is_some_and(|found| found.status == Status::Active);
    let given = GivenGrant {
        name: grant.name.clone(),
        subject: grant.subject.clone(),
        scopes: new.scopes.granted.clone(),
        tokens,
    };
    let new = NewRevocation {
        provider: integration.provider.clone(),
        external_id: integration.external_id.clone(),
        name: integration.name.clone(),
        organization: None,
        reason: if is_replaced { Reason::Replaced } else { Reason::Orphaned },
        given: Given { grants: vec![given], is_connected: is_replaced, ..Given::default() },
    };
    revocations::add(tx, &new).map(Some)
}
