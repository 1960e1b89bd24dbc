//! What one check may cost: in time, and in bytes of answers.
//!
//! A plugin that is slow or answers much in each of some hundred questions would keep a check, and
//! the continuous integration that waits for it, for as long as it likes.

use std::time::{Duration, Instant};

/// Longest time for one provider, and for all of a library.
const LONGEST_FOR_ONE: Duration = Duration::from_secs(30);
const LONGEST: Duration = Duration::from_secs(300);
/// Most bytes of answers of one provider.
const MOST_BYTES: usize = 64 << 20;

/// What is left for a whole check.
#[derive(Clone, Copy)]
pub(super) struct Budget {
    ends: Instant,
    bytes: usize,
}

impl Budget {
    /// Of a check that begins now.
    pub(super) fn begin() -> Self {
        Self { ends: Instant::now() + LONGEST, bytes: MOST_BYTES }
    }

    /// What one provider may use of it, from now on.
    pub(super) fn of_provider(&self) -> Self {
        Self { ends: self.ends.min(Instant::now() + LONGEST_FOR_ONE), bytes: MOST_BYTES }
    }

    /// The time that is left.
    pub(super) fn time_left(&self) -> Duration {
        self.ends.saturating_duration_since(Instant::now())
    }

    /// Counts the bytes of answers.
    pub(super) const fn spend(&mut self, bytes: usize) {
        self.bytes = self.bytes.saturating_sub(bytes);
    }

    /// What is used up, in words.
    pub(super) fn used_up(&self) -> Option<String> {
        if self.time_left().is_zero() {
            return Some("its time is used up".to_owned());
        }
        (self.bytes == 0).then(|| format!("its answers have taken {} MiB", MOST_BYTES >> 20))
    }

    /// The limits in words, for the report.
    pub(super) fn limits() -> String {
        format!(
            "{} s and {} MiB of answers for each provider, {} s in all",
            LONGEST_FOR_ONE.as_secs(),
            MOST_BYTES >> 20,
            LONGEST.as_secs()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_and_time_are_used_up() {
        let mut budget = Budget::begin().of_provider();
        assert_eq!(budget.used_up(), None);
        budget.spend(MOST_BYTES - 1);
        assert_eq!(budget.used_up(), None);
        budget.spend(1);
        assert_eq!(budget.used_up().as_deref(), Some("its answers have taken 64 MiB"));
        let late = Budget { ends: Instant::now(), bytes: 1 };
        assert_eq!(late.of_provider().used_up().as_deref(), Some("its time is used up"));
    }
}
