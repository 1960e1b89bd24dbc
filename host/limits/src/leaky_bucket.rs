//! How many things may happen at once, and how fast after that. Pure.
//!
//! It remembers one point in time (the "generic cell rate algorithm" of ATM), so that a map of
//! many stays small.

use std::{
    ops::{Add, Sub},
    time::Duration,
};

/// How much fits into a bucket, and how fast it empties.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BucketPolicy {
    /// This many fit in at once.
    pub size: u32,
    /// One leaks out in this time.
    pub leak: Duration,
}

/// A bucket. `T` is a point in time: `std`'s and `tokio`'s `Instant`, `time::OffsetDateTime`.
#[derive(Clone, Copy, Debug)]
pub struct LeakyBucket<T> {
    empty_at: Option<T>,
}

impl<T> LeakyBucket<T>
where
    T: Copy + Ord + Sub + Add<Duration, Output = T> + Sub<Duration, Output = T>,
    <T as Sub>::Output: TryInto<Duration>,
{
    /// Puts one in.
    pub fn fill(&mut self, policy: BucketPolicy, now: T) {
        let from = self.empty_at.map_or(now, |empty_at| empty_at.max(now));
        self.empty_at = Some(from + policy.leak);
    }

    /// Takes one out again.
    pub fn take(&mut self, policy: BucketPolicy) {
        self.empty_at = self.empty_at.map(|empty_at| empty_at - policy.leak);
    }

    /// How long there is to wait until one more fits in.
    #[must_use]
    pub fn wait(&self, policy: BucketPolicy, now: T) -> Duration {
        let Some(empty_at) = self.empty_at else { return Duration::ZERO };
        let level: Duration = (empty_at - now).try_into().unwrap_or_default();
        (level + policy.leak).saturating_sub(policy.leak * policy.size)
    }

    /// When it is empty again; `None` if nothing was ever in it.
    #[must_use]
    pub fn empty_at(&self) -> Option<T> {
        self.empty_at
    }
}

impl<T> Default for LeakyBucket<T> {
    fn default() -> Self {
        Self { empty_at: None }
    }
}

#[cfg(test)]
mod tests {
    use time::OffsetDateTime;

    use super::*;

    #[test]
    fn it_takes_its_size_at_once_and_then_as_much_as_leaks_out() {
        let policy = BucketPolicy { size: 3, leak: Duration::from_secs(10) };
        let start = OffsetDateTime::UNIX_EPOCH;
        let mut bucket = LeakyBucket::default();
        let waits = [0, 0, 0, 10, 20].map(|_| {
            let wait = bucket.wait(policy, start);
            bucket.fill(policy, start);
            wait.as_secs()
        });
        assert_eq!(waits, [0, 0, 0, 10, 20]);
        let after = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(bucket.wait(policy, after(25)), Duration::from_secs(5));
        bucket.take(policy);
        assert_eq!(bucket.wait(policy, after(20)), Duration::ZERO);
        assert_eq!(bucket.wait(policy, after(1000)), Duration::ZERO);
        bucket.fill(policy, after(1000));
        assert_eq!(bucket.empty_at(), Some(after(1010)), "it never holds less than nothing");
    }
}
