//! Collects what is to be revoked. A sealed value that cannot be opened is counted, not an error:
//! somebody who removes something must be able to.

use std::fmt::Display;

use serde_json::{Map, Value};

use crate::{
    error::StoreResult,
    sealing::sealer::Sealer,
    tables::{
        grants::{Grant, Tokens},
        ids::OrganizationId,
        integrations::Integration,
        organization_integrations,
        revocations::{NewRevocation, Reason, RevocationPayload, RevokedGrant},
    },
    tx::Tx,
};

/// All that is needed to revoke these grants of an integration, with what its organizations' setups
/// have stored beside them.
pub(super) fn payload_of(
    tx: &mut Tx<'_>,
    integration: &Integration,
    organizations: &[OrganizationId],
    grants: Vec<Grant>,
) -> StoreResult<RevocationPayload> {
    let mut payload = RevocationPayload::default();
    for organization in organizations {
        match organization_integrations::metadata(tx, *organization, integration.id) {
            Ok(metadata) => add_metadata(&mut payload, metadata.unwrap_or_default()),
            Err(error) => count_unreadable(&mut payload, integration, &error),
        }
    }
    for grant in grants {
        match grant.tokens(tx.sealer) {
            Ok(tokens) => payload.grants.push(RevokedGrant::of_stored(grant, tokens)),
            Err(error) => count_unreadable(&mut payload, integration, &error),
        }
    }
    payload.grants.retain(|grant| grant.tokens != Tokens::default());
    Ok(payload)
}

/// The account is the same, so of a key that several have stored one value will do: their tokens
/// are grants.
fn add_metadata(payload: &mut RevocationPayload, metadata: Map<String, Value>) {
    for (key, value) in metadata {
        payload.metadata.entry(key).or_insert(value);
    }
}

/// Counts something that nobody can revoke, since it does not open.
pub(super) fn count_unreadable(payload: &mut RevocationPayload, integration: &Integration, error: &dyn Display) {
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
