//! A run of an operator's bulk revocation: one after the other, at a pace, with the pauses that the
//! provider asks for. What would have to wait too long is left to a running host.

use std::time::Duration;

use time::OffsetDateTime;
use tokio::time::{Interval, MissedTickBehavior};

use super::{
    answer::RevocationOutcome,
    bulk::{BulkRevocation, Disposition},
    bulk_plan::{BulkPlan, BulkScope, PlannedIntegration},
    revocation_service::Revocations,
};
use jackfield_store::{RevocationId, StoreResult, Tx, integrations::Integration, revocations::Revocation};

/// Longest pause that the run waits for.
const LONGEST_PAUSE: Duration = Duration::from_secs(120);
/// How often a revocation is attempted for which the provider asks for pauses.
const MOST_ATTEMPTS: u32 = 3;

/// A run.
pub struct BulkRun {
    bulk: BulkRevocation,
    pace: Interval,
    /// Set once the provider asks for too long a pause.
    leave_alone_until: Option<OffsetDateTime>,
}

/// What happens in a run.
#[derive(Debug)]
pub enum BulkEvent<'a> {
    /// The provider asks for a pause. The run waits for it and tries again.
    Pausing {
        /// How long.
        pause: Duration,
        /// What the provider said.
        answer: &'a str,
    },
    /// The provider asks for too long a pause: from now on nobody asks it here.
    Stopped {
        /// How long a pause.
        pause: Duration,
    },
    /// One is through.
    Finished {
        /// What people call the integration, or nothing.
        name: &'a str,
        /// The account's id at the provider, or nothing.
        external_id: &'a str,
        /// What came of it.
        result: BulkResult,
    },
}

/// What came of one integration, or of one earlier revocation.
#[derive(Debug)]
pub enum BulkResult {
    /// The provider was asked.
    Attempted(RevocationOutcome),
    /// Other organizations use all of it, so it is not revoked.
    Shared,
    /// A running host asks the provider later.
    Enqueued,
}

impl BulkResult {
    const fn is_done(&self) -> bool {
        matches!(self, Self::Shared | Self::Attempted(RevocationOutcome::Done { .. }))
    }
}

impl BulkRun {
    /// Prepares a run at a pace of so many attempts per minute.
    ///
    /// # Panics
    /// When the pace is zero.
    #[must_use]
    pub fn new(revocations: Revocations, disposition: Disposition, per_minute: u32) -> Self {
        let mut pace = tokio::time::interval(Duration::from_secs(60) / per_minute);
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { bulk: BulkRevocation { revocations, disposition }, pace, leave_alone_until: None }
    }

    /// Revokes all of a plan, and reports each step.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn run(mut self, plan: &BulkPlan, mut report: impl FnMut(BulkEvent<'_>)) -> StoreResult<()> {
        if plan.integrations > 0 {
            self.revoke_integrations(plan.scope(), &mut report).await?;
        }
        self.retry_open(plan.scope(), &mut report).await
    }

    async fn revoke_integrations(
        &mut self,
        scope: &BulkScope,
        report: &mut impl FnMut(BulkEvent<'_>),
    ) -> StoreResult<()> {
        let mut after: Option<Integration> = None;
        loop {
            let (scope, from) = (scope.clone(), after.take());
            let read = move |tx: &mut Tx<'_>| scope.integrations(tx, from.as_ref());
            let planned = self.bulk.revocations.store.read(read).await?;
            for planned in &planned {
                let result = self.revoke(planned, report).await?;
                let (name, external_id) = (&planned.integration.name, &planned.integration.external_id);
                report(BulkEvent::Finished { name, external_id, result });
            }
            after = planned.into_iter().next_back().map(|planned| planned.integration);
            if after.is_none() {
                return Ok(());
            }
        }
    }

    async fn retry_open(&mut self, scope: &BulkScope, report: &mut impl FnMut(BulkEvent<'_>)) -> StoreResult<()> {
        let mut after: Option<Revocation> = None;
        loop {
            let (scope, from) = (scope.clone(), after.take());
            let read = move |tx: &mut Tx<'_>| scope.open(tx, from.as_ref());
            let open = self.bulk.revocations.store.read(read).await?;
            for open in &open {
                let result = self.retry(open.id, report).await?;
                report(BulkEvent::Finished { name: &open.name, external_id: &open.external_id, result });
            }
            after = open.into_iter().next_back();
            if after.is_none() {
                return Ok(());
            }
        }
    }

    async fn revoke(
        &mut self,
        planned: &PlannedIntegration,
        report: &mut impl FnMut(BulkEvent<'_>),
    ) -> StoreResult<BulkResult> {
        if let Some(until) = self.leave_alone_until {
            let is_enqueued = self.bulk.enqueue(planned, until).await?;
            return Ok(if is_enqueued { BulkResult::Enqueued } else { BulkResult::Shared });
        }
        self.pace.tick().await;
        let mut result = BulkResult::Shared;
        for (id, outcome) in self.bulk.revoke(planned).await? {
            let next = self.retry_after_pauses(id, outcome, report).await?;
            // What is not done is told, whatever comes after it.
            if result.is_done() {
                result = next;
            }
        }
        Ok(result)
    }

    async fn retry(&mut self, id: RevocationId, report: &mut impl FnMut(BulkEvent<'_>)) -> StoreResult<BulkResult> {
        if self.leave_alone_until.is_some() {
            return Ok(BulkResult::Enqueued);
        }
        self.pace.tick().await;
        let outcome = self.bulk.revocations.retry(id).await?;
        self.retry_after_pauses(id, outcome, report).await
    }

    /// Waits for the pauses that the provider asks for, and tries again.
    async fn retry_after_pauses(
        &mut self,
        id: RevocationId,
        mut outcome: RevocationOutcome,
        report: &mut impl FnMut(BulkEvent<'_>),
    ) -> StoreResult<BulkResult> {
        for _ in 1..MOST_ATTEMPTS {
            let RevocationOutcome::Waiting { answer, asked: Some(pause), retry_at } = &outcome else { break };
            let pause = *pause;
            if pause > LONGEST_PAUSE {
                self.leave_alone_until = Some(*retry_at);
                report(BulkEvent::Stopped { pause });
                break;
            }
            report(BulkEvent::Pausing { pause, answer });
            tokio::time::sleep(pause).await;
            outcome = self.bulk.revocations.retry(id).await?;
        }
        Ok(BulkResult::Attempted(outcome))
    }
}
