//! Refreshes that nobody asks for: of grants that would lapse, and those that were cut short.

use std::time::Duration;

use futures_util::{StreamExt, stream};

use super::{grant_service::Grants, refresh::RefreshAttempt};
use jackfield_store::{GrantId, StoreResult, grants, refreshes};

/// How often the database is asked what is due.
const INTERVAL: Duration = Duration::from_secs(60);
/// How many are refreshed in one run, and how many at once: nobody waits for them, and a provider
/// has its limits. One that does not answer does not hold up the others.
const LIMIT: i64 = 50;
const CONCURRENCY: usize = 8;

impl Grants {
    /// Refreshes what is due, until it is dropped.
    pub async fn run(self) {
        let mut ticks = tokio::time::interval(INTERVAL);
        loop {
            ticks.tick().await;
            if let Err(error) = self.run_once().await
                && !error.is_logged()
            {
                tracing::warn!(%error, "grants could not be looked after");
            }
        }
    }

    /// Refreshes what is due now. Returns how many there were.
    ///
    /// # Errors
    /// When the database cannot say what is due. A failure of one grant is logged and costs no
    /// other.
    pub async fn run_once(&self) -> StoreResult<usize> {
        let due = self.store.read(|tx| refreshes::due(tx, LIMIT)).await?;
        let count = due.len();
        stream::iter(due).for_each_concurrent(CONCURRENCY, |id| self.refresh_due(id)).await;
        Ok(count)
    }

    async fn refresh_due(&self, id: GrantId) {
        let grant = match self.store.read(move |tx| grants::get(tx, id)).await {
            Ok(Some(grant)) => grant,
            Ok(None) => return,
            Err(error) if error.is_logged() => return,
            Err(error) => {
                tracing::error!(grant.id = %id, %error, "a grant that is due cannot be read");
                return;
            }
        };
        if let RefreshAttempt::Broken(error) = self.refresher.refresh(&grant).await
            && !error.is_logged()
        {
            tracing::error!(grant.id = %id, %error, "a refresh came to no end");
        }
    }

    /// Waits for the refreshes that are under way: what the provider has answered must be written.
    pub async fn drain(&self) {
        self.refresher.drain().await;
    }

    /// Ends the leases of a host that has stopped, in a database that only this host uses.
    /// Refreshes that were cut short stay known.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn expire_leases(&self) -> StoreResult<()> {
        if self.store.is_shared() {
            return Ok(());
        }
        self.store.write(refreshes::expire_leases).await
    }
}
