//! Retention: removes what is older than the operator wants to keep, so that the log does not grow
//! for ever.
//!
//! What is removed is verified first: a row that somebody has changed must not vanish with the
//! evidence. Then a row of the log says what goes, and it goes in batches, so that nobody waits for
//! them. A host that is killed meanwhile leaves a log that verifies, and the next one continues.

use std::{fmt::Write as _, sync::Arc, time::Duration};

use thiserror::Error;
use time::OffsetDateTime;
use tokio::sync::watch;

use super::{Action, Actor, Break, Entry, sequencing::chain_queue, verify::broken_before};
use jackfield_config::clock::Clock;
use jackfield_store::{
    Store, StoreError, StoreResult, Tx,
    audit::{self, Batch, CutLease, CutMode},
    hex,
};

/// How often the host looks for what is too old.
const INTERVAL: Duration = Duration::from_secs(60 * 60);
/// How many rows are removed in one transaction, and for how long others go first after it.
const BATCH: i64 = 500;
const PAUSE: Duration = Duration::from_millis(20);
/// How many rows one entry of the log has removed, at most: they are verified while the lease
/// holds.
const ROUND: i64 = 50_000;
/// How much of the log the host removes in one interval, at most. So a clock that is years ahead
/// for a night costs some weeks of the log and not all of it.
const SPAN: time::Duration = time::Duration::days(7);
/// How many breaks an entry names.
const NAMED: usize = 5;

/// Removes old rows of the log. Clones are handles on the same.
#[derive(Clone)]
pub struct Retention {
    store: Store,
    clock: Clock,
    /// How long rows are kept; `None`: for ever.
    keep: Arc<watch::Sender<Option<Duration>>>,
}

/// What to remove.
#[derive(Clone, Debug)]
pub struct CutRequest {
    /// What was written before this time, but for what comes after a row that was not.
    pub before: OffsetDateTime,
    /// Who wants it.
    pub actor: Actor,
    /// Whether to remove rows that cannot be verified. The entry says so.
    pub mode: CutMode,
}

/// Why rows are not removed.
#[derive(Debug, Error)]
pub enum CutError {
    /// Another host or command removes rows.
    #[error(
        "another host or command is removing rows of the audit log\n  help: wait until it is done, five minutes if it was killed"
    )]
    Busy,
    /// What is to be removed is not as it was written.
    #[error("what is to be removed is not as it was written, and with it the evidence would go: nothing more is removed{}", listed(.0))]
    Broken(Vec<Break>),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

fn listed(breaks: &[Break]) -> String {
    breaks.iter().fold(String::new(), |mut text, broken| {
        let _ = write!(text, "\n  {broken}");
        text
    })
}

impl Retention {
    /// Retention in this database.
    #[must_use]
    pub fn new(store: Store, clock: Clock, keep: Option<Duration>) -> Self {
        Self { store, clock, keep: Arc::new(watch::Sender::new(keep)) }
    }

    /// Keeps rows for another time from now on.
    pub fn keep(&self, keep: Option<Duration>) {
        self.keep.send_if_modified(|kept| {
            let is_other = *kept != keep;
            *kept = keep;
            is_other
        });
    }

    /// Removes what is too old, until it is dropped.
    pub async fn run(self) {
        let mut kept = self.keep.subscribe();
        loop {
            let keep = *kept.borrow_and_update();
            if let Some(keep) = keep {
                self.remove_older_than(keep).await;
            }
            // Also when the operator has changed it.
            let _ = tokio::time::timeout(INTERVAL, kept.changed()).await;
        }
    }

    async fn remove_older_than(&self, keep: Duration) {
        match self.remove_a_span(keep).await {
            Ok(0) => {}
            Ok(rows) => tracing::info!(audit.rows = rows, "old rows of the audit log are removed"),
            Err(CutError::Busy) => tracing::debug!("another host removes old rows of the audit log"),
            Err(CutError::Store(error)) => tracing::warn!(%error, "old rows of the audit log could not be removed"),
            Err(error @ CutError::Broken(_)) => tracing::error!(
                %error,
                "old rows of the audit log are not removed: `jackfield audit verify` says what is broken, and \
                 `jackfield audit cut --also-if-broken` removes them all the same"
            ),
        }
    }

    pub(super) async fn remove_a_span(&self, keep: Duration) -> Result<i64, CutError> {
        let Some(oldest) = self.store.read(audit::oldest).await? else { return Ok(0) };
        let before = (self.clock.now() - keep).min(oldest.saturating_add(SPAN));
        self.cut(&CutRequest { before, actor: Actor::host(), mode: CutMode::Intact }, |_| ()).await
    }

    /// How many rows a cut would remove now.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn count(&self, before: OffsetDateTime) -> StoreResult<i64> {
        let count = move |tx: &mut Tx<'_>| {
            let removed = audit::cut(tx)?.0.removed;
            let end = audit::head(tx)?.0.count;
            Ok(audit::last_before(tx, before, end, i64::MAX)?.map_or(0, |last| last - removed))
        };
        chain_queue(&self.store).await?;
        self.store.read(count).await
    }

    /// Removes rows, and what an earlier cut has left. `report` gets how many are removed so far.
    /// Returns how many were removed.
    ///
    /// # Errors
    /// When another removes rows, they are not as they were written, or the database fails. What
    /// was removed until then stays removed, and the log says so.
    pub async fn cut(&self, request: &CutRequest, report: impl FnMut(i64) + Send) -> Result<i64, CutError> {
        chain_queue(&self.store).await?;
        let lease = self.store.write(audit::lease_cut).await?.ok_or(CutError::Busy)?;
        let removed = self.cut_under(lease, request, report).await;
        self.store.write(move |tx| audit::release_cut(tx, lease)).await?;
        removed
    }

    async fn cut_under(
        &self,
        lease: CutLease,
        request: &CutRequest,
        mut report: impl FnMut(i64) + Send,
    ) -> Result<i64, CutError> {
        let mut removed = match self.remove_announced(lease, CutMode::Intact, 0, &mut report).await {
            // What was announced is announced anew.
            Err(CutError::Broken(_)) if request.mode == CutMode::AlsoIfBroken => 0,
            other => other?,
        };
        // The rows that announce it stay, whatever the clock says.
        let end = self.store.read(audit::head).await?.0.count;
        while self.announce(lease, request, end).await? {
            removed = self.remove_announced(lease, request.mode, removed, &mut report).await?;
        }
        Ok(removed)
    }

    /// Returns whether there is anything to remove.
    async fn announce(&self, lease: CutLease, request: &CutRequest, end: i64) -> Result<bool, CutError> {
        let before = request.before;
        let find = move |tx: &mut Tx<'_>| match audit::last_before(tx, before, end, ROUND)? {
            Some(target) => Ok(Some((target, broken_before(tx, target)?))),
            None => Ok(None),
        };
        let Some((target, breaks)) = self.store.read(find).await? else { return Ok(false) };
        if !breaks.is_empty() && request.mode == CutMode::Intact {
            return Err(CutError::Broken(breaks));
        }
        let entry = Entry::new(Action::AuditCut, request.actor.clone())
            .detail("until", target)
            .detail("kept-since", before.unix_timestamp());
        let entry = unverified(entry, &breaks);
        let announce = move |tx: &mut Tx<'_>| {
            audit::announce_cut(tx, lease, target, before, |cut, hash| {
                entry.detail("removed", target - cut.removed).detail("hash", hex(hash))
            })
        };
        if self.store.write(announce).await? { Ok(true) } else { Err(CutError::Busy) }
    }

    async fn remove_announced(
        &self,
        lease: CutLease,
        mode: CutMode,
        mut removed: i64,
        report: &mut (impl FnMut(i64) + Send),
    ) -> Result<i64, CutError> {
        loop {
            match self.store.write(move |tx| audit::remove_batch(tx, lease, BATCH, mode)).await? {
                Batch::Removed(rows) => removed += rows,
                Batch::Done => return Ok(removed),
                Batch::Lost => return Err(CutError::Busy),
                Batch::Broken(broken) => return Err(CutError::Broken(vec![broken])),
            }
            report(removed);
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// The entry, with what was broken of what goes.
fn unverified(entry: Entry, breaks: &[Break]) -> Entry {
    if breaks.is_empty() {
        return entry;
    }
    let named: Vec<String> = breaks.iter().take(NAMED).map(ToString::to_string).collect();
    entry.detail("broken", named)
}

/// Announces a cut unless one is announced, and removes one batch of so many rows, as a host does
/// that is killed then.
#[cfg(test)]
pub(super) async fn remove_for_a_test(retention: &Retention, request: &CutRequest, rows: i64) -> Batch {
    let store = &retention.store;
    let lease = store.write(audit::lease_cut).await.expect("it is written").expect("it is free");
    let (cut, _) = store.read(audit::cut).await.expect("it is read");
    let end = store.read(audit::head).await.expect("it is read").0.count;
    if cut.removed == cut.target {
        assert!(retention.announce(lease, request, end).await.expect("it is announced"));
    }
    let remove = move |tx: &mut Tx<'_>| {
        let batch = audit::remove_batch(tx, lease, rows, CutMode::Intact)?;
        audit::release_cut(tx, lease)?;
        Ok(batch)
    };
    store.write(remove).await.expect("it is written")
}
