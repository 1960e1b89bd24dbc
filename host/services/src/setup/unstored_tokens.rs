//! Tokens of a setup that no integration has yet. If none ever gets them, they are revoked.
//!
//! A setup records a token as soon as a step has brought it, before it asks anything else of a
//! plugin or a service. The record says to revoke the token once the setup has expired. That is one
//! more transaction in the request that has exchanged the code, and in no other. A setup that ends
//! well deletes the record in the transaction that stores the tokens; one that ends badly has the
//! tokens revoked from now on. So a setup that is abandoned, started anew, or cut off by the end of
//! the host or of the session leaves nothing behind. A token is lost only if the host is killed
//! between the token's arrival and its record, and nothing of ours lies between the two.

use time::{Duration, OffsetDateTime};

use super::active::{ActiveSetup, LIFETIME, Setup, UnstoredTokens};
use crate::grants::grants_of_setup;
use jackfield_loader::{Integration, Provider};
use jackfield_store::revocations::{NewRevocation, Reason, RevocationPayload, RevokedGrant};

/// How long after its expiry a setup may still be about to end.
const MARGIN: Duration = Duration::minutes(1);

/// The tokens of a setup that ends without an integration, to be revoked at once. `None` if it has
/// brought none.
pub(super) fn unstored_tokens(
    provider: &Provider,
    active: &ActiveSetup,
    built: Option<&Integration>,
    now: OffsetDateTime,
) -> Option<UnstoredTokens> {
    let mut tokens = current(provider, &active.setup, built, now);
    if let Some(obtained) = &active.obtained {
        tokens.revocation.payload.add(obtained.revocation.payload.grants.clone());
    }
    (!tokens.revocation.payload.grants.is_empty()).then_some(tokens)
}

/// The tokens of a setup that goes on, to be revoked once it has expired.
pub(super) fn tokens_so_far(provider: &Provider, active: &ActiveSetup, now: OffsetDateTime) -> Option<UnstoredTokens> {
    let revoke_at = active.setup.started_at() + LIFETIME + MARGIN;
    Some(UnstoredTokens { revoke_at, ..unstored_tokens(provider, active, None, now)? })
}

/// The tokens that the built integration names, or else those in the state.
fn current(provider: &Provider, setup: &Setup, built: Option<&Integration>, now: OffsetDateTime) -> UnstoredTokens {
    let nothing = Integration::new("");
    let integration = built.unwrap_or(&nothing);
    let grants =
        grants_of_setup(provider, integration, &setup.state, &setup.hosts, &setup.owner.as_person(), now, None);
    let payload = RevocationPayload {
        grants: grants.into_iter().map(RevokedGrant::from).collect(),
        metadata: integration.metadata.clone(),
        user: setup.owner.user(),
        ..RevocationPayload::default()
    };
    let revocation = NewRevocation {
        provider: setup.provider.clone(),
        external_id: integration.external_id.clone(),
        name: integration.name.clone().unwrap_or_default(),
        organization: Some(setup.organization),
        reason: Reason::Orphaned,
        payload,
    };
    UnstoredTokens { setup: setup.nonce.clone(), revocation, revoke_at: now }
}
