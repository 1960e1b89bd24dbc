//! Events that happen thousands of times a second.
//!
//! The first of a kind in a minute is written at once. Its repeats are counted in memory and
//! written as one row when the minute is over, and when the host stops. A host that is killed loses
//! the counts of its last minute, but never the fact that somebody did it.

use time::OffsetDateTime;

use super::{
    Audit, Entry,
    repeats::{Kind, TakenRepeats, WINDOW, entries},
};
use crate::detached::run_detached;
use jackfield_store::{StoreResult, Tx, audit};

/// How many counts are one transaction: each costs no sync of its own, and other writers wait for
/// none of them for long.
const BATCH: usize = 500;

impl Audit {
    /// Counts an event. When this returns, the event is in the log, or another of its kind in this
    /// minute is.
    ///
    /// # Errors
    /// When the database fails. Then the caller must not go on.
    pub async fn count(&self, entry: Entry) -> StoreResult<()> {
        if self.counter.repeat(&Kind::of(&entry), entry.times(), self.clock.now()) {
            return Ok(());
        }
        let audit = self.clone();
        // Detached: an event that is in the log must be known as the first of its window.
        run_detached(async move { audit.begin(entry).await }).await
    }

    async fn begin(&self, entry: Entry) -> StoreResult<()> {
        let kind = Kind::of(&entry);
        let _guard = self.counter.first.lock(kind.clone()).await;
        let now = self.clock.now();
        if self.counter.repeat(&kind, entry.times(), now) {
            return Ok(());
        }
        let before = self.counter.take(&kind);
        match self.write_first(entries(&before), entry).await {
            Ok(entry) => {
                self.counter.begin(kind, entry, now);
                Ok(())
            }
            Err(error) => {
                self.counter.put_back(before);
                Err(error)
            }
        }
    }

    /// Writes the repeats of the window before and the first event of the next one. Returns that
    /// event with all names filled in.
    async fn write_first(&self, before: Vec<Entry>, entry: Entry) -> StoreResult<Entry> {
        let builds = self.builds.clone();
        let write = move |tx: &mut Tx<'_>| {
            let entry = audit::with_names(tx, &entry)?.served_by(&builds);
            before.iter().chain([&entry]).try_for_each(|entry| tx.audit(entry))?;
            Ok(entry)
        };
        self.store.write(write).await
    }

    /// Writes the counts of windows that are over, each minute, for as long as the host runs.
    pub async fn run(self) {
        let mut ticks = tokio::time::interval(WINDOW.unsigned_abs());
        loop {
            ticks.tick().await;
            if let Err(error) = self.write_due().await
                && !error.is_logged()
            {
                tracing::warn!(%error, "counts could not be written into the audit log; they stay counted");
            }
        }
    }

    /// Writes the counts of windows that are over.
    ///
    /// # Errors
    /// When the database fails. What could not be written stays counted.
    pub async fn write_due(&self) -> StoreResult<()> {
        self.write_counts(self.clock.now() - WINDOW).await
    }

    /// Writes all counts, because the host stops.
    ///
    /// # Errors
    /// When the database fails. What could not be written stays counted.
    pub async fn flush(&self) -> StoreResult<()> {
        self.write_counts(self.clock.now()).await
    }

    /// How many uses are counted and not written yet.
    #[must_use]
    pub fn unwritten(&self) -> u64 {
        self.counter.unwritten()
    }

    async fn write_counts(&self, by: OffsetDateTime) -> StoreResult<()> {
        let audit = self.clone();
        // Detached: a count that is in the log must not be counted again.
        run_detached(async move { audit.write_taken(audit.counter.take_due(by)).await }).await
    }

    /// An event that is counted meanwhile begins a new window, and waits for the database only.
    async fn write_taken(&self, mut taken: TakenRepeats) -> StoreResult<()> {
        while !taken.is_empty() {
            let rest = taken.split_off(taken.len().min(BATCH));
            if let Err(error) = self.write_all(entries(&taken)).await {
                self.counter.put_back(taken.into_iter().chain(rest).collect());
                return Err(error);
            }
            taken = rest;
        }
        Ok(())
    }
}
