//! The clock of a service. It has no date: tokens expire after a number of seconds.

use std::{
    sync::Mutex,
    time::{Duration, Instant},
};

use super::locked;

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
        self.started.elapsed() + *locked(&self.skipped)
    }

    /// Lets time pass at once.
    pub fn advance(&self, time: Duration) {
        *locked(&self.skipped) += time;
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self { started: Instant::now(), skipped: Mutex::default() }
    }
}
