//! Integrations and grants that no organization has any more: theirs was deleted, and nobody sees
//! them.

use jackfield_store::{
    IntegrationId, StoreResult, Tx,
    audit::{Action, Actor, Entry},
    integrations,
    removal::{self, Unlinked},
    revocations::Reason,
    unlinked_integrations::{self, UnlinkedIntegration},
};

/// What the audit log has as the cause.
const NO_ORGANIZATION: &str = "no organization has it";

/// What was left of an integration that has lost an organization.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Leftover {
    /// Nothing: it is gone, or all of it belongs to organizations that have it.
    Nothing,
    /// The integration, which no organization has. It is removed.
    Integration,
    /// Grants of the organization. They are removed.
    Grants,
}

/// Removes what was left of one, and queues its tokens to be revoked. It is not looked after again.
pub(super) fn remove(tx: &mut Tx<'_>, noted: &UnlinkedIntegration) -> StoreResult<Leftover> {
    let leftover = remove_leftover(tx, noted.integration)?;
    unlinked_integrations::forget(tx, noted)?;
    Ok(leftover)
}

fn remove_leftover(tx: &mut Tx<'_>, id: IntegrationId) -> StoreResult<Leftover> {
    let Some(integration) = integrations::by_id(tx, id)? else { return Ok(Leftover::Nothing) };
    match removal::remove_unlinked(tx, id, Reason::Orphaned)? {
        Unlinked::Removed(_) => {
            let entry = Entry::new(Action::Unlink, Actor::host()).integration(&integration);
            tx.audit(&entry.detail("removed", true).detail("cause", NO_ORGANIZATION))?;
            Ok(Leftover::Integration)
        }
        Unlinked::NotThere => Ok(Leftover::Nothing),
        Unlinked::StillShared(_) => {
            let revocation = removal::remove_ownerless(tx, id)?;
            Ok(if revocation.is_some() { Leftover::Grants } else { Leftover::Nothing })
        }
    }
}
