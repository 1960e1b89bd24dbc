//! Pauses that double after each failure. Pure.
//!
//! Ours, and not the crate `backon`: its pauses are an iterator that lives as long as one loop of
//! attempts. Here the number of failures stands in a row of the database, or belongs to a plugin
//! that ends and starts, and one pause is asked for by that number.

use std::time::Duration;

/// Pauses that begin with `first` and double up to `longest`.
///
/// ```
/// # use std::time::Duration;
/// # use jackfield_limits::Backoff;
/// const RETRY: Backoff = Backoff::new(Duration::from_secs(5), Duration::from_secs(60));
/// assert_eq!([0, 1, 2, 99].map(|before| RETRY.pause(before).as_secs()), [5, 10, 20, 60]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    first: Duration,
    longest: Duration,
}

impl Backoff {
    /// Pauses between these two.
    #[must_use]
    pub const fn new(first: Duration, longest: Duration) -> Self {
        Self { first, longest }
    }

    /// The pause after a failure that had `before` failures before it in a row.
    #[must_use]
    pub fn pause(self, before: u32) -> Duration {
        let factor = 1_u32.checked_shl(before).unwrap_or(u32::MAX);
        self.first.saturating_mul(factor).min(self.longest)
    }

    /// The same, or longer where the other side has asked for it (`Retry-After`, RFC 9110 section
    /// 10.2.3). What it asks for counts up to `longest_asked`.
    #[must_use]
    pub fn pause_or_asked(self, before: u32, asked: Option<Duration>, longest_asked: Duration) -> Duration {
        self.pause(before).max(asked.unwrap_or_default().min(longest_asked))
    }

    /// A random pause between half of it and all of it, so that callers that failed together do not
    /// come back together.
    #[must_use]
    pub fn jittered_pause(self, before: u32) -> Duration {
        self.pause(before).mul_f64(0.5 + fastrand::f64() / 2.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BACKOFF: Backoff = Backoff::new(Duration::from_secs(5), Duration::from_secs(1800));

    #[test]
    fn pauses_double_up_to_the_longest() {
        let seconds = [0, 1, 2, 8, 9, 31, 32, u32::MAX].map(|before| BACKOFF.pause(before).as_secs());
        assert_eq!(seconds, [5, 10, 20, 1280, 1800, 1800, 1800, 1800]);
        let longest = Backoff::new(Duration::MAX, Duration::MAX);
        assert_eq!(longest.pause(7), Duration::MAX, "nothing overflows");
    }

    #[test]
    fn the_other_side_can_ask_for_more_and_not_for_less() {
        let day = Duration::from_secs(86_400);
        let seconds =
            |before, asked: Option<u64>| BACKOFF.pause_or_asked(before, asked.map(Duration::from_secs), day).as_secs();
        assert_eq!([seconds(0, None), seconds(0, Some(60)), seconds(9, Some(60))], [5, 60, 1800]);
        assert_eq!(seconds(0, Some(u64::MAX)), 86_400);
    }

    #[test]
    fn jittered_pauses_are_not_all_the_same_length() {
        let pauses: Vec<_> = (0..50).map(|_| BACKOFF.jittered_pause(1)).collect();
        let all = BACKOFF.pause(1);
        assert!(pauses.iter().all(|pause| (all / 2..=all).contains(pause)));
        assert!(pauses.iter().any(|pause| *pause != pauses[0]));
    }
}
