//! Whom the throttle slows down, and whom it does not.

use super::*;

const HOME: &str = "203.0.113.7";

fn throttle() -> (Throttle, Clock) {
    let clock = Clock::fixed(OffsetDateTime::UNIX_EPOCH);
    (Throttle::new(clock.clone()), clock)
}

fn attempt(throttle: &Throttle, client: &str, email: &str) -> Result<Attempt, Duration> {
    throttle.stranger(client.parse().expect("an address"), email)
}

fn is_allowed(throttle: &Throttle, client: &str, email: &str) -> bool {
    attempt(throttle, client, email).is_ok()
}

/// Fails, or is not even allowed.
fn fail(throttle: &Throttle, client: &str, email: &str) {
    let _ = attempt(throttle, client, email);
}

/// The address of one of many clients.
fn one_of_many(n: usize) -> String {
    format!("198.{}.{}.{}", 51 + n / 65_536, n / 256 % 256, n % 256)
}

#[test]
fn failures_cost_more_and_more_up_to_a_minute_and_are_forgotten() {
    let (throttle, clock) = throttle();
    let mut waits = Vec::new();
    for _ in 0..12 {
        assert!(is_allowed(&throttle, HOME, "a@b"), "it waited long enough");
        let wait = attempt(&throttle, HOME, "a@b").err().unwrap_or_default();
        waits.push(wait.as_secs());
        clock.advance(time::Duration::try_from(wait).expect("a minute at most"));
    }
    // In the first two rounds, both attempts are allowed.
    assert_eq!(waits, [0, 0, 1, 2, 4, 8, 16, 32, 60, 60, 60, 60]);
    assert!(is_allowed(&throttle, HOME, "other@b"));
    clock.advance(time::Duration::try_from(MEMORY).expect("a quarter of an hour"));
    assert!(is_allowed(&throttle, HOME, "a@b") && is_allowed(&throttle, HOME, "a@b"), "forgotten");
}

#[test]
fn attempts_at_the_same_time_are_not_all_allowed() {
    let (throttle, _) = throttle();
    let passed = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..40).map(|_| scope.spawn(|| is_allowed(&throttle, HOME, "a@b"))).collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).filter(|is_ok| *is_ok).count()
    });
    assert_eq!(passed, 5);
}

#[test]
fn a_success_forgets_the_failures_of_that_client() {
    let (throttle, clock) = throttle();
    (0..9).for_each(|_| fail(&throttle, HOME, "a@b"));
    assert!(!is_allowed(&throttle, HOME, "a@b"));
    clock.advance(time::Duration::seconds(2));
    let right = attempt(&throttle, HOME, "a@b").expect("it waited long enough");
    throttle.succeeded(&right);
    assert!(is_allowed(&throttle, HOME, "a@b"));
}

#[test]
fn one_stranger_keeps_nobody_else_out() {
    let (throttle, clock) = throttle();
    for _ in 0..3 * 3600 {
        fail(&throttle, "198.51.100.66", "a@b");
        clock.advance(time::Duration::milliseconds(333));
    }
    for _ in 0..5 {
        assert!(is_allowed(&throttle, HOME, "a@b"), "who mistypes from elsewhere has all attempts");
    }
}

#[test]
fn many_strangers_slow_each_other_down_and_keep_out_no_known_device() {
    let (throttle, _) = throttle();
    let tried = (0..1000).filter(|n| is_allowed(&throttle, &one_of_many(*n), "a@b")).count();
    assert_eq!(tried, 50, "the account has a limit too");
    assert!(!is_allowed(&throttle, HOME, "a@b"));
    assert!(is_allowed(&throttle, HOME, "other@b"), "other accounts do not suffer");
    let device = throttle.device([7; 16]).expect("a known device passes");
    throttle.succeeded(&device);
    let tried = (0..20).filter(|_| throttle.device([7; 16]).is_ok()).count();
    assert_eq!(tried, 5, "it has a counter of its own");
}

#[test]
fn a_client_that_tries_one_password_on_all_accounts_is_slowed_down() {
    let (throttle, clock) = throttle();
    let tried = (0..1000).filter(|n| is_allowed(&throttle, HOME, &format!("{n}@b"))).count();
    assert_eq!(tried, 60);
    let (theirs, other) = ("2001:db8:1:1::1", "2001:db8:1:2::1");
    (0..1000).for_each(|n| fail(&throttle, theirs, &format!("{n}@b")));
    assert!(!is_allowed(&throttle, "2001:db8:1:1:ffff::", "x@b"), "the whole network is theirs");
    assert!(is_allowed(&throttle, other, "x@b"));
    clock.advance(time::Duration::seconds(20));
    assert!(is_allowed(&throttle, HOME, "x@b") && !is_allowed(&throttle, HOME, "y@b"));
}

#[test]
fn what_was_not_looked_at_does_not_count() {
    let (throttle, _) = throttle();
    for _ in 0..100 {
        let attempt = attempt(&throttle, HOME, "a@b").expect("none of them counts");
        throttle.withdrawn(&attempt);
    }
}

#[test]
fn a_flood_of_addresses_neither_grows_without_end_nor_clears_the_slate() {
    let (throttle, clock) = throttle();
    (0..CAPACITY).for_each(|n| fail(&throttle, &one_of_many(n), &n.to_string()));
    clock.advance(time::Duration::SECOND);
    (0..9).for_each(|_| fail(&throttle, HOME, "a@b"));
    (0..CAPACITY / 2).for_each(|n| fail(&throttle, &one_of_many(CAPACITY + n), &format!("more {n}")));
    let counters = throttle.counters.lock();
    let largest = [counters.pairs.len(), counters.clients.len(), counters.accounts.len()].into_iter().max();
    assert!(largest.is_some_and(|largest| largest <= CAPACITY));
    drop(counters);
    assert!(!is_allowed(&throttle, HOME, "a@b"), "still slowed down");
}
