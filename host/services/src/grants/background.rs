//! What nobody asks for: grants that would lapse are refreshed, refreshes that were cut short are brought to an end.

use std::time::Duration;

use futures_util::{StreamExt, stream};

use super::Grants;
use jackfield_store::{GrantId, StoreError, grants, refreshes, revocations};

/// How often the database is looked at.
const LOOK: Duration = Duration::from_secs(60);
/// How many are refreshed at one look, and how many at once: nobody waits for them, and a provider has its limits. One that does not answer
/// keeps no other's waiting.
const MOST: i64 = 50;
const AT_ONCE: usize = 8;

impl Grants {
    /// Looks after the grants until it is dropped.
    pub async fn keep(self) {
        let mut ticks = tokio::time::interval(LOOK);
        loop {
            ticks.tick().await;
            if let Err(error) = self.keep_once().await {
                tracing::warn!(%error, "grants could not be looked after");
            }
        }
    }

    /// One look. Answers how many were due.
    ///
    /// # Errors
    /// When the database cannot say what is due. What is the matter with one grant is logged, and costs no other.
    pub async fn keep_once(&self) -> Result<usize, StoreError> {
        let due = self.store.read(move |tx| refreshes::due(tx, MOST)).await?;
        let count = due.len();
        stream::iter(due).for_each_concurrent(AT_ONCE, |id| self.keep_one(id)).await;
        Ok(count)
    }

    async fn keep_one(&self, id: GrantId) {
        match self.store.read(move |tx| grants::get(tx, id)).await {
            Ok(Some(grant)) => self.refresh_anyway(&grant).await,
            Ok(None) => {}
            Err(error) => tracing::error!(grant.id = %id, %error, "a grant that is due cannot be read"),
        }
    }

    /// Waits for the refreshes that are under way: what the provider has answered must be written.
    pub async fn settle(&self) {
        while self.flights.count() > 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Voids the leases of a host that has ended: for a database that only this host uses. Refreshes that it has cut short stay known.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn void_leases(&self) -> Result<(), StoreError> {
        if self.store.is_shared() {
            return Ok(());
        }
        self.store
            .write(|tx| {
                refreshes::void_leases(tx)?;
                revocations::void_leases(tx)
            })
            .await
    }
}
