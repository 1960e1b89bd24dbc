//! How often the connections of a host have waited for PostgreSQL: tests compare it.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

/// Counts for all connections of one database. Clones share the count.
#[derive(Clone, Default)]
pub(crate) struct RoundTrips(Arc<AtomicU64>);

impl RoundTrips {
    /// Something is sent that is waited for.
    pub(super) fn add(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// How often so far.
    #[cfg(feature = "testing")]
    pub(crate) fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
