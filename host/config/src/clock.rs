//! Floor 0: the time, so that tests can set it. Knows nothing of ours.

use std::sync::{Arc, Mutex, PoisonError};

use time::{Duration, OffsetDateTime};

/// Tells the time: the system's, or one that a test set.
#[derive(Clone, Debug)]
pub struct Clock(Source);

#[derive(Clone, Debug)]
enum Source {
    System,
    Fixed(Arc<Mutex<OffsetDateTime>>),
}

impl Clock {
    /// The system's time, UTC.
    #[must_use]
    pub const fn system() -> Self {
        Self(Source::System)
    }

    /// A time that stands still until it is [advanced](Self::advance).
    #[must_use]
    pub fn fixed(at: OffsetDateTime) -> Self {
        Self(Source::Fixed(Arc::new(Mutex::new(at))))
    }

    /// Now, UTC.
    #[must_use]
    pub fn now(&self) -> OffsetDateTime {
        match &self.0 {
            Source::System => OffsetDateTime::now_utc(),
            Source::Fixed(at) => *at.lock().unwrap_or_else(PoisonError::into_inner),
        }
    }

    /// Whether both tell the same time, now and later.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Source::System, Source::System) => true,
            (Source::Fixed(_), Source::Fixed(_)) => self.now() == other.now(),
            _ => false,
        }
    }

    /// Moves a fixed time; the system's goes on by itself.
    pub fn advance(&self, by: Duration) {
        if let Source::Fixed(at) = &self.0 {
            *at.lock().unwrap_or_else(PoisonError::into_inner) += by;
        }
    }
}
