//! Takes one integration of a bulk revocation out of use, and has its tokens revoked: at once, or
//! later by a running host.

use time::OffsetDateTime;

use super::{
    answer::RevocationOutcome,
    attempt::{Claimed, claim},
    bulk_plan::PlannedIntegration,
    revocation_service::Revocations,
};
use jackfield_store::{
    RevocationId, StoreResult, Tx,
    audit::{Action, Actor, Entry},
    removal::{self, Unlinked},
    revocations::{self, Reason},
    revoking,
};

/// Why an integration that is kept cannot be used.
const REVOKED: &str = "the operator has revoked its tokens";

/// What becomes of the integrations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disposition {
    /// They stay, and somebody must authenticate each again.
    Keep,
    /// They are removed.
    Remove,
}

/// Revokes integrations one by one.
pub(super) struct BulkRevocation {
    pub(super) revocations: Revocations,
    pub(super) disposition: Disposition,
}

impl BulkRevocation {
    /// Takes one out of use and asks the provider at once, about the tokens of each organization.
    /// Nothing: all of it is lent to other organizations as well, or it is gone.
    pub(super) async fn revoke(
        &self,
        planned: &PlannedIntegration,
    ) -> StoreResult<Vec<(RevocationId, RevocationOutcome)>> {
        let (planned, disposition) = (planned.clone(), self.disposition);
        let claimed = self.revocations.store.write(move |tx| take_out_and_claim(tx, &planned, disposition)).await?;
        let mut attempted = Vec::new();
        for claimed in claimed {
            attempted.push((claimed.id(), self.revocations.attempts.attempt(claimed).await?));
        }
        Ok(attempted)
    }

    /// Takes one out of use, and has a running host ask the provider from a time on. Returns
    /// whether there is something to revoke.
    pub(super) async fn enqueue(&self, planned: &PlannedIntegration, from: OffsetDateTime) -> StoreResult<bool> {
        let (planned, disposition) = (planned.clone(), self.disposition);
        let enqueue = move |tx: &mut Tx<'_>| {
            let taken_out = take_out(tx, &planned, disposition)?;
            taken_out.revocations.iter().try_for_each(|id| revocations::postpone(tx, *id, from))?;
            taken_out.write_audit(tx)?;
            Ok(!taken_out.revocations.is_empty())
        };
        self.revocations.store.write(enqueue).await
    }
}

/// Claims it in the same transaction, so that a host that runs beside does not take them all at
/// once.
fn take_out_and_claim(
    tx: &mut Tx<'_>,
    planned: &PlannedIntegration,
    disposition: Disposition,
) -> StoreResult<Vec<Claimed>> {
    let taken_out = take_out(tx, planned, disposition)?;
    let now = tx.now();
    let mut claimed = Vec::new();
    for id in &taken_out.revocations {
        claimed.extend(claim(tx, *id, now)?);
    }
    taken_out.write_audit(tx)?;
    Ok(claimed)
}

/// What taking an integration out of use has done.
#[derive(Default)]
struct TakenOut {
    /// The revocations of its tokens.
    revocations: Vec<RevocationId>,
    /// What each organization finds in its log.
    entries: Vec<Entry>,
}

impl TakenOut {
    /// Last of all in a transaction: what writes into the audit log holds up everybody else who
    /// does.
    fn write_audit(&self, tx: &mut Tx<'_>) -> StoreResult<()> {
        self.entries.iter().try_for_each(|entry| tx.audit(entry))
    }
}

fn take_out(tx: &mut Tx<'_>, planned: &PlannedIntegration, disposition: Disposition) -> StoreResult<TakenOut> {
    match disposition {
        Disposition::Remove => unlink_all(tx, planned),
        Disposition::Keep => {
            let revocation = revoking::revoke_keeping(tx, &planned.integration, &planned.organizations, REVOKED)?;
            Ok(TakenOut { revocations: revocation.into_iter().collect(), entries: Vec::new() })
        }
    }
}

fn unlink_all(tx: &mut Tx<'_>, planned: &PlannedIntegration) -> StoreResult<TakenOut> {
    let id = planned.integration.id;
    let entry = || Entry::new(Action::Unlink, Actor::operator()).integration(&planned.integration);
    let mut taken_out = TakenOut::default();
    for organization in &planned.organizations {
        let unlinked = removal::unlink(tx, *organization, id, Reason::Operator)?;
        if unlinked != Unlinked::NotThere {
            let entry = entry().organization(*organization).detail("removed", unlinked.is_removed());
            taken_out.entries.push(entry);
        }
        taken_out.revocations.extend(unlinked.revocation());
    }
    let nobody_has_it = planned.organizations.is_empty() && !planned.is_shared;
    if nobody_has_it {
        taken_out.revocations.extend(removal::remove_unlinked(tx, id, Reason::Operator)?.revocation());
        if !taken_out.revocations.is_empty() {
            taken_out.entries.push(entry().detail("removed", true));
        }
    }
    Ok(taken_out)
}
