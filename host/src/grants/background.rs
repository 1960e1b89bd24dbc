//! What nobody asks for: grants that would lapse are refreshed, refreshes that were cut short are brought to an end.

use std::time::Duration;

use super::Grants;
use crate::store::{StoreError, grants, revocations};

/// How often the database is looked at.
const LOOK: Duration = Duration::from_secs(60);
/// How many are refreshed at one look, one after the other: nobody waits for them, and a provider has its limits.
const MOST: i64 = 50;

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
    /// When the database fails.
    pub async fn keep_once(&self) -> Result<usize, StoreError> {
        let now = self.clock.now();
        let due = self.store.read(move |c| grants::due(c, now, MOST)).await?;
        for id in &due {
            let id = *id;
            if let Some(grant) = self.store.read(move |c| grants::get(c, id)).await? {
                self.refresh_anyway(&grant).await;
            }
        }
        Ok(due.len())
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
            .write(|c| {
                grants::void_leases(c)?;
                revocations::void_leases(c)
            })
            .await
    }
}
