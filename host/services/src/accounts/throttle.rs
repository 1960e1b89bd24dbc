//! Slows down repeated failed log-ins, per e-mail address. In memory: each host counts for itself.

use std::{collections::HashMap, time::Duration};

use parking_lot::Mutex;
use time::OffsetDateTime;

use jackfield_config::clock::Clock;
use jackfield_limits::{Backoff, FailurePolicy};

/// A few failures are free, since people mistype. The longest pause is a minute: more would let a
/// stranger lock somebody out.
const POLICY: FailurePolicy = FailurePolicy {
    free: 4,
    backoff: Backoff::new(Duration::from_secs(1), Duration::from_secs(60)),
    forgotten_after: MEMORY,
};
const MEMORY: Duration = Duration::from_secs(15 * 60);
/// Most addresses that are remembered.
const CAPACITY: usize = 10_000;

type Failures = jackfield_limits::Failures<OffsetDateTime>;

/// Counts failures.
pub(super) struct Throttle {
    clock: Clock,
    failures: Mutex<HashMap<String, Failures>>,
}

impl Throttle {
    pub(super) fn new(clock: Clock) -> Self {
        Self { clock, failures: Mutex::default() }
    }

    /// Allows an attempt, or says how long this address has to wait.
    ///
    /// An attempt counts as failed until it has [succeeded](Self::succeeded). So of many attempts
    /// at the same time only a few are allowed.
    pub(super) fn attempt(&self, email: &str) -> Result<(), Duration> {
        let now = self.clock.now();
        let mut failures = self.failures.lock();
        let wait = failures.get(email).map_or(Duration::ZERO, |failures| failures.wait(POLICY, now));
        if !wait.is_zero() {
            return Err(wait);
        }
        make_room(&mut failures);
        failures.entry(email.to_owned()).or_default().record(POLICY, now);
        Ok(())
    }

    pub(super) fn succeeded(&self, email: &str) {
        self.failures.lock().remove(email);
    }
}

/// Forgets the oldest tenth when it is full. A flood of invented addresses must neither grow
/// without end nor make the host forget all failures.
fn make_room(failures: &mut HashMap<String, Failures>) {
    if failures.len() < CAPACITY {
        return;
    }
    let mut times: Vec<_> = failures.values().map(Failures::last).collect();
    let (_, oldest, _) = times.select_nth_unstable(CAPACITY / 10);
    let oldest = *oldest;
    let mut left = CAPACITY / 10;
    failures.retain(|_, failures| {
        let is_dropped = failures.last() <= oldest && left > 0;
        left -= usize::from(is_dropped);
        !is_dropped
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fails, or is not even allowed.
    fn fail(throttle: &Throttle, email: &str) {
        let _ = throttle.attempt(email);
    }

    #[test]
    fn failures_cost_more_and_more_up_to_a_minute_and_are_forgotten() {
        let clock = Clock::fixed(OffsetDateTime::UNIX_EPOCH);
        let throttle = Throttle::new(clock.clone());
        let mut waits = Vec::new();
        for _ in 0..12 {
            throttle.attempt("a@b").expect("it waited long enough");
            let wait = throttle.attempt("a@b").err().unwrap_or_default();
            waits.push(wait.as_secs());
            clock.advance(time::Duration::try_from(wait).expect("a minute at most"));
        }
        // In the first two rounds, both attempts are allowed.
        assert_eq!(waits, [0, 0, 1, 2, 4, 8, 16, 32, 60, 60, 60, 60]);
        assert_eq!(throttle.attempt("other@b"), Ok(()));
        clock.advance(time::Duration::try_from(MEMORY).expect("a quarter of an hour"));
        assert_eq!((throttle.attempt("a@b"), throttle.attempt("a@b")), (Ok(()), Ok(())), "forgotten");
    }

    #[test]
    fn attempts_at_the_same_time_are_not_all_allowed() {
        let throttle = Throttle::new(Clock::fixed(OffsetDateTime::UNIX_EPOCH));
        let passed = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..40).map(|_| scope.spawn(|| throttle.attempt("a@b").is_ok())).collect();
            threads.into_iter().map(|thread| thread.join().expect("no panic")).filter(|is_ok| *is_ok).count()
        });
        assert_eq!(passed, 5);
    }

    #[test]
    fn a_success_forgets_the_failures() {
        let throttle = Throttle::new(Clock::fixed(OffsetDateTime::UNIX_EPOCH));
        (0..9).for_each(|_| fail(&throttle, "a@b"));
        assert!(throttle.attempt("a@b").is_err());
        throttle.succeeded("a@b");
        assert_eq!(throttle.attempt("a@b"), Ok(()));
    }

    #[test]
    fn a_flood_of_addresses_neither_grows_without_end_nor_clears_the_slate() {
        let clock = Clock::fixed(OffsetDateTime::UNIX_EPOCH);
        let throttle = Throttle::new(clock.clone());
        (0..CAPACITY).for_each(|n| fail(&throttle, &n.to_string()));
        clock.advance(time::Duration::SECOND);
        (0..9).for_each(|_| fail(&throttle, "a@b"));
        (0..CAPACITY / 2).for_each(|n| fail(&throttle, &format!("more {n}")));
        assert!(throttle.failures.lock().len() <= CAPACITY);
        assert!(throttle.attempt("a@b").is_err(), "still slowed down");
    }
}
