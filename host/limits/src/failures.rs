//! Failures in a row, what they cost, and when they are forgotten. Pure.

use std::{ops::Sub, time::Duration};

use super::Backoff;

/// What failures in a row cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FailurePolicy {
    /// This many failures cost no pause.
    pub free: u32,
    /// The pauses after the failures beyond those.
    pub backoff: Backoff,
    /// After this long without a failure, a new one counts as the first.
    pub forgotten_after: Duration,
}

/// The failures of one thing, as far as they still count. `T` is a point in time: `std`'s and
/// `tokio`'s `Instant`, `time::OffsetDateTime`.
#[derive(Clone, Copy, Debug)]
pub struct Failures<T> {
    /// How many there were in a row, and when the last was.
    known: Option<(u32, T)>,
}

impl<T> Failures<T>
where
    T: Copy + Sub,
    T::Output: TryInto<Duration>,
{
    /// Counts one more.
    pub fn record(&mut self, policy: FailurePolicy, now: T) {
        let counted = self.known.filter(|(_, last)| between(*last, now) < policy.forgotten_after);
        self.known = Some((counted.map_or(1, |(count, _)| count.saturating_add(1)), now));
    }

    /// Takes the last one back: it was none.
    pub fn forgive(&mut self) {
        self.known =
            self.known.and_then(|(count, last)| Some((count.checked_sub(1).filter(|count| *count > 0)?, last)));
    }

    /// How long there is to wait yet.
    #[must_use]
    pub fn wait(&self, policy: FailurePolicy, now: T) -> Duration {
        let Some((count, last)) = self.known else { return Duration::ZERO };
        let Some(before) = count.checked_sub(policy.free + 1) else { return Duration::ZERO };
        policy.backoff.pause(before).saturating_sub(between(last, now))
    }

    /// When the last one was.
    #[must_use]
    pub fn last(&self) -> Option<T> {
        self.known.map(|(_, last)| last)
    }
}

/// Zero where the clock has gone back.
fn between<T: Sub<Output: TryInto<Duration>>>(earlier: T, later: T) -> Duration {
    (later - earlier).try_into().unwrap_or_default()
}

impl<T> Default for Failures<T> {
    fn default() -> Self {
        Self { known: None }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use time::OffsetDateTime;

    use super::*;

    const POLICY: FailurePolicy = FailurePolicy {
        free: 1,
        backoff: Backoff::new(Duration::from_millis(50), Duration::from_secs(5)),
        forgotten_after: Duration::from_secs(60),
    };

    #[test]
    fn pauses_grow_run_out_and_are_forgotten() {
        let start = Instant::now();
        let mut failures = Failures::default();
        assert_eq!(failures.wait(POLICY, start), Duration::ZERO, "nothing has failed");
        for pause in [0, 50, 100, 200, 400, 800, 1600, 3200, 5000, 5000] {
            failures.record(POLICY, start);
            assert_eq!(failures.wait(POLICY, start), Duration::from_millis(pause));
        }
        let after = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(failures.wait(POLICY, after(4)), Duration::from_secs(1), "what is left of it");
        assert_eq!(failures.wait(POLICY, after(6)), Duration::ZERO);
        failures.record(POLICY, after(60));
        assert_eq!(failures.wait(POLICY, after(60)), Duration::ZERO, "it counts as the first");
        assert_eq!(failures.last(), Some(after(60)));
        failures.forgive();
        assert_eq!(failures.last(), None, "there was none");
    }

    #[test]
    fn a_clock_that_goes_back_lengthens_no_pause() {
        let now = OffsetDateTime::UNIX_EPOCH;
        let mut failures = Failures::default();
        failures.record(POLICY, now);
        failures.record(POLICY, now);
        assert_eq!(failures.wait(POLICY, now - Duration::from_secs(9)), Duration::from_millis(50));
    }
}
