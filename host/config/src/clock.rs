//! The time, so that tests can set it. Knows nothing else of the host.

use std::sync::Arc;

use parking_lot::Mutex;
use time::{Duration, OffsetDateTime, format_description::well_known::Rfc3339};

/// A time as people and programs outside read it (RFC 3339); `None` if its year has more than four
/// digits.
#[must_use]
pub fn rfc3339(at: OffsetDateTime) -> Option<String> {
    at.format(&Rfc3339).ok()
}

/// Tells the time: the system's, or one that a test sets.
#[derive(Clone, Debug)]
pub struct Clock(Source);

#[derive(Clone, Debug)]
enum Source {
    System,
    Fixed(Arc<Mutex<OffsetDateTime>>),
}

impl Clock {
    /// The system's time, in UTC.
    #[must_use]
    pub const fn system() -> Self {
        Self(Source::System)
    }

    /// A time that stands still until somebody [advances](Self::advance) it.
    #[must_use]
    pub fn fixed(at: OffsetDateTime) -> Self {
        Self(Source::Fixed(Arc::new(Mutex::new(at))))
    }

    /// Now, in UTC.
    #[must_use]
    pub fn now(&self) -> OffsetDateTime {
        match &self.0 {
            Source::System => OffsetDateTime::now_utc(),
            Source::Fixed(at) => *at.lock(),
        }
    }

    /// Whether both show the same time, now and later.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Source::System, Source::System) => true,
            (Source::Fixed(_), Source::Fixed(_)) => self.now() == other.now(),
            _ => false,
        }
    }

    /// Moves a fixed time; does nothing to the system's.
    pub fn advance(&self, by: Duration) {
        if let Source::Fixed(at) = &self.0 {
            *at.lock() += by;
        }
    }
}
