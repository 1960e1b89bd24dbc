//! Times as the tables hold them.

use time::OffsetDateTime;

use super::{StoreError, StoreResult};

/// Milliseconds since 1970 UTC.
#[must_use]
pub fn milliseconds(at: OffsetDateTime) -> i64 {
    i64::try_from(at.unix_timestamp_nanos() / 1_000_000).unwrap_or(i64::MAX)
}

/// The time that a column holds.
pub(super) fn time_of(milliseconds: i64) -> StoreResult<OffsetDateTime> {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(milliseconds) * 1_000_000)
        .map_err(|_| StoreError::Corrupt("a time"))
}
