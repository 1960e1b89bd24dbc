//! Floor 2: the audit log as people and machines read it, its verification, and deeds that are too frequent for a row each. Knows neither
//! axum nor plugins.

mod counter;
mod out;
mod verify;

use std::sync::Arc;

use counter::Counts;
pub use out::AuditOut;
pub use verify::{Noted, Verified};

use jackfield_config::clock::Clock;
pub use jackfield_store::audit::{Action, Actor, ActorKind, Break, Builds, Entry, Filter, Head, Outcome, Row};
use jackfield_store::{Store, StoreResult, Tx, audit};

/// The audit log of this installation. Cheap to clone.
#[derive(Clone)]
pub struct Audit {
    store: Store,
    clock: Clock,
    counts: Arc<Counts>,
    builds: Builds,
}

/// One page of the log, the newest first.
#[derive(Debug)]
pub struct Listing {
    /// The rows of this page.
    pub rows: Vec<Row>,
    /// The id before which the next page begins; `None` on the last.
    pub next: Option<i64>,
}

impl Audit {
    /// Builds the room.
    #[must_use]
    pub fn new(store: Store, clock: Clock) -> Self {
        Self { store, clock, counts: Arc::default(), builds: Builds::default() }
    }

    /// What is counted says by which build of a plugin, where it does not yet.
    #[must_use]
    pub fn with_builds(self, builds: Builds) -> Self {
        Self { builds, ..self }
    }

    /// Writes down deeds that have no transaction of their own: all of them, or none.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn write_all(&self, entries: Vec<Entry>) -> StoreResult<()> {
        self.write_after(move |_| Ok(entries)).await
    }

    /// Writes down what a function answers that ran in the same transaction.
    ///
    /// # Errors
    /// When the database fails, or what the function answers.
    pub async fn write_after(
        &self,
        deed: impl FnOnce(&mut Tx<'_>) -> StoreResult<Vec<Entry>> + Send + 'static,
    ) -> StoreResult<()> {
        let all = move |tx: &mut Tx<'_>| deed(tx)?.iter().try_for_each(|entry| tx.audit(entry));
        self.store.write(all).await
    }

    /// The end of the chain as it is now, for the host's own log: whoever keeps that elsewhere can hold the chain against it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn head(&self) -> StoreResult<Head> {
        Ok(self.store.read(audit::head).await?.0)
    }

    /// One page, before an id.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn list(&self, filter: Filter, before: Option<i64>, limit: usize) -> StoreResult<Listing> {
        let wanted = i64::try_from(limit).unwrap_or(i64::MAX - 1) + 1;
        let mut rows = self.store.read(move |tx| audit::newest(tx, &filter, before, wanted)).await?;
        let next = (rows.len() > limit).then(|| {
            rows.truncate(limit);
            rows.last().map(|row| row.id)
        });
        Ok(Listing { rows, next: next.flatten() })
    }

    /// Some rows in their order, those after an id.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn after(&self, filter: Filter, id: i64, limit: i64) -> StoreResult<Vec<Row>> {
        self.store.read(move |tx| audit::after(tx, &filter, id, limit)).await
    }
}

#[cfg(test)]
mod tests;
