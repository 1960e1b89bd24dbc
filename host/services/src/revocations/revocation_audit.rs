//! What an attempt leaves in the audit log.

use super::answer::{RevocationOutcome, TokenEffect};
use jackfield_store::{
    IntegrationId, StoreResult, Tx,
    audit::{Action, Actor, Entry},
    integrations, organization_integrations,
    outgoing_events::{self, EventKind, NewEvent},
    revocations::{Reason, Revocation},
};

/// What the log has where the account was connected again, and that connection has ended as well.
const CONNECTED_AGAIN: &str = "the account was connected again meanwhile: it must be authenticated again";

/// An attempt and what came of it.
pub(super) struct Attempted<'a> {
    pub(super) revocation: &'a Revocation,
    pub(super) outcome: &'a RevocationOutcome,
    /// Digest of the plugin that was asked, where it is loaded.
    pub(super) digest: Option<String>,
    /// Whether a connection that was made meanwhile has ended with it.
    pub(super) has_ended_another: bool,
}

/// Writes an entry into the log of each organization that the attempt concerns. Last of all in a
/// transaction: what writes into the audit log holds up everybody else who does.
pub(super) fn write(tx: &mut Tx<'_>, attempted: Attempted<'_>) -> StoreResult<()> {
    let Some(mut entry) = entry_of(attempted.revocation, attempted.outcome) else { return Ok(()) };
    let integration = integration_of(tx, attempted.revocation)?;
    record_event(tx, &attempted, integration)?;
    if let Some(id) = integration {
        entry = entry.integration_id(id);
    }
    if let Some(digest) = attempted.digest {
        entry = entry.plugin_digest(digest);
    }
    if attempted.has_ended_another {
        entry = entry.detail("also", CONNECTED_AGAIN);
    }
    for addressed in for_each_organization(tx, attempted.revocation, entry)? {
        tx.audit(&addressed)?;
    }
    Ok(())
}

/// Tells the programs of the organization whose tokens they were, in the end.
fn record_event(tx: &mut Tx<'_>, attempted: &Attempted<'_>, integration: Option<IntegrationId>) -> StoreResult<()> {
    let Attempted { revocation, outcome, .. } = attempted;
    let kind = match outcome {
        RevocationOutcome::Done { effect: TokenEffect::Impossible, .. } | RevocationOutcome::Failed(_) => {
            EventKind::RevocationFailed
        }
        RevocationOutcome::Done { .. } => EventKind::RevocationDone,
        _ => return Ok(()),
    };
    let Some(organization) = revocation.organization else { return Ok(()) };
    let event = NewEvent {
        integration,
        provider: Some(revocation.provider.clone()),
        ..NewEvent::new(organization, kind)
            .with("revocation", revocation.id.to_string())
            .with("reason", revocation.reason.as_str())
            .with("externalId", revocation.external_id.as_str())
    };
    outgoing_events::record(tx, &event)
}

/// The end of a revocation has an entry, and so has the first time that the provider does not
/// revoke: attempts that follow have none.
fn entry_of(revocation: &Revocation, outcome: &RevocationOutcome) -> Option<Entry> {
    let actor = if revocation.reason == Reason::Operator { Actor::operator() } else { Actor::host() };
    let entry = Entry::new(Action::Revoke, actor)
        .provider(&revocation.provider)
        .external_id(&revocation.external_id)
        .detail("cause", revocation.reason.as_str())
        .detail("attempts", revocation.attempts);
    match outcome {
        RevocationOutcome::Done { answer, effect: TokenEffect::Impossible } | RevocationOutcome::Failed(answer) => {
            Some(entry.failed(answer))
        }
        RevocationOutcome::Done { answer, .. } => Some(entry.detail("answer", answer.as_str())),
        RevocationOutcome::Waiting { answer, .. } if revocation.attempts == 1 => Some(entry.failed(answer)),
        RevocationOutcome::NotAsked { answer, .. } if revocation.answer.as_ref() != Some(answer) => {
            Some(entry.failed(answer))
        }
        _ => None,
    }
}

/// The integration whose tokens they were, if it is still there. One that the account was installed
/// as since is another.
fn integration_of(tx: &mut Tx<'_>, revocation: &Revocation) -> StoreResult<Option<IntegrationId>> {
    integrations::existed_at(tx, &revocation.provider, &revocation.external_id, revocation.date_added)
}

/// One entry for the organization whose tokens they were. Where the operator has revoked them and
/// the integration stays, one for each organization that has it.
fn for_each_organization(tx: &mut Tx<'_>, revocation: &Revocation, entry: Entry) -> StoreResult<Vec<Entry>> {
    if let Some(organization) = revocation.organization {
        return Ok(vec![entry.organization(organization)]);
    }
    if revocation.reason != Reason::Operator {
        return Ok(vec![entry]);
    }
    let Some(kept) = integrations::by_external_id(tx, &revocation.provider, &revocation.external_id)? else {
        return Ok(vec![entry]);
    };
    let organizations = organization_integrations::organizations_of(tx, kept.id)?;
    if organizations.is_empty() {
        return Ok(vec![entry]);
    }
    let entry = entry.integration_id(kept.id);
    Ok(organizations.into_iter().map(|organization| entry.clone().organization(organization)).collect())
}
