//! Only so many in a row, and only so many a second after that.

use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// Counts what may happen: so many at once, then one each interval (a token bucket).
///
/// ```
/// use std::time::{Duration, Instant};
/// let lines = jackfield_limits::TokenBucket::new(2, Duration::from_secs(1));
/// let now = Instant::now();
/// assert!(lines.take(now).is_some() && lines.take(now).is_some() && lines.take(now).is_none());
/// assert_eq!(lines.take(now + Duration::from_secs(1)), Some(1), "one was refused meanwhile");
/// ```
#[derive(Debug)]
pub struct TokenBucket {
    burst: u32,
    interval: Duration,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    left: u32,
    /// When the last whole token was added; `None` before the first is taken.
    filled: Option<Instant>,
    refused: u64,
}

impl TokenBucket {
    /// Full: `burst` at once, then one each `interval`.
    #[must_use]
    pub const fn new(burst: u32, interval: Duration) -> Self {
        Self { burst, interval, state: Mutex::new(State { left: burst, filled: None, refused: 0 }) }
    }

    /// Takes one. The answer is how many were refused since the last that was taken; `None` if this
    /// one is refused.
    pub fn take(&self, now: Instant) -> Option<u64> {
        let mut state = self.state.lock();
        self.refill(&mut state, now);
        if state.left == 0 {
            state.refused = state.refused.saturating_add(1);
            return None;
        }
        state.left -= 1;
        Some(std::mem::take(&mut state.refused))
    }

    fn refill(&self, state: &mut State, now: Instant) {
        let filled = *state.filled.get_or_insert(now);
        let passed = now.saturating_duration_since(filled).as_nanos() / self.interval.as_nanos().max(1);
        let passed = u32::try_from(passed).unwrap_or(u32::MAX);
        state.left = state.left.saturating_add(passed).min(self.burst);
        if state.left == self.burst {
            state.filled = Some(now);
        } else {
            state.filled = filled.checked_add(self.interval.saturating_mul(passed)).or(Some(now));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_then_one_each_interval_and_the_refused_are_counted() {
        let bucket = TokenBucket::new(3, Duration::from_millis(200));
        let start = Instant::now();
        let at = |milliseconds| bucket.take(start + Duration::from_millis(milliseconds));
        assert_eq!([at(0), at(0), at(0), at(0), at(100)], [Some(0), Some(0), Some(0), None, None]);
        assert_eq!([at(250), at(390), at(400)], [Some(2), None, Some(1)], "a part of an interval is not lost");
        assert_eq!([at(9000), at(9000), at(9000), at(9000)], [Some(0), Some(0), Some(0), None], "no more than a burst");
    }
}
