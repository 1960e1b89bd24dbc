//! A service's clock. It knows no date: what a service promises is so many seconds from now.

use std::{
    sync::Mutex,
    time::{Duration, Instant},
};

use super::locked;

/// Time since the start, with what a test has let pass.
#[derive(Debug)]
pub struct Clock {
    started: Instant,
    skipped: Mutex<Duration>,
}

impl Clock {
    /// Since the start.
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
