//! How long to wait before a plugin that keeps ending is started again. Pure: the caller brings the
//! time.

use std::time::{Duration, Instant};

/// The failures of one plugin, as far as they still count.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    failures: u32,
    last: Option<Instant>,
}

/// The second failure in a row waits this long, each further one twice as long as the one before.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// One that has gone well this long begins anew.
const FORGIVEN: Duration = Duration::from_secs(60);

impl Backoff {
    pub(super) fn failed(&mut self, now: Instant) {
        let is_forgiven = self.last.is_some_and(|last| now.duration_since(last) > FORGIVEN);
        self.failures = if is_forgiven { 1 } else { self.failures.saturating_add(1) };
        self.last = Some(now);
    }

    /// What is left to wait. A first failure waits for nothing: it costs one flow and no other.
    pub(super) fn pause(&self, now: Instant) -> Duration {
        let Some(last) = self.last.filter(|_| self.failures > 1) else { return Duration::ZERO };
        let pause = FIRST_PAUSE.saturating_mul(1 << (self.failures - 2).min(16)).min(LONGEST_PAUSE);
        pause.saturating_sub(now.duration_since(last))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_are_forgiven() {
        let start = Instant::now();
        let mut backoff = Backoff::default();
        assert_eq!(backoff.pause(start), Duration::ZERO, "nothing has failed");
        for pause in [0, 50, 100, 200, 400, 800, 1600, 3200, 5000, 5000] {
            backoff.failed(start);
            assert_eq!(backoff.pause(start), Duration::from_millis(pause));
        }
        assert_eq!(backoff.pause(start + Duration::from_secs(4)), Duration::from_secs(1), "what is left of it");
        assert_eq!(backoff.pause(start + Duration::from_secs(6)), Duration::ZERO);
        backoff.failed(start + Duration::from_secs(61));
        assert_eq!(backoff.pause(start + Duration::from_secs(61)), Duration::ZERO, "it had gone well for long");
    }
}
