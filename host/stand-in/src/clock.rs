//! The clock of a service. It has no date: tokens expire after a number of seconds.

use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// Time since the start, plus what a test has added.
#[derive(Debug)]
pub struct Clock {
    started: Instant,
    skipped: Mutex<Duration>,
}

impl Clock {
    /// Time since the start.
    #[must_use]
    pub fn now(&self) -> Duration {
        self.started.elapsed() + *self.skipped.lock()
    }

    /// Lets time pass at once.
    pub fn advance(&self, time: Duration) {
        *self.skipped.lock() += time;
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self { started: Instant::now(), skipped: Mutex::default() }
    }
}
