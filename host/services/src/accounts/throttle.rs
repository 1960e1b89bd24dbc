//! Slows repeated failed log-ins down, per e-mail address. In memory: each host counts for itself.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use time::{Duration, OffsetDateTime};

use jackfield_config::clock::Clock;

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

    /// Lets an attempt through and counts it as failed until it has [succeeded](Self::succeeded), so that attempts at the same time are
    /// not all let through; or says how long this address has to wait yet.
    pub(super) fn attempt(&self, email: &str) -> Result<(), Duration> {
        let now = self.clock.now();
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        let wait = failures.get(email).map_or(Duration::ZERO, |failures| failures.until() - now);
        if wait.is_positive() {
            return Err(wait);
        }
        make_room(&mut failures);
        let entry = failures.entry(email.to_owned()).or_insert(Failures { count: 0, last: now });
        let is_old = now - entry.last >= MEMORY;
        *entry = Failures { count: if is_old { 1 } else { entry.count.saturating_add(1) }, last: now };
        Ok(())
    }

    pub(super) fn succeeded(&self, email: &str) {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner).remove(email);
    }
}

/// Forgets the oldest tenth when it is full: a flood of invented addresses must neither grow without end nor clear the slate.
fn make_room(failures: &mut HashMap<String, Failures>) {
    if failures.len() < CAPACITY {
        return;
    }
    let mut times: Vec<OffsetDateTime> = failures.values().map(|failures| failures.last).collect();
    let (_, oldest, _) = times.select_nth_unstable(CAPACITY / 10);
    let (oldest, mut left) = (*oldest, CAPACITY / 10);
    failures.retain(|_, failures| {
        let is_dropped = failures.last <= oldest && left > 0;
        left -= usize::from(is_dropped);
        !is_dropped
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fails, or is not even let through.
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
            waits.push(wait.whole_seconds());
            clock.advance(wait);
        }
        // The first two rounds let both attempts through.
        assert_eq!(waits, [0, 0, 1, 2, 4, 8, 16, 32, 60, 60, 60, 60]);
        assert_eq!(throttle.attempt("other@b"), Ok(()));
        clock.advance(MEMORY);
        assert_eq!((throttle.attempt("a@b"), throttle.attempt("a@b")), (Ok(()), Ok(())), "forgotten");
    }

    #[test]
    fn attempts_at_the_same_time_are_not_all_let_through() {
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
        clock.advance(Duration::seconds(1));
        (0..9).for_each(|_| fail(&throttle, "a@b"));
        (0..CAPACITY / 2).for_each(|n| fail(&throttle, &format!("more {n}")));
        assert!(throttle.failures.lock().expect("not poisoned").len() <= CAPACITY);
        assert!(throttle.attempt("a@b").is_err(), "still slowed down");
    }
}
