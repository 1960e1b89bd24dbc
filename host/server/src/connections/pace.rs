//! How fast the other end takes or sends bytes, at the least.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::time::{Instant, Sleep};

/// Slowest pace in bytes per second, below that of any line that people use.
const SLOWEST: u32 = 512;

/// How far somebody may fall behind that pace.
pub(super) const BEHIND: Duration = Duration::from_secs(30);

/// Counts the time that this end waits, less the time that the bytes are worth. A wait that is
/// this end's own, as for a slow handler, is not counted.
#[derive(Default)]
pub(super) struct Pace {
    behind: Duration,
    waiting: Option<Waiting>,
}

struct Waiting {
    since: Instant,
    end: Pin<Box<Sleep>>,
}

impl Pace {
    /// So many bytes have moved.
    pub(super) fn moved(&mut self, bytes: usize) {
        let waited = self.waiting.take().map_or(Duration::ZERO, |waiting| waiting.since.elapsed());
        self.behind = (self.behind + waited).saturating_sub(worth(bytes));
    }

    /// Nothing moves. Ready once that has lasted for too long.
    pub(super) fn poll_too_slow(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let left = BEHIND.saturating_sub(self.behind);
        let waiting = self.waiting.get_or_insert_with(|| {
            let since = Instant::now();
            Waiting { since, end: Box::pin(tokio::time::sleep_until(since + left)) }
        });
        waiting.end.as_mut().poll(context)
    }
}

/// How long so many bytes may take.
pub(super) fn worth(bytes: usize) -> Duration {
    Duration::from_secs_f64(bytes as f64 / f64::from(SLOWEST))
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    /// Seconds until somebody who sends so many bytes at each interval is too slow; `None` if that
    /// is not in ten minutes.
    async fn lasts(bytes: usize, interval: u64) -> Option<u64> {
        let (mut pace, began) = (Pace::default(), Instant::now());
        while began.elapsed() < Duration::from_secs(600) {
            let too_slow = poll_fn(|context| pace.poll_too_slow(context));
            if tokio::time::timeout(Duration::from_secs(interval), too_slow).await.is_ok() {
                return Some(began.elapsed().as_secs());
            }
            pace.moved(bytes);
        }
        None
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_and_a_byte_a_second_are_too_slow_and_pauses_are_not() {
        for (bytes, interval, expected) in [
            (0, 1000, Some(30)),
            (1, 1, Some(30)),
            (256, 1, Some(59)),
            (1024, 1, None),
            (16 * 1024, 20, None),
            (1024 * 1024, 29, None),
        ] {
            assert_eq!(lasts(bytes, interval).await, expected, "{bytes} bytes every {interval} s");
        }
    }
}
