//! What came of an attempt to refresh, for those who wait for it.

use std::time::Duration;

use time::OffsetDateTime;

use jackfield_store::StoreError;

/// Longest wait for a refresh that another host makes.
pub(in crate::grants) const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// How often the database is asked meanwhile.
pub(in crate::grants) const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// What came of an attempt.
#[derive(Clone, Debug)]
pub(in crate::grants) enum RefreshAttempt {
    /// The grant has other tokens, or is over: it must be read again.
    Done,
    /// Another host refreshes it.
    HeldByAnotherHost,
    /// The provider gave no tokens.
    Failed {
        /// Why.
        reason: String,
        /// When it is asked again.
        retry_after: Duration,
    },
    /// The database failed.
    Broken(StoreError),
}

impl RefreshAttempt {
    /// Failed, and not tried again before a time.
    pub(super) fn failed_until(reason: String, now: OffsetDateTime, at: OffsetDateTime) -> Self {
        Self::Failed { reason, retry_after: (at - now).try_into().unwrap_or_default() }
    }
}
