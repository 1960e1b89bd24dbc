//! What is to be revoked, as a provider is asked about it.
//!
//! Tokens that are in use are left out: the account may have been connected again meanwhile, and
//! some providers give the same tokens again.

use crate::provider_calls::plugin_grant;
use jackfield_loader::RevokeRequest;
use jackfield_store::{
    Store, StoreResult,
    grants::Tokens,
    revocations::{Reason, Revocation, RevocationPayload, RevokedGrant},
    tokens_in_use::{can_be_connected, in_use, without_used},
};

/// The payload without the tokens that are in use.
pub(super) async fn without_tokens_in_use(
    store: &Store,
    revocation: &Revocation,
    mut payload: RevocationPayload,
) -> StoreResult<RevocationPayload> {
    let (provider, external_id) = (revocation.provider.clone(), revocation.external_id.clone());
    let (user, organization) = (payload.user, revocation.organization);
    let found = store.read(move |tx| {
        let is_connected = can_be_connected(tx, &provider, &external_id, user, organization)?;
        let used = if is_connected { in_use(tx, &provider, &external_id)? } else { Vec::new() };
        Ok((is_connected, used))
    });
    let (is_connected, used) = found.await?;
    if is_connected {
        payload.is_whole = false;
        // For the operator tokens must be dead, even if a connection made meanwhile ends with them.
        payload.is_connected = revocation.reason != Reason::Operator;
        payload.grants = payload.grants.into_iter().filter_map(|grant| unused(grant, &used)).collect();
    }
    Ok(payload)
}

fn unused(mut grant: RevokedGrant, used: &[Tokens]) -> Option<RevokedGrant> {
    grant.tokens = without_used(used, grant.tokens)?;
    Some(grant)
}

/// What a plugin is asked.
pub(super) fn revoke_request(external_id: &str, payload: &RevocationPayload) -> RevokeRequest {
    let grants = payload.grants.iter();
    let grants = grants.map(|grant| plugin_grant(&grant.name, &grant.subject, &grant.scopes, &grant.tokens)).collect();
    let mut request = RevokeRequest::for_grants(external_id, payload.metadata.clone(), grants);
    request.is_uninstall = payload.is_whole;
    request.is_still_connected = payload.is_connected;
    request
}
