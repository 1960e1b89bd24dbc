//! The database as a whole: whether it can serve, and the removal of what has expired.

use std::time::Duration;

use jackfield_store::{Store, StoreError, StoreResult};

/// How often what has expired is removed.
const SWEEP: Duration = Duration::from_secs(10 * 60);

/// The database of this host.
#[derive(Clone)]
pub struct Database {
    store: Store,
}

impl Database {
    /// This database.
    #[must_use]
    pub const fn new(store: Store) -> Self {
        Self { store }
    }

    /// Whether it can serve.
    ///
    /// # Errors
    /// Why it cannot.
    pub async fn ready(&self) -> StoreResult<()> {
        self.store.ready().await
    }

    /// What is wrong with it at present, as far as this host knows. Asks nobody.
    #[must_use]
    pub fn failure(&self) -> Option<StoreError> {
        self.store.failure().map(StoreError::from)
    }

    /// Waits until it fails for longer than somebody waits who has it store something.
    pub async fn lasting_failure(&self) -> StoreError {
        self.store.lasting_failure().await
    }

    /// Removes expired sessions, setups and the like, until it is dropped.
    pub async fn sweep(self) {
        let mut ticks = tokio::time::interval(SWEEP);
        loop {
            ticks.tick().await;
            if let Err(error) = self.store.sweep().await
                && !error.is_logged()
            {
                tracing::warn!(%error, "expired sessions could not be removed");
            }
        }
    }
}
