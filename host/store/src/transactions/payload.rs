//! Collects what is to be revoked. A sealed value that cannot be opened is counted, not an error:
//! somebody who removes something must be able to.

use crate::{
    error::StoreResult,
    sealing::sealer::Sealer,
    tables::{
        grants::{self, Grant, Tokens},
        integrations::{self, Integration},
        revocations::{NewRevocation, Reason, RevocationPayload, RevokedGrant},
    },
    tx::Tx,
};

/// All that is needed to revoke the tokens of an integration.
pub(super) fn payload_of(tx: &mut Tx<'_>, integration: &Integration) -> StoreResult<RevocationPayload> {
    let mut payload = RevocationPayload::default();
    match integrations::metadata(tx, integration.id) {
        Ok(metadata) => payload.metadata = metadata.unwrap_or_default(),
        Err(error) => count_unreadable(&mut payload, integration, &error),
    }
    for grant in grants::of_integration(tx, integration.id)? {
        match grant.tokens(tx.sealer) {
            Ok(tokens) => payload.grants.push(RevokedGrant::of_stored(grant, tokens)),
            Err(error) => count_unreadable(&mut payload, integration, &error),
        }
    }
    Ok(payload)
}

fn count_unreadable(payload: &mut RevocationPayload, integration: &Integration, error: &dyn std::fmt::Display) {
    tracing::error!(
        integration.id = %integration.id,
        provider.id = integration.provider,
        %error,
        "what is to be revoked cannot be read"
    );
    payload.unreadable += 1;
}

/// The revocation of something of an integration, for no organization.
pub(super) fn revocation_of(integration: &Integration, reason: Reason, payload: RevocationPayload) -> NewRevocation {
    NewRevocation {
        provider: integration.provider.clone(),
        external_id: integration.external_id.clone(),
        name: integration.name.clone(),
        organization: None,
        reason,
        payload,
    }
}

/// The grants whose tokens can be opened.
pub(super) fn readable(grants: Vec<Grant>, sealer: &Sealer) -> impl Iterator<Item = (Grant, Tokens)> {
    grants.into_iter().filter_map(|grant| grant.tokens(sealer).ok().map(|tokens| (grant, tokens)))
}
