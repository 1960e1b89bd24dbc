//! Integrations and grants that no organization has any more: theirs was deleted, and nobody sees
//! them.

use jackfield_store::{
    IntegrationId, StoreResult, Tx,
    audit::{Action, Actor, Entry},
    integrations,
    removal::{self, Unlinked},
    revocations::Reason,
};

/// What the audit log has as the cause.
const NO_ORGANIZATION: &str = "no organization has it";

/// Removes one, and queues its tokens to be revoked.
pub(super) fn remove(tx: &mut Tx<'_>, id: IntegrationId) -> StoreResult<()> {
    let Some(integration) = integrations::by_id(tx, id)? else { return Ok(()) };
    if let Unlinked::Removed(_) = removal::remove_unlinked(tx, id, Reason::Orphaned)? {
        let entry = Entry::new(Action::Unlink, Actor::host()).integration(&integration);
        tx.audit(&entry.detail("removed", true).detail("cause", NO_ORGANIZATION))?;
    }
    Ok(())
}

/// Removes grants of one whose organization was deleted, and queues them to be revoked. Returns
/// whether there was one.
pub(super) fn remove_grants(tx: &mut Tx<'_>, id: IntegrationId) -> StoreResult<bool> {
    Ok(removal::remove_ownerless(tx, id)?.is_some())
}
