//! Which tokens are in use: these must not be revoked with others.

use super::payload::readable;
use crate::{
    error::StoreResult,
    tables::{
        grants::{self, Grant, Status, Tokens},
        ids::{OrganizationId, UserId},
        integrations,
    },
    tx::Tx,
};

/// The tokens of a provider that are in use, of one account or of all.
///
/// # Errors
/// When the database fails.
pub fn in_use(tx: &mut Tx<'_>, provider: &str, external_id: &str) -> StoreResult<Vec<Tokens>> {
    let mut tokens = Vec::new();
    for id in integrations::of_account(tx, provider, external_id)? {
        let mut active = grants::of_integration(tx, id)?;
        active.retain(|grant: &Grant| grant.status == Status::Active);
        tokens.extend(readable(active, tx.sealer).map(|(_, tokens)| tokens));
    }
    Ok(tokens)
}

/// Tokens without those that are in use: some providers issue the same ones again.
#[must_use]
pub fn without_used(used: &[Tokens], mut tokens: Tokens) -> Option<Tokens> {
    let is_used = |token: &str| {
        used.iter().any(|used| used.access_token == token || used.refresh_token.as_deref() == Some(token))
    };
    tokens.refresh_token = tokens.refresh_token.filter(|token| !is_used(token));
    if is_used(&tokens.access_token) {
        tokens.access_token.clear();
    }
    (!tokens.access_token.is_empty() || tokens.refresh_token.is_some()).then_some(tokens)
}

/// Whether an account can be connected: the one with this external id, or, if that is not known,
/// one that this user has added or this organization has.
///
/// # Errors
/// When the database fails.
pub fn can_be_connected(
    tx: &mut Tx<'_>,
    provider: &str,
    external_id: &str,
    user: Option<UserId>,
    organization: Option<OrganizationId>,
) -> StoreResult<bool> {
    match user {
        _ if !external_id.is_empty() => integrations::is_active(tx, provider, external_id),
        Some(user) => integrations::is_active_for(tx, provider, user, organization),
        None => Ok(false),
    }
}
