//! Slows repeated failed log-ins down, per e-mail address. In memory: each host counts for itself.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use time::{Duration, OffsetDateTime};

use crate::clock::Clock;

/// Failures that cost nothing: people mistype.
const FREE: u32 = 5;
/// Longest wait after a failure. More would let a stranger lock somebody out.
const LONGEST: Duration = Duration::seconds(60);
/// After this long without a failure, all is forgotten.
const MEMORY: Duration = Duration::minutes(15);
/// Most addresses that are remembered.
const CAPACITY: usize = 10_000;

/// Counts failures.
pub(super) struct Throttle {
    clock: Clock,
    failures: Mutex<HashMap<String, Failures>>,
}

#[derive(Clone, Copy)]
struct Failures {
    count: u32,
    last: OffsetDateTime,
}

impl Failures {
    /// Doubles with each failure beyond the free ones.
    fn until(self) -> OffsetDateTime {
        let Some(beyond) = self.count.checked_sub(FREE) else { return self.last };
        let wait = Duration::seconds(1 << beyond.min(6)).min(LONGEST);
        self.last + wait
    }
}

impl Throttle {
    pub(super) fn new(clock: Clock) -> Self {
        Self { clock, failures: Mutex::default() }
    }

    /// How long this address has to wait yet.
    pub(super) fn wait(&self, email: &str) -> Option<Duration> {
        let failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        let wait = failures.get(email)?.until() - self.clock.now();
        wait.is_positive().then_some(wait)
    }

    pub(super) fn failed(&self, email: &str) {
        let now = self.clock.now();
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        if failures.len() >= CAPACITY {
            failures.retain(|_, failures| now - failures.last < MEMORY);
        }
        if failures.len() >= CAPACITY && !failures.contains_key(email) {
            failures.clear(); // A flood of invented addresses: better to forget than to grow.
        }
        let entry = failures.entry(email.to_owned()).or_insert(Failures { count: 0, last: now });
        let is_old = now - entry.last >= MEMORY;
        *entry = Failures { count: if is_old { 1 } else { entry.count.saturating_add(1) }, last: now };
    }

    pub(super) fn succeeded(&self, email: &str) {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner).remove(email);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_cost_more_and_more_up_to_a_minute_and_are_forgotten() {
        let clock = Clock::fixed(OffsetDateTime::UNIX_EPOCH);
        let throttle = Throttle::new(clock.clone());
        let mut waits = Vec::new();
        for _ in 0..13 {
            throttle.failed("a@b");
            waits.push(throttle.wait("a@b").map_or(0, Duration::whole_seconds));
        }
        assert_eq!(waits, [0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 60, 60, 60]);
        assert_eq!(throttle.wait("other@b"), None);
        clock.advance(Duration::seconds(60));
        assert_eq!(throttle.wait("a@b"), None);
        clock.advance(MEMORY);
        throttle.failed("a@b");
        assert_eq!(throttle.wait("a@b"), None, "forgotten");
    }

    #[test]
    fn a_success_forgets_the_failures() {
        let throttle = Throttle::new(Clock::fixed(OffsetDateTime::UNIX_EPOCH));
        (0..9).for_each(|_| throttle.failed("a@b"));
        throttle.succeeded("a@b");
        assert_eq!(throttle.wait("a@b"), None);
    }

    #[test]
    fn a_flood_of_addresses_does_not_grow_without_end() {
        let throttle = Throttle::new(Clock::fixed(OffsetDateTime::UNIX_EPOCH));
        (0..CAPACITY + 10).for_each(|n| throttle.failed(&n.to_string()));
        assert!(throttle.failures.lock().expect("not poisoned").len() <= CAPACITY);
    }
}
