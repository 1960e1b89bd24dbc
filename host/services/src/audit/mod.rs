//! The audit log: writing entries, reading them, and verifying the chain. Knows neither HTTP nor
//! plugins.

mod counter;
mod out;
mod repeats;
mod retention;
mod sequencing;
mod verification;
mod verify;
mod walk;

use std::sync::Arc;

pub use out::{AuditOut, RemovedOut};
use repeats::Counter;
pub use retention::{CutError, CutRequest, Retention};
pub use sequencing::Sequencer;
use sequencing::chain_queue;
pub use verification::{NotedHead, Verification};

use jackfield_config::clock::Clock;
pub use jackfield_store::audit::{Action, Actor, ActorKind, Break, Builds, CutMode, Entry, Filter, Head, Outcome, Row};
use jackfield_store::{Store, StoreResult, Tx, audit};

/// The audit log of this installation. Cheap to clone.
#[derive(Clone)]
pub struct Audit {
    store: Store,
    clock: Clock,
    counter: Arc<Counter>,
    builds: Builds,
}

/// One page of the log, newest first.
#[derive(Debug)]
pub struct Listing {
    /// The rows of this page.
    pub rows: Vec<Row>,
    /// The next page begins before this id; `None` on the last page.
    pub next: Option<i64>,
}

impl Audit {
    /// The audit log in this database.
    #[must_use]
    pub fn new(store: Store, clock: Clock) -> Self {
        Self { store, clock, counter: Arc::default(), builds: Builds::default() }
    }

    /// Has counted entries name the build of the provider's plugin.
    #[must_use]
    pub fn with_builds(self, builds: Builds) -> Self {
        Self { builds, ..self }
    }

    /// Chains what hosts have put into the queue.
    #[must_use]
    pub fn sequencer(&self) -> Sequencer {
        Sequencer::new(self.store.clone())
    }

    /// Writes entries that have no transaction of their own: all of them or none.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn write_all(&self, entries: Vec<Entry>) -> StoreResult<()> {
        self.write_after(move |_| Ok(entries)).await
    }

    /// Does some work and writes the entries that it answers, in one transaction.
    ///
    /// # Errors
    /// When the database or the work fails.
    pub async fn write_after(
        &self,
        work: impl FnOnce(&mut Tx<'_>) -> StoreResult<Vec<Entry>> + Send + 'static,
    ) -> StoreResult<()> {
        let all = move |tx: &mut Tx<'_>| work(tx)?.iter().try_for_each(|entry| tx.audit(entry));
        self.store.write(all).await
    }

    /// The end of the chain as it is now, with all that was done before. An operator who notes it
    /// elsewhere can verify the chain against it later.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn head(&self) -> StoreResult<Head> {
        chain_queue(&self.store).await?;
        Ok(self.store.read(audit::head).await?.0)
    }

    /// One page, newest first, before an id.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn list(&self, filter: Filter, before: Option<i64>, limit: usize) -> StoreResult<Listing> {
        chain_queue(&self.store).await?;
        let wanted = i64::try_from(limit).unwrap_or(i64::MAX - 1) + 1;
        let mut rows = self.store.read(move |tx| audit::newest(tx, &filter, before, wanted)).await?;
        let next = (rows.len() > limit).then(|| {
            rows.truncate(limit);
            rows.last().map(|row| row.id)
        });
        Ok(Listing { rows, next: next.flatten() })
    }

    /// What retention has removed; `None` if it has removed nothing.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn removed(&self) -> StoreResult<Option<RemovedOut>> {
        let (cut, _) = self.store.read(audit::cut).await?;
        Ok((cut.removed > 0).then(|| RemovedOut::from(&cut)))
    }

    /// Rows in their order, after an id.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn after(&self, filter: Filter, id: i64, limit: i64) -> StoreResult<Vec<Row>> {
        chain_queue(&self.store).await?;
        self.store.read(move |tx| audit::after(tx, &filter, id, limit)).await
    }
}

#[cfg(test)]
mod retention_tests;
#[cfg(test)]
mod tests;
