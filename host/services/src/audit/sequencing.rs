//! Chains what hosts have put into the queue of the log, where several share a database.
//!
//! A host chains what it has committed shortly after, many entries at once, and looks each second
//! for what hosts have left that died, and for entries of its own that somebody has removed.

use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval, sleep};

use jackfield_store::{
    Store, StoreResult, Tx,
    audit::{self, Chained, Wait},
};

/// How long entries are collected. A removal in this time is found if the host lives.
const COLLECTED: Duration = Duration::from_millis(50);

/// How often a host looks for what others have left, and for what was removed.
const INTERVAL: Duration = Duration::from_secs(1);

/// Chains the entries of this host and of those that have died.
pub struct Sequencer {
    store: Store,
}

impl Sequencer {
    /// Of this database.
    pub(super) const fn new(store: Store) -> Self {
        Self { store }
    }

    /// Has entries of this host wait in the queue, and chains them, until it is dropped. Returns at
    /// once where one host has the database for itself.
    pub async fn run(self) {
        if !self.store.is_shared() {
            return;
        }
        audit::begin_queueing(&self.store);
        let mut ticks = interval(INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let done = tokio::select! {
                () = audit::queued(&self.store) => {
                    sleep(COLLECTED).await;
                    chain(&self.store, Wait::Never).await
                }
                _ = ticks.tick() => self.look().await,
            };
            if let Err(error) = done
                && !error.is_logged()
            {
                tracing::warn!(%error, "entries of the audit log could not be chained; they wait in the queue");
            }
        }
    }

    /// Chains what is left, and has further entries be chained in their own transactions, because
    /// the host stops.
    ///
    /// # Errors
    /// When the database fails. What could not be chained waits in the queue.
    pub async fn end(self) -> StoreResult<()> {
        audit::end_queueing(&self.store);
        chain_queue(&self.store).await?;
        self.restore_lost().await
    }

    async fn look(&self) -> StoreResult<()> {
        if self.store.read(audit::has_queued).await? {
            chain(&self.store, Wait::Never).await?;
        }
        self.restore_lost().await
    }

    async fn restore_lost(&self) -> StoreResult<()> {
        if audit::remembers(&self.store) {
            self.store.write(audit::restore_lost).await?;
        }
        Ok(())
    }
}

/// Chains what was committed before this began, for somebody who reads the log.
///
/// # Errors
/// When the database fails.
pub(super) async fn chain_queue(store: &Store) -> StoreResult<()> {
    if store.is_shared() && store.read(audit::has_queued).await? {
        chain(store, Wait::ForLock).await?;
    }
    Ok(())
}

async fn chain(store: &Store, wait: Wait) -> StoreResult<()> {
    while store.write(move |tx: &mut Tx<'_>| audit::chain_batch(tx, wait)).await? == Chained::Some {}
    Ok(())
}
